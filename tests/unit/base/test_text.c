/* Text conversions: exact, and strict about everything else. */
#include "base/text.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static void base64url(void **state) {
    (void)state;
    static const char *const good[][2] = {{"", ""},
                                          {"Zg", "f"},
                                          {"Zm8", "fo"},
                                          {"Zm9v", "foo"},
                                          {"Zm9vYg", "foob"},
                                          {"Zm9vYmFy", "foobar"},
                                          {"-_-_", "\xfb\xff\xbf"}};
    static const char *const bad[] = {"Z",    "Zm9vZ",   "Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm+v",
                                      "Zm/v", "Zm9\x80", "Zh",   "Zm9",  "Zg=",    "="};
    uint8_t out[8];
    size_t len;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(cg_base64url_parse(cg_slice_str(good[i][0]), out, sizeof out, &len), CG_OK);
        assert_true(cg_slice_is(cg_slice_of(out, len), good[i][1]));
        char text[12];
        len = cg_base64url_emit(text, cg_slice_str(good[i][1]));
        assert_true(cg_slice_is(cg_slice_of(text, len), good[i][0]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (cg_base64url_parse(cg_slice_str(bad[i]), out, sizeof out, &len) != CG_E_FORMAT)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(cg_base64url_parse(cg_slice_str("Zm9v"), out, 3, &len), CG_OK);
    assert_int_equal(cg_base64url_parse(cg_slice_str("Zm9v"), out, 2, &len), CG_E_TOO_BIG);
    assert_int_equal(cg_base64url_parse(cg_slice_of("Zm\0v", 4), out, sizeof out, &len), CG_E_FORMAT);
    assert_int_equal(cg_base64url_parse(CG_SLICE_NONE, out, 0, &len), CG_OK);
    assert_int_equal(len, 0);
}

static void base64(void **state) {
    (void)state;
    char out[12];
    for (size_t len = 0; len <= 6; len++) {
        memset(out, '#', sizeof out);
        cg_base64_emit(out, cg_slice_of("foobar", len));
        static const char *const expected[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
        assert_int_equal(cg_base64_len(len), strlen(expected[len]));
        assert_memory_equal(out, expected[len], strlen(expected[len]));
        assert_int_equal(out[strlen(expected[len])], '#'); /* nothing behind, no NUL */
    }
}

static void hex(void **state) {
    (void)state;
    uint8_t out[4];
    size_t len;
    assert_int_equal(cg_hex_parse(cg_slice_str("00fFaB10"), out, sizeof out, &len), CG_OK);
    assert_int_equal(len, 4);
    assert_memory_equal(out, "\x00\xff\xab\x10", 4);
    assert_int_equal(cg_hex_parse(CG_SLICE_NONE, out, sizeof out, &len), CG_OK);
    assert_int_equal(len, 0);
    assert_int_equal(cg_hex_parse(cg_slice_str("0011223344"), out, sizeof out, &len), CG_E_TOO_BIG);
    static const char *const bad[] = {"0", "000", "0g", "g0", " 0", "0x", "-1", "0\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(cg_hex_parse(cg_slice_str(bad[i]), out, sizeof out, &len), CG_E_FORMAT);
    }
}

/* Every code point, and the edges of what RFC 3629 forbids. */
static void utf8(void **state) {
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        uint8_t bytes[4];
        size_t len;
        if (point < 0x80) {
            bytes[0] = (uint8_t)point, len = 1;
        } else if (point < 0x800) {
            bytes[0] = (uint8_t)(0xc0 | point >> 6), bytes[1] = (uint8_t)(0x80 | (point & 0x3f)), len = 2;
        } else if (point < 0x10000) {
            bytes[0] = (uint8_t)(0xe0 | point >> 12), bytes[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
            bytes[2] = (uint8_t)(0x80 | (point & 0x3f)), len = 3;
        } else {
            bytes[0] = (uint8_t)(0xf0 | point >> 18), bytes[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
            bytes[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f)), bytes[3] = (uint8_t)(0x80 | (point & 0x3f)), len = 4;
        }
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        if (cg_utf8_sequence(bytes, len) != (surrogate ? 0 : len)) fail_msg("wrong about U+%04X", (unsigned)point);
        if (len > 1 && cg_utf8_sequence(bytes, len - 1) != 0) fail_msg("accepted a part of U+%04X", (unsigned)point);
    }
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe2\x82(",
                                      "\xf8\x88\x80\x80\x80",
                                      "ok\xc3\xa4\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(cg_utf8_valid(cg_slice_str(bad[i])));
    assert_true(cg_utf8_valid(CG_SLICE_NONE));
    assert_true(cg_utf8_valid(cg_slice_of("a\0b\xc3\xa4", 5)));
    assert_int_equal(cg_utf8_sequence((const uint8_t *)"", 0), 0);
}

static void decimal(void **state) {
    (void)state;
    uint64_t number;
    assert_int_equal(cg_decimal_parse(cg_slice_str("0"), 0, &number), CG_OK);
    assert_int_equal(number, 0);
    assert_int_equal(cg_decimal_parse(cg_slice_str("007"), 7, &number), CG_OK);
    assert_int_equal(number, 7);
    assert_int_equal(cg_decimal_parse(cg_slice_str("18446744073709551615"), UINT64_MAX, &number), CG_OK);
    assert_true(number == UINT64_MAX);
    static const struct {
        const char *text;
        uint64_t max;
    } bad[] = {{"", 9},
               {"-1", 9},
               {"+1", 9},
               {" 1", 9},
               {"1 ", 9},
               {"1.0", 9},
               {"0x1", 9},
               {"a", 9},
               {"8", 7},
               {"9", 0},
               {"10", 9},
               {"65536", 65535},
               {"99", 98},
               {"18446744073709551616", UINT64_MAX},
               {"28446744073709551615", UINT64_MAX},
               {"99999999999999999999999", UINT64_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (cg_decimal_parse(cg_slice_str(bad[i].text), bad[i].max, &number) != CG_E_FORMAT)
            fail_msg("accepted: %s", bad[i].text);
    }
    for (uint64_t max = 0; max < 130; max++) { /* the bound exactly */
        for (uint64_t value = 0; value < 150; value++) {
            char text[8];
            snprintf(text, sizeof text, "%u", (unsigned)value);
            assert_int_equal(cg_decimal_parse(cg_slice_str(text), max, &number), value <= max ? CG_OK : CG_E_FORMAT);
        }
    }
}

static void comparing(void **state) {
    (void)state;
    assert_true(cg_slice_is_nocase(cg_slice_str("Content-TYPE"), "content-type"));
    assert_false(cg_slice_is_nocase(cg_slice_str("content-typ"), "content-type"));
    assert_false(cg_slice_is_nocase(cg_slice_str("content-type "), "content-type"));
    assert_false(cg_slice_is_nocase(cg_slice_str("["), "{")); /* differ by the case bit only */
    assert_true(cg_slice_is_nocase(CG_SLICE_NONE, ""));
    assert_false(cg_slice_is_nocase(cg_slice_of("a\0", 2), "a"));
    assert_true(cg_slice_equal(CG_SLICE_NONE, cg_slice_str("")));
    assert_false(cg_slice_equal(cg_slice_str("a"), cg_slice_str("b")));
    assert_int_equal(cg_fnv(CG_FNV_START, "foobar", 6), 0xbf9cf968u);
}

static void prefixes(void **state) {
    (void)state;
    assert_true(cg_slice_starts(cg_slice_str("/hc/x"), "/hc"));
    assert_true(cg_slice_starts(cg_slice_str("/hc"), "/hc"));
    assert_false(cg_slice_starts(cg_slice_str("/h"), "/hc"));
    assert_false(cg_slice_starts(cg_slice_str("/HC"), "/hc"));
    assert_true(cg_slice_starts(CG_SLICE_NONE, ""));
    assert_false(cg_slice_starts(CG_SLICE_NONE, "a"));
    assert_true(cg_slice_starts_nocase(cg_slice_str("HTTP://x"), "http://"));
    assert_false(cg_slice_starts_nocase(cg_slice_str("http:/"), "http://"));
    assert_true(cg_slice_equal_nocase(cg_slice_str("aBc"), cg_slice_str("AbC")));
    assert_false(cg_slice_equal_nocase(cg_slice_str("abc"), cg_slice_str("ab")));
}

static void characters(void **state) {
    (void)state;
    static const char digits[] = "0123456789abcdef";
    for (int c = 0; c <= UINT8_MAX; c++) {
        const char *hex = c != '\0' ? strchr(digits, cg_ascii_lower((char)c)) : NULL;
        assert_int_equal(cg_hex_digit((uint8_t)c), hex == NULL ? -1 : hex - digits);
    }
    assert_true(cg_is_token_char('a') && cg_is_token_char('Z') && cg_is_token_char('0') && cg_is_token_char('~'));
    assert_false(cg_is_token_char('\0') || cg_is_token_char('/') || cg_is_token_char(' ') || cg_is_token_char(0x80));
}

static void lines(void **state) {
    (void)state;
    struct cg_slice rest = cg_slice_str("one\n\nthree"), line;
    static const char *const expected[] = {"one", "", "three"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(cg_next_line(&rest, &line));
        assert_true(cg_slice_is(line, expected[i]));
    }
    assert_false(cg_next_line(&rest, &line));
    rest = cg_slice_str("ends\n");
    assert_true(cg_next_line(&rest, &line) && cg_slice_is(line, "ends"));
    assert_false(cg_next_line(&rest, &line));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url), cmocka_unit_test(base64),  cmocka_unit_test(hex),
        cmocka_unit_test(utf8),      cmocka_unit_test(decimal), cmocka_unit_test(comparing),
        cmocka_unit_test(prefixes),  cmocka_unit_test(lines),   cmocka_unit_test(characters),
    };
    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
