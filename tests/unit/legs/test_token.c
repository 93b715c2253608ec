/* R32: no token twice, whatever the random source does; nothing runs out; late answers find their mapping. */
#include "exchange/fake_world.h"

#include <stdlib.h>

/* A random source that always says the same. */
static void stuck_random(void *ctx, void *to, size_t len) {
    (void)ctx;
    memset(to, 0x5a, len);
}

/* One half is random and covers the other, a number. */
static uint32_t serial_of(const struct cg_token_entry *entry) {
    uint32_t serial = 0;
    for (int i = 0; i < 4; i++) serial = serial << 8 | (entry->bytes[i] ^ entry->bytes[4 + i]);
    return serial;
}

static struct cg_token_entry *make(struct world *world) {
    struct cg_token_entry *entry =
        cg_token_make(&world->gateway->engine, cg_stats_get(&world->gateway->stats, "lamps"));
    assert_non_null(entry);
    return entry;
}

static void test_no_token_repeats_and_none_runs_out(void **state) { /* R32 */
    struct world *world = *state;
    enum { COUNT = 1 << 21 };
    struct call call;
    world->port.random = stuck_random;
    world_run(world);
    uint32_t first = world->gateway->engine.tokens.serial;
    for (uint32_t i = 0; i < COUNT; i++) { /* all in one moment */
        struct cg_token_entry *entry = make(world);
        if (serial_of(entry) != first + i) fail_msg("a token that may have been there before");
        cg_token_spend(&world->gateway->engine, entry);
    }
    assert_true(world->gateway->engine.tokens.spent_size <= 1u << 18); /* the memory of them is bounded */
    assert_null(world->gateway->engine.tokens.live);
    world_get(world, &call, "/lamps");
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 2 * SECOND);
}

static void test_half_of_a_token_is_unpredictable(void **state) { /* RFC 7252 §5.3.1 */
    struct world *world = *state;
    world_start(world);
    struct cg_token_entry *one = make(world), *other = make(world);
    assert_int_equal(serial_of(other), serial_of(one) + 1);
    assert_memory_not_equal(one->bytes + 4, other->bytes + 4, 4);
    struct world later = {0};
    world_init(&later);
    later.random_state = 43;
    world_start(&later); /* the process has ended and begins again: not at the same number */
    struct cg_token_entry *fresh = make(&later);
    assert_int_not_equal(serial_of(fresh), serial_of(one));
    world_fini(&later);
}

static void test_a_token_in_use_is_never_made_again(void **state) {
    struct world *world = *state;
    world->port.random = stuck_random;
    world_start(world);
    world->gateway->engine.tokens.serial = UINT32_MAX;
    struct cg_token_entry *old = make(world), *zero = make(world);
    assert_int_equal(serial_of(old), UINT32_MAX);
    assert_int_equal(serial_of(zero), 0);
    world->gateway->engine.tokens.serial = UINT32_MAX; /* 2^32 requests later, both are still in use */
    struct cg_token_entry *fresh = make(world);
    assert_int_equal(serial_of(fresh), 1);
    struct cg_token token = cg_token_of(old);
    assert_ptr_equal(cg_token_find(&world->gateway->engine, &token), old);
}

/* Also where the latest match differs by very little. */
static void test_of_many_tokens_each_finds_its_own(void **state) {
    struct world *world = *state;
    enum { COUNT = 4096 };
    static struct cg_token_entry *entries[COUNT];
    world->port.random = stuck_random;
    world_start(world);
    for (size_t i = 0; i < COUNT; i++) entries[i] = make(world);
    for (size_t i = 0; i < COUNT; i++) {
        struct cg_token token = cg_token_of(entries[i]);
        assert_ptr_equal(cg_token_find(&world->gateway->engine, &token), entries[i]);
    }
    for (size_t i = COUNT; i-- > 0;) {
        struct cg_token token = cg_token_of(entries[i]);
        assert_ptr_equal(cg_token_find(&world->gateway->engine, &token), entries[i]);
        token.bytes[CG_TOKEN_MAX - 1] ^= 1;
        assert_null(cg_token_find(&world->gateway->engine, &token));
    }
}

static void test_late_answers_count_under_their_mapping_for_a_while(void **state) {
    struct world *world = *state;
    struct call call;
    world_start(world);
    world_get(world, &call, "/lamps");
    const struct cg_stats *stats = world_mapping(world, "lamps")->stats;
    world_answer(world, 0, "127.1.0.1", "on"); /* the latest match */
    world_advance(world, 2 * SECOND);
    world_answer(world, 0, "127.1.0.2", "late");
    assert_int_equal(stats->late, 1);
    assert_int_equal(world->gateway->totals.fates[CG_FATE_UNKNOWN_TOKEN], 0);
    world_advance(world, 499 * SECOND);
    world_answer(world, 0, "127.1.0.2", "very late");
    assert_int_equal(stats->late, 2);
    world_advance(world, 2 * SECOND);
    world_answer(world, 0, "127.1.0.2", "too late");
    assert_int_equal(stats->late, 2);
    assert_int_equal(world->gateway->totals.fates[CG_FATE_UNKNOWN_TOKEN], 1);
}

static void test_a_guessed_token_is_not_late(void **state) {
    struct world *world = *state;
    world_start(world);
    struct cg_token_entry *entry = make(world);
    struct cg_token token = cg_token_of(entry), guess = token, cut = token;
    cg_token_spend(&world->gateway->engine, entry);
    assert_ptr_equal(cg_token_late(&world->gateway->engine, &token), cg_stats_get(&world->gateway->stats, "lamps"));
    assert_null(cg_token_find(&world->gateway->engine, &token));
    guess.bytes[7] ^= 1;
    cut.len = 7;
    assert_null(cg_token_late(&world->gateway->engine, &guess));
    assert_null(cg_token_late(&world->gateway->engine, &cut));
}

static void test_the_ring_of_spent_tokens_grows_with_what_is_remembered(void **state) {
    struct world *world = *state;
    enum { COUNT = 5000 };
    static struct cg_token made[COUNT];
    world_run(world);
    for (int i = 0; i < COUNT; i++) {
        struct cg_token_entry *entry = make(world);
        made[i] = cg_token_of(entry);
        cg_token_spend(&world->gateway->engine, entry);
    }
    for (int i = 0; i < COUNT; i++) assert_non_null(cg_token_late(&world->gateway->engine, &made[i]));
    uint32_t size = world->gateway->engine.tokens.spent_size;
    assert_int_equal(size, 8192);
    world_advance(world, 501 * SECOND);
    for (int i = 0; i < 3 * COUNT; i++) { /* those before are too old to count: their places serve again */
        world->gateway->engine.now_us += SECOND / 10;
        cg_token_spend(&world->gateway->engine, make(world));
    }
    assert_int_equal(world->gateway->engine.tokens.spent_size, size);
}

static void test_a_request_older_than_every_memory_is_answered(void **state) {
    struct world *world = *state;
    struct call group, only;
    struct cg_mapping *lamps = world_mapping(world, "lamps"), *pair = world_mapping(world, "pair");
    lamps->timeout_us = pair->timeout_us = 1000 * SECOND;
    world_add_members(world, pair, 1);
    pair->target_count = 1;
    world_get(world, &group, "/lamps");
    world_get(world, &only, "/pair");
    uint8_t ack[] = {0x60, 0, (uint8_t)(world->sent[1].msg.mid >> 8), (uint8_t)world->sent[1].msg.mid};
    world_deliver(world, "127.1.0.1", ack, sizeof ack);
    world_advance(world, 700 * SECOND);
    world_answer(world, 0, "127.1.0.9", "slow group");
    world_answer(world, 1, "127.1.0.1", "slow member");
    world_run(world);
    assert_int_equal(only.reply.summary.answered, 1);
    world_advance(world, 300 * SECOND);
    assert_int_equal(group.reply.summary.answered, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_no_token_repeats_and_none_runs_out),
        world_test(test_half_of_a_token_is_unpredictable),
        world_test(test_a_token_in_use_is_never_made_again),
        world_test(test_of_many_tokens_each_finds_its_own),
        world_test(test_late_answers_count_under_their_mapping_for_a_while),
        world_test(test_a_guessed_token_is_not_late),
        world_test(test_the_ring_of_spent_tokens_grows_with_what_is_remembered),
        world_test(test_a_request_older_than_every_memory_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
