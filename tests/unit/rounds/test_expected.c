/* Who is expected: the configured members, where they are all there are; learnt ones never. Configured members that are
 * silent are missing in any case. */
#include "exchange/fake_world.h"

static struct cg_mapping *start(struct world *world, const char *membership) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 3);
    lamps->complete = strcmp(membership, "complete") == 0;
    lamps->finish = (struct cg_finish){.rule = lamps->complete ? CG_FINISH_ALL : CG_FINISH_DEADLINE};
    return lamps;
}

static void answer_two(struct world *world, struct call *call) {
    world_get(world, call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_answer(world, 0, "127.1.0.2", "on");
    world_run(world);
}

static void test_complete_membership_expects_all_that_are_configured(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, "complete");
    answer_two(world, &call);
    world_answer(world, 0, "127.1.0.9", "a stranger");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.expected, 3);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_non_null(strstr(call.text, "\"missing\":[{\"member\":"));
}

static void test_open_membership_does_not_know_how_many_there_are(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, "open");
    answer_two(world, &call);
    assert_int_equal(call.replies, 0);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_int_equal(call.reply.summary.expected, 0);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_string_equal(call.reply.summary.ended_by, "deadline");
    assert_non_null(strstr(call.text, "\"missing\":[{\"member\":"));
}

static void test_who_was_learnt_is_not_expected(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    lamps->repair_unicast = true;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    world_get(world, &call, "/lamps");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.expected, 0);
    assert_int_equal(call.reply.summary.missing, 0);
}

static void test_a_quorum_is_of_those_that_are_configured(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, "open")->finish = (struct cg_finish){.rule = CG_FINISH_QUORUM, .quorum = 0.6};
    answer_two(world, &call);
    assert_int_equal(call.replies, 1);
    assert_string_equal(call.reply.summary.ended_by, "quorum");
    assert_int_equal(call.reply.summary.expected, 0);
}

static void test_the_silent_are_repaired_whoever_else_may_be_there(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = start(world, "open");
    lamps->repair_unicast = true;
    lamps->leisure = 0.5;
    answer_two(world, &call);
    world_advance(world, SECOND);
    assert_true(world->sent_count > 1);
    assert_true(cg_addr_equal(&world->sent[1].route.to, &lamps->members[2].addr));
    world_answer(world, 1, "127.1.0.3", "on");
    world_advance(world, SECOND);
    assert_int_equal(call.reply.summary.answered, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_complete_membership_expects_all_that_are_configured),
        world_test(test_open_membership_does_not_know_how_many_there_are),
        world_test(test_who_was_learnt_is_not_expected),
        world_test(test_a_quorum_is_of_those_that_are_configured),
        world_test(test_the_silent_are_repaired_whoever_else_may_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
