/* Stores of version 1 and the names that they have for keys: the counter goes on under the present name, and neither
 * name ever goes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "fake_disk.h"
#include "fake_state.h"
#include "store/folder.h"

#define BURST CG_SQLITE_BURST

/* Key 9's two former names are 1 and 2. */
static const struct cg_sender_id key_9_as_1 = {.bytes = {9}, .former = {1}};
static const struct cg_sender_id key_9_as_2 = {.bytes = {9}, .former = {2}};

#define ZEROS "00000000000000000000000000000000000000000000000000000000000000"

static const char version_1[] =
    "PRAGMA application_id = 0x63677374; PRAGMA journal_mode = WAL; PRAGMA user_version = 1;"
    "CREATE TABLE sender (id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32),"
    " next INTEGER NOT NULL CHECK (next BETWEEN 0 AND 1099511627776),"
    " state TEXT NOT NULL CHECK (state IN ('claimed', 'spent')), created INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE home (one INTEGER PRIMARY KEY CHECK (one = 1), inode INTEGER NOT NULL, born_ns INTEGER NOT NULL,"
    " generation INTEGER NOT NULL, total INTEGER NOT NULL) STRICT;"
    "CREATE TRIGGER sender_stays BEFORE DELETE ON sender"
    " BEGIN SELECT RAISE(ABORT, 'a sender is never deleted'); END;"
    "CREATE TRIGGER sender_grows BEFORE UPDATE ON sender WHEN new.id != old.id OR new.next < old.next OR (old.state ="
    " 'spent' AND new.state != 'spent') BEGIN SELECT RAISE(ABORT, 'a sender is never set back'); END;"
    "INSERT INTO sender VALUES (x'01" ZEROS "', 5000, 'claimed', 1700000000);"
    "INSERT INTO sender VALUES (x'02" ZEROS "', 3009000, 'claimed', 1700000000);"
    "INSERT INTO sender VALUES (x'03" ZEROS "', 70, 'spent', 1700000000);"
    "INSERT INTO home VALUES (1, 0, 0, 7, 3 + 5000 + 3009000 + 70);";

/* As version 1 left it, with a log that the end of the process left; `more`: what is different. */
static void make_version_1(struct side *side, const char *more) {
    char path[200], sql[200];
    struct cg_file_mark mark;
    snprintf(path, sizeof path, "%s/castgate.db", side->folder);
    shell("mkdir -m 700 %s", side->folder);
    shell(": > %s && : > %s/castgate.generation-7", path, side->folder);
    assert_true(cg_file_mark(path, &mark));
    assert_int_equal(run_sql(side, version_1), SQLITE_OK);
    snprintf(sql, sizeof sql, "UPDATE home SET inode = %lld, born_ns = %lld", (long long)mark.inode,
             (long long)mark.born_ns);
    assert_int_equal(run_sql(side, sql), SQLITE_OK);
    assert_int_equal(run_sql(side, more), SQLITE_OK);
    open_store(side);
}

static int setup_version_1(void **state) {
    setup_nothing(state);
    make_version_1(*state, "");
    return 0;
}

static void a_store_of_version_1_goes_on(void **state) {
    struct side *side = *state;
    assert_int_equal(reserve(side, &key_1, 10), CG_OK);
    assert_int_equal(side->range.first, 5000 + BURST); /* when its row was written version 1 did not know */
    assert_int_equal(reserve(side, &key_2, 10), CG_OK);
    assert_int_equal(side->range.first, 3009000 + BURST);
    expect_refusal(side, &key_3, CG_STORE_SPENT, "spent");
    close_store(side);
    shell("test ! -e %s/castgate.db-wal && test ! -e %s/castgate.db-shm", side->folder, side->folder);
    open_store(side);
    assert_int_equal(reserve(side, &key_1, 10), CG_OK);
    assert_int_equal(side->range.first, 5010 + 2 * BURST);
}

/* The log of one that was killed holds the last numbers. */
static void the_log_of_version_1_counts_and_is_not_mapped(void **state) {
    struct side *side = *state;
    close_store(side);
    shell("cp %s/castgate.db %s/old", side->folder, side->top);
    char path[200];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/castgate.db", side->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE sender SET next = 6000 WHERE next = 5000; UPDATE home SET total = total + "
                                  "1000",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    shell("cp %s-wal %s/log", path, side->top);
    sqlite3_close(db);
    shell("cat %s/old > %s && cp %s/log %s-wal", side->top, path, side->top, path);
    fake_disk_init(1);
    open_store(side);
    assert_int_equal(reserve(side, &key_1, 10), CG_OK);
    assert_int_equal(side->range.first, 6000 + BURST);
    assert_int_equal(fake_disk_maps(), 0);
    close_store(side);
    fake_disk_fini();
}

static void a_copy_of_version_1_is_spent(void **state) {
    struct side *side = *state;
    close_store(side);
    shell("cp -a %s %s", side->folder, side->other);
    strcpy(side->folder, side->other);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
}

static void a_version_1_that_does_not_fit_gives_nothing(void **state) {
    struct side *side = *state;
    make_version_1(side, "UPDATE home SET total = total + 1");
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "it is damaged");
}

static void a_backup_of_version_1_is_spent(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    char to[100];
    close_store(side);
    snprintf(to, sizeof to, "%s/backup", side->top);
    assert_int_equal(cg_sqlite_backup(side->folder, to, &problem), CG_OK);
    shell("mkdir -m 700 %s && mv %s %s/castgate.db", side->other, to, side->other);
    strcpy(side->folder, side->other);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
}

static void a_counter_goes_on_under_the_present_name(void **state) {
    struct side *side = *state;
    assert_int_equal(reserve(side, &key_9_as_1, 10), CG_OK);
    assert_int_equal(side->range.first, 5000 + BURST);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent"); /* the former name gives nothing any more */
    assert_int_equal(claim(side, &key_1), CG_E_KEY_REFUSED);
    assert_int_equal(reserve(side, &key_9_as_1, 10), CG_OK);
    assert_int_equal(side->range.first, 5010 + BURST);
    close_store(side);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
    assert_int_equal(reserve(side, &key_9_as_1, 10), CG_OK);
    assert_int_equal(side->range.first, 5020 + 2 * BURST);
}

/* "" and "00" as Master Salt were two keys to version 1. */
static void two_former_names_of_one_key_have_one_counter(void **state) {
    struct side *side = *state;
    assert_int_equal(reserve(side, &key_9_as_1, 10), CG_OK);
    assert_int_equal(side->range.first, 5000 + BURST);
    assert_int_equal(reserve(side, &key_9_as_2, 10), CG_OK);
    assert_int_equal(side->range.first, 3009000 + BURST); /* beyond both */
    assert_int_equal(reserve(side, &key_9_as_1, 10), CG_OK);
    assert_int_equal(side->range.first, 3009010 + BURST);
    expect_refusal(side, &key_2, CG_STORE_SPENT, "spent");
}

static void a_former_name_that_is_behind_sets_nothing_back(void **state) {
    struct side *side = *state;
    assert_int_equal(reserve(side, &key_9_as_2, 10), CG_OK);
    assert_int_equal(reserve(side, &key_9_as_1, 10), CG_OK);
    assert_true(side->range.first >= 3009010 + BURST);
}

static void a_spent_former_name_spends_the_present_one(void **state) {
    struct side *side = *state;
    const struct cg_sender_id key_9_as_3 = {.bytes = {9}, .former = {3}};
    assert_int_equal(reserve(side, &key_9_as_1, 10), CG_OK);
    expect_refusal(side, &key_9_as_3, CG_STORE_SPENT, "spent");
    assert_int_equal(claim(side, &key_9_as_3), CG_E_KEY_REFUSED);
    expect_refusal(side, &key_9_as_1, CG_STORE_SPENT, "spent"); /* whatever it is called */
}

static void a_claim_of_a_key_with_a_former_name_is_no_reset(void **state) {
    struct side *side = *state;
    assert_int_equal(claim(side, &key_9_as_1), CG_OK);
    assert_int_equal(reserve(side, &key_9_as_1, 10), CG_OK);
    assert_true(side->range.first >= 5000);
    assert_int_equal(claim(side, &key_9_as_2), CG_OK);
    assert_int_equal(reserve(side, &key_9_as_2, 10), CG_OK);
    assert_true(side->range.first >= 3009000);
}

/* Version 1 counted a key and the one that it became with another algorithm together. */
static void another_key_with_the_former_name_goes_on_behind_it(void **state) {
    struct side *side = *state;
    const struct cg_sender_id other = {.bytes = {10}, .former = {1}}, third = {.bytes = {11}, .former = {1}};
    assert_int_equal(reserve(side, &key_9_as_1, 10), CG_OK);
    expect_refusal(side, &other, CG_STORE_UNCLAIMED, "not claimed");
    assert_int_equal(claim(side, &other), CG_OK);
    assert_int_equal(reserve(side, &other, 10), CG_OK);
    assert_true(side->range.first >= 5000);
    assert_int_equal(claim(side, &third), CG_OK);
    assert_int_equal(reserve(side, &third, 10), CG_OK);
    assert_true(side->range.first >= 5000);
}

static void a_key_without_former_name_is_not_mixed_up(void **state) {
    struct side *side = *state;
    const struct cg_sender_id nobody = {.bytes = {8}}; /* whose former name is all zero */
    expect_refusal(side, &nobody, CG_STORE_UNCLAIMED, "not claimed");
    assert_int_equal(claim(side, &nobody), CG_OK);
    assert_int_equal(reserve(side, &nobody, 10), CG_OK);
    assert_int_equal(side->range.first, 0);
}

int main(void) {
#define OLD(test) cmocka_unit_test_setup_teardown(test, setup_version_1, teardown_state)
    const struct CMUnitTest tests[] = {
        OLD(a_store_of_version_1_goes_on),
        OLD(the_log_of_version_1_counts_and_is_not_mapped),
        OLD(a_copy_of_version_1_is_spent),
        cmocka_unit_test_setup_teardown(a_version_1_that_does_not_fit_gives_nothing, setup_nothing, teardown_state),
        OLD(a_backup_of_version_1_is_spent),
        OLD(a_counter_goes_on_under_the_present_name),
        OLD(two_former_names_of_one_key_have_one_counter),
        OLD(a_former_name_that_is_behind_sets_nothing_back),
        OLD(a_spent_former_name_spends_the_present_one),
        OLD(a_claim_of_a_key_with_a_former_name_is_no_reset),
        OLD(another_key_with_the_former_name_goes_on_behind_it),
        OLD(a_key_without_former_name_is_not_mixed_up),
    };
    cg_log_set_level(CG_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
