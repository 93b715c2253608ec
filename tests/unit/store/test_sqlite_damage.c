/* Stores that are damaged, truncated, set back or written to a disk that fails at any moment: no number comes twice,
 * and nothing invites anybody to claim a key that has sent. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "fake_disk.h"
#include "fake_state.h"

/* The store's calls come here instead of to libc: what is said to be durable of folders is counted, and nothing waits
 * for a disk, since what an fsync is worth is told by a simulated one. */
static unsigned folder_syncs, folder_failures;

int fdatasync(int fd) {
    (void)fd;
    return 0;
}

int fsync(int fd) {
    struct stat info;
    if (fstat(fd, &info) != 0) return -1;
    if (!S_ISDIR(info.st_mode)) return 0;
    folder_syncs++;
    if (folder_failures == 0) return 0;
    folder_failures--;
    return -1;
}

static char *db_path(const struct side *side) {
    static char path[200];
    snprintf(path, sizeof path, "%s/castgate.db", side->folder);
    return path;
}

static long db_size(const struct side *side) {
    struct stat info;
    assert_int_equal(stat(db_path(side), &info), 0);
    return (long)info.st_size;
}

static void flip(const struct side *side, long at, unsigned bit) {
    uint8_t byte;
    int fd = open(db_path(side), O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= (uint8_t)(1u << bit);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* Whatever it says of a store whose numbers up to `given` are given, it is no lie and no trap. */
static bool judge_reservation(struct side *side, uint64_t given) {
    if (reserve(side, &key_1, 10) == CG_OK) {
        assert_true(side->range.first >= given);
        return true;
    }
    assert_int_not_equal(side->failure.refusal, CG_STORE_UNCLAIMED);
    if (strstr(side->failure.problem.detail, "claim") != NULL) fail_msg("%s", side->failure.problem.detail);
    return false;
}

static long read_store(const struct side *side, uint8_t *to, size_t room) {
    int fd = open(db_path(side), O_RDONLY | O_CLOEXEC);
    const ssize_t size = read(fd, to, room);
    close(fd);
    assert_in_range(size, 1, room - 1);
    return size;
}

/* In place, and with the witness of the first moment. */
static void write_store(const struct side *side, const uint8_t *from, long size) {
    char path[200], first[200];
    int fd = open(db_path(side), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, from, (size_t)size), size);
    close(fd);
    snprintf(first, sizeof first, "%s/castgate.generation-0", side->folder);
    for (int i = 1; i < 100; i++) {
        snprintf(path, sizeof path, "%s/castgate.generation-%d", side->folder, i);
        if (rename(path, first) == 0) return;
    }
}

/* Every eleventh byte of the file, one bit of it. A claim either changes nothing or is refused. */
static void no_flipped_bit_leads_to_a_number_or_a_claim(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    size_t refused = 0, served = 0;
    assert_int_equal(claim(side, &key_2), CG_OK);
    expect_range(side, &key_1, 0, 1000);
    close_store(side);
    uint8_t good[32768];
    const long size = read_store(side, good, sizeof good);
    for (long at = 0; at < size; at += 11) {
        write_store(side, good, size);
        flip(side, at, (unsigned)at % 8);
        bool claimed = cg_sqlite_claim(side->folder, &key_1, &problem) == CG_OK;
        open_store(side);
        bool gave = judge_reservation(side, 1000);
        *(gave ? &served : &refused) += 1;
        if (claimed) assert_true(gave || side->failure.refusal != CG_STORE_UNCLAIMED);
        close_store(side);
    }
    assert_true(served > 100); /* most of the file is empty */
    assert_true(refused > 30);
}

static void a_flipped_id_is_damage_and_not_an_unknown_key(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    struct cg_problem problem;
    uint8_t page[4096], id[32] = {1};
    close_store(side);
    int fd = open(db_path(side), O_RDONLY | O_CLOEXEC);
    long at = -1;
    for (long page_at = 0; at < 0 && pread(fd, page, sizeof page, page_at) == sizeof page; page_at += 4096) {
        uint8_t *found = memmem(page, sizeof page, id, sizeof id);
        if (found != NULL) at = page_at + (found - page);
    }
    close(fd);
    assert_true(at > 0);
    flip(side, at + 31, 0);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "it is damaged");
    assert_int_equal(claim(side, &key_1), CG_E_STORE);
    assert_int_equal(claim(side, &key_3), CG_E_STORE);
    close_store(side);
    assert_int_equal(cg_sqlite_claim(side->folder, &key_3, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "it is damaged"));
    flip(side, at + 31, 0); /* nothing was made of it meanwhile */
    open_store(side);
    expect_range(side, &key_1, 10, 10);
}

static void nothing_is_claimed_in_a_store_that_does_not_fit(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    assert_int_equal(run_sql(side, "UPDATE sender SET next = next + 1"), SQLITE_OK);
    assert_int_equal(claim(side, &key_2), CG_E_STORE);
    assert_non_null(strstr(side->failure.problem.detail, "it is damaged"));
}

/* What only a look at the whole finds: the count of free pages. */
static void a_damaged_database_is_seen_at_opening(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    flip(side, 39, 2);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "it is damaged");
    assert_int_equal(check_store(side), CG_E_STORE);
    flip(side, 39, 2);
    expect_range(side, &key_1, 10, 10);
}

/* Under the running gateway, to any length; and once the file is whole again it goes on by itself. */
static void a_truncated_store_gives_nothing_until_it_is_back(void **state) {
    struct side *side = *state;
    uint64_t given = 0;
    expect_range(side, &key_1, 0, 10);
    given = 10;
    static const long lengths[] = {0, 1, 15, 16, 99, 100, 511, 512, 4095, 4096, 5000, 8191, 8192};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        if (lengths[i] >= db_size(side)) continue;
        shell("cp %s %s/good", db_path(side), side->top);
        assert_int_equal(truncate(db_path(side), lengths[i]), 0);
        assert_int_equal(check_store(side), CG_E_STORE);
        assert_int_equal(side->failure.refusal, CG_STORE_UNAVAILABLE);
        assert_false(judge_reservation(side, given));
        shell("cat %s/good > %s", side->top, db_path(side));
        assert_int_equal(check_store(side), CG_OK);
        assert_true(judge_reservation(side, given));
        given = side->range.first + side->range.count;
    }
}

/* By a copy, in place, so that neither inode nor lock change. */
static void a_store_set_back_while_it_is_open_is_spent(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    shell("cp %s %s/old", db_path(side), side->top);
    expect_range(side, &key_1, 10, 10);
    shell("cat %s/old > %s", side->top, db_path(side));
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
}

/* rsync --inplace --delete of an older folder. */
static void an_older_store_with_its_older_witness_is_spent(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    close_store(side);
    shell("cp -a %s %s", side->folder, side->other);
    open_store(side);
    expect_range(side, &key_1, 10, 10);
    close_store(side);
    shell("cd %s && cat other/castgate.db > state/castgate.db && rm state/castgate.generation-* && "
          "cp -a other/castgate.generation-* state",
          side->top);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
}

static void what_the_witness_does_not_follow_is_not_given(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 10);
    shell("cd %s && g=$(ls | sed -n 's/castgate.generation-//p') && mkdir -p castgate.generation-$((g+1))/in-the-way",
          side->folder);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "cannot be written");
    shell("cd %s && rm -r castgate.generation-*/in-the-way && rmdir castgate.generation-* 2>/dev/null || true",
          side->folder);
    assert_true(judge_reservation(side, 20)); /* those ten are lost, not given */
}

static unsigned moments_left;

static void move_away(void *ctx) {
    const struct side *side = ctx;
    if (moments_left > 0 && --moments_left == 0) shell("mv %s %s/away", db_path(side), side->top);
}

/* At every moment of a commit. */
static void what_is_committed_to_a_vanished_file_is_not_given(void **state) {
    struct side *side = *state;
    uint64_t given = 0;
    for (unsigned moment = 1; moment < 40; moment++) {
        moments_left = moment;
        assert_int_equal(check_store(side), CG_OK);
        fake_disk_watch(move_away, side);
        int err = reserve(side, &key_1, 10);
        fake_disk_watch(NULL, NULL);
        bool moved = moments_left == 0;
        if (moved) {
            assert_int_equal(err, CG_E_STORE);
            shell("mv %s/away %s", side->top, db_path(side));
        }
        assert_true(judge_reservation(side, given));
        given = side->range.first + side->range.count;
        if (!moved) return; /* a commit has no more moments */
    }
    fail_msg("a commit has too many moments");
}

static void a_folder_is_synced_before_its_store_is_used(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    folder_syncs = 0;
    init_state(side);
    assert_true(folder_syncs >= 3); /* the folder's own name, the store's, the witness's */
    open_store(side);
    folder_syncs = 0;
    assert_int_equal(check_store(side), CG_OK);
    assert_true(folder_syncs >= 1);
    close_store(side);
    folder_failures = 1;
    open_store(side);
    assert_int_equal(claim(side, &key_1), CG_E_STORE);
    assert_int_equal(claim(side, &key_1), CG_OK);
    close_store(side);
    for (unsigned fails = 1; fails <= 3; fails++) {
        folder_failures = 1;
        snprintf(side->folder, sizeof side->folder, "%s/new-%u", side->top, fails);
        if (fails > 1) shell("mkdir -m 700 %s", side->folder);
        assert_int_equal(cg_sqlite_init_state(side->folder, &problem), CG_E_STORE);
        folder_failures = 0;
    }
}

/* One write, or one fsync, fails: the first, the second, … of all that opening and reserving make. */
static void a_failure_at_any_write_costs_no_number(void **state) {
    struct side *side = *state;
    static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE};
    uint64_t given = 0;
    for (unsigned kind = 0; kind < 3; kind++) {
        bool hit = true;
        for (unsigned spared = 0; hit; spared++) {
            assert_true(spared < 100);
            close_store(side);
            open_store(side);
            fake_disk_spare(spared);
            if (kind < 2)
                fake_disk_fail_writes(1, codes[kind]);
            else
                fake_disk_fail_syncs(1);
            for (int i = 0; i < 2; i++) {
                if (judge_reservation(side, given))
                    given = side->range.first + side->range.count;
                else
                    assert_int_equal(side->failure.refusal, CG_STORE_UNAVAILABLE);
            }
            hit = fake_disk_failures_left() == 0;
            fake_disk_fail_writes(0, 0);
            fake_disk_fail_syncs(0);
            fake_disk_spare(0);
            assert_true(judge_reservation(side, given)); /* and it recovers by itself */
            given = side->range.first + side->range.count;
        }
    }
}

static void no_file_is_mapped_into_memory(void **state) {
    struct side *side = *state;
    for (uint64_t i = 0; i < 5; i++) expect_range(side, &key_1, i, 1);
    shell("! grep -q castgate.db /proc/%d/maps", (int)getpid());
    assert_int_equal(fake_disk_maps(), 0);
    shell("test ! -e %s-shm && test ! -e %s-wal", db_path(side), db_path(side));
}

/* A log that somebody puts beside a running store, as of an old copy, would bring its mapped index back. */
static void no_log_beside_a_running_store_is_taken_up(void **state) {
    static const char *const logs[] = {"truncate -s 0", "head -c 5000 /dev/urandom >", "mkfifo", "mkdir"};
    struct side *side = *state;
    uint64_t given = 0;
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        shell("%s %s-wal", logs[i], db_path(side));
        given = judge_reservation(side, given) ? side->range.first + side->range.count : given;
        shell("! grep -q castgate.db-shm /proc/%d/maps", (int)getpid());
        assert_int_equal(fake_disk_maps(), 0);
        shell("rm -rf %s-wal", db_path(side));
        assert_true(judge_reservation(side, given));
        given = side->range.first + side->range.count;
    }
}

/* SQLite opens a journal to read it: that of a FIFO would never end. */
static void a_journal_that_is_no_file_is_not_waited_for(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 1);
    shell("mv %s-journal %s/journal && mkfifo %s-journal", db_path(side), side->top, db_path(side));
    alarm(120); /* whoever waits is ended */
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "castgate.db-journal is no file");
    struct cg_problem problem = {0};
    assert_int_equal(cg_sqlite_claim(side->folder, &key_2, &problem), CG_E_STORE);
    close_store(side);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "castgate.db-journal is no file");
    alarm(0);
    shell("mv %s/journal %s-journal", side->top, db_path(side));
    expect_range(side, &key_1, 1, 1);
}

static int setup_fake_disk(void **state) {
    fake_disk_init(77);
    return setup_state(state);
}

static int teardown_fake_disk(void **state) {
    fake_disk_watch(NULL, NULL);
    int status = teardown_state(state);
    fake_disk_fini();
    return status;
}

int main(void) {
#define PLAIN(test) cmocka_unit_test_setup_teardown(test, setup_state, teardown_state)
#define BARE(test)  cmocka_unit_test_setup_teardown(test, setup_nothing, teardown_state)
#define FAKE(test)  cmocka_unit_test_setup_teardown(test, setup_fake_disk, teardown_fake_disk)
    const struct CMUnitTest tests[] = {
        PLAIN(no_flipped_bit_leads_to_a_number_or_a_claim),
        PLAIN(a_flipped_id_is_damage_and_not_an_unknown_key),
        PLAIN(nothing_is_claimed_in_a_store_that_does_not_fit),
        PLAIN(a_damaged_database_is_seen_at_opening),
        PLAIN(a_truncated_store_gives_nothing_until_it_is_back),
        PLAIN(a_store_set_back_while_it_is_open_is_spent),
        PLAIN(an_older_store_with_its_older_witness_is_spent),
        PLAIN(what_the_witness_does_not_follow_is_not_given),
        FAKE(what_is_committed_to_a_vanished_file_is_not_given),
        BARE(a_folder_is_synced_before_its_store_is_used),
        FAKE(a_failure_at_any_write_costs_no_number),
        FAKE(no_file_is_mapped_into_memory),
        FAKE(no_log_beside_a_running_store_is_taken_up),
        PLAIN(a_journal_that_is_no_file_is_not_waited_for),
    };
    cg_log_set_level(CG_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
