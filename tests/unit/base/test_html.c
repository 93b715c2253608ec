/* Escaping: whatever bytes come, what leaves is valid UTF-8 without markup or control characters, and readable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/html.h"
#include "base/text.h"

static void check(struct cg_slice text, const char *expected) {
    struct cg_buf to;
    cg_buf_init(&to, 0);
    cg_html_put(&to, text);
    cg_buf_put_u8(&to, 0);
    assert_string_equal((const char *)to.data, expected);
    cg_buf_fini(&to);
}

static void test_markup_is_escaped(void **state) {
    (void)state;
    check(cg_slice_str(""), "");
    check(cg_slice_str("on"), "on");
    check(cg_slice_str("</script><b a='1' c=\"2\">&amp;"),
          "&lt;/script&gt;&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;");
    check(cg_slice_str("\xf0\x9f\x92\xa1 20 \xc2\xb0"
                       "C\n\tnext"),
          "\xf0\x9f\x92\xa1 20 \xc2\xb0"
          "C\n\tnext");
}

static void test_what_is_not_seen_gets_a_sign(void **state) {
    (void)state;
    check(cg_slice_of("a\0b\r\x1b[2J\x7f", 9), "a\xe2\x90\x80"
                                               "b\xe2\x90\x8d\xe2\x90\x9b[2J\xe2\x90\xa1");
    check(cg_slice_str("\xc2\x80\xc2\x9f\xc2\xa0"), "\xef\xbf\xbd\xef\xbf\xbd\xc2\xa0");
    check(cg_slice_str("\xff\xc0\xaf<\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&lt;\xef\xbf\xbd\xef\xbf\xbd");
    check(cg_slice_str("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
}

/* Each pair of bytes, since a sequence may begin with any and swallow any. */
static void test_every_pair_of_bytes(void **state) {
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        const uint8_t bytes[] = {(uint8_t)(pair >> 8), (uint8_t)pair};
        struct cg_buf to;
        cg_buf_init(&to, 0);
        cg_html_put(&to, cg_slice_of(bytes, sizeof bytes));
        assert_false(to.failed);
        assert_true(cg_utf8_valid(cg_buf_slice(&to)));
        for (size_t i = 0; i < to.len; i++) {
            uint8_t byte = to.data[i];
            assert_true(byte != '<' && byte != '>' && byte != '"' && byte != '\'' && byte != 0x7f);
            assert_true(byte >= ' ' || byte == '\n' || byte == '\t');
        }
        cg_buf_fini(&to);
    }
}

static void test_a_title_is_anybodys_text(void **state) {
    (void)state;
    struct cg_buf to;
    cg_buf_init(&to, 0);
    cg_html_begin(&to, cg_slice_str("</title><script>"));
    cg_html_end(&to);
    cg_buf_put_u8(&to, 0);
    assert_null(strstr((const char *)to.data, "<script>"));
    assert_non_null(strstr((const char *)to.data, "<h1>&lt;/title&gt;&lt;script&gt;</h1>"));
    cg_buf_fini(&to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markup_is_escaped),
        cmocka_unit_test(test_what_is_not_seen_gets_a_sign),
        cmocka_unit_test(test_every_pair_of_bytes),
        cmocka_unit_test(test_a_title_is_anybodys_text),
    };
    return cmocka_run_group_tests_name("base/html", tests, NULL, NULL);
}
