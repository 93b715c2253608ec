/* One form for equal documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "manage/canonical.h"

static void expect(const char *text, const char *canonical) {
    struct cg_buf to;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    cg_buf_init(&to, 0);
    cg_manage_canonical(&to, value);
    assert_int_equal(cg_buf_error(&to), CG_OK);
    cg_buf_put_u8(&to, 0);
    assert_string_equal((const char *)to.data, canonical);
    cg_buf_fini(&to);
    json_decref(value);
}

static void equal_documents_are_equal_bytes(void **state) {
    (void)state;
    expect(" { \"b\" : 1, \"a\":[ true, null,false ] } ", "{\"a\":[true,null,false],\"b\":1}");
    expect("{}", "{}");
    expect("[[],{}]", "[[],{}]");
    expect("0.9", "0.9");
    expect("25.0", "25");
    expect("1e-3", "0.001");
    expect("-9223372036854775808", "-9223372036854775808");
    expect("\"\\u00e9 \\\" \\\\ \\n\"", "\"\u00e9 \\\" \\\\ \\n\"");
    expect("{\"Z\":0,\"a\":0,\"\u00e9\":0,\"\":0}", "{\"\":0,\"Z\":0,\"a\":0,\"\u00e9\":0}");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equal_documents_are_equal_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
