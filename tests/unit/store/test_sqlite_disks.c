/* Disks that are full, read-only or failing, or lose power. The full and the read-only ones are small tmpfs in a mount
 * namespace of the test's own; where that is not allowed those tests are skipped. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "store/ledger.h"
#include "fake_disk.h"
#include "fake_state.h"

static void a_missing_store_is_said(void **state) {
    struct side *side = *state;
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "--init-state");
    assert_int_equal(check_store(side), CG_E_STORE);
    init_state(side); /* found without restart */
    expect_refusal(side, &key_1, CG_STORE_UNCLAIMED, "not claimed");
}

static void a_deleted_store_stops_sending(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    shell("mv %s/castgate.db %s/away", side->folder, side->top);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "missing");
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "never sent, here or anywhere: --init-state --new-keys");
    assert_int_equal(claim(side, &key_2), CG_E_STORE);
    shell("mv %s/away %s/castgate.db", side->top, side->folder);
    expect_range(side, &key_1, 10, 10); /* the same file: nothing was lost */
    shell("rm -r %s", side->folder);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "missing");
}

static void what_is_no_store_is_said(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    assert_int_equal(run_sql(side, "PRAGMA user_version = 3"), SQLITE_OK);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "has version 3, this castgate knows 2");
    assert_int_equal(run_sql(side, "PRAGMA user_version = 2; PRAGMA application_id = 5"), SQLITE_OK);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "is not a store of castgate");
    shell("echo 'this is a text, and it is longer than a header' > %s/castgate.db", side->folder);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "it is no database");
    shell(": > %s/castgate.db", side->folder);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "is not a store of castgate, it is empty");
}

static void a_damaged_store_is_said(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    shell("dd if=/dev/zero of=%s/castgate.db bs=4096 seek=1 count=9 conv=notrunc 2>/dev/null", side->folder);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "damaged");
}

static void mount_small(struct side *side) {
    assert_int_equal(mkdir(side->folder, 0700), 0);
    assert_int_equal(mount("tmpfs", side->folder, "tmpfs", 0, "size=2m,mode=0700"), 0);
    init_state(side);
    open_store(side);
    assert_int_equal(claim(side, &key_1), CG_OK);
}

static void unmount(struct side *side) {
    close_store(side);
    assert_int_equal(umount(side->folder), 0);
}

static void fill(const struct side *side) {
    char path[200];
    static const char zeros[4096];
    snprintf(path, sizeof path, "%s/filler", side->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

/* What is there already goes on. */
static void a_full_disk_stops_no_command(void **state) {
    struct side *side = *state;
    if (!can_mount) skip();
    mount_small(side);
    expect_range(side, &key_1, 0, 10);
    fill(side);
    for (uint64_t i = 1; i < 100; i++) expect_range(side, &key_1, i * 10, 10);
    assert_int_equal(claim(side, &key_2), CG_OK); /* a rekey is a command, too */
    expect_range(side, &key_2, 0, 10);
    close_store(side);
    open_store(side); /* nor does a start need anything */
    expect_range(side, &key_1, 1000, 10);
    unmount(side);
}

/* Until nothing is left of what the disk keeps for it. */
static void claim_until_full(struct side *side) {
    struct cg_sender_id key = {.bytes = {9}};
    for (unsigned tries = 0;; tries++) {
        assert_true(tries < 20000);
        memcpy(key.bytes + 1, &tries, sizeof tries);
        if (claim(side, &key) != CG_OK) return;
    }
}

static void a_full_disk_stops_new_keys_when_its_reserve_is_used_up(void **state) {
    struct side *side = *state;
    if (!can_mount) skip();
    mount_small(side);
    expect_range(side, &key_1, 0, 10);
    fill(side);
    claim_until_full(side);
    assert_non_null(strstr(side->failure.problem.detail, "the disk is full"));
    shell("rm %s/filler", side->folder);
    assert_int_equal(claim(side, &key_2), CG_OK);
    assert_int_equal(reserve(side, &key_1, 10), CG_OK);
    unmount(side);
}

static void a_read_only_disk_stops_sending(void **state) {
    struct side *side = *state;
    if (!can_mount) skip();
    mount_small(side);
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    assert_int_equal(mount(NULL, side->folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "Read-only file system");
    assert_int_equal(mount(NULL, side->folder, NULL, MS_REMOUNT, NULL), 0);
    expect_range(side, &key_1, 10, 10);
    unmount(side);
}

/* Whether modes of files count for root, too. */
static void respect_modes(bool respect) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    uint32_t bits = UINT32_C(1) << CAP_DAC_OVERRIDE | UINT32_C(1) << CAP_DAC_READ_SEARCH;
    assert_int_equal(syscall(SYS_capget, &header, data), 0);
    data[0].effective = respect ? data[0].effective & ~bits : data[0].effective | (data[0].permitted & bits);
    assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void a_read_only_file_or_folder_stops_sending(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    respect_modes(true);
    open_store(side);
    shell("chmod 400 %s/castgate.db", side->folder);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "it is read-only");
    shell("chmod 600 %s/castgate.db && chmod 500 %s", side->folder, side->folder);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "its folder writable"); /* no journal, no witness */
    shell("chmod 700 %s", side->folder);
    expect_range(side, &key_1, 10, 10);
    shell("chmod 000 %s/castgate.db", side->folder); /* what is open stays open */
    expect_range(side, &key_1, 20, 10);
    close_store(side);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "owner and mode");
    respect_modes(false);
}

/* Durability */

static int setup_fake_disk(void **state) {
    fake_disk_init(20251);
    return setup_state(state);
}

static int teardown_fake_disk(void **state) {
    fake_disk_watch(NULL, NULL);
    int status = teardown_state(state);
    fake_disk_fini();
    return status;
}

#define disk_test(test) cmocka_unit_test_setup_teardown(test, setup_fake_disk, teardown_fake_disk)

/* Synchronous is FULL, and a number leaves only after the fsync of the commit that reserves it has returned. */
static void every_number_is_synced_before_it_is_given(void **state) {
    struct side *side = *state;
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t syncs = fake_disk_syncs();
        expect_range(side, &key_1, i * 10, 10);
        assert_true(fake_disk_syncs() >= syncs + 3); /* the journal, the store, the journal's end */
        assert_int_equal(fake_disk_unsynced(), 0);
    }
    uint64_t syncs = fake_disk_syncs();
    assert_int_equal(claim(side, &key_2), CG_OK);
    assert_true(fake_disk_syncs() >= syncs + 3); /* the journal, the store, the journal's end */
    assert_int_equal(fake_disk_unsynced(), 0);
}

static void a_failing_disk_gives_nothing_and_recovers(void **state) {
    struct side *side = *state;
    uint64_t next = 0;
    static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_READONLY};
    static const char *const parts[] = {"the disk is full", "the disk fails", "read-only"};
    for (size_t i = 0; i < 3; i++) {
        fake_disk_fail_writes(1, codes[i]);
        expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, parts[i]);
        expect_range(side, &key_1, next, 10);
        next += 10;
    }
    fake_disk_fail_syncs(1);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "the disk fails");
    assert_int_equal(reserve(side, &key_1, 10), CG_OK);
    assert_true(side->range.first >= next); /* the commit may have been there, or not */
}

/* A gateway's life as a power failure sees it: what was given so far must be below what the disk would go on with. */
struct life {
    struct side *side;
    uint64_t given;
    bool healthy; /* no fsync failed */
    size_t moments;
    size_t reused, suspect; /* moments at which numbers would come twice, or the store would not fit together */
};

/* -1: no such thing. */
static int64_t ask(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) return -1;
    if (sqlite3_step(statement) == SQLITE_ROW) value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* May be called from inside SQLite, so it only counts. */
static void on_moment(void *ctx) {
    struct life *life = ctx;
    char path[200];
    sqlite3 *db;
    life->moments++;
    fake_disk_after_power_loss(life->side->other);
    snprintf(path, sizeof path, "%s/castgate.db", life->side->other);
    sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix");
    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL); /* it is only looked at */
    int64_t next = ask(db, "SELECT next FROM sender WHERE substr(id, 1, 1) = x'01'");
    if (next < (int64_t)life->given) life->reused++;
    struct cg_ledger ledger;
    if (cg_ledger_read(db, NULL, &ledger) != SQLITE_OK || !ledger.fits) life->suspect++;
    sqlite3_close(db);
}

static void reserve_or_fail(struct life *life, size_t *failures) {
    struct side *side = life->side;
    if (reserve(side, &key_1, 10) == CG_OK) {
        assert_true(side->range.first >= life->given);
        life->given = side->range.first + side->range.count;
    } else {
        assert_int_equal(side->failure.refusal, CG_STORE_UNAVAILABLE);
        (*failures)++;
    }
    on_moment(life);
    assert_int_equal(life->reused, 0);
    if (life->healthy) assert_int_equal(life->suspect, 0); /* a power failure alone makes no store suspect */
}

static void live_through_power_failures(struct life *life, unsigned rounds, size_t *failures) {
    struct side *side = life->side;
    mkdir(side->other, 0700);
    assert_int_equal(claim(side, &key_2), CG_OK);
    fake_disk_watch(on_moment, life);
    for (unsigned round = 0; round < rounds; round++) {
        uint32_t dice = fake_disk_random();
        if (!life->healthy && dice % 5 == 0) fake_disk_fail_syncs(1 + dice / 5 % 3);
        if (!life->healthy && dice % 7 == 0) fake_disk_fail_writes(1, SQLITE_IOERR_WRITE);
        reserve_or_fail(life, failures);
        if (dice % 3 == 0) reserve(side, &key_2, 10);
        if (dice % 11 != 0) continue;
        close_store(side);
        on_moment(life);
        open_store(side);
    }
    fake_disk_watch(NULL, NULL);
}

static void no_number_comes_twice_after_a_power_failure(void **state) {
    struct life life = {.side = *state, .healthy = true};
    size_t failures = 0;
    live_through_power_failures(&life, 100, &failures);
    assert_int_equal(failures, 0);
    assert_int_equal(life.given % CG_SQLITE_BURST, 1000); /* nothing is wasted but at a start */
    assert_true(life.moments > 200);
}

/* Nor if fsyncs failed before. */
static void no_number_comes_twice_on_a_failing_disk(void **state) {
    struct life life = {.side = *state};
    size_t failures = 0;
    live_through_power_failures(&life, 200, &failures);
    assert_true(failures > 20);
    assert_true(life.given > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        bare_test(a_missing_store_is_said),
        state_test(a_deleted_store_stops_sending),
        state_test(what_is_no_store_is_said),
        state_test(a_damaged_store_is_said),
        bare_test(a_full_disk_stops_no_command),
        bare_test(a_full_disk_stops_new_keys_when_its_reserve_is_used_up),
        bare_test(a_read_only_disk_stops_sending),
        state_test(a_read_only_file_or_folder_stops_sending),
        disk_test(every_number_is_synced_before_it_is_given),
        disk_test(a_failing_disk_gives_nothing_and_recovers),
        disk_test(no_number_comes_twice_after_a_power_failure),
        disk_test(no_number_comes_twice_on_a_failing_disk),
    };
    cg_log_set_level(CG_LOG_ERROR);
    make_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
