/* Observations that last while members start again, send without end, or change faster than they can be fetched. */
#include "exchange/fake_keys.h"
#include "rounds/fake_observer.h"

#include <string.h>

static int teardown(void **state) {
    struct world *world = *state;
    assert_int_equal(cg_gateway_running(world->gateway), 0);
    assert_int_equal(cg_gateway_observers(world->gateway), 0);
    assert_null(world->gateway->rounds.open);
    return world_teardown(state);
}

#define watch_test(test) cmocka_unit_test_setup_teardown(test, world_setup, teardown)

static void leave(struct world *world, struct observer *observer) {
    cg_gateway_abandon(world->gateway, observer->ticket);
    world_run(world);
    assert_true(observer->ended);
}

static const struct emission *latest(const struct world *world) { return &world->sent[world->sent_count - 1]; }

/* Members that have lost their replay windows */

static void challenge(struct world *world, size_t index, const char *from) {
    struct cg_opt echo = {.number = CG_OPT_ECHO, .value = cg_slice_str("fresh?")};
    struct cg_opts options = {.list = &echo, .count = 1};
    world_answer_as(world, index, from,
                    (struct answer){.type = CG_NON, .code = CG_CODE(4, 1), .mid = 9, .options = &options});
    world_run(world);
}

static void assert_retries(const struct world *world, size_t count) {
    struct cg_slice value;
    assert_int_equal(world->sent_count, count);
    const struct emission *retry = latest(world);
    assert_false(cg_addr_is_multicast(&retry->route.to));
    assert_true(cg_msg_find(&retry->msg, CG_OPT_ECHO, &value));
    assert_true(cg_msg_find(&retry->msg, CG_OPT_OBSERVE, &value));
    assert_int_equal(value.len, 0);
    assert_memory_equal(retry->msg.token.bytes, world->sent[0].msg.token.bytes, retry->msg.token.len);
}

struct protected_lamps {
    struct fake_keys keys;
    struct cg_addr first;
};

static void protect(struct world *world, struct protected_lamps *lamps) {
    struct cg_mapping *mapping = world_mapping(world, "lamps");
    fake_keys_init(&lamps->keys);
    lamps->first = address("127.1.0.1");
    world_add_members(world, mapping, 2);
    mapping->members[0].identity = cg_slice_of(&lamps->first, sizeof lamps->first);
    mapping->protector = &lamps->keys.protector;
    world->config->group.observe_renewal_s = 600;
}

static void unprotect(struct world *world, const struct protected_lamps *lamps) {
    world_advance(world, 100 * SECOND);
    assert_int_equal(lamps->keys.bindings, 0);
    world_mapping(world, "lamps")->protector = cg_protector_none();
}

static void test_whoever_starts_again_is_answered_each_time(void **state) {
    struct world *world = *state;
    struct observer one;
    struct protected_lamps lamps;
    protect(world, &lamps);
    observe(world, &one, "/lamps");
    challenge(world, 0, "127.1.0.1");
    assert_retries(world, 2);
    notify(world, 1, "127.1.0.1", 1, "on");
    notify(world, 0, "127.1.0.2", 1, "on");
    for (size_t sent = 2; sent < 20; sent += 2) {
        world_advance(world, 610 * SECOND);
        assert_int_equal(world->sent_count, sent + 1);
        challenge(world, sent, "127.1.0.1");
        assert_retries(world, sent + 2);
        notify(world, sent + 1, "127.1.0.1", (uint32_t)sent, "on");
        world_run(world);
    }
    assert_int_equal(one.notifications, 11);
    leave(world, &one);
    unprotect(world, &lamps);
}

static struct cg_round *round_of(struct world *world, const struct observer *observer) {
    struct cg_exchange *exchange = cg_slots_get(&world->gateway->exchanges, observer->ticket);
    return exchange->waiter.round;
}

static void test_challenges_of_months_take_no_memory(void **state) {
    struct world *world = *state;
    struct observer one;
    struct protected_lamps lamps;
    protect(world, &lamps);
    observe(world, &one, "/lamps");
    challenge(world, 0, "127.1.0.1");
    notify(world, 1, "127.1.0.1", 1, "on");
    notify(world, 0, "127.1.0.2", 1, "on");
    world_run(world);
    size_t used = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        world_advance(world, 610 * SECOND);
        challenge(world, world->sent_count - 1, "127.1.0.1");
        notify(world, world->sent_count - 1, "127.1.0.1", 2 + i, "on");
        world_run(world);
        if (i == 10) used = round_of(world, &one)->arena.used;
    }
    assert_int_equal(round_of(world, &one)->arena.used, used);
    leave(world, &one);
    unprotect(world, &lamps);
}

static void test_who_challenges_the_cancellation_is_not_registered(void **state) {
    struct world *world = *state;
    struct observer one;
    struct protected_lamps lamps;
    protect(world, &lamps);
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, SECOND);
    leave(world, &one);
    world_advance(world, SECOND);
    size_t sent = world->sent_count;
    challenge(world, sent - 1, "127.1.0.1");
    world_advance(world, 30 * SECOND);
    assert_int_equal(world->sent_count, sent);
    unprotect(world, &lamps);
}

/* Who repeats itself without end */

static void test_repetitions_of_one_silence_nobody_else(void **state) {
    struct world *world = *state;
    struct observer one, late;
    world_mapping(world, "lamps")->max_answers = 100;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 9, "on");
    world_answer(world, 0, "127.1.0.2", "shut"); /* it knows no Observe */
    world_run(world);
    for (uint32_t i = 0; i < 200; i++) notify(world, 0, "127.1.0.1", 3, "old");
    world_run(world);
    observer_take(&one);
    world_advance(world, 4000 * SECOND);
    assert_int_equal(world->sent_count, 2);
    world_answer(world, 1, "127.1.0.2", "open");
    world_run(world);
    assert_string_equal(observer_take(&one), "127.1.0.2 open alone;");
    observe(world, &late, "/lamps");
    assert_non_null(strstr(observer_take(&late), "127.1.0.2 open"));
    leave(world, &one);
    leave(world, &late);
}

/* Answers in blocks */

#define BLOCK "0123456789abcdef" /* 16 bytes */

/* Of an answer that consists of two; with this Observe value, 0: none. */
static void put_block(struct world *world, size_t index, uint32_t number, uint16_t observe, const char *payload) {
    static uint16_t mid = 5000;
    uint8_t value = (uint8_t)(number << 4 | (number == 0 ? 8 : 0));
    uint8_t order[] = {(uint8_t)(observe >> 8), (uint8_t)observe};
    struct cg_opt list[2];
    struct cg_opts options = {.list = list};
    if (observe != 0) {
        list[options.count++] = (struct cg_opt){.number = CG_OPT_OBSERVE, .value = cg_slice_of(order, sizeof order)};
    }
    list[options.count++] = (struct cg_opt){.number = CG_OPT_BLOCK2, .value = cg_slice_of(&value, 1)};
    world_answer_as(
        world, index, "127.1.0.1",
        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = mid++, .payload = payload, .options = &options});
    world_run(world);
}

static void observe_one_of_two(struct world *world, struct observer *one) {
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world->config->group.observe_renewal_s = 86400;
    observe(world, one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_run(world);
    observer_take(one);
}

static void test_large_notifications_are_fetched_as_long_as_they_come(void **state) {
    struct world *world = *state;
    struct observer one;
    observe_one_of_two(world, &one);
    for (unsigned i = 2; i < 3000; i++) {
        world_advance(world, SECOND);
        put_block(world, 0, 0, (uint16_t)i, BLOCK);
        put_block(world, world->sent_count - 1, 1, 0, "end");
        observer_take(&one);
    }
    assert_int_equal(one.notifications, 2999);
    leave(world, &one);
}

/* But who begins one after the other for ever has us ask no more than that. */
static void test_large_notifications_without_end_are_not_fetched_without_end(void **state) {
    struct world *world = *state;
    struct observer one;
    observe_one_of_two(world, &one);
    for (unsigned i = 2; i < 3000; i++) {
        world_advance(world, SECOND / 100);
        put_block(world, 0, 0, (uint16_t)i, BLOCK);
        put_block(world, world->sent_count - 1, 1, 0, "end");
    }
    assert_in_range(world->sent_count, 1024, 1024 + 4 * 30 + 2);
    leave(world, &one);
}

/* Clients that come and go: what waits only to cancel once more keeps no memory from others. */
static void test_those_who_come_and_go_leave_memory_to_others(void **state) {
    struct world *world = *state;
    enum { MEMORY = 128 << 10 };
    world->config->limits.total_memory = MEMORY;
    for (unsigned i = 0; i < 200; i++) {
        struct observer one;
        observe(world, &one, "/lamps");
        notify(world, world->sent_count - 1, "127.1.0.1", 1, "on");
        world_advance(world, SECOND / 10);
        assert_string_equal(observer_take(&one), "127.1.0.1 on;");
        leave(world, &one);
        world_advance(world, SECOND / 10);
        world_answer(world, world->sent_count - 1, "127.1.0.1", "on"); /* to the cancellation */
        world_run(world);
        assert_in_range(world->gateway->quota.used, 0, MEMORY * 5 / 8);
    }
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->gateway->quota.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watch_test(test_whoever_starts_again_is_answered_each_time),
        watch_test(test_challenges_of_months_take_no_memory),
        watch_test(test_who_challenges_the_cancellation_is_not_registered),
        watch_test(test_repetitions_of_one_silence_nobody_else),
        watch_test(test_large_notifications_are_fetched_as_long_as_they_come),
        watch_test(test_large_notifications_without_end_are_not_fetched_without_end),
        watch_test(test_those_who_come_and_go_leave_memory_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
