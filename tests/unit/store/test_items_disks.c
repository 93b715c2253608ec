/* Stored items on disks that are full, read-only or failing, or lose power; beside others who hold the file; and in
 * files that are not what they were. The small disks are tmpfs in a mount namespace of the test's own; where that is
 * not allowed those tests are skipped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_disk.h"
#include "fake_items.h"
#include "fake_state.h"
#include "store/connection.h"
#include "store/lock.h"

struct desk {
    char top[64], folder[80], other[80];
    struct cg_items_file *file;
};

static void open_items(struct desk *desk) {
    desk->file = cg_items_file_new(desk->folder, NULL);
    assert_non_null(desk->file);
}

static void close_items(struct desk *desk) {
    cg_items_file_free(desk->file);
    desk->file = NULL;
}

static int setup(void **state) {
    struct desk *desk = calloc(1, sizeof *desk);
    strcpy(desk->top, "/tmp/castgate-items.XXXXXX");
    assert_non_null(mkdtemp(desk->top));
    if (can_mount) assert_int_equal(mount("tmpfs", desk->top, "tmpfs", 0, "mode=0700"), 0); /* what syncs is fast */
    snprintf(desk->folder, sizeof desk->folder, "%s/state", desk->top);
    snprintf(desk->other, sizeof desk->other, "%s/other", desk->top);
    assert_int_equal(mkdir(desk->folder, 0700), 0);
    fake_keep_ms = 0;
    open_items(desk);
    *state = desk;
    return 0;
}

static int teardown(void **state) {
    struct desk *desk = *state;
    close_items(desk);
    if (can_mount) umount(desk->folder); /* of a test that failed half-way */
    if (can_mount) assert_int_equal(umount(desk->top), 0);
    shell("rm -rf %s", desk->top);
    free(desk);
    return 0;
}

static const struct fake_edit edit_of_a = {.kind = CG_ITEM_MAPPING, .name = "a", .document = "{\"b\":2}"};

static void expect_failure(struct desk *desk, const char *part) {
    uint64_t revision = 0;
    assert_int_equal(fake_commit(desk->file, &edit_of_a, 1, &revision), CG_E_STORE);
    assert_int_equal(revision, 0);
    if (strstr(fake_problem.detail, part) == NULL) fail_msg("%s", fake_problem.detail);
}

static void load_and_put(struct desk *desk) {
    expect_text(fake_items_text(desk->file), "");
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
}

/* ---- What is not as it was ---- */

static void nothing_is_stored_before_what_is_there_was_read(void **state) {
    struct desk *desk = *state;
    load_and_put(desk);
    close_items(desk);
    open_items(desk);
    expect_failure(desk, "restart castgate");
    expect_text(fake_items_text(desk->file), "mappings/a 1 {}\n");
    fake_put(desk->file, CG_ITEM_MAPPING, "b", "{}");
}

static void a_file_that_goes_while_it_is_in_use_is_said(void **state) {
    struct desk *desk = *state;
    load_and_put(desk);
    shell("mv %s/castgate.items.db %s/away", desk->folder, desk->top);
    expect_failure(desk, "is gone while it was in use");
    shell("mv %s/away %s/castgate.items.db", desk->top, desk->folder);
    assert_int_equal(fake_put(desk->file, CG_ITEM_MAPPING, "b", "{}"), 2);
}

static void another_file_in_its_place_is_not_written(void **state) {
    struct desk *desk = *state;
    load_and_put(desk);
    close_items(desk);
    shell("cp %s/castgate.items.db %s/older", desk->folder, desk->top);
    open_items(desk);
    expect_text(fake_items_text(desk->file), "mappings/a 1 {}\n");
    fake_put(desk->file, CG_ITEM_MAPPING, "b", "{}");
    shell("mv %s/older %s/castgate.items.db", desk->top, desk->folder);
    expect_failure(desk, "is not what this gateway read from it");
    expect_text(fake_items_text(desk->file), "mappings/a 1 {}\n"); /* as after a restart */
    assert_int_equal(fake_put(desk->file, CG_ITEM_MAPPING, "b", "{}"), 2);
}

/* By whoever has it open, which goes on as before. */
static void a_copy_is_of_what_is_committed(void **state) {
    struct desk *desk = *state;
    char copy[128];
    snprintf(copy, sizeof copy, "%s/copy", desk->top);
    assert_int_equal(cg_items_copy(desk->file, copy, &fake_problem), CG_E_NOT_FOUND);
    load_and_put(desk);
    assert_int_equal(cg_items_copy(desk->file, copy, &fake_problem), CG_OK);
    assert_int_equal(cg_items_copy(desk->file, copy, &fake_problem), CG_E_STORE); /* it is there */
    assert_int_equal(fake_put(desk->file, CG_ITEM_MAPPING, "b", "{}"), 2);
    shell("mkdir %s && mv %s %s/castgate.items.db && test \"$(ls %s)\" = castgate.items.db", desk->other, copy,
          desk->other, desk->other);
    struct cg_items_file *other = cg_items_file_new(desk->other, NULL);
    expect_text(fake_items_text(other), "mappings/a 1 {}\n");
    assert_int_equal(fake_put(other, CG_ITEM_MAPPING, "c", "{}"), 2);
    cg_items_file_free(other);
}

static void what_is_no_file_of_ours_is_left_alone(void **state) {
    struct desk *desk = *state;
    static const char *const parts[] = {"it is no database: put a backup of it in its place",
                                        "holds no stored items of castgate", "is no file: remove it"};
    static const char *const makers[] = {"seq 9999 > castgate.items.db", ": > castgate.items.db",
                                         "rm castgate.items.db && mkfifo castgate.items.db"};
    for (size_t i = 0; i < 3; i++) {
        shell("cd %s && %s", desk->folder, makers[i]);
        assert_null(fake_items_text(desk->file));
        if (strstr(fake_problem.detail, parts[i]) == NULL) fail_msg("%s", fake_problem.detail);
        expect_failure(desk, parts[i]);
    }
}

static void a_damaged_file_is_said_and_kept(void **state) {
    struct desk *desk = *state;
    load_and_put(desk);
    close_items(desk);
    shell("dd if=/dev/zero of=%s/castgate.items.db bs=4096 seek=2 count=9 conv=notrunc 2>/dev/null", desk->folder);
    shell("cp %s/castgate.items.db %s/kept", desk->folder, desk->top);
    open_items(desk);
    assert_null(fake_items_text(desk->file));
    assert_non_null(strstr(fake_problem.detail, "it is damaged: put a backup of it in its place"));
    expect_failure(desk, "it is damaged");
    shell("cmp %s/castgate.items.db %s/kept", desk->folder, desk->top);
}

static void one_program_has_it(void **state) {
    struct desk *desk = *state;
    struct cg_state_lock mine, others;
    unsigned owner;
    assert_int_equal(cg_state_lock_init(&mine, desk->folder), CG_OK);
    assert_int_equal(cg_state_lock_init(&others, desk->folder), CG_OK);
    close_items(desk);
    desk->file = cg_items_file_new(desk->folder, &mine);
    load_and_put(desk); /* nobody has the folder */
    struct cg_items_file *file = cg_items_file_new(desk->folder, &others);
    assert_null(fake_items_text(file));
    assert_non_null(strstr(fake_problem.detail, "another castgate (process "));
    cg_items_file_free(file);
    file = cg_items_file_new(desk->folder, NULL); /* whoever has no respect for that lock meets SQLite's */
    assert_null(fake_items_text(file));
    assert_non_null(strstr(fake_problem.detail, "another program holds it"));
    cg_items_file_free(file);
    assert_int_equal(cg_state_lock_take(&others, &owner), EWOULDBLOCK);
    close_items(desk);
    cg_state_lock_fini(&mine);
    cg_state_lock_fini(&others);
}

static void without_a_folder_nothing_is_stored(void **state) {
    struct desk *desk = *state;
    struct cg_state_lock lock;
    assert_int_equal(rmdir(desk->folder), 0);
    assert_int_equal(cg_state_lock_init(&lock, desk->folder), CG_OK);
    close_items(desk);
    desk->file = cg_items_file_new(desk->folder, &lock);
    expect_text(fake_items_text(desk->file), "");
    expect_failure(desk, "--init-state");
    close_items(desk);
    cg_state_lock_fini(&lock);
}

/* ---- Small disks ---- */

static void mount_small(struct desk *desk) {
    assert_int_equal(mount("tmpfs", desk->folder, "tmpfs", 0, "size=4m,mode=0700"), 0);
    load_and_put(desk);
}

static void unmount(struct desk *desk) {
    close_items(desk);
    assert_int_equal(umount(desk->folder), 0);
}

static void a_disk_that_is_nearly_full_refuses_changes(void **state) {
    struct desk *desk = *state;
    const struct cg_deed deed = {
        .who = "-", .from = "", .operation = "login", .target = "", .result = "refused", .detail = ""};
    if (!can_mount) skip();
    mount_small(desk);
    shell("dd if=/dev/zero of=%s/filler bs=1024 count=3900 2>/dev/null", desk->folder);
    expect_failure(desk, "is nearly full: free ");
    assert_int_equal(cg_items_note(desk->file, &deed, &fake_problem), CG_E_STORE);
    shell("rm %s/filler", desk->folder);
    assert_int_equal(fake_put(desk->file, CG_ITEM_MAPPING, "b", "{}"), 2);
    unmount(desk);
}

static void a_read_only_disk_is_read_and_not_written(void **state) {
    struct desk *desk = *state;
    if (!can_mount) skip();
    mount_small(desk);
    close_items(desk);
    assert_int_equal(mount(NULL, desk->folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    open_items(desk);
    assert_null(fake_items_text(desk->file));
    assert_non_null(strstr(fake_problem.detail, "read-only"));
    assert_int_equal(mount(NULL, desk->folder, NULL, MS_REMOUNT, NULL), 0);
    expect_text(fake_items_text(desk->file), "mappings/a 1 {}\n");
    unmount(desk);
}

/* ---- Disks that fail, and power that goes ---- */

static int setup_disk(void **state) {
    fake_disk_init(20261129);
    return setup(state);
}

static int teardown_disk(void **state) {
    fake_disk_watch(NULL, NULL);
    const int status = teardown(state);
    fake_disk_fini();
    return status;
}

static void every_commit_is_synced_before_it_returns(void **state) {
    struct desk *desk = *state;
    load_and_put(desk);
    for (int i = 0; i < 50; i++) {
        const uint64_t syncs = fake_disk_syncs();
        fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
        assert_true(fake_disk_syncs() >= syncs + 3); /* the journal, the file, the journal's end */
        assert_int_equal(fake_disk_unsynced(), 0);
    }
    assert_int_equal(fake_disk_maps(), 0);
}

static void a_failing_disk_changes_nothing_and_recovers(void **state) {
    struct desk *desk = *state;
    static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE};
    static const char *const parts[] = {"the disk is full", "the disk fails"};
    load_and_put(desk);
    for (size_t i = 0; i < 2; i++) {
        fake_disk_fail_writes(1, codes[i]);
        expect_failure(desk, parts[i]);
        assert_int_equal(fake_put(desk->file, CG_ITEM_MAPPING, "b", "{}"), 2 + i);
    }
    expect_text(fake_items_text(desk->file), "mappings/a 1 {}\nmappings/b 3 {}\n");
}

/* What was acknowledged, and what is on the disk at any moment. */
struct life {
    struct desk *desk;
    uint64_t acknowledged;
    bool healthy;
    size_t moments, lost, halves;
};

/* Each commit puts both items, and an entry in the audit. */
static const char is_whole[] =
    "SELECT (SELECT count(DISTINCT revision) FROM item) <= 1 AND (SELECT count(*) FROM item) IN (0, 2) AND"
    " (SELECT coalesce(max(revision), 0) FROM item) = (SELECT coalesce(max(number), 0) FROM revision) AND"
    " (SELECT count(*) FROM change) = 2 * (SELECT count(*) FROM revision) AND"
    " (SELECT count(*) FROM audit) = (SELECT count(*) FROM revision)";

/* -1: it cannot be read. */
static int64_t ask(sqlite3 *db, const char *sql) {
    int64_t value = -1;
    return cg_connection_ask(db, sql, &value) == SQLITE_OK ? value : -1;
}

/* May be called from inside SQLite, so it only counts. */
static void on_moment(void *ctx) {
    struct life *life = ctx;
    char path[120];
    sqlite3 *db;
    life->moments++;
    fake_disk_after_power_loss(life->desk->other);
    snprintf(path, sizeof path, "%s/" CG_ITEMS_FILE, life->desk->other);
    sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix");
    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL); /* it is only looked at */
    life->lost += ask(db, "SELECT coalesce(max(number), 0) FROM revision") < (int64_t)life->acknowledged;
    life->halves += ask(db, is_whole) != 1;
    sqlite3_close(db);
}

static void commit_or_fail(struct life *life, size_t *failures) {
    struct desk *desk = life->desk;
    char document[32];
    uint64_t revision = 0;
    snprintf(document, sizeof document, "{\"n\":%u}", fake_disk_random());
    const struct fake_edit both[] = {{.kind = CG_ITEM_MAPPING, .name = "a", .document = document},
                                     {.kind = CG_ITEM_CLIENT, .name = "b", .document = document, .sealed = "S"}};
    if (fake_commit(desk->file, both, 2, &revision) == CG_OK) {
        assert_int_equal(revision, life->acknowledged + 1);
        life->acknowledged = revision;
        return;
    }
    (*failures)++;
    char *text = fake_items_text(desk->file); /* as after a restart: what failed may have been done */
    if (text == NULL) return;
    uint64_t latest = 0;
    if (strncmp(text, "clients/b ", 10) == 0) latest = strtoull(text + 10, NULL, 10);
    free(text);
    assert_true(latest == life->acknowledged || latest == life->acknowledged + 1);
    life->acknowledged = latest;
}

static void live(struct life *life, unsigned rounds, size_t *failures) {
    struct desk *desk = life->desk;
    assert_int_equal(mkdir(desk->other, 0700), 0);
    expect_text(fake_items_text(desk->file), "");
    commit_or_fail(life, failures);
    fake_disk_watch(on_moment, life);
    for (unsigned round = 0; round < rounds; round++) {
        const uint32_t dice = fake_disk_random();
        if (!life->healthy && dice % 5 == 0) fake_disk_fail_syncs(1 + dice / 5 % 3);
        if (!life->healthy && dice % 7 == 0) fake_disk_fail_writes(1, SQLITE_IOERR_WRITE);
        commit_or_fail(life, failures);
    }
    fake_disk_watch(NULL, NULL);
}

static void a_power_failure_loses_nothing_and_halves_nothing(void **state) {
    struct life life = {.desk = *state, .healthy = true};
    size_t failures = 0;
    live(&life, 60, &failures);
    assert_int_equal(failures, 0);
    assert_int_equal(life.lost, 0);
    assert_int_equal(life.halves, 0);
    assert_true(life.moments > 300);
}

static void nor_does_one_after_fsyncs_that_failed(void **state) {
    struct life life = {.desk = *state};
    size_t failures = 0;
    live(&life, 120, &failures);
    assert_true(failures > 10);
    assert_true(life.acknowledged > 30);
    assert_int_equal(life.lost, 0);
    assert_int_equal(life.halves, 0);
}

#define items_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define disk_test(test)  cmocka_unit_test_setup_teardown(test, setup_disk, teardown_disk)

int main(void) {
    const struct CMUnitTest tests[] = {
        items_test(nothing_is_stored_before_what_is_there_was_read),
        items_test(a_file_that_goes_while_it_is_in_use_is_said),
        items_test(another_file_in_its_place_is_not_written),
        items_test(a_copy_is_of_what_is_committed),
        items_test(what_is_no_file_of_ours_is_left_alone),
        items_test(a_damaged_file_is_said_and_kept),
        items_test(one_program_has_it),
        items_test(without_a_folder_nothing_is_stored),
        items_test(a_disk_that_is_nearly_full_refuses_changes),
        items_test(a_read_only_disk_is_read_and_not_written),
        disk_test(every_commit_is_synced_before_it_returns),
        disk_test(a_failing_disk_changes_nothing_and_recovers),
        disk_test(a_power_failure_loses_nothing_and_halves_nothing),
        disk_test(nor_does_one_after_fsyncs_that_failed),
    };
    make_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
