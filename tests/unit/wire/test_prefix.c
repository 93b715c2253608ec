/* Prefixes as text and as sets of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/prefix.h"

static struct cg_prefix prefix_of(const char *text) {
    struct cg_prefix prefix;
    assert_int_equal(cg_prefix_parse(&prefix, cg_slice_str(text)), CG_OK);
    return prefix;
}

static bool has(const char *prefix_text, const char *addr_text) {
    struct cg_prefix prefix = prefix_of(prefix_text);
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(addr_text), 5683), CG_OK);
    return cg_prefix_has(&prefix, &addr);
}

static void text_comes_back(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"192.0.2.0/24", "192.0.2.0/24"},   {"192.0.2.7", "192.0.2.7/32"},          {"0.0.0.0/0", "0.0.0.0/0"},
        {"2001:DB8::/32", "2001:db8::/32"}, {"2001:db8:0:8000::/49", NULL},         {"::1", "::1/128"},
        {"128.0.0.0/1", "128.0.0.0/1"},     {"2001:db8::7/128", "2001:db8::7/128"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[CG_PREFIX_TEXT_MAX];
        struct cg_prefix prefix = prefix_of(texts[i][0]);
        size_t len = cg_prefix_emit(&prefix, text);
        assert_int_equal(len, strlen(text));
        assert_string_equal(text, texts[i][1] == NULL ? texts[i][0] : texts[i][1]);
    }
}

static void what_is_no_prefix_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "/",
                                        "192.0.2.0/",
                                        "192.0.2.0/33",
                                        "192.0.2.0/-1",
                                        "/24",
                                        "192.0.2/24",
                                        "192.0.2.7/24",
                                        "fe80::1/64",
                                        "::/129",
                                        "::/0x10",
                                        "10.0.0.0/8 ",
                                        "10.0.0.0/8/8",
                                        "[::1]/128",
                                        "128.0.0.0/0",
                                        "lamp/24",
                                        "10.0.0.0:5683/8",
                                        "fe80::%2/64",
                                        "2001:db8:0:8000::/48"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct cg_prefix prefix, none = {0};
        memset(&prefix, 0xff, sizeof prefix);
        assert_int_equal(cg_prefix_parse(&prefix, cg_slice_str(texts[i])), CG_E_FORMAT);
        assert_memory_equal(&prefix.addr, &none.addr, sizeof none.addr);
    }
}

static void the_bits_of_the_prefix_decide(void **state) {
    (void)state;
    assert_true(has("192.0.2.0/24", "192.0.2.255:1"));
    assert_false(has("192.0.2.0/24", "192.0.3.0"));
    assert_true(has("10.128.0.0/9", "10.255.255.255"));
    assert_false(has("10.128.0.0/9", "10.127.255.255"));
    assert_true(has("192.0.2.4/30", "192.0.2.7"));
    assert_false(has("192.0.2.4/30", "192.0.2.8"));
    assert_true(has("0.0.0.0/0", "203.0.113.9"));
    assert_true(has("192.0.2.7", "192.0.2.7:61616"));
    assert_false(has("192.0.2.7", "192.0.2.6"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("fe80::/10", "[febf::1%3]:5683"));
    assert_false(has("fe80::/10", "fec0::1"));
    assert_true(has("::/0", "2001:db8::1"));
    assert_false(has("::/0", "192.0.2.1")); /* one family is not the other */
    assert_false(has("0.0.0.0/0", "::1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_back),
        cmocka_unit_test(what_is_no_prefix_is_refused),
        cmocka_unit_test(the_bits_of_the_prefix_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
