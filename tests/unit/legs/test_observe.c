/* Which notification is newer, and for how long one is fresh (RFC 7641 §3.3.1, §3.4). */
#include "exchange/fake_world.h"

#include "legs/observe.h"

#define TWO_TO_23 ((uint32_t)1 << 23)
#define LAST      (((uint32_t)1 << 24) - 1)

static bool is_newer_at_once(uint32_t order, uint32_t before) {
    return cg_notification_is_newer(order, SECOND, before, SECOND);
}

static void test_higher_values_are_newer(void **state) {
    (void)state;
    assert_true(is_newer_at_once(1, 0));
    assert_false(is_newer_at_once(0, 1));
    assert_false(is_newer_at_once(5, 5)); /* it says the same again */
    assert_true(is_newer_at_once(TWO_TO_23 - 1, 0));
    assert_false(is_newer_at_once(TWO_TO_23, 0)); /* half of the circle: neither */
    assert_false(is_newer_at_once(0, TWO_TO_23));
}

static void test_values_come_round(void **state) {
    (void)state;
    assert_true(is_newer_at_once(0, LAST));
    assert_true(is_newer_at_once(5, LAST - 5));
    assert_false(is_newer_at_once(LAST, 0));
    assert_true(is_newer_at_once(0, TWO_TO_23 + 1));
    assert_false(is_newer_at_once(TWO_TO_23 + 1, 0));
}

static void test_after_128_s_whatever_comes_is_newer(void **state) {
    (void)state;
    uint64_t before_us = 7 * SECOND;
    assert_false(cg_notification_is_newer(1, before_us + 128 * SECOND, 2, before_us));
    assert_true(cg_notification_is_newer(1, before_us + 128 * SECOND + 1, 2, before_us));
    assert_true(cg_notification_is_newer(2, before_us + 128 * SECOND + 1, 2, before_us));
    assert_false(cg_notification_is_newer(1, before_us - SECOND, 2, before_us)); /* by clocks of two threads */
    assert_true(cg_notification_is_newer(3, before_us - SECOND, 2, before_us));
}

/* An answer with this code and these options, encoded. */
static struct cg_notification read(uint8_t code, const char *options, size_t len) {
    const struct cg_opened opened = {.code = code, .options = cg_slice_of(options, len)};
    struct cg_notification notification;
    cg_notification_read(&opened, &notification);
    return notification;
}

#define READ(code, options) read(code, options, sizeof(options) - 1)

static void test_what_an_answer_says(void **state) {
    (void)state;
    struct cg_notification got = READ(CG_CODE(2, 5), "\x63\x12\x34\x56");
    assert_true(got.is_observed);
    assert_int_equal(got.order, 0x123456);
    assert_int_equal(got.max_age_s, 60);
    got = READ(CG_CODE(2, 5), "\x60"); /* 0; or inside, where the Partial IV says in which order */
    assert_true(got.is_observed);
    assert_int_equal(got.order, 0);
    assert_true(READ(CG_CODE(2, 3), "\x61\x05").is_observed);
    assert_false(READ(CG_CODE(2, 5), "").is_observed);
    assert_false(READ(CG_CODE(2, 5), "\xd1\x01\x05").is_observed);         /* Max-Age alone */
    assert_false(READ(CG_CODE(4, 4), "\x61\x05").is_observed);             /* its sender has forgotten us */
    assert_false(READ(CG_CODE(2, 5), "\x64\x01\x02\x03\x04").is_observed); /* no such option (RFC 7252 §5.4.3) */
}

static void test_how_long_it_is_fresh(void **state) {
    (void)state;
    assert_int_equal(READ(CG_CODE(2, 5), "\x60\x80").max_age_s, 0);
    assert_int_equal(READ(CG_CODE(2, 5), "\x60\x81\x0a").max_age_s, 10);
    assert_int_equal(READ(CG_CODE(2, 5), "\x60\x84\xff\xff\xff\xff").max_age_s, UINT32_MAX);
    assert_int_equal(READ(CG_CODE(2, 5), "\x60\x85\x01\x02\x03\x04\x05").max_age_s, CG_OBSERVE_MAX_AGE_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_higher_values_are_newer),
        cmocka_unit_test(test_values_come_round),
        cmocka_unit_test(test_after_128_s_whatever_comes_is_newer),
        cmocka_unit_test(test_what_an_answer_says),
        cmocka_unit_test(test_how_long_it_is_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
