/* The two kinds of buckets, request budgets and probing bursts: idling fills them to the brim and no further, and
 * forgetting them forgives nothing. */
#include "exchange/fake_world.h"

#include <stdio.h>

#define GROUP_OF(world) (&(world)->config->group)

static struct cg_mapping budgeted = {.name = "lamps", .requests_per_minute = 6};

static unsigned take_all(struct cg_budgets *budgets, uint64_t now_us) {
    uint32_t retry_after;
    unsigned taken = 0;
    while (taken < 100 && cg_budget_take(budgets, &budgeted, "@", now_us, &retry_after) == CG_OK) taken++;
    return taken;
}

static void purge_budgets(struct cg_budgets *budgets, uint64_t now_us) {
    size_t rows = SIZE_MAX;
    assert_false(cg_budgets_purge(budgets, now_us, &rows));
}

static void purge_paces(struct cg_pace_table *table, const struct cg_group_settings *settings, uint64_t now_us) {
    size_t rows = SIZE_MAX;
    assert_false(cg_pace_purge(table, settings, now_us, &rows));
}

static void test_an_idle_budget_holds_one_minutes_worth(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    assert_int_equal(take_all(&budgets, SECOND), 6);
    assert_int_equal(take_all(&budgets, 3600 * SECOND), 6); /* an hour later: no sixty minutes' worth */
    assert_int_equal(take_all(&budgets, 3610 * SECOND), 1); /* one each ten seconds */
    assert_int_equal(take_all(&budgets, 3640 * SECOND), 3);
    cg_budgets_fini(&budgets);
}

static void test_purging_does_not_refill_a_budget(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    assert_int_equal(take_all(&budgets, SECOND), 6);
    purge_budgets(&budgets, SECOND);
    assert_int_equal(take_all(&budgets, SECOND), 0);
    purge_budgets(&budgets, 31 * SECOND);
    assert_int_equal(take_all(&budgets, 31 * SECOND), 3);
    purge_budgets(&budgets, 92 * SECOND);
    assert_int_equal(HASH_COUNT(budgets.buckets), 0); /* full again: nothing is lost with it */
    assert_int_equal(take_all(&budgets, 92 * SECOND), 6);
    cg_budgets_fini(&budgets);
}

/* A bucket of each of `count` clients, from `first` on. */
static void take_as_clients(struct cg_budgets *budgets, unsigned first, unsigned count, uint64_t now_us) {
    for (unsigned i = first; i < first + count; i++) {
        char name[16];
        uint32_t retry_after;
        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(cg_budget_take(budgets, &budgeted, name, now_us, &retry_after), CG_OK);
    }
}

/* Each row is looked at once, in as many slices as it takes, those that come meanwhile as well. */
static void test_purging_in_slices(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    take_as_clients(&budgets, 0, 10, SECOND);
    take_as_clients(&budgets, 5, 5, 60 * SECOND); /* these are not full yet when the others are */
    size_t rows = 4;
    assert_true(cg_budgets_purge(&budgets, 62 * SECOND, &rows));
    assert_int_equal(rows, 0);
    assert_int_equal(HASH_COUNT(budgets.buckets), 6);
    take_as_clients(&budgets, 20, 1, SECOND);
    rows = 4;
    assert_true(cg_budgets_purge(&budgets, 62 * SECOND, &rows));
    assert_int_equal(HASH_COUNT(budgets.buckets), 6);
    rows = 4;
    assert_false(cg_budgets_purge(&budgets, 62 * SECOND, &rows));
    assert_int_equal(rows, 1); /* 11 rows in all */
    assert_int_equal(HASH_COUNT(budgets.buckets), 5);
    rows = 100;
    assert_false(cg_budgets_purge(&budgets, 200 * SECOND, &rows)); /* from the start again */
    assert_int_equal(HASH_COUNT(budgets.buckets), 0);
    assert_int_equal(rows, 95);
    assert_false(cg_budgets_purge(&budgets, 200 * SECOND, &rows));
    cg_budgets_fini(&budgets);
}

static void test_a_budget_that_shrinks_holds_no_more_than_its_new_size(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    uint32_t retry_after;
    assert_int_equal(cg_budget_take(&budgets, &budgeted, "@", SECOND, &retry_after), CG_OK);
    budgeted.requests_per_minute = 2;
    assert_int_equal(take_all(&budgets, SECOND), 2);
    assert_int_equal(cg_budget_take(&budgets, &budgeted, "@", SECOND, &retry_after), CG_E_RATE);
    assert_int_equal(retry_after, 31);
    budgeted.requests_per_minute = 6;
    cg_budgets_fini(&budgets);
}

/* How many bytes may go to the group in this moment. */
static size_t drain(struct cg_pace *pace, const struct cg_group_settings *settings, uint64_t now_us) {
    size_t bytes = 0;
    while (bytes < 100000 && cg_pace_when(pace, settings, 10, now_us) == 0) {
        cg_pace_sent(pace, 10, false);
        bytes += 10;
    }
    return bytes;
}

static void test_an_idle_group_has_one_burst(void **state) { /* R38 */
    (void)state;
    struct cg_group_settings settings = {.nstart = 1, .probing_rate = 2, .probing_burst = 100};
    struct cg_pace_table table = {0};
    const struct cg_pace_key group = {.group = address("224.0.1.187")};
    struct cg_pace *pace = cg_pace_get(&table, &settings, &group, SECOND);
    assert_int_equal(drain(pace, &settings, SECOND), 100);
    assert_int_equal(drain(pace, &settings, 3600 * SECOND), 100); /* no hour's worth */
    assert_int_equal(drain(pace, &settings, 3620 * SECOND), 40);  /* two bytes a second */
    cg_pace_answered(pace, &settings);
    cg_pace_answered(pace, &settings); /* twice is no more than once */
    assert_int_equal(drain(pace, &settings, 3620 * SECOND), 100);
    assert_true(cg_pace_when(pace, &settings, 10, 3620 * SECOND) > 3624 * SECOND);
    cg_pace_fini(&table);
}

static void test_purging_does_not_refill_a_burst(void **state) { /* R38 */
    (void)state;
    struct cg_group_settings settings = {.nstart = 1, .probing_rate = 2, .probing_burst = 100};
    struct cg_pace_table table = {0};
    const struct cg_pace_key group = {.group = address("224.0.1.187")};
    drain(cg_pace_get(&table, &settings, &group, SECOND), &settings, SECOND);
    purge_paces(&table, &settings, SECOND);
    assert_int_equal(drain(cg_pace_get(&table, &settings, &group, SECOND), &settings, SECOND), 0);
    purge_paces(&table, &settings, 21 * SECOND);
    assert_int_equal(drain(cg_pace_get(&table, &settings, &group, 21 * SECOND), &settings, 21 * SECOND), 40);
    purge_paces(&table, &settings, 70 * SECOND); /* one byte too few */
    assert_int_equal(HASH_COUNT(table.by_key), 1);
    purge_paces(&table, &settings, 71 * SECOND);
    assert_int_equal(HASH_COUNT(table.by_key), 0);
    struct cg_pace *pace = cg_pace_get(&table, &settings, &group, 71 * SECOND);
    pace->casts = 1;
    purge_paces(&table, &settings, 3600 * SECOND); /* a cast holds it */
    assert_int_equal(HASH_COUNT(table.by_key), 1);
    cg_pace_fini(&table);
}

static void test_a_clock_that_stands_fills_nothing(void **state) {
    (void)state;
    struct cg_group_settings settings = {.nstart = 1, .probing_rate = 2, .probing_burst = 100};
    struct cg_pace_table table = {0};
    const struct cg_pace_key group = {.group = address("224.0.1.187")};
    struct cg_pace *pace = cg_pace_get(&table, &settings, &group, 100 * SECOND);
    drain(pace, &settings, 100 * SECOND);
    assert_int_equal(drain(pace, &settings, 90 * SECOND), 0); /* an earlier arrival time */
    assert_int_equal(drain(pace, &settings, 110 * SECOND), 20);
    cg_pace_fini(&table);
}

static void test_purging_at_run_time_forgives_a_silent_group_nothing(void **state) { /* R38 */
    struct world *world = *state;
    struct call call;
    GROUP_OF(world)->probing_rate = 1;
    GROUP_OF(world)->probing_burst = 1000;
    world_run(world);
    const struct cg_pace_key group = {.group = address("224.0.1.187")};
    struct cg_pace *pace = cg_pace_get(&world->gateway->engine.paces, GROUP_OF(world), &group, world->now_us);
    cg_pace_sent(pace, 1000, false);
    world_advance(world, 122 * SECOND); /* the gateway has purged twice */
    world_get(world, &call, "/lamps");
    pace = cg_pace_get(&world->gateway->engine.paces, GROUP_OF(world), &group, world->now_us);
    assert_int_equal(world->sent_count, 1);
    assert_true(pace->bytes.left <= 122 - (double)world->sent[0].len);
    world_advance(world, 2 * SECOND);
}

/* However many rows there are, a turn looks at a bounded number of them; the next ones follow at once. */
static void test_purging_never_takes_long(void **state) {
    struct world *world = *state;
    world_start(world);
    world_run(world);
    take_as_clients(&world->gateway->budgets, 0, 9000, world->now_us);
    world->now_us += 61 * SECOND;
    size_t before = 9000, turns = 0;
    while (before > 0) {
        world_run(world);
        size_t left = HASH_COUNT(world->gateway->budgets.buckets);
        assert_true(left < before && before - left <= 2000);
        before = left;
        world->now_us += 1000;
        turns++;
    }
    assert_int_equal(turns, 5);
    world_run(world);
    assert_false(world->gateway->purge.deadline.is_set); /* an idle gateway sleeps */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_budget_holds_one_minutes_worth),
        cmocka_unit_test(test_purging_does_not_refill_a_budget),
        cmocka_unit_test(test_a_budget_that_shrinks_holds_no_more_than_its_new_size),
        cmocka_unit_test(test_purging_in_slices),
        world_test(test_purging_never_takes_long),
        cmocka_unit_test(test_an_idle_group_has_one_burst),
        cmocka_unit_test(test_purging_does_not_refill_a_burst),
        cmocka_unit_test(test_a_clock_that_stands_fills_nothing),
        world_test(test_purging_at_run_time_forgives_a_silent_group_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
