/* Of whom a round's answers are noted: of configured members and whoever is asked and answers; strangers' may be
 * anybody's. */
#include "exchange/fake_world.h"

#include "model/known.h"

static struct cg_mapping *lamps_of(struct world *world) { return world_mapping(world, "lamps"); }

static const struct cg_known *known_of(struct world *world, size_t member) {
    const struct cg_mapping *lamps = lamps_of(world);
    return cg_known_find(cg_gateway_knowns(world->gateway), lamps, &lamps->members[member]);
}

static void test_only_genuine_answers_are_noted(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, lamps_of(world), 2);
    world_get(world, &call, "/lamps");
    world_advance(world, SECOND / 2);
    world_answer(world, 0, "127.1.0.1:49152", "on");
    world_answer(world, 0, "127.1.0.9", "made up");
    world_run(world);
    assert_int_equal(cg_knowns_count(cg_gateway_knowns(world->gateway)), 1);
    assert_in_range(cg_known_median_us(known_of(world, 0)), SECOND / 2, SECOND);
    assert_null(known_of(world, 1));
    world_advance(world, 2 * SECOND);
}

static void test_who_is_asked_by_unicast_is_known_without_answer_times(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, lamps_of(world), 1);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_non_null(known_of(world, 0));
    assert_int_equal(cg_known_median_us(known_of(world, 0)), 0);
}

static void test_answers_in_many_rounds_make_a_patience(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, lamps_of(world), 2);
    for (size_t i = 0; i < 8; i++) {
        world_get(world, &call, "/lamps");
        world_advance(world, SECOND / 10);
        world_answer(world, i, "127.1.0.1", "on");
        world_answer(world, i, "127.1.0.1", "on"); /* a copy */
        assert_int_equal(cg_known_patience_us(known_of(world, 0)) > 0, i == 7);
        world_answer(world, i, "127.1.0.2", "on");
        world_run(world);
        assert_int_equal(call.replies, 1);
    }
    assert_in_range(cg_known_patience_us(known_of(world, 0)), SECOND / 10, SECOND / 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_only_genuine_answers_are_noted),
        world_test(test_who_is_asked_by_unicast_is_known_without_answer_times),
        world_test(test_answers_in_many_rounds_make_a_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
