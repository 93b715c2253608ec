/* The OSCORE option's value and Partial IVs: one encoding each, nothing else accepted. */
#include "fake_group.h"

static int parse(const char *bytes, size_t len, struct cg_oscore_option *option) {
    return cg_oscore_option_parse(option, cg_slice_of(bytes, len));
}

static void test_examples_of_the_rfcs(void **state) {
    (void)state;
    struct cg_oscore_option o;
    assert_int_equal(parse("", 0, &o), CG_OK);
    assert_false(o.group || o.has_kid || o.has_kid_context || o.piv.len > 0);
    assert_int_equal(parse("\x09\x05\x25", 3, &o), CG_OK);
    assert_true(o.has_kid && cg_slice_is(o.kid, "\x25") && cg_slice_is(o.piv, "\x05") && !o.has_kid_context &&
                !o.group);
    assert_int_equal(parse("\x09\x00", 2, &o), CG_OK); /* kid is empty and present */
    assert_true(o.has_kid && o.kid.len == 0 && o.piv.len == 1);
    assert_int_equal(parse("\x19\x05\x05\x44\x61\x6c\x65\x6b", 8, &o), CG_OK);
    assert_true(o.has_kid && o.kid.len == 0 && cg_slice_is(o.kid_context, "Dalek"));
    assert_int_equal(parse("\x39\x05\x03\x44\x61\x6c\x25", 7, &o), CG_OK);
    assert_true(o.group && cg_slice_is(o.kid_context, "Dal") && cg_slice_is(o.kid, "\x25"));
    assert_int_equal(parse("\x28\x52", 2, &o), CG_OK);
    assert_true(o.group && o.piv.len == 0 && cg_slice_is(o.kid, "\x52"));
    assert_int_equal(parse("\x01\x07", 2, &o), CG_OK);
    assert_true(!o.has_kid && cg_slice_is(o.piv, "\x07"));
}

static void test_malformed_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\x00", 1}, /* flags of zero must be left out */
        {"\x40", 1},
        {"\x80", 1}, /* reserved flags */
        {"\xc9\x05\x25", 3},
        {"\x49\x05\x25", 3},
        {"\x06\1\2\3\4\5\6", 7}, /* reserved lengths of the Partial IV */
        {"\x0f\1\2\3\4\5\6\7", 8},
        {"\x09", 1},
        {"\x0d\1\2\3\4", 5}, /* truncated Partial IV */
        {"\x19\x05", 2},
        {"\x10", 1},                 /* kid context without its length */
        {"\x19\x05\x03\x44\x61", 5}, /* truncated kid context */
        {"\x01\x07\x00", 3},         /* bytes behind the end, no kid announced */
        {"\x11\x07\x01\x41\x00", 5},
        {"\x0a\x00\x05\x25", 4}, /* a Partial IV with needless zeros */
        {"\x0d\x00\x00\x00\x00\x00\x25", 7},
    };
    struct cg_oscore_option o;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(parse(cases[i].bytes, cases[i].len, &o), CG_E_BAD_OPTION);
    static const char big[300] = {0x08};
    assert_int_equal(parse(big, 255, &o), CG_OK);
    assert_int_equal(parse(big, 256, &o), CG_E_BAD_OPTION);
}

/* Whatever is accepted encodes to the very same bytes: checked over all values of up to 4 bytes' beginning. */
static void test_parse_is_the_inverse_of_emit(void **state) {
    (void)state;
    unsigned accepted = 0;
    for (unsigned flags = 0; flags < 256; flags++) {
        for (size_t len = 1; len < 12; len++) {
            for (unsigned second = 0; second < 256; second++) {
                uint8_t value[12] = {(uint8_t)flags, (uint8_t)second, 3, 2, 1, 4, 2, 8, 9, 10, 11, 12}, again[255];
                struct cg_oscore_option o;
                if (cg_oscore_option_parse(&o, cg_slice_of(value, len)) != CG_OK) continue;
                accepted++;
                assert_int_equal(cg_oscore_option_emit(again, &o), len);
                assert_memory_equal(value, again, len);
            }
        }
    }
    assert_true(accepted > 1000);
}

static void test_partial_iv(void **state) {
    (void)state;
    static const struct {
        uint64_t number;
        size_t len;
    } cases[] = {{0, 1},     {1, 1},     {255, 1},        {256, 2},
                 {65535, 2}, {65536, 3}, {1ull << 32, 5}, {CG_OSCORE_NUMBER_MAX, 5}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t piv[CG_OSCORE_PIV_MAX];
        size_t len = cg_oscore_piv_emit(piv, cases[i].number);
        assert_int_equal(len, cases[i].len);
        assert_true(cases[i].number == cg_oscore_piv_parse(cg_slice_of(piv, len)));
        assert_true(len == 1 || piv[0] != 0);
    }
}

static void test_too_long_is_not_emitted(void **state) {
    (void)state;
    static const uint8_t bytes[255];
    uint8_t to[CG_OSCORE_OPTION_MAX];
    struct cg_oscore_option o = {.has_kid = true,
                                 .kid = cg_slice_of(bytes, 7),
                                 .piv = cg_slice_of(bytes, 5),
                                 .has_kid_context = true,
                                 .kid_context = cg_slice_of(bytes, CG_OSCORE_ID_CONTEXT_MAX)};
    assert_int_equal(cg_oscore_option_emit(to, &o), 255);
    o.kid_context.len++;
    assert_int_equal(cg_oscore_option_emit(to, &o), CG_E_TOO_BIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_rfcs),         cmocka_unit_test(test_malformed_is_refused),
        cmocka_unit_test(test_parse_is_the_inverse_of_emit), cmocka_unit_test(test_partial_iv),
        cmocka_unit_test(test_too_long_is_not_emitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
