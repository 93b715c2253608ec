/* What failures cost: how many answers are verified at once, of a member, an address, a cast and the gateway, and how
 * soon failures are forgotten. R24, R56. */
#include "fake_room.h"

#include <stdio.h>
#include <stdlib.h>

static struct cg_addr addr(const char *text) {
    struct cg_addr made;
    assert_int_equal(cg_addr_parse(&made, cg_slice_str(text), 5683), CG_OK);
    return made;
}

struct accounts {
    struct cg_forgeries forgeries;
    struct cg_allowance of_all;
    uint64_t now_us;
    struct cg_kid_account one, two;
};

static int setup(void **state) {
    struct accounts *a = calloc(1, sizeof *a);
    if (a == NULL) return -1;
    a->now_us = SECOND;
    *state = a;
    return 0;
}

static int teardown(void **state) {
    struct accounts *a = *state;
    cg_forgeries_fini(&a->forgeries);
    free(a);
    return 0;
}

#define accounts_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static bool allows(const struct accounts *a, const struct cg_kid_account *account, const char *from, bool at_home) {
    const struct cg_addr source = addr(from);
    return cg_forgeries_allow(&a->forgeries, &a->of_all, a->now_us, account, &source, at_home);
}

static void fail_once(struct accounts *a, struct cg_kid_account *account, const char *from, bool at_home) {
    const struct cg_addr source = addr(from);
    cg_forgeries_begin(&a->forgeries, account, at_home);
    cg_forgeries_fail(&a->forgeries, &a->of_all, a->now_us, account, &source, at_home);
}

/* A failure of somebody who is never seen again. */
static void fail_elsewhere(struct accounts *a) {
    static struct cg_kid_account others[64];
    static unsigned turn;
    char text[32];
    turn++;
    snprintf(text, sizeof text, "10.%u.%u.%u", turn >> 16 & 255, turn >> 8 & 255, turn & 255);
    others[turn % 64] = (struct cg_kid_account){0};
    fail_once(a, &others[turn % 64], text, false);
}

static void ten_thousand_members_may_answer_at_once(void **state) {
    struct accounts *a = *state;
    static struct cg_kid_account accounts[10000];
    for (size_t i = 0; i < 10000; i++) { /* behind one address, as a border router shows them */
        assert_true(allows(a, &accounts[i], "192.0.2.1", false));
        cg_forgeries_begin(&a->forgeries, &accounts[i], false);
    }
    assert_null(a->forgeries.sources); /* who is not suspected leaves no trace */
    for (size_t i = 0; i < 10000; i++) cg_forgeries_end(&a->forgeries, &accounts[i], false);
    assert_int_equal(a->forgeries.running, 0);
    assert_int_equal(a->forgeries.members, 0);
}

/* Whatever others do, a member's first answer is verified at once. */
static void the_first_answer_is_never_late(void **state) {
    struct accounts *a = *state;
    for (int i = 0; i < 5000; i++) fail_elsewhere(a);
    for (int i = 0; i < 100; i++) fail_once(a, &a->two, "192.0.2.1", false);
    assert_true(allows(a, &a->one, "192.0.2.1", false));
    cg_forgeries_begin(&a->forgeries, &a->one, false);
    assert_false(allows(a, &a->one, "192.0.2.1", false));
    cg_forgeries_end(&a->forgeries, &a->one, false);
    assert_true(allows(a, &a->one, "192.0.2.1", false));
}

static void a_kid_has_sixteen(void **state) {
    struct accounts *a = *state;
    char text[32];
    for (int i = 0; i < 16; i++) { /* failed or not ended, from wherever */
        snprintf(text, sizeof text, "192.0.2.%d", i + 1);
        assert_true(allows(a, &a->one, text, false));
        if (i % 2 == 0) cg_forgeries_begin(&a->forgeries, &a->one, false);
        if (i % 2 == 1) fail_once(a, &a->one, text, false);
    }
    assert_false(allows(a, &a->one, "192.0.2.99", false));
    cg_forgeries_end(&a->forgeries, &a->one, false);
    assert_true(allows(a, &a->one, "192.0.2.99", false));
}

static void four_more_from_where_the_member_is(void **state) {
    struct accounts *a = *state;
    for (int i = 0; i < 16; i++) fail_once(a, &a->one, "192.0.2.99", false);
    for (int i = 0; i < 4; i++) {
        assert_true(allows(a, &a->one, "192.0.2.99", true));
        fail_once(a, &a->one, "192.0.2.99", true);
    }
    assert_false(allows(a, &a->one, "192.0.2.99", true));
    cg_forgeries_begin(&a->forgeries, &a->one, true);
    cg_forgeries_end(&a->forgeries, &a->one, true); /* what verifies uses nothing up */
    assert_false(allows(a, &a->one, "192.0.2.99", true));
    assert_int_equal(a->one.at_home, 0);
    assert_true(a->one.home.left == -4);
    a->now_us += SECOND;
    cg_forgeries_begin(&a->forgeries, &a->one, true); /* but as long as it has not ended */
    assert_true(allows(a, &a->one, "192.0.2.99", true));
    cg_forgeries_begin(&a->forgeries, &a->one, true);
    assert_false(allows(a, &a->one, "192.0.2.99", true));
    cg_forgeries_end(&a->forgeries, &a->one, true);
    assert_true(allows(a, &a->one, "192.0.2.99", true));
}

/* However many were forged from there: at once again after half a second, at 4 and 2 a second and no more. */
static void what_failed_from_home_is_soon_forgotten(void **state) {
    struct accounts *a = *state;
    unsigned at_once = 0;
    for (int i = 0; i < 16; i++) fail_once(a, &a->one, "192.0.2.99", false);
    for (int i = 0; i < 1000; i++) fail_once(a, &a->one, "192.0.2.1", true); /* most of these have waited */
    assert_false(allows(a, &a->one, "192.0.2.1", true));
    a->now_us += SECOND / 2 - 1;
    assert_false(allows(a, &a->one, "192.0.2.1", true));
    a->now_us += 1;
    assert_true(allows(a, &a->one, "192.0.2.1", true));
    a->now_us += 3600 * SECOND;
    for (int i = 0; i < 16; i++) fail_once(a, &a->one, "192.0.2.99", false); /* which an hour has forgiven */
    for (int ms = 0; ms < 10000; ms++, a->now_us += SECOND / 1000) {
        if (!allows(a, &a->one, "192.0.2.1", true)) continue;
        fail_once(a, &a->one, "192.0.2.1", true);
        at_once++;
    }
    assert_in_range(at_once, 4 + 2 * 10 - 1, 4 + 2 * 10);
}

/* How many of those that waited are begun in so many seconds, where there are ever more. */
static unsigned verified_later(struct cg_forgeries *forgeries, bool at_home, uint64_t *now_us, unsigned seconds) {
    unsigned begun = 0;
    for (uint64_t until_us = *now_us + seconds * SECOND; *now_us <= until_us; *now_us += 200) {
        for (; cg_later_allow(forgeries, at_home, *now_us); begun++) cg_later_begin(forgeries, at_home, *now_us);
    }
    return begun;
}

static void those_that_waited_have_a_total_and_a_rate(void **state) {
    (void)state;
    struct cg_forgeries strangers = {0}, homes = {0}, both = {0};
    uint64_t now_us = SECOND;
    assert_in_range(verified_later(&strangers, false, &now_us, 3), 4096 + 3 * 1024 - 1, 4096 + 3 * 1024);
    now_us = SECOND;
    assert_in_range(verified_later(&homes, true, &now_us, 3), 4096 + 1024 + 3 * 2048 - 2, 4096 + 1024 + 3 * 2048);
    now_us = SECOND;
    assert_int_equal(verified_later(&both, false, &now_us, 0), 4096);
    now_us = SECOND;
    assert_int_equal(verified_later(&both, true, &now_us, 0), 1024); /* strangers cannot use these up */
}

static void a_source_is_an_address_or_a_prefix(void **state) {
    (void)state;
    static const struct {
        const char *forger, *same, *other;
    } cases[] = {{"192.0.2.7", "192.0.2.7:9", "192.0.2.8"},
                 {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"},
                 {"[fe80::1%3]", "[fe80::2%3]", "2001:db8::1"}};
    for (size_t c = 0; c < 3; c++) {
        struct accounts a = {.now_us = SECOND};
        fail_once(&a, &a.one, "203.0.113.1", false); /* it has not its first answer to give any more */
        for (uint16_t i = 0; i < 16; i++) {
            assert_true(allows(&a, &a.one, cases[c].same, false));
            struct cg_kid_account somebody = {0};
            struct cg_addr source = addr(cases[c].forger);
            source.port = (uint16_t)(1000 + i);
            cg_forgeries_begin(&a.forgeries, &somebody, false);
            cg_forgeries_fail(&a.forgeries, &a.of_all, a.now_us, &somebody, &source, false);
        }
        assert_false(allows(&a, &a.one, cases[c].same, false));
        assert_true(allows(&a, &a.one, cases[c].other, false));
        assert_true(allows(&a, &a.one, cases[c].same, true)); /* but not from where the member is */
        assert_int_equal(HASH_COUNT(a.forgeries.sources), 2);
        cg_forgeries_fini(&a.forgeries);
    }
}

static void a_cast_has_256(void **state) {
    struct accounts *a = *state;
    static struct cg_kid_account many[256];
    fail_once(a, &a->one, "192.0.2.1", false);
    for (int i = 0; i < 200; i++) fail_elsewhere(a);
    for (int i = 0; i < 256; i++)
        cg_forgeries_begin(&a->forgeries, &many[i], false); /* one a member counts for nothing */
    assert_true(allows(a, &a->one, "192.0.2.1", false));
    for (int i = 0; i < 54; i++) cg_forgeries_begin(&a->forgeries, &many[i], false); /* a second one does */
    assert_true(allows(a, &a->one, "192.0.2.1", false));
    cg_forgeries_begin(&a->forgeries, &many[0], false);
    assert_false(allows(a, &a->one, "192.0.2.1", false));
    cg_forgeries_end(&a->forgeries, &many[0], false);
    assert_true(allows(a, &a->one, "192.0.2.1", false));
    fail_elsewhere(a);
    assert_false(allows(a, &a->one, "192.0.2.1", false));
}

static void the_gateway_has_2048_and_256_a_second(void **state) {
    struct accounts *a = *state;
    fail_once(a, &a->one, "192.0.2.1", false);
    for (int i = 1; i < 2048; i++) {
        struct accounts other = {.of_all = a->of_all, .now_us = a->now_us}; /* each in another cast */
        assert_true(allows(a, &a->one, "192.0.2.1", false));
        fail_elsewhere(&other);
        cg_forgeries_fini(&other.forgeries);
        a->of_all = other.of_all;
    }
    assert_false(allows(a, &a->one, "192.0.2.1", false));
    a->now_us += SECOND / 256 + 1;
    assert_true(allows(a, &a->one, "192.0.2.1", false));
    fail_elsewhere(a);
    assert_false(allows(a, &a->one, "192.0.2.1", false));
    a->now_us += 3600 * SECOND; /* an hour fills it, and no more than that */
    fail_elsewhere(a);
    assert_true(a->of_all.left == -1);
}

/* Each takes the time since the one before into account, however short. */
static void failures_in_quick_succession_are_made_up_for_as_well(void **state) {
    struct accounts *a = *state;
    fail_once(a, &a->one, "192.0.2.1", false);
    for (int i = 0; i < 3000; i++) { /* 300 a second */
        a->now_us += SECOND / 300;
        struct accounts other = {.of_all = a->of_all, .now_us = a->now_us}; /* each in another cast */
        fail_elsewhere(&other);
        cg_forgeries_fini(&other.forgeries);
        a->of_all = other.of_all;
    }
    assert_true(allows(a, &a->one, "192.0.2.1", false));
}

/* An observation lasts for months: what was used up once is not used up for good. */
static void a_period_forgives_kid_source_and_cast(void **state) {
    struct accounts *a = *state;
    for (int i = 0; i < 16; i++) fail_once(a, &a->one, "192.0.2.1", false);
    for (int i = 0; i < 300; i++) fail_elsewhere(a);
    a->now_us += CG_FAILURES_PERIOD_US - 1;
    assert_false(allows(a, &a->one, "192.0.2.9", false));
    a->now_us += 1;
    assert_true(allows(a, &a->one, "192.0.2.1", false));
    for (int i = 0; i < 15; i++) fail_once(a, &a->one, "192.0.2.1", false); /* and then they begin anew */
    assert_true(allows(a, &a->one, "192.0.2.1", false));
    fail_once(a, &a->one, "192.0.2.1", false);
    assert_false(allows(a, &a->one, "192.0.2.9", false));
    assert_int_equal(HASH_COUNT(a->forgeries.sources), 1);
}

static void what_is_verifying_goes_on_into_the_next_period(void **state) {
    struct accounts *a = *state;
    const struct cg_addr source = addr("192.0.2.1");
    cg_forgeries_begin(&a->forgeries, &a->two, false);
    fail_once(a, &a->one, "192.0.2.1", false);
    a->now_us += CG_FAILURES_PERIOD_US;
    fail_once(a, &a->one, "192.0.2.1", false);
    assert_int_equal(a->forgeries.running, 1);
    assert_int_equal(a->forgeries.failures, 1);
    cg_forgeries_fail(&a->forgeries, &a->of_all, a->now_us, &a->two, &source, false);
    assert_int_equal(a->forgeries.running, 0);
    assert_int_equal(a->forgeries.members, 0);
    assert_int_equal(a->forgeries.failures, 2);
}

static void a_forger_with_any_number_of_addresses_makes_no_row_for_each(void **state) {
    struct accounts *a = *state;
    for (int i = 0; i < 20000; i++) fail_elsewhere(a);
    assert_int_equal(HASH_COUNT(a->forgeries.sources), CG_FAILURES_CAST);
}

/* A hundred members, one notification of each a minute; for each of them somebody forges one under its kid, from an
 * address that was never seen. All year the genuine ones are verified at once, from wherever they come. */
static void a_year_of_notifications_and_forgeries_silences_nobody(void **state) {
    struct accounts *a = *state;
    static struct cg_kid_account members[100];
    uint32_t forger = 0x0a000000;
    struct cg_addr elsewhere = addr("198.51.100.7"), from = addr("10.0.0.0");
    for (unsigned minute = 0; minute < 365 * 24 * 60; minute++) {
        struct cg_kid_account *member = &members[minute % 100]; /* so many that each is seen in time */
        a->now_us += 60 * SECOND;
        forger++;
        for (int i = 0; i < 4; i++) from.ip[i] = (uint8_t)(forger >> (24 - 8 * i));
        if (!cg_forgeries_allow(&a->forgeries, &a->of_all, a->now_us, member, &from, false)) fail_msg("%u", minute);
        cg_forgeries_begin(&a->forgeries, member, false);
        cg_forgeries_fail(&a->forgeries, &a->of_all, a->now_us, member, &from, false);
        if (!cg_forgeries_allow(&a->forgeries, &a->of_all, a->now_us, member, &elsewhere, false))
            fail_msg("%u", minute);
        cg_forgeries_begin(&a->forgeries, member, false);
        cg_forgeries_end(&a->forgeries, member, false);
    }
    assert_in_range(HASH_COUNT(a->forgeries.sources), 1, 5);
}

/* Every day a flood that uses up all there is: whoever is at home is verified at once, the others in their turn. */
static void a_year_of_floods_silences_nobody(void **state) {
    struct accounts *a = *state;
    struct cg_addr home = addr("127.1.0.1"), elsewhere = addr("198.51.100.7");
    for (unsigned day = 0; day < 365; day++) {
        a->now_us += 24 * 3600 * SECOND;
        for (int i = 0; i < 400; i++) fail_elsewhere(a);
        for (int i = 0; i < 16; i++) fail_once(a, &a->one, "192.0.2.1", false);
        for (int i = 0; i < 8000 && cg_later_allow(&a->forgeries, false, a->now_us); i++)
            cg_later_begin(&a->forgeries, false, a->now_us);
        assert_false(cg_forgeries_allow(&a->forgeries, &a->of_all, a->now_us, &a->one, &elsewhere, false));
        assert_true(cg_forgeries_allow(&a->forgeries, &a->of_all, a->now_us, &a->one, &home, true));
        assert_false(cg_later_allow(&a->forgeries, false, a->now_us));
        assert_true(cg_later_allow(&a->forgeries, false, a->now_us + SECOND / 1000 + 1));
        assert_in_range(HASH_COUNT(a->forgeries.sources), 1, CG_FAILURES_CAST);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        accounts_test(ten_thousand_members_may_answer_at_once),
        accounts_test(the_first_answer_is_never_late),
        accounts_test(a_kid_has_sixteen),
        accounts_test(four_more_from_where_the_member_is),
        accounts_test(what_failed_from_home_is_soon_forgotten),
        cmocka_unit_test(a_source_is_an_address_or_a_prefix),
        accounts_test(a_cast_has_256),
        accounts_test(the_gateway_has_2048_and_256_a_second),
        accounts_test(failures_in_quick_succession_are_made_up_for_as_well),
        accounts_test(a_period_forgives_kid_source_and_cast),
        accounts_test(what_is_verifying_goes_on_into_the_next_period),
        accounts_test(a_forger_with_any_number_of_addresses_makes_no_row_for_each),
        accounts_test(a_year_of_notifications_and_forgeries_silences_nobody),
        accounts_test(a_year_of_floods_silences_nobody),
        cmocka_unit_test(those_that_waited_have_a_total_and_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
