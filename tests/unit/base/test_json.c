/* JSON of others is told from what only looks like it, whatever its numbers and strings hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/json.h"

static void check(const char *const *texts, size_t count, bool valid) {
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(texts[i]);
        uint8_t *exact = malloc(len + 1); /* a sanitizer sees what is read behind it */
        assert_non_null(exact);
        if (len > 0) memcpy(exact, texts[i], len);
        exact = realloc(exact, len == 0 ? 1 : len);
        assert_non_null(exact);
        if (cg_json_valid(cg_slice_of(exact, len)) != valid) fail_msg("%s", texts[i]);
        free(exact);
    }
}

#define CHECK(texts, valid) check(texts, sizeof(texts) / sizeof *(texts), valid)

static void what_is_json(void **state) {
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "10",
        "-1.5",
        "0.25",
        "1e5",
        "1E+05",
        "1.0e-400",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        " \t\r\n1 \t\r\n",
        "[ ]",
        "{ }",
        "[1,2]",
        "[1 , [ ] , { } ]",
        "{\"a\":1}",
        "{ \"a\" : { \"b\" : [ 1 ] } , \"c\" : 2 }",
        "[[],[[]],{}]",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"",
        "\"\xc3\xa4\xf0\x9f\x92\xa1\x7f\"",
        "{\"a\":1,\"a\":2}",
        "{\"\":0}",
        "\"[{]}\"",
        "[\"a\",\"b\"]",
    };
    CHECK(texts, true);
}

static void what_a_parser_could_not_hold_is_json_all_the_same(void **state) {
    (void)state;
    static const char *const texts[] = {
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999999999",
        "1e400",
        "-1e99999",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "{\"\\u0000\":\"\\udfff\"}",
    };
    CHECK(texts, true);
}

static void what_is_not_json(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1 2",
        "--1",
        "1.e5",
        "NaN",
        "Infinity",
        "tru",
        "nulll",
        "True",
        "\"",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\",
        "\"\\u",
        "\"\n\"",
        "\"\t\"",
        "'a'",
        "\"a\"\"b\"",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1]",
        "[{\"a\":1]}",
        "[\"a\":1]",
        "[]]",
        "{}}",
        "{},{}",
        "\xef\xbb\xbf{}",
        "\xa0",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xc3\"",
        "[1]//",
        "/**/1",
        "\f1",
        "1,",
    };
    CHECK(texts, false);
}

static void a_nul_is_no_end(void **state) {
    (void)state;
    assert_false(cg_json_valid(cg_slice_of("{}", 3)));
    assert_false(cg_json_valid(cg_slice_of("\"a\0b\"", 5)));
    assert_false(cg_json_valid(cg_slice_of("\"\\\0\"", 4)));
}

static void it_goes_so_deep_and_no_deeper(void **state) {
    (void)state;
    char text[2 * (CG_JSON_DEPTH_MAX + 1)];
    memset(text, '[', CG_JSON_DEPTH_MAX);
    memset(text + CG_JSON_DEPTH_MAX, ']', CG_JSON_DEPTH_MAX);
    assert_true(cg_json_valid(cg_slice_of(text, (size_t)2 * CG_JSON_DEPTH_MAX)));
    memset(text, '[', CG_JSON_DEPTH_MAX + 1);
    memset(text + CG_JSON_DEPTH_MAX + 1, ']', CG_JSON_DEPTH_MAX + 1);
    assert_false(cg_json_valid(cg_slice_of(text, sizeof text)));
}

/* What level is an object and what an array is kept for all of them. */
static void the_levels_keep_their_kind(void **state) {
    (void)state;
    char text[1024] = "";
    size_t len = 0;
    for (int i = 0; i < CG_JSON_DEPTH_MAX / 2; i++) {
        memcpy(text + len, "[{\"a\":", 6);
        len += 6;
    }
    text[len++] = '1';
    for (int i = 0; i < CG_JSON_DEPTH_MAX / 2; i++) {
        memcpy(text + len, "}]", 2);
        len += 2;
    }
    assert_true(cg_json_valid(cg_slice_of(text, len)));
    for (size_t i = len - CG_JSON_DEPTH_MAX; i < len; i++) {
        text[i] ^= '}' ^ ']';
        assert_false(cg_json_valid(cg_slice_of(text, len)));
        text[i] ^= '}' ^ ']';
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_json),
        cmocka_unit_test(what_a_parser_could_not_hold_is_json_all_the_same),
        cmocka_unit_test(what_is_not_json),
        cmocka_unit_test(a_nul_is_no_end),
        cmocka_unit_test(it_goes_so_deep_and_no_deeper),
        cmocka_unit_test(the_levels_keep_their_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
