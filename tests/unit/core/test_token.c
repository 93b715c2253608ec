/* R32: no token twice inside 500 s, whatever the random source does. */
#include "fake_world.h"

#include <stdlib.h>

/* A random source that repeats itself every 2^16 tokens. */
static void poor_random(void *ctx, void *to, size_t len) {
    struct world *world = ctx;
    uint8_t bytes[CG_TOKEN_MAX] = {0};
    world->random_state++;
    bytes[0] = (uint8_t)world->random_state;
    bytes[1] = (uint8_t)(world->random_state >> 8);
    memcpy(to, bytes, len < sizeof bytes ? len : sizeof bytes);
}

static void test_no_token_repeats(void **state) { /* R32 */
    (void)state;
    enum { COUNT = 1000000 };
    struct world world;
    world_init(&world);
    world_start(&world);
    uint64_t *made = malloc(COUNT * sizeof *made);
    uint64_t *made_us = malloc(COUNT * sizeof *made_us);
    assert_non_null(made);
    assert_non_null(made_us);
    world.port.random = poor_random;
    size_t left = 0;             /* those before are more than 500 s old */
    static uint32_t seen[65536]; /* index + 1 of the latest with that value */
    for (size_t i = 0; i < COUNT; i++) {
        world.gateway->now_us += 8000; /* 62 500 in 500 s: nearly all that this source has */
        struct cg_token_entry *entry = cg_token_make(world.gateway, cg_stats_get(&world.gateway->stats, "lamps"));
        assert_non_null(entry);
        cg_token_spend(world.gateway, entry);
        made[i] = (uint64_t)entry->bytes[0] | (uint64_t)entry->bytes[1] << 8;
        made_us[i] = world.gateway->now_us;
        while (made_us[i] - made_us[left] >= 500 * SECOND) left++;
        uint32_t before = seen[made[i]];
        assert_true(before == 0 || before - 1 < left);
        seen[made[i]] = (uint32_t)i + 1;
    }
    assert_true(HASH_COUNT(world.gateway->tokens) < 65536); /* memory does not grow with time */
    free(made);
    free(made_us);
    world_fini(&world);
}

static void test_running_out_refuses(void **state) {
    (void)state;
    struct world world;
    struct call call;
    world_init(&world);
    world_start(&world);
    struct cg_stats *stats = cg_stats_get(&world.gateway->stats, "lamps");
    world_run(&world); /* the present time */
    struct cg_token_entry *entry = NULL;
    for (size_t i = 0; i < CG_TOKENS_MAX; i++) {
        entry = cg_token_make(world.gateway, stats);
        assert_non_null(entry);
    }
    assert_null(cg_token_make(world.gateway, stats));
    world_get(&world, &call, "/lamps");
    assert_int_equal(call.problem.err, CG_E_OVERLOAD);
    assert_int_equal(world.sent_count, 0);
    world_advance(&world, 501 * SECOND); /* and the memory of them goes */
    world_get(&world, &call, "/lamps");
    assert_int_equal(world.sent_count, 1);
    world_advance(&world, 2 * SECOND);
    call_fini(&call);
    world_fini(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_token_repeats),
        cmocka_unit_test(test_running_out_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
