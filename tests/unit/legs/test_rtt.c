/* How long is waited for an answer, by what was measured: RFC 6298, Karn's rule, bounds and ageing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "legs/rtt.h"

#define MS    1000ull
#define START (2000 * MS)

static void clear(struct cg_rtt *rtt, uint64_t sample_us) { cg_rtt_note(rtt, CG_RTT_CLEAR, sample_us, 0); }

static uint64_t timeout(const struct cg_rtt *rtt) { return cg_rtt_timeout_us(rtt, START, 0); }

static void nothing_measured_is_the_start_value(void **state) {
    struct cg_rtt rtt = {0};
    (void)state;
    assert_int_equal(timeout(&rtt), START);
    assert_int_equal(cg_rtt_timeout_us(&rtt, 500 * MS, 1000000 * MS), 500 * MS);
}

static void the_first_sample_counts_three_times(void **state) { /* RFC 6298 §2.2: R + 4 * R/2 */
    struct cg_rtt rtt = {0};
    (void)state;
    clear(&rtt, 200 * MS);
    assert_int_equal(timeout(&rtt), 600 * MS);
}

static void further_samples_are_smoothed(void **state) { /* §2.3 */
    struct cg_rtt rtt = {0};
    (void)state;
    clear(&rtt, 200 * MS);
    clear(&rtt, 280 * MS); /* RTTVAR 3/4*100+1/4*80 = 95, SRTT 7/8*200+1/8*280 = 210 */
    assert_int_equal(timeout(&rtt), (210 + 4 * 95) * MS);
    clear(&rtt, 210 * MS); /* RTTVAR 71.25, SRTT 210 */
    assert_int_equal(timeout(&rtt), 210 * MS + 4 * 71250);
}

static void equal_samples_leave_the_granularity(void **state) {
    struct cg_rtt rtt = {0};
    (void)state;
    for (int i = 0; i < 100; i++) clear(&rtt, 400 * MS);
    assert_in_range(timeout(&rtt), 410 * MS, 411 * MS);
}

static void it_stays_within_its_bounds(void **state) {
    struct cg_rtt rtt = {0};
    (void)state;
    clear(&rtt, 0);
    assert_int_equal(timeout(&rtt), CG_RTT_FLOOR_US);
    for (int i = 0; i < 100; i++) clear(&rtt, UINT64_MAX);
    assert_int_equal(timeout(&rtt), CG_RTT_CEILING_US);
    for (int i = 0; i < 1000; i++) clear(&rtt, 1);
    assert_int_equal(timeout(&rtt), CG_RTT_FLOOR_US);
}

static void what_is_ambiguous_lengthens_and_never_shortens(void **state) { /* Karn */
    struct cg_rtt rtt = {0};
    (void)state;
    clear(&rtt, 200 * MS);
    cg_rtt_note(&rtt, CG_RTT_AT_MOST, 1 * MS, 0);
    assert_int_equal(timeout(&rtt), 600 * MS);
    cg_rtt_note(&rtt, CG_RTT_AT_MOST, 1000 * MS, 0); /* 3/4 and 1/4 */
    assert_int_equal(timeout(&rtt), 700 * MS);
    clear(&rtt, 200 * MS); /* and the next clear one decides */
    assert_int_equal(timeout(&rtt), (200 + 4 * 75) * MS);
}

/* A member further away than the first timeout would otherwise be asked twice for ever. */
static void where_nothing_else_is_known_it_is_taken_as_it_is(void **state) {
    struct cg_rtt rtt = {0};
    (void)state;
    cg_rtt_note(&rtt, CG_RTT_AT_MOST, 3000 * MS, 0);
    assert_int_equal(timeout(&rtt), 3000 * MS);
    clear(&rtt, 100 * MS);
    assert_int_equal(timeout(&rtt), 300 * MS);
}

static void it_ages_back_to_the_start_value(void **state) {
    struct cg_rtt rtt = {0};
    (void)state;
    cg_rtt_note(&rtt, CG_RTT_CLEAR, 200 * MS, 5000 * MS);
    uint64_t then = 5000 * MS + CG_RTT_AGE_US;
    assert_int_equal(cg_rtt_timeout_us(&rtt, START, then - 1), 600 * MS);
    assert_int_equal(cg_rtt_timeout_us(&rtt, START, then), 1300 * MS);
    assert_int_equal(cg_rtt_timeout_us(&rtt, START, then + CG_RTT_AGE_US), 1650 * MS);
    assert_int_equal(cg_rtt_timeout_us(&rtt, START, then + 1000 * CG_RTT_AGE_US), START);
    assert_int_equal(cg_rtt_timeout_us(&rtt, START, 0), 600 * MS); /* a clock of before */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_measured_is_the_start_value),
        cmocka_unit_test(the_first_sample_counts_three_times),
        cmocka_unit_test(further_samples_are_smoothed),
        cmocka_unit_test(equal_samples_leave_the_granularity),
        cmocka_unit_test(it_stays_within_its_bounds),
        cmocka_unit_test(what_is_ambiguous_lengthens_and_never_shortens),
        cmocka_unit_test(where_nothing_else_is_known_it_is_taken_as_it_is),
        cmocka_unit_test(it_ages_back_to_the_start_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
