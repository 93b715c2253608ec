/* Which part of a body a response carries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fronts/coap/cut.h"

static uint8_t bytes[5000];

static void expect(size_t len, const struct cg_block *asked, uint8_t szx_max, struct cg_block block, size_t at,
                   size_t part) {
    struct cg_coap_cut cut;
    assert_int_equal(cg_coap_cut(cg_slice_of(bytes, len), asked, szx_max, &cut), CG_OK);
    assert_true(cut.is_block);
    assert_int_equal(cut.block.number, block.number);
    assert_int_equal(cut.block.more, block.more);
    assert_int_equal(cut.block.szx, block.szx);
    assert_ptr_equal(cut.part.data, bytes + at);
    assert_int_equal(cut.part.len, part);
}

static void expect_whole(size_t len) {
    struct cg_coap_cut cut;
    assert_int_equal(cg_coap_cut(cg_slice_of(bytes, len), NULL, 6, &cut), CG_OK);
    assert_false(cut.is_block);
    assert_int_equal(cut.part.len, len);
}

static void expect_none(size_t len, struct cg_block asked) {
    struct cg_coap_cut cut;
    assert_int_equal(cg_coap_cut(cg_slice_of(bytes, len), &asked, 6, &cut), CG_E_BAD_REQUEST);
}

#define BLOCK(n, m, s)                                                                                                 \
    (struct cg_block) { .number = (n), .more = (m), .szx = (s) }

static void test_what_fits_is_no_block(void **state) {
    (void)state;
    expect_whole(0);
    expect_whole(1);
    expect_whole(1024);
}

static void test_what_does_not_fit_is_cut(void **state) {
    (void)state;
    expect(1025, NULL, 6, BLOCK(0, true, 6), 0, 1024);
    expect(1025, NULL, 5, BLOCK(0, true, 5), 0, 512);
    expect(17, NULL, 0, BLOCK(0, true, 0), 0, 16);
}

static void test_blocks_that_are_asked_for(void **state) {
    (void)state;
    expect(2049, &BLOCK(0, false, 6), 6, BLOCK(0, true, 6), 0, 1024);
    expect(2049, &BLOCK(1, false, 6), 6, BLOCK(1, true, 6), 1024, 1024);
    expect(2049, &BLOCK(2, false, 6), 6, BLOCK(2, false, 6), 2048, 1);
    expect(2048, &BLOCK(1, false, 6), 6, BLOCK(1, false, 6), 1024, 1024);
    expect(100, &BLOCK(0, false, 6), 6, BLOCK(0, false, 6), 0, 100); /* asked for: it is a block */
}

static void test_an_empty_body_has_a_block_0_alone(void **state) {
    (void)state;
    struct cg_coap_cut cut;
    assert_int_equal(cg_coap_cut(CG_SLICE_NONE, &BLOCK(0, false, 2), 6, &cut), CG_OK);
    assert_true(cut.is_block);
    assert_false(cut.block.more);
    assert_int_equal(cut.part.len, 0);
    expect_none(0, BLOCK(1, false, 2));
}

static void test_the_clients_smaller_size_is_kept_to(void **state) {
    (void)state;
    expect(5000, &BLOCK(0, false, 2), 6, BLOCK(0, true, 2), 0, 64);
    expect(5000, &BLOCK(16, false, 2), 6, BLOCK(16, true, 2), 1024, 64); /* after a first block of 1024 */
    expect(5000, &BLOCK(78, false, 2), 6, BLOCK(78, false, 2), 4992, 8);
}

/* The same place in smaller blocks. */
static void test_a_larger_size_than_fits_is_made_smaller(void **state) {
    (void)state;
    expect(5000, &BLOCK(0, false, 6), 4, BLOCK(0, true, 4), 0, 256);
    expect(5000, &BLOCK(3, false, 6), 4, BLOCK(12, true, 4), 3072, 256);
}

static void test_there_is_nothing_behind_the_end(void **state) {
    (void)state;
    expect_none(2048, BLOCK(2, false, 6));
    expect_none(2048, BLOCK(1048575, false, 6));
    expect_none(16, BLOCK(1, false, 0));
}

static void test_the_size_that_fits(void **state) {
    (void)state;
    assert_int_equal(cg_coap_cut_szx(5000), 6);
    assert_int_equal(cg_coap_cut_szx(1024), 6);
    assert_int_equal(cg_coap_cut_szx(1023), 5);
    assert_int_equal(cg_coap_cut_szx(16), 0);
    assert_int_equal(cg_coap_cut_szx(0), 0);
}

static void expect_bert(size_t len, uint32_t number, size_t room, bool more, size_t part) {
    struct cg_coap_cut cut;
    assert_int_equal(cg_coap_cut_bert(cg_slice_of(bytes, len), &BLOCK(number, false, 7), room, &cut), CG_OK);
    assert_true(cut.is_block);
    assert_int_equal(cut.block.number, number);
    assert_int_equal(cut.block.szx, 7);
    assert_int_equal(cut.block.more, more);
    assert_ptr_equal(cut.part.data, bytes + 1024 * (size_t)number);
    assert_int_equal(cut.part.len, part);
}

static void test_many_blocks_at_once(void **state) {
    struct cg_coap_cut cut;
    (void)state;
    expect_bert(5000, 0, 3500, true, 3072);
    expect_bert(5000, 3, 3500, false, 5000 - 3072);
    expect_bert(5000, 1, 1024, true, 1024);
    expect_bert(5000, 4, 1024, false, 904);
    assert_int_equal(cg_coap_cut_bert(cg_slice_of(bytes, 5000), &BLOCK(5, false, 7), 3500, &cut), CG_E_BAD_REQUEST);
    assert_int_equal(cg_coap_cut_bert(cg_slice_of(bytes, 5000), &BLOCK(0, false, 7), 1023, &cut), CG_E_TOO_BIG);
    expect(5000, &BLOCK(3, false, 7), 4, BLOCK(12, true, 4), 3072, 256); /* where not even one has room */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_fits_is_no_block),
        cmocka_unit_test(test_what_does_not_fit_is_cut),
        cmocka_unit_test(test_blocks_that_are_asked_for),
        cmocka_unit_test(test_an_empty_body_has_a_block_0_alone),
        cmocka_unit_test(test_the_clients_smaller_size_is_kept_to),
        cmocka_unit_test(test_a_larger_size_than_fits_is_made_smaller),
        cmocka_unit_test(test_there_is_nothing_behind_the_end),
        cmocka_unit_test(test_the_size_that_fits),
        cmocka_unit_test(test_many_blocks_at_once),
    };
    return cmocka_run_group_tests_name("fronts_coap/cut", tests, NULL, NULL);
}
