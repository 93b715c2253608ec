/* The store on real files: what survives what, and what is refused. The disks that are full or read-only are small
 * tmpfs in a mount namespace of the test's own; where that is not allowed those tests are skipped. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "store/folder.h"
#include "store/ledger.h"
#include "fake_disk.h"
#include "fake_state.h"

static mode_t mode_of(const char *folder, const char *name) {
    char path[200];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 0777;
}

/* Ordinary life */

static void init_makes_a_private_folder_and_store(void **state) {
    struct side *side = *state;
    mode_t mask = umask(0);
    init_state(side);
    assert_int_equal(mode_of(side->folder, "."), 0700);
    assert_int_equal(mode_of(side->folder, "castgate.db"), 0600);
    open_store(side);
    assert_int_equal(claim(side, &key_1), CG_OK);
    assert_int_equal(mode_of(side->folder, "castgate.db-journal"), 0600);
    assert_int_equal(mode_of(side->folder, "castgate.lock"), 0600);
    umask(mask);
    shell("test \"$(ls %s | wc -l)\" = 4", side->folder); /* those three and the witness: no drafts */
}

static void init_refuses_what_is_in_use(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    init_state(side);
    assert_int_equal(cg_sqlite_init_state(side->folder, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "there is a store already"));
    assert_non_null(strstr(problem.detail, "never sent")); /* the way on, and what it asserts */
    assert_non_null(strstr(problem.detail, "castgate-keys claim"));
    shell("rm %s/castgate.db", side->folder); /* with it went the counters: to start at 0 again must not be easy */
    assert_int_equal(cg_sqlite_init_state(side->folder, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "had a store that is gone"));
    shell("mkdir -m 0770 %s", side->other);
    assert_int_equal(cg_sqlite_init_state(side->other, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "chmod go-w"));
    shell("chmod 755 %s", side->other); /* as made by a package or a container */
    assert_int_equal(cg_sqlite_init_state(side->other, &problem), CG_OK);
    assert_int_equal(cg_sqlite_init_state("/nowhere/at/all", &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "No such file"));
}

static void numbers_go_on_after_every_reopening(void **state) {
    struct side *side = *state;
    uint64_t next = 0;
    for (uint64_t i = 1; i <= 5; i++) {
        expect_range(side, &key_1, next, 100 * i);
        next += 100 * i;
        close_store(side);
        open_store(side);
    }
    assert_int_equal(claim(side, &key_2), CG_OK);
    expect_range(side, &key_2, 0, 7); /* each key counts by itself */
    expect_range(side, &key_1, next, 7);
}

/* R53: a key that was not claimed does not send. */
static void a_key_without_row_gets_nothing(void **state) {
    struct side *side = *state;
    expect_refusal(side, &key_2, CG_STORE_UNCLAIMED, "not claimed");
    assert_int_equal(claim(side, &key_2), CG_OK);
    expect_range(side, &key_2, 0, 10);
}

static void a_second_claim_is_no_reset(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 1000);
    assert_int_equal(claim(side, &key_1), CG_OK);
    close_store(side);
    open_store(side);
    assert_int_equal(claim(side, &key_1), CG_OK);
    expect_range(side, &key_1, 1000, 1);
}

static void rows_cannot_be_removed_or_set_back(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 1000);
    close_store(side);
    assert_int_not_equal(run_sql(side, "DELETE FROM sender"), SQLITE_OK);
    assert_int_not_equal(run_sql(side, "UPDATE sender SET next = 999"), SQLITE_OK);
    assert_int_not_equal(run_sql(side, "UPDATE sender SET id = zeroblob(32)"), SQLITE_OK);
    assert_int_not_equal(run_sql(side, "UPDATE sender SET next = 1099511627777"), SQLITE_OK);
    assert_int_not_equal(run_sql(side, "UPDATE sender SET written_ms = written_ms - 1"), SQLITE_OK);
    change_fields(side, "UPDATE sender SET state = 'spent'");
    assert_int_not_equal(run_sql(side, "UPDATE sender SET state = 'claimed'"), SQLITE_OK);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
}

static void numbers_end_at_2_to_the_40(void **state) {
    struct side *side = *state;
    close_store(side);
    change_fields(side, "UPDATE sender SET next = 1099511627776 - 1000003");
    open_store(side);
    assert_int_equal(reserve(side, &key_1, 1024), CG_OK);
    assert_int_equal(side->range.first, CG_SENDER_NUMBERS - 3);
    assert_int_equal(side->range.count, 3);
    expect_refusal(side, &key_1, CG_STORE_EXHAUSTED, "exhausted");
    assert_int_equal(claim(side, &key_1), CG_E_STORE);
    assert_int_equal(side->failure.refusal, CG_STORE_EXHAUSTED);
}

/* Somebody else */

static void a_second_gateway_is_refused(void **state) {
    struct side *side = *state;
    struct side second = *side;
    struct cg_problem problem;
    expect_range(side, &key_1, 0, 10);
    open_store(&second);
    assert_int_equal(check_store(&second), CG_E_STORE);
    problem = second.failure.problem;
    assert_non_null(strstr(problem.detail, "locked by another gateway"));
    char process[32];
    snprintf(process, sizeof process, "(process %d)", (int)getpid());
    assert_non_null(strstr(problem.detail, process));
    expect_refusal(&second, &key_1, CG_STORE_UNAVAILABLE, "locked by another gateway");
    assert_int_equal(claim(&second, &key_2), CG_E_STORE);
    close_store(side);
    expect_range(&second, &key_1, 10, 10); /* when the first is gone the second takes over, without restart */
    close_store(&second);
}

/* Even somebody who removes the lock file gets no number twice. */
/* As castgate-keys does, while the gateway goes on: a rekey needs no restart. */
static void a_key_is_claimed_beside_a_gateway(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    expect_range(side, &key_1, 0, 10);
    fake_clock_ms = ((int64_t)time(NULL) - 3600) * 1000; /* what claims beside goes by the system's clock */
    assert_int_equal(cg_sqlite_claim(side->folder, &key_2, &problem), CG_OK);
    expect_range(side, &key_1, 10, 10);
    expect_range(side, &key_2, 0, 5);
    assert_int_equal(cg_sqlite_claim(side->folder, &key_2, &problem), CG_OK); /* a claim is no reset */
    expect_range(side, &key_2, 5, 5);
    close_store(side);
    open_store(side); /* and raises no suspicion later */
    expect_range(side, &key_1, 20, 10);
    expect_range(side, &key_2, 10, 10);
    close_store(side);
    assert_int_equal(cg_sqlite_claim(side->folder, &key_3, &problem), CG_OK); /* without a gateway just as well */
    open_store(side);
    expect_range(side, &key_3, 0, 1);
}

static void nothing_is_claimed_in_a_copy_that_is_in_use(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    char lock[200];
    expect_range(side, &key_1, 0, 10);
    shell("cp -r %s %s", side->folder, side->other);
    snprintf(lock, sizeof lock, "%s/castgate.lock", side->other);
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(cg_sqlite_claim(side->other, &key_2, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "is a copy"));
    close(fd);
}

static void a_removed_lock_is_noticed(void **state) {
    struct side *side = *state;
    struct side second = *side;
    expect_range(side, &key_1, 0, 10);
    shell("rm %s/castgate.lock", side->folder);
    open_store(&second);
    expect_range(&second, &key_1, 10, 10);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "locked by another gateway");
    close_store(&second);
    expect_range(side, &key_1, 20, 10);
}

/* Copies */

static void a_copied_folder_is_spent(void **state) {
    struct side *side = *state;
    struct side copy = *side;
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    shell("cp -a %s %s", side->folder, side->other);
    strcpy(copy.folder, side->other);
    open_store(&copy);
    expect_refusal(&copy, &key_1, CG_STORE_SPENT, "rekey");
    assert_int_equal(claim(&copy, &key_1), CG_E_STORE); /* no way round */
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
    assert_int_equal(claim(&restored, &key_1), CG_E_STORE);
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

static void a_backup_may_be_made_while_the_gateway_runs(void **state) {
    struct side *side = *state;
    char to[100];
    snprintf(to, sizeof to, "%s/backup", side->top);
    expect_range(side, &key_1, 0, 10);
    backup(side, to);
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
    assert_int_equal(cg_sqlite_backup(side->folder, "/nowhere/at/all", &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "No such file"));
    expect_range(side, &key_1, 0, 10);
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

/* Disks */

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
    assert_int_equal(mount("tmpfs", side->folder, "tmpfs", 0, "size=256k,mode=0700"), 0);
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

/* A failure closes the store, which frees what its log took: so fill the disk until nothing works any more. */
static void fill_for_good(struct side *side, uint64_t *next) {
    for (unsigned failures = 0, tries = 0; failures < 3; tries++) {
        assert_true(tries < 100);
        fill(side);
        failures++;
        if (reserve(side, &key_1, 10) != CG_OK) continue;
        assert_true(side->range.first >= *next);
        *next = side->range.first + 10;
        failures = 0;
    }
}

static void a_full_disk_stops_sending_until_there_is_space(void **state) {
    struct side *side = *state;
    uint64_t next = 0;
    if (!can_mount) skip();
    mount_small(side);
    for (int round = 0; round < 3; round++) {
        fill_for_good(side, &next);
        expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "the disk is full");
        assert_int_equal(claim(side, &key_2), CG_E_STORE);
        shell("rm %s/filler", side->folder);
        assert_int_equal(reserve(side, &key_1, 10), CG_OK);
        assert_true(side->range.first >= next);
        next = side->range.first + 10;
    }
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
#define PLAIN(test) cmocka_unit_test_setup_teardown(test, setup_state, teardown_state)
#define BARE(test)  cmocka_unit_test_setup_teardown(test, setup_nothing, teardown_state)
#define FAKE(test)  cmocka_unit_test_setup_teardown(test, setup_fake_disk, teardown_fake_disk)
    const struct CMUnitTest tests[] = {
        BARE(init_makes_a_private_folder_and_store),
        BARE(init_refuses_what_is_in_use),
        PLAIN(numbers_go_on_after_every_reopening),
        PLAIN(a_key_without_row_gets_nothing),
        PLAIN(a_second_claim_is_no_reset),
        PLAIN(rows_cannot_be_removed_or_set_back),
        PLAIN(numbers_end_at_2_to_the_40),
        PLAIN(a_second_gateway_is_refused),
        PLAIN(a_removed_lock_is_noticed),
        PLAIN(a_key_is_claimed_beside_a_gateway),
        PLAIN(nothing_is_claimed_in_a_copy_that_is_in_use),
        PLAIN(a_copied_folder_is_spent),
        PLAIN(a_file_is_known_by_its_birth),
        PLAIN(a_renamed_folder_is_no_copy),
        PLAIN(a_folder_put_back_is_spent),
        PLAIN(a_folder_moved_back_is_spent),
        PLAIN(a_store_put_back_in_place_is_spent),
        PLAIN(a_folder_put_back_in_place_is_spent),
        PLAIN(a_store_without_witness_is_spent),
        PLAIN(a_live_copy_put_back_in_place_is_spent),
        PLAIN(a_store_put_back_below_its_journal_gives_nothing),
        PLAIN(a_store_replaced_while_running_is_spent),
        PLAIN(a_new_store_under_a_running_gateway_is_spent),
        PLAIN(a_backup_is_spent),
        PLAIN(a_backup_may_be_made_while_the_gateway_runs),
        PLAIN(a_backup_replaces_nothing),
        PLAIN(a_backup_that_fails_leaves_nothing),
        BARE(a_missing_store_is_said),
        PLAIN(a_deleted_store_stops_sending),
        PLAIN(what_is_no_store_is_said),
        PLAIN(a_damaged_store_is_said),
        BARE(a_full_disk_stops_sending_until_there_is_space),
        BARE(a_read_only_disk_stops_sending),
        PLAIN(a_read_only_file_or_folder_stops_sending),
        FAKE(every_number_is_synced_before_it_is_given),
        FAKE(a_failing_disk_gives_nothing_and_recovers),
        FAKE(no_number_comes_twice_after_a_power_failure),
        FAKE(no_number_comes_twice_on_a_failing_disk),
    };
    cg_log_set_level(CG_LOG_ERROR);
    make_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
