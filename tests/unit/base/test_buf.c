/* The buffer: growth, bounds, the sticky failure, and the encodings. */
#include "base/buf.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_text(const struct cg_buf *buf, const char *expected) {
    assert_false(buf->failed);
    if (!cg_slice_is(cg_buf_slice(buf), expected)) fail_msg("%.*s", (int)buf->len, (const char *)buf->data);
}

static void appending(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    assert_null(buf.data);
    assert_int_equal(cg_buf_slice(&buf).len, 0);
    cg_buf_put(&buf, NULL, 0);
    cg_buf_put_slice(&buf, CG_SLICE_NONE);
    assert_null(buf.data);
    cg_buf_put(&buf, "ab", 2);
    cg_buf_put_slice(&buf, cg_slice_str("cd"));
    cg_buf_put_str(&buf, "ef");
    cg_buf_put_u8(&buf, 'g');
    cg_buf_printf(&buf, "%d-%s", 7, "h");
    assert_text(&buf, "abcdefg7-h");
    cg_buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_non_null(buf.data);
    cg_buf_fini(&buf);
    assert_null(buf.data);
}

static void growing(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    for (unsigned i = 0; i < 100000; i++) cg_buf_put_u8(&buf, (uint8_t)(i * 31));
    assert_false(buf.failed);
    assert_int_equal(buf.len, 100000);
    for (unsigned i = 0; i < 100000; i++) assert_int_equal(buf.data[i], (uint8_t)(i * 31));
    cg_buf_fini(&buf);
}

static void reserving(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 8);
    assert_non_null(cg_buf_reserve(&buf, 0));
    uint8_t *at = cg_buf_reserve(&buf, 8);
    assert_non_null(at);
    assert_int_equal(buf.len, 0);
    memset(at, 'x', 8);
    buf.len += 8;
    assert_text(&buf, "xxxxxxxx");
    assert_non_null(cg_buf_reserve(&buf, 0));
    assert_null(cg_buf_reserve(&buf, 1));
    assert_true(buf.failed);
    cg_buf_fini(&buf);
}

static void failure_sticks(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 4);
    cg_buf_put_str(&buf, "abc");
    cg_buf_put_str(&buf, "de"); /* does not fit: not even in part */
    assert_true(buf.failed);
    assert_int_equal(buf.len, 3);
    cg_buf_put_str(&buf, "d"); /* would fit, but something is missing before it */
    assert_int_equal(buf.len, 3);
    cg_buf_clear(&buf);
    cg_buf_put_str(&buf, "abcd");
    assert_text(&buf, "abcd");
    cg_buf_fini(&buf);
    cg_buf_init(&buf, 0);
    assert_null(cg_buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    cg_buf_fini(&buf);
}

static void every_bound(void **state) {
    (void)state;
    for (size_t max = 1; max < 600; max += 13) {
        struct cg_buf buf;
        cg_buf_init(&buf, max);
        for (size_t i = 0; i < max; i++) cg_buf_put_u8(&buf, 'x');
        assert_false(buf.failed);
        assert_int_equal(buf.len, max);
        assert_true(buf.cap <= max);
        cg_buf_put_u8(&buf, 'x');
        assert_true(buf.failed);
        cg_buf_fini(&buf);
    }
}

static void formatting(void **state) {
    (void)state;
    struct cg_buf buf;
    char longer[1001];
    memset(longer, 'y', 1000);
    longer[1000] = '\0';
    cg_buf_init(&buf, 0);
    cg_buf_printf(&buf, "%s", longer); /* beyond what is formatted on the stack */
    assert_text(&buf, longer);
    cg_buf_clear(&buf);
    cg_buf_printf(&buf, "%255s", "z");
    assert_int_equal(buf.len, 255);
    cg_buf_clear(&buf);
    cg_buf_printf(&buf, "%256s", "z");
    assert_int_equal(buf.len, 256);
    assert_int_equal(buf.data[255], 'z');
    cg_buf_fini(&buf);
}

/* The room is just enough, whatever the text's length and however the buffer grows. */
static void formatting_texts_of_every_length(void **state) {
    (void)state;
    for (int len = 250; len < 1100; len++) {
        struct cg_buf buf;
        cg_buf_init(&buf, 0);
        cg_buf_printf(&buf, "%*s", len, "z");
        assert_int_equal(buf.len, len);
        assert_int_equal(buf.data[len - 1], 'z');
        cg_buf_fini(&buf);
    }
}

static void decimals(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    cg_buf_put_decimal(&buf, 0);
    cg_buf_put_u8(&buf, ' ');
    cg_buf_put_decimal(&buf, 10);
    cg_buf_put_u8(&buf, ' ');
    cg_buf_put_decimal(&buf, UINT64_MAX);
    assert_text(&buf, "0 10 18446744073709551615");
    cg_buf_fini(&buf);
}

/* RFC 4648 §10 */
static void base64_and_hex(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xfb\xff\xfe", "+//+"}};
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        cg_buf_clear(&buf);
        cg_buf_put_base64(&buf, cg_slice_str(pairs[i][0]));
        assert_text(&buf, pairs[i][1]);
    }
    cg_buf_clear(&buf);
    cg_buf_put_hex(&buf, cg_slice_of("\x00\x0f\xf0\xff\x1a", 5));
    assert_text(&buf, "000ff0ff1a");
    cg_buf_clear(&buf);
    cg_buf_put_base64(&buf, CG_SLICE_NONE);
    cg_buf_put_hex(&buf, CG_SLICE_NONE);
    assert_text(&buf, "");
    cg_buf_fini(&buf);
}

static void json_strings(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"\"\\/", "\"\\\"\\\\/\""},
        {"\n\r\t\x01\x1f\x7f", "\"\\n\\r\\t\\u0001\\u001f\\u007f\""},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\xa1", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\xa1\""},
        {"a\xff"
         "b",
         "\"a\xef\xbf\xbd"
         "b\""},
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"a\xe2\x82", "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        cg_buf_clear(&buf);
        cg_buf_put_json(&buf, cg_slice_str(pairs[i][0]));
        assert_text(&buf, pairs[i][1]);
    }
    cg_buf_clear(&buf);
    cg_buf_put_json(&buf, cg_slice_of("a\0b", 3));
    assert_text(&buf, "\"a\\u0000b\"");
    cg_buf_clear(&buf);
    cg_buf_put_json(&buf, CG_SLICE_NONE);
    assert_text(&buf, "\"\"");
    cg_buf_fini(&buf);
}

static void detaching(void **state) {
    (void)state;
    struct cg_buf buf;
    size_t len = 99;
    cg_buf_init(&buf, 10);
    cg_buf_put_str(&buf, "abc");
    uint8_t *data = cg_buf_detach(&buf, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(data, "abc", 3);
    free(data);
    assert_int_equal(buf.max, 10);
    cg_buf_put_str(&buf, "de"); /* usable again */
    assert_text(&buf, "de");
    cg_buf_fini(&buf);
    assert_null(cg_buf_detach(&buf, &len));
    assert_int_equal(len, 0);
}

static void a_full_buffer_is_too_big_and_no_shortage(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 4);
    assert_int_equal(cg_buf_error(&buf), CG_OK);
    cg_buf_put_str(&buf, "12345");
    assert_int_equal(cg_buf_error(&buf), CG_E_TOO_BIG);
    cg_buf_clear(&buf);
    cg_buf_put_str(&buf, "1234");
    assert_int_equal(cg_buf_error(&buf), CG_OK);
    cg_buf_fini(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_buffer_is_too_big_and_no_shortage),
        cmocka_unit_test(appending),
        cmocka_unit_test(growing),
        cmocka_unit_test(reserving),
        cmocka_unit_test(failure_sticks),
        cmocka_unit_test(every_bound),
        cmocka_unit_test(formatting),
        cmocka_unit_test(formatting_texts_of_every_length),
        cmocka_unit_test(decimals),
        cmocka_unit_test(base64_and_hex),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(detaching),
    };
    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
