/* Blocks of sequence numbers: none is given twice, whatever happens to the file or the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/member/numbers.h"

#define START_OF_2026 INT64_C(1767225600)

static char file[64];

static int set_up(void **state) {
    (void)state;
    strcpy(file, "/tmp/castgate-numbers.XXXXXX");
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    return unlink(file);
}

static int tear_down(void **state) {
    (void)state;
    unlink(file);
    return 0;
}

static uint64_t reserve(int64_t seconds) {
    struct cg_numbers numbers = {.file = file};
    char error[256];
    if (cg_numbers_reserve(&numbers, seconds, error, sizeof error) != CG_OK) fail_msg("%s", error);
    return numbers.first;
}

static void refused(int64_t seconds, const char *word) {
    struct cg_numbers numbers = {.file = file, .first = 77};
    char error[256] = "";
    assert_int_equal(cg_numbers_reserve(&numbers, seconds, error, sizeof error), CG_E_STORE);
    if (strstr(error, word) == NULL) fail_msg("%s", error);
    assert_int_equal(numbers.first, 77);
}

static void write_file(const char *text) {
    FILE *to = fopen(file, "w");
    assert_non_null(to);
    fputs(text, to);
    assert_int_equal(fclose(to), 0);
}

static void blocks_follow_each_other(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 5; i++) assert_int_equal(reserve(START_OF_2026), i * CG_NUMBERS_BLOCK);
    struct stat info;
    assert_int_equal(stat(file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

/* Keys that were copied, or whose file is lost: the clock keeps them apart from what was sent before. */
static void a_lost_file_begins_at_the_clock(void **state) {
    (void)state;
    assert_int_equal(reserve(START_OF_2026 + 5000), 5000);
    assert_int_equal(reserve(START_OF_2026 + 5001), 5000 + CG_NUMBERS_BLOCK);
    assert_int_equal(reserve(START_OF_2026 + 1000000), 1000000);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(reserve(START_OF_2026 + 2000000), 2000000);
}

static void a_clock_that_is_set_back_changes_nothing(void **state) {
    (void)state;
    assert_int_equal(reserve(START_OF_2026 + 1000000), 1000000);
    assert_int_equal(reserve(0), 1000000 + CG_NUMBERS_BLOCK);
    assert_int_equal(reserve(-1), 1000000 + 2 * CG_NUMBERS_BLOCK);
}

static void a_damaged_file_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"0000000000000",   "00000000000000",    "000000000000\n", "00000000000-1\n",
                                        "000000000000 \n", "0000000000000\n\n", "9999999999999\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(texts[i]);
        refused(START_OF_2026, "is not a file of sequence numbers");
    }
    write_file("0000000000123\n");
    assert_int_equal(reserve(START_OF_2026), 123);
}

static void the_last_block_is_the_last(void **state) {
    (void)state;
    write_file("1099511619584\n"); /* 2^40 - 2 * 4096 */
    assert_int_equal(reserve(0), UINT64_C(1099511619584));
    assert_int_equal(reserve(0), UINT64_C(1099511623680));
    refused(0, "all numbers were used");
}

/* A rekey's files change their names when they are in use, not their keys. */
static void prepared_keys_keep_their_numbers(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"keys/member-11.json", "keys/member-11.json.numbers"},
        {"keys/member-11.next.json", "keys/member-11.json.numbers"},
        {"keys/.next.json", "keys/.json.numbers"},
        {".next.json", ".next.json.numbers"},
        {"a.next.json/group", "a.next.json/group.numbers"},
    };
    char name[sizeof "keys/member-11.json.numbers"];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(cg_numbers_name(name, sizeof name, rows[i][0]));
        assert_string_equal(name, rows[i][1]);
    }
    assert_false(cg_numbers_name(name, sizeof name, "keys/member-112.next.json"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_file_begins_at_the_clock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_refused, set_up, tear_down),
        cmocka_unit_test(prepared_keys_keep_their_numbers),
        cmocka_unit_test_setup_teardown(the_last_block_is_the_last, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
