/* Failed logins by where they come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fronts/http/guesses.h"

enum { SECOND = 1000000 };

static struct cg_guesses guesses;

static int begin(void **state) {
    (void)state;
    cg_guesses_init(&guesses, SECOND);
    return 0;
}

static struct cg_addr address(uint8_t last) {
    return (struct cg_addr){.family = CG_FAMILY_IPV4, .ip = {192, 0, 2, last}, .port = last};
}

static int fail_from(struct cg_addr from, uint64_t now_us, uint32_t *retry_after) {
    struct cg_problem problem = {0};
    cg_problem_set(&problem, CG_E_UNAUTHORIZED, "no");
    int err = cg_guesses_note(&guesses, &from, now_us, &problem);
    assert_int_equal(err, problem.err);
    if (retry_after != NULL) *retry_after = problem.retry_after;
    return err;
}

static void use_up(struct cg_addr from, uint64_t now_us) {
    for (unsigned i = 0; i < (unsigned)CG_GUESSES_OF_ONE; i++)
        assert_int_equal(fail_from(from, now_us, NULL), CG_E_UNAUTHORIZED);
}

static void who_fails_often_is_slowed(void **state) {
    (void)state;
    uint32_t retry_after;
    use_up(address(1), SECOND);
    assert_int_equal(fail_from(address(1), SECOND, &retry_after), CG_E_RATE);
    assert_int_equal(retry_after, 2);
    assert_int_equal(fail_from(address(1), 3 * SECOND, NULL), CG_E_UNAUTHORIZED);
    assert_int_equal(fail_from(address(1), 3 * SECOND, NULL), CG_E_RATE);
}

static void others_are_not(void **state) {
    (void)state;
    use_up(address(1), SECOND);
    assert_int_equal(fail_from(address(1), SECOND, NULL), CG_E_RATE);
    assert_int_equal(fail_from(address(2), SECOND, NULL), CG_E_UNAUTHORIZED);
}

static void ports_and_the_end_of_ipv6_addresses_are_the_same_source(void **state) {
    (void)state;
    struct cg_addr here = {.family = CG_FAMILY_IPV6, .ip = {0x20, 1, 0xd, 0xb8}};
    use_up(here, SECOND);
    here.ip[15] = 7;
    here.port = 99;
    assert_int_equal(fail_from(here, SECOND, NULL), CG_E_RATE);
    here.ip[7] = 7;
    assert_int_equal(fail_from(here, SECOND, NULL), CG_E_UNAUTHORIZED);
}

static void a_flood_from_everywhere_is_slowed_as_a_whole(void **state) {
    (void)state;
    unsigned refused = 0;
    for (unsigned i = 0; i < 4096; i++) {
        struct cg_addr from = {.family = CG_FAMILY_IPV4, .ip = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        refused += fail_from(from, SECOND, NULL) == CG_E_RATE;
    }
    assert_int_equal(refused, 4096 - (unsigned)CG_GUESSES_BURST);
}

static size_t tell_all(uint64_t now_us, size_t *sources) {
    struct cg_guesses_told told;
    size_t count = 0, place = 0;
    *sources = 0;
    while (cg_guesses_tell(&guesses, &place, now_us, &told)) {
        count += told.count;
        ++*sources;
    }
    return count;
}

static void each_source_is_told_of_once_a_minute_with_a_count(void **state) {
    (void)state;
    size_t sources;
    fail_from(address(1), SECOND, NULL);
    assert_int_equal(tell_all(SECOND, &sources), 1);
    for (unsigned i = 0; i < 500; i++) fail_from(address(1), 2 * SECOND, NULL);
    fail_from(address(2), 2 * SECOND, NULL);
    assert_int_equal(tell_all(3 * SECOND, &sources), 1);
    assert_int_equal(sources, 1);
    assert_int_equal(guesses.waiting, 1);
    assert_int_equal(tell_all(61 * SECOND, &sources), 500);
    assert_int_equal(sources, 1);
    assert_int_equal(guesses.waiting, 0);
    assert_int_equal(tell_all(200 * SECOND, &sources), 0);
}

static void none_is_lost_in_a_flood(void **state) {
    (void)state;
    size_t sources;
    for (unsigned i = 0; i < 4096; i++) {
        struct cg_addr from = {.family = CG_FAMILY_IPV4, .ip = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        fail_from(from, SECOND, NULL);
    }
    assert_int_equal(tell_all(SECOND, &sources), 4096);
    assert_true(sources <= CG_GUESSES_ROWS + 1);
    assert_int_equal(guesses.waiting, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(who_fails_often_is_slowed),
        TEST(others_are_not),
        TEST(ports_and_the_end_of_ipv6_addresses_are_the_same_source),
        TEST(a_flood_from_everywhere_is_slowed_as_a_whole),
        TEST(each_source_is_told_of_once_a_minute_with_a_count),
        TEST(none_is_lost_in_a_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
