/* When a socket is left alone for a moment. */
#include "io/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* One answer each `apart_us`, `count` of them: how many of the looks ended with a rest. */
static unsigned rests_of(struct cg_gather *gather, uint64_t *now_us, uint64_t apart_us, unsigned count) {
    unsigned rests = 0;
    for (unsigned i = 0; i < count; i++) {
        *now_us += apart_us;
        rests += cg_gather_rests(gather, 1, *now_us);
    }
    return rests;
}

static void test_slow_ones_are_taken_as_they_come(void **state) {
    struct cg_gather gather = {0};
    uint64_t now_us = 1000000;
    (void)state;
    assert_int_equal(rests_of(&gather, &now_us, 1000, 100), 0);
    assert_int_equal(rests_of(&gather, &now_us, 20000, 100), 0);
    assert_int_equal(rests_of(&gather, &now_us, 750, 100), 0);
}

/* The first few show how quickly they come. */
static void test_quick_ones_are_gathered(void **state) {
    struct cg_gather gather = {0};
    uint64_t now_us = 1000000;
    (void)state;
    assert_int_equal(rests_of(&gather, &now_us, 200, 3), 0);
    assert_true(cg_gather_rests(&gather, 1, now_us += 200));
    for (int i = 0; i < 100; i++) assert_true(cg_gather_rests(&gather, 5, now_us += CG_GATHER_REST_US));
}

static void test_a_rest_without_news_is_the_last(void **state) {
    struct cg_gather gather = {0};
    uint64_t now_us = 1000000;
    (void)state;
    assert_int_equal(rests_of(&gather, &now_us, 100, 4), 1);
    assert_false(cg_gather_rests(&gather, 0, now_us += CG_GATHER_REST_US));
    assert_int_equal(rests_of(&gather, &now_us, 100, 3), 0);
    assert_int_equal(rests_of(&gather, &now_us, 100, 1), 1);
}

static void test_a_burst_needs_no_gathering(void **state) {
    struct cg_gather gather = {0};
    uint64_t now_us = 1000000;
    (void)state;
    for (int i = 0; i < 100; i++) assert_false(cg_gather_rests(&gather, 60, now_us += 50));
    assert_int_equal(rests_of(&gather, &now_us, 100, 3), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_ones_are_taken_as_they_come),
        cmocka_unit_test(test_quick_ones_are_gathered),
        cmocka_unit_test(test_a_rest_without_news_is_the_last),
        cmocka_unit_test(test_a_burst_needs_no_gathering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
