/* The members' file: what comes back from it, and all that may be wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/members.h"

#define SECOND 1000000
#define DAY    (INT64_C(86400) * SECOND)

static char folder[64], path[128];
static struct cg_members_file *file;
static struct cg_members_time now;
static struct cg_known_record *records;
static size_t count;
static struct cg_problem problem;

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/castgate-members-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/" CG_MEMBERS_FILE, folder);
    file = cg_members_file_new(folder, 30 * DAY, 5);
    assert_non_null(file);
    now = (struct cg_members_time){.unix_ms = INT64_C(1795000000000), .now_us = 100 * DAY};
    problem = (struct cg_problem){0};
    return 0;
}

static int tear_down(void **state) {
    char command[128];
    (void)state;
    cg_members_file_free(file);
    free(records);
    records = NULL;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 5683), CG_OK);
    return addr;
}

static struct cg_known_record lamp(const char *name, const char *mapping, int64_t age_us) {
    struct cg_known_record record = {.identity_len = 32, .kid_len = 1, .addr_count = 2, .lost = 0.25f, .casts = 8};
    memset(record.identity, name[0], sizeof record.identity);
    snprintf(record.name, sizeof record.name, "%s", name);
    snprintf(record.mapping, sizeof record.mapping, "%s", mapping);
    record.kid[0] = 0x11;
    record.addrs[0] = address("[2001:db8::7]:61616");
    record.addrs[1] = address("127.1.0.1");
    record.times[3] = 300;
    record.times[39] = 4;
    record.missed = 2;
    record.last_us = (int64_t)now.now_us - age_us;
    return record;
}

static void save(struct cg_known_record record) {
    assert_int_equal(cg_members_save(file, &record, 1, &now, &problem), CG_OK);
}

static void load(void) {
    free(records);
    int err = cg_members_load(file, &now, &records, &count, &problem);
    if (err != CG_OK) fail_msg("%s", problem.detail);
}

/* Another process, after the machine has started anew. */
static void restart(int64_t later_us) {
    cg_members_file_free(file);
    file = cg_members_file_new(folder, 30 * DAY, 5);
    now.unix_ms += later_us / 1000;
    now.now_us = 5 * SECOND;
}

static void run_sql(const char *sql) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void close_file(void) {
    cg_members_file_free(file);
    file = cg_members_file_new(folder, 30 * DAY, 5);
}

static void write_file(const char *text) {
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
}

static bool exists(const char *name) {
    char whole[160];
    snprintf(whole, sizeof whole, "%s/%s", folder, name);
    return access(whole, F_OK) == 0;
}

static void all_comes_back_with_its_age(void **state) {
    (void)state;
    struct cg_known_record lock = lamp("lock", "hall", DAY);
    struct cg_known_record bare = {.addr = address("127.1.0.9:7"), .mapping = "hall", .addr_count = 1};
    bare.addrs[0] = bare.addr;
    bare.last_us = (int64_t)now.now_us - 2 * DAY;
    save(bare);
    save(lock);
    restart(3 * DAY);
    load();
    assert_int_equal(count, 2);
    lock.last_us = (int64_t)now.now_us - 4 * DAY;
    bare.last_us = (int64_t)now.now_us - 5 * DAY;
    assert_memory_equal(&records[0], &lock, sizeof lock); /* the latest first */
    assert_memory_equal(&records[1], &bare, sizeof bare);
}

static void only_its_user_may_read_it(void **state) {
    struct stat info;
    (void)state;
    mode_t former = umask(0);
    load();
    umask(former);
    assert_int_equal(count, 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    close_file();
    assert_int_equal(chmod(path, 0644), 0);
    load();
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void what_is_saved_again_replaces(void **state) {
    (void)state;
    struct cg_known_record record = lamp("lamp", "hall", 2 * SECOND);
    save(record);
    record.missed = 0;
    save(record);
    save(lamp("lamp", "attic", SECOND));
    load();
    assert_int_equal(count, 2);
    assert_string_equal(records[0].mapping, "attic");
    assert_int_equal(records[1].missed, 0);
}

static void zones_are_not_kept(void **state) {
    (void)state;
    struct cg_known_record record = lamp("lamp", "hall", 0);
    record.addrs[0] = address("[fe80::1%3]:5683");
    save(record);
    load();
    assert_int_equal(records[0].addrs[0].scope, 0);
    assert_int_equal(records[0].addrs[0].ip[15], 1);
}

static void the_old_and_the_many_go(void **state) {
    (void)state;
    char name[] = "a";
    save(lamp("old", "hall", 29 * DAY));
    for (; name[0] < 'f'; name[0]++) save(lamp(name, "hall", name[0] * SECOND));
    restart(2 * DAY);
    load();
    assert_int_equal(count, 5); /* the one beyond has gone, before it was too old */
    assert_string_equal(records[0].name, "a");
    assert_string_equal(records[4].name, "e");
    restart(29 * DAY);
    load();
    assert_int_equal(count, 0);
}

static void a_clock_that_was_ahead_makes_nobody_younger_than_now(void **state) {
    (void)state;
    save(lamp("lamp", "hall", 0));
    restart(-400 * DAY);
    load();
    assert_int_equal(count, 1);
    assert_int_equal(records[0].last_us, now.now_us);
}

static void a_missing_folder_is_said_and_not_made(void **state) {
    (void)state;
    struct cg_known_record record = lamp("lamp", "hall", 0);
    cg_members_file_free(file);
    file = cg_members_file_new("/tmp/castgate-members-nowhere", DAY, 5);
    assert_int_equal(cg_members_load(file, &now, &records, &count, &problem), CG_E_NOT_FOUND);
    assert_int_equal(cg_members_save(file, &record, 1, &now, &problem), CG_E_NOT_FOUND);
    assert_int_equal(cg_members_erase(file, NULL, &problem), CG_OK);
    assert_int_not_equal(access("/tmp/castgate-members-nowhere", F_OK), 0);
}

static void what_is_no_database_is_set_aside(void **state) {
    (void)state;
    write_file("this was written by somebody else, and is long enough to be looked at by SQLite as a header would be");
    load();
    assert_int_equal(count, 0);
    assert_true(exists(CG_MEMBERS_DAMAGED));
    save(lamp("lamp", "hall", 0));
    load();
    assert_int_equal(count, 1);
}

static void another_database_is_set_aside(void **state) {
    (void)state;
    run_sql("CREATE TABLE other (x); PRAGMA user_version = 1");
    load();
    assert_true(exists(CG_MEMBERS_DAMAGED));
}

static void another_version_is_set_aside(void **state) {
    (void)state;
    save(lamp("lamp", "hall", 0));
    close_file();
    run_sql("PRAGMA user_version = 2");
    load();
    assert_int_equal(count, 0);
    assert_true(exists(CG_MEMBERS_DAMAGED));
}

static void another_table_is_set_aside_when_it_is_found(void **state) {
    struct cg_known_record record = lamp("lamp", "hall", 0);
    (void)state;
    save(record);
    close_file();
    run_sql("DROP TABLE member; CREATE TABLE member (key)");
    assert_int_equal(cg_members_load(file, &now, &records, &count, &problem), CG_OK);
    assert_int_equal(count, 0);
    save(record);
}

static void pages_of_chance_are_set_aside(void **state) {
    (void)state;
    char name[] = "a";
    for (; name[0] < 'f'; name[0]++) save(lamp(name, "hall", 0));
    close_file();
    FILE *to = fopen(path, "r+");
    assert_non_null(to);
    assert_int_equal(fseek(to, 4096, SEEK_SET), 0);
    for (int i = 0; i < 8000; i++) assert_int_not_equal(fputc(i * 37 & 0xff, to), EOF);
    assert_int_equal(fclose(to), 0);
    load();
    assert_int_equal(count, 0);
    assert_true(exists(CG_MEMBERS_DAMAGED));
    save(lamp("lamp", "hall", 0));
}

/* One row for each field. */
static void damaged_rows_are_left_out(void **state) {
    (void)state;
    static const char *const changes[] = {
        "key = ''",
        "key = 'zz'",
        "key = '127.1.0.1'",
        "mapping = 'a name that is longer than any that a mapping may have, which is 64 bytes and no more'",
        "name = 'lamp' || char(0)",
        "kid = zeroblob(17)",
        "addrs = ''",
        "addrs = '127.1.0.1'",
        "addrs = '127.1.0.1:1  127.1.0.1:2'",
        "addrs = '1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 1.1.1.1:4 1.1.1.1:5'",
        "times = x'00'",
        "times = cast(replace(hex(zeroblob(40)), '00', 'zz') AS BLOB)",
        "lost = 1.5",
        "lost = -0.1",
        "lost = 9e999",
        "casts = 256",
        "casts = -1",
        "missed = 4294967296",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char sql[256];
        assert_int_equal(cg_members_erase(file, NULL, &problem), CG_OK);
        save(lamp("good", "hall", 0));
        save(lamp("bad", "hall", 0));
        close_file();
        snprintf(sql, sizeof sql, "UPDATE member SET %s WHERE shown = 'bad'", changes[i]);
        run_sql(sql);
        load();
        if (count != 1) fail_msg("%s: %zu rows", changes[i], count);
        assert_string_equal(records[0].name, "good");
    }
    assert_false(exists(CG_MEMBERS_DAMAGED));
}

/* One that another has made: a time there need be no number. */
static void times_before_all_time_are_very_old(void **state) {
    (void)state;
    save(lamp("lamp", "hall", 0));
    close_file();
    run_sql("ALTER TABLE member RENAME TO other; CREATE TABLE member AS SELECT * FROM other;"
            "UPDATE member SET last_ms = cast(last_ms AS BLOB);"
            "UPDATE member SET last_ms = x'2d39323233333732303336383534373735383038'"); /* as text, the least number */
    load();
    assert_int_equal(count, 1);
    assert_true(records[0].last_us <= (int64_t)now.now_us - 30 * DAY);
}

static void odd_files_are_refused(void **state) {
    (void)state;
    static const char *const commands[][2] = {
        {"mkfifo", ""}, {"ln -s /tmp/castgate-members-target", ""}, {"mkdir", ""}, {"mkfifo", "-journal"}};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char command[512];
        snprintf(command, sizeof command, "%s %s%s", commands[i][0], path, commands[i][1]);
        assert_int_equal(system(command), 0);
        assert_int_equal(cg_members_load(file, &now, &records, &count, &problem), CG_E_STORE);
        assert_non_null(strstr(problem.detail, CG_MEMBERS_FILE));
        snprintf(command, sizeof command, "rm -rf %s %s-journal", path, path);
        assert_int_equal(system(command), 0);
    }
    assert_int_not_equal(access("/tmp/castgate-members-target", F_OK), 0);
    load();
}

static void two_gateways_do_not_share_it(void **state) {
    struct cg_known_record record = lamp("lamp", "hall", 0);
    struct cg_members_file *other = cg_members_file_new(folder, 30 * DAY, 5);
    (void)state;
    save(record);
    assert_int_equal(cg_members_load(other, &now, &records, &count, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "another gateway"));
    assert_false(exists(CG_MEMBERS_DAMAGED));
    close_file();
    assert_int_equal(cg_members_load(other, &now, &records, &count, &problem), CG_OK);
    assert_int_equal(count, 1);
    cg_members_file_free(other);
}

static bool is_in_file(const char *word) {
    char command[256];
    snprintf(command, sizeof command, "grep -rqs %s %s", word, folder);
    return system(command) == 0;
}

static void who_is_erased_is_gone(void **state) {
    (void)state;
    struct cg_known_record unnamed = lamp("", "hall", 0);
    unnamed.addrs[0] = address("127.1.0.77");
    memset(unnamed.identity, 9, sizeof unnamed.identity);
    save(lamp("distinctive", "hall", 0));
    save(lamp("distinctive", "attic", 0));
    save(lamp("other", "hall", 0));
    save(unnamed);
    assert_true(is_in_file("distinctive"));
    assert_int_equal(cg_members_erase(file, "distinctive", &problem), CG_OK);
    assert_int_equal(cg_members_erase(file, "127.1.0.77:5683", &problem), CG_OK);
    assert_int_equal(cg_members_erase(file, "nobody' OR 1 OR '", &problem), CG_OK);
    assert_false(is_in_file("distinctive"));
    load();
    assert_int_equal(count, 1);
    assert_string_equal(records[0].name, "other");
}

static void who_had_another_name_in_another_row_is_erased_whole(void **state) {
    struct cg_known_record renamed = lamp("lamp", "attic", 0);
    (void)state;
    save(lamp("lamp", "hall", 0));
    snprintf(renamed.name, sizeof renamed.name, "newname");
    save(renamed);
    assert_int_equal(cg_members_erase(file, "newname", &problem), CG_OK);
    load();
    assert_int_equal(count, 0);
}

static void all_that_is_erased_is_all(void **state) {
    (void)state;
    write_file("distinctive, and again something that SQLite does not know as one of its own databases, nor do we");
    save(lamp("distinctive", "hall", 0));
    assert_true(exists(CG_MEMBERS_DAMAGED));
    assert_int_equal(cg_members_erase(file, NULL, &problem), CG_OK);
    assert_false(is_in_file("distinctive"));
    restart(0);
    load();
    assert_int_equal(count, 0);
}

static void a_file_that_is_removed_meanwhile_is_made_again_later(void **state) {
    (void)state;
    struct cg_known_record record = lamp("lamp", "hall", 0);
    save(record);
    assert_int_equal(unlink(path), 0);
    save(record);
    assert_true(exists(CG_MEMBERS_FILE));
    load();
    assert_int_equal(count, 1);
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_comes_back_with_its_age),
        TEST(only_its_user_may_read_it),
        TEST(what_is_saved_again_replaces),
        TEST(zones_are_not_kept),
        TEST(the_old_and_the_many_go),
        TEST(a_clock_that_was_ahead_makes_nobody_younger_than_now),
        TEST(a_missing_folder_is_said_and_not_made),
        TEST(what_is_no_database_is_set_aside),
        TEST(another_database_is_set_aside),
        TEST(another_version_is_set_aside),
        TEST(another_table_is_set_aside_when_it_is_found),
        TEST(pages_of_chance_are_set_aside),
        TEST(damaged_rows_are_left_out),
        TEST(times_before_all_time_are_very_old),
        TEST(odd_files_are_refused),
        TEST(two_gateways_do_not_share_it),
        TEST(who_is_erased_is_gone),
        TEST(who_had_another_name_in_another_row_is_erased_whole),
        TEST(all_that_is_erased_is_all),
        TEST(a_file_that_is_removed_meanwhile_is_made_again_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
