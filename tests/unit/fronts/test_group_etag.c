/* Group-ETag in HTTP (GCP §9.3): a List of Byte Sequences, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "fronts/http/group_etag.h"

/* The tags of these fields in hexadecimal, separated by blanks. */
static const char *read(const char *first, const char *second) {
    static char text[1024];
    const struct cg_http_field fields[] = {{cg_slice_str("group-etag"), cg_slice_str(first)},
                                           {cg_slice_str("Accept"), cg_slice_str("*/*")},
                                           {cg_slice_str("Group-ETag"), cg_slice_str(second == NULL ? "" : second)}};
    const struct cg_http_message message = {.fields = fields, .field_count = second == NULL ? 2 : 3};
    struct cg_request request = {0};
    struct cg_arena arena;
    size_t len = 0;
    text[0] = '\0';
    cg_arena_init(&arena, 65536, NULL);
    assert_true(cg_http_take_group_etags(&request, &arena, &message));
    for (size_t i = 0; i < request.group_etag_count; i++) {
        struct cg_slice tag = request.group_etags[i];
        assert_in_range(tag.len, 1, CG_GROUP_ETAG_MAX);
        if (i > 0) len += (size_t)snprintf(text + len, sizeof text - len, " ");
        for (size_t k = 0; k < tag.len; k++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%02x", tag.data[k]);
    }
    cg_arena_fini(&arena);
    return text;
}

static void lists_are_read(void **state) {
    (void)state;
    assert_string_equal(read(":AQI=:", NULL), "0102");
    assert_string_equal(read(":AQI:", NULL), "0102"); /* RFC 9651 §4.2.7: without padding */
    assert_string_equal(read("  :AQI=:\t,   :/+8=:  ", NULL), "0102 ffef");
    assert_string_equal(read(":AQI=:", ":AQIDBAUGBwg=:"), "0102 0102030405060708");
}

static void parameters_mean_nothing(void **state) {
    (void)state;
    assert_string_equal(read(":AQ==:;a;b=1;*c=\"x,\\\"y\";d=:AA==:;e=?1;f=tok/en, :Ag==:", NULL), "01 02");
}

/* All of it is passed over then. */
static void any_deviation_is_one_too_many(void **state) {
    static const char *const wrong[] = {
        "",
        "x",
        "\"AQI=\"",
        ":AQI=",
        ":AQI=: :AQI=:",
        ":AQI=:,",
        ",:AQI=:",
        "::",
        ":====:",
        ":A:",
        ":AQIDBAUGBwgJ:",
        ":AQ-_:",
        ":A QI=:",
        "(:AQI=:)",
        ":AQ==:;",
        ":AQ==:;A",
        ":AQ==:;a=",
        ":AQ==:;a=\"x",
        ":AQ==:;a=:",
        "*",
        "?1, :AQI=:",
        ":AQI=:x",
        "1",
        ":AQ==:;a=\"\\",
        ":=AQI:",
        "W/\"a\"",
        ":AQI=:,,:AQI=:",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (read(wrong[i], NULL)[0] != '\0') fail_msg("%s was read as %s", wrong[i], read(wrong[i], NULL));
    }
    assert_string_equal(read(":AQI=:", "x"), "");
}

static void there_are_so_many_and_no_more(void **state) {
    char text[CG_GROUP_ETAGS_MAX * 16] = ":AQ==:";
    (void)state;
    for (int i = 0; i < CG_GROUP_ETAGS_MAX; i++) strcat(text, ",:AQ==:");
    assert_int_equal(strlen(read(text, NULL)), CG_GROUP_ETAGS_MAX * 3 - 1);
    strcat(text, ",x");
    assert_string_equal(read(text, NULL), "");
}

static void a_value_is_a_list_of_one(void **state) {
    char value[CG_HTTP_GROUP_ETAG_MAX];
    (void)state;
    cg_http_group_etag(value, (const uint8_t[]){1, 2, 3, 4, 5, 6, 7, 8});
    assert_string_equal(value, ":AQIDBAUGBwg=:");
    assert_string_equal(read(value, NULL), "0102030405060708");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(parameters_mean_nothing),
        cmocka_unit_test(any_deviation_is_one_too_many),
        cmocka_unit_test(there_are_so_many_and_no_more),
        cmocka_unit_test(a_value_is_a_list_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
