/* Whoever lacks only a few answers waits for each of them, and the shell is told; whoever lacks many does not notice
 * that some are held back for a moment. */
#include "exchange/fake_world.h"

#include <stdio.h>

static uint64_t hurried_us;

static void note_hurry(void *ctx, uint64_t until_us) {
    (void)ctx;
    hurried_us = until_us;
}

static void set_up(struct world *world, unsigned members, const struct cg_finish *finish) {
    hurried_us = 0;
    world->port.hurry = note_hurry;
    if (members > 0) world_add_members(world, world_mapping(world, "lamps"), members);
    world_mapping(world, "lamps")->finish = *finish;
}

static void answer(struct world *world, unsigned number) {
    char from[16];
    snprintf(from, sizeof from, "127.1.0.%u", number);
    world_answer(world, 0, from, "on");
    world_run(world);
}

static void assert_hurried(const struct world *world, bool wanted) {
    assert_int_equal(hurried_us > cg_gateway_now(world->gateway), wanted);
    hurried_us = 0;
}

static void test_few_members_are_waited_for_from_the_beginning(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 3, &(struct cg_finish){.rule = CG_FINISH_ALL});
    world_get(world, &call, "/lamps");
    assert_hurried(world, true);
    answer(world, 1);
    assert_hurried(world, true);
}

static void test_of_many_members_the_last_are_waited_for(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 20, &(struct cg_finish){.rule = CG_FINISH_ALL});
    world_get(world, &call, "/lamps");
    assert_hurried(world, false);
    for (unsigned i = 1; i <= 3; i++) answer(world, i);
    assert_hurried(world, false);
    answer(world, 4);
    assert_hurried(world, true);
}

static void test_a_quorum_counts_as_a_whole(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 20, &(struct cg_finish){.rule = CG_FINISH_QUORUM, .quorum = 0.83}); /* 17 of 20 */
    world_get(world, &call, "/lamps");
    assert_hurried(world, false);
    answer(world, 1);
    assert_hurried(world, true);
}

static void test_a_count_is_of_anybody(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 0, &(struct cg_finish){.rule = CG_FINISH_COUNT, .count = 17});
    world_get(world, &call, "/lamps");
    assert_hurried(world, false);
    answer(world, 1);
    assert_hurried(world, true);
}

static void test_a_deadline_is_not_hurried(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, &(struct cg_finish){.rule = CG_FINISH_DEADLINE});
    world_get(world, &call, "/lamps");
    answer(world, 1);
    assert_hurried(world, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_few_members_are_waited_for_from_the_beginning),
        world_test(test_of_many_members_the_last_are_waited_for),
        world_test(test_a_quorum_counts_as_a_whole),
        world_test(test_a_count_is_of_anybody),
        world_test(test_a_deadline_is_not_hurried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
