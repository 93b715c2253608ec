/* Copies of a store: folders that were copied, put back or moved, files that were put back in place, and backups. Two
 * copies that both send give numbers twice, so a copy gives none. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "store/folder.h"
#include "fake_disk.h"
#include "fake_items.h"
#include "fake_state.h"

static void a_copied_folder_is_spent(void **state) {
    struct side *side = *state;
    struct side copy = *side;
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    shell("cp -a %s %s", side->folder, side->other);
    strcpy(copy.folder, side->other);
    open_store(&copy);
    expect_refusal(&copy, &key_1, CG_STORE_SPENT, "rekey");
    assert_int_equal(claim(&copy, &key_1), CG_E_KEY_REFUSED); /* no way round */
    assert_int_equal(copy.failure.refusal, CG_STORE_SPENT);
    assert_int_equal(claim(&copy, &key_2), CG_OK); /* a new key is no copy */
    expect_range(&copy, &key_2, 0, 10);
    close_store(&copy);
    open_store(&copy);
    expect_range(&copy, &key_2, 10, 10);
    expect_refusal(&copy, &key_1, CG_STORE_SPENT, "rekey");
    close_store(&copy);
    open_store(side);
    expect_range(side, &key_1, 10, 10); /* the original does not mind */
}

/* Inode numbers are given again, a time of birth is not; where the file system notes it. */
static void a_file_is_known_by_its_birth(void **state) {
    struct side *side = *state;
    struct statx info;
    struct cg_file_mark mark;
    char path[128];
    snprintf(path, sizeof path, "%s/castgate.db", side->folder);
    assert_int_equal(statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &info), 0);
    assert_true(cg_file_mark(path, &mark));
    assert_int_equal(mark.inode, info.stx_ino);
    const bool is_noted = (info.stx_mask & STATX_BTIME) != 0;
    const int64_t born_ns = info.stx_btime.tv_sec * INT64_C(1000000000) + info.stx_btime.tv_nsec;
    assert_int_equal(mark.born_ns, is_noted ? born_ns : 0);
    unlink(path);
    assert_false(cg_file_mark(path, &mark));
}

static void a_renamed_folder_is_no_copy(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    shell("mv %s %s", side->folder, side->other);
    strcpy(side->folder, side->other);
    open_store(side);
    expect_range(side, &key_1, 10, 10);
}

/* `how` puts the old state back, while no gateway runs. */
static void put_back(struct side *side, const char *how) {
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    shell("cp -a %s %s", side->folder, side->other);
    open_store(side);
    expect_range(side, &key_1, 10, 10);
    close_store(side);
    shell("cd %s && %s", side->top, how);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
    close_store(side);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
}

static void a_folder_put_back_is_spent(void **state) { put_back(*state, "rm -r state && cp -a other state"); }

static void a_folder_moved_back_is_spent(void **state) { put_back(*state, "rm -r state && mv other state"); }

static void a_store_put_back_in_place_is_spent(void **state) {
    put_back(*state, "cp other/castgate.db state/castgate.db"); /* the same inode */
}

static void a_folder_put_back_in_place_is_spent(void **state) { put_back(*state, "cp -a other/. state/"); }

static void a_store_without_witness_is_spent(void **state) {
    put_back(*state, "rm state/castgate.generation-* && cat other/castgate.db > state/castgate.db");
}

/* The same, of a copy that was made while the gateway ran, and a gateway that was killed. */
static void a_live_copy_put_back_in_place_is_spent(void **state) {
    struct side *side = *state;
    struct side killed = *side;
    expect_range(side, &key_1, 0, 10);
    shell("cp -a %s %s", side->folder, side->other);
    expect_range(side, &key_1, 10, 10);
    shell("rm %s/castgate.lock", side->folder); /* stands for the end of the process that holds it */
    shell("cp -a %s/. %s/", side->other, side->folder);
    open_store(&killed);
    expect_refusal(&killed, &key_1, CG_STORE_SPENT, "spent");
    close_store(&killed);
}

/* Keeps the last journal that SQLite would roll back. */
static void keep_journal(void *ctx) {
    const struct side *side = ctx;
    shell("cd %s && if head -c 4 state/castgate.db-journal | od -An -tx1 | grep -q 'd9 d5 05 f9'; then "
          "cp state/castgate.db-journal kept; fi",
          side->top);
}

/* An older database below the journal of a gateway that was killed while it wrote: pages of two times. */
static void a_store_put_back_below_its_journal_gives_nothing(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    shell("cp -a %s %s", side->folder, side->other);
    open_store(side);
    expect_range(side, &key_1, 10, 10);
    close_store(side);
    fake_disk_init(3);
    open_store(side);
    assert_int_equal(check_store(side), CG_OK);
    fake_disk_watch(keep_journal, side);
    assert_int_equal(reserve(side, &key_1, 10), CG_OK);
    fake_disk_watch(NULL, NULL);
    close_store(side);
    fake_disk_fini();
    shell("cp %s/castgate.db %s/castgate.db && cp %s/kept %s/castgate.db-journal", side->other, side->folder, side->top,
          side->folder);
    open_store(side);
    if (reserve(side, &key_1, 10) == CG_OK) fail_msg("numbers came from pages of two times");
    assert_null(strstr(side->failure.problem.detail, "claim"));
}

static void a_store_replaced_while_running_is_spent(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    shell("cd %s && cp state/castgate.db c && mv c state/castgate.db", side->top);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
}

/* Who makes a new store under a running gateway and claims the same key there would begin at 0 again. */
static void a_new_store_under_a_running_gateway_is_spent(void **state) {
    struct side *side = *state;
    struct side second = *side;
    expect_range(side, &key_1, 0, 10);
    shell("rm -r %s", side->folder);
    init_state(side);
    open_store(&second);
    assert_int_equal(claim(&second, &key_1), CG_OK);
    close_store(&second);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
}

/* Backups */

static void backup(const struct side *side, const char *to) {
    struct cg_problem problem;
    int err = cg_sqlite_backup(side->folder, to, &problem);
    if (err != CG_OK) print_error("%s\n", problem.detail);
    assert_int_equal(err, CG_OK);
}

/* `to` is one file that says spent by itself; as a state folder it gives nothing. */
static void check_backup(struct side *side, const char *to) {
    sqlite3 *db;
    sqlite3_stmt *statement;
    struct stat info;
    assert_int_equal(stat(to, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(sqlite3_open_v2(to, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*), sum(state = 'spent') FROM sender", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), 1);
    assert_int_equal(sqlite3_column_int(statement, 1), 1);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    shell("test -z \"$(ls %s.* %s-* 2>/dev/null)\"", to, to);
    shell("mkdir %s && mv %s %s/castgate.db", side->other, to, side->other);
    struct side restored = *side;
    strcpy(restored.folder, side->other);
    open_store(&restored);
    expect_refusal(&restored, &key_1, CG_STORE_SPENT, "spent");
    assert_int_equal(claim(&restored, &key_1), CG_E_KEY_REFUSED);
    close_store(&restored);
}

static void a_backup_is_spent(void **state) {
    struct side *side = *state;
    char to[100];
    snprintf(to, sizeof to, "%s/backup", side->top);
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    backup(side, to);
    check_backup(side, to);
    open_store(side);
    expect_range(side, &key_1, 10, 10); /* the original is not */
}

/* By the gateway itself, in the middle of its work. */
static void a_backup_may_be_made_while_the_gateway_runs(void **state) {
    struct side *side = *state;
    char to[100];
    snprintf(to, sizeof to, "%s/backup", side->top);
    expect_range(side, &key_1, 0, 10);
    assert_int_equal(side->store->ops->copy(side->store, to, &side->failure), CG_OK);
    expect_range(side, &key_1, 10, 10);
    check_backup(side, to);
    expect_range(side, &key_1, 20, 10);
}

static void a_backup_replaces_nothing(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    char to[100];
    snprintf(to, sizeof to, "%s/castgate.db", side->folder);
    assert_int_equal(cg_sqlite_backup(side->folder, to, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "exists"));
    assert_int_equal(cg_sqlite_backup(side->other, to, &problem), CG_E_STORE);
    close_store(side);
    assert_int_equal(cg_sqlite_backup(side->folder, "/nowhere/at/all", &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "No such file"));
    open_store(side);
    expect_range(side, &key_1, 0, 10);
}

static void store_something(const struct side *side) {
    struct cg_items_file *items = cg_items_file_new(side->folder, NULL);
    expect_text(fake_items_text(items), "");
    fake_put(items, CG_ITEM_MAPPING, "floor3", "{\"path\":\"/3\"}");
    fake_put(items, CG_ITEM_MAPPING, "floor3", "{}");
    cg_items_file_free(items);
}

/* Items with their history, in a file beside the numbers' that takes their file's place. */
static void a_backup_has_what_is_stored(void **state) {
    struct side *side = *state;
    char to[100];
    snprintf(to, sizeof to, "%s/backup", side->top);
    close_store(side);
    store_something(side);
    backup(side, to);
    shell("test $(stat -c %%a %s.items) = 600", to);
    shell("mkdir %s && mv %s %s/castgate.db && mv %s.items %s/castgate.items.db", side->other, to, side->other, to,
          side->other);
    struct cg_items_file *items = cg_items_file_new(side->other, NULL);
    expect_text(fake_items_text(items), "mappings/floor3 2 {}\n");
    expect_text(fake_revisions_text(items, 0, 10), "2 put mappings/floor3 by anna\n1 put mappings/floor3 by anna\n");
    assert_int_equal(fake_put(items, CG_ITEM_MAPPING, "floor4", "{}"), 3);
    cg_items_file_free(items);
    shell("test -z \"$(ls %s* 2>/dev/null)\"", to);
}

static void a_backup_without_a_store_says_how_one_is_made(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    char to[100];
    snprintf(to, sizeof to, "%s/backup", side->top);
    close_store(side);
    shell("rm %s/castgate.db", side->folder);
    assert_int_equal(cg_sqlite_backup(side->folder, to, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "--init-state"));
    shell("test -z \"$(ls %s* 2>/dev/null)\"", to);
}

static void a_backup_replaces_no_items_and_leaves_no_half(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    char to[100];
    snprintf(to, sizeof to, "%s/backup", side->top);
    close_store(side);
    store_something(side);
    shell("echo mine >%s.items", to);
    assert_int_equal(cg_sqlite_backup(side->folder, to, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "backup.items exists"));
    shell("test $(cat %s.items) = mine && ! test -e %s && rm %s.items", to, to, to);
    shell("echo junk >%s/castgate.items.db", side->folder);
    assert_int_equal(cg_sqlite_backup(side->folder, to, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "the stored items"));
    shell("test -z \"$(ls %s* 2>/dev/null)\"", to);
    shell("rm %s/castgate.items.db", side->folder);
    store_something(side);
    shell("echo junk >%s/castgate.db", side->folder);
    assert_int_equal(cg_sqlite_backup(side->folder, to, &problem), CG_E_STORE);
    shell("test -z \"$(ls %s* 2>/dev/null)\"", to);
}

static void a_backup_that_fails_leaves_nothing(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    char to[100];
    snprintf(to, sizeof to, "%s/backup", side->top);
    close_store(side);
    for (unsigned writes = 0; writes < 2; writes++) {
        fake_disk_init(1);
        if (writes)
            fake_disk_fail_writes(1, SQLITE_FULL);
        else
            fake_disk_fail_syncs(1);
        assert_int_equal(cg_sqlite_backup(side->folder, to, &problem), CG_E_STORE);
        fake_disk_fini();
        shell("test -z \"$(ls %s* 2>/dev/null)\"", to);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        state_test(a_copied_folder_is_spent),
        state_test(a_file_is_known_by_its_birth),
        state_test(a_renamed_folder_is_no_copy),
        state_test(a_folder_put_back_is_spent),
        state_test(a_folder_moved_back_is_spent),
        state_test(a_store_put_back_in_place_is_spent),
        state_test(a_folder_put_back_in_place_is_spent),
        state_test(a_store_without_witness_is_spent),
        state_test(a_live_copy_put_back_in_place_is_spent),
        state_test(a_store_put_back_below_its_journal_gives_nothing),
        state_test(a_store_replaced_while_running_is_spent),
        state_test(a_new_store_under_a_running_gateway_is_spent),
        state_test(a_backup_is_spent),
        state_test(a_backup_may_be_made_while_the_gateway_runs),
        state_test(a_backup_replaces_nothing),
        state_test(a_backup_has_what_is_stored),
        state_test(a_backup_without_a_store_says_how_one_is_made),
        state_test(a_backup_replaces_no_items_and_leaves_no_half),
        state_test(a_backup_that_fails_leaves_nothing),
    };
    cg_log_set_level(CG_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
