/* Many who ask the same within moments, of members that answer at once. */
#include "exchange/fake_world.h"

#include <stdlib.h>
#include <string.h>

enum { MS = 1000 };

/* Two members, which answer half a millisecond after a request is out; then the round is over. */
static void start(struct world *world) {
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world->config->limits.exchanges_per_client = 100000;
    world->config->limits.exchanges = 100000;
}

/* More wait than are looked at in one turn. */
static void settle(struct world *world) {
    for (int i = 0; i < 20; i++) world_run(world);
}

static void answer_all(struct world *world, size_t *answered) {
    for (; *answered < world->sent_count; ++*answered) {
        world_answer(world, *answered, "127.1.0.1", "on");
        world_answer(world, *answered, "127.1.0.2", "on");
    }
    settle(world);
}

static unsigned replies(const struct call *calls, unsigned count) {
    unsigned all = 0;
    for (unsigned i = 0; i < count; i++) all += calls[i].replies == 1 && calls[i].reply.summary.answered == 2;
    return all;
}

static void test_a_thousand_in_100_ms_cost_three_multicasts(void **state) { /* R38 */
    struct world *world = *state;
    struct call *calls = calloc(1000, sizeof *calls);
    size_t answered = 0;
    assert_non_null(calls);
    start(world);
    for (unsigned i = 0; i < 1000; i++) {
        world_get(world, &calls[i], "/lamps");
        world->now_us += 100;
        settle(world);
        if (i % 5 == 4) answer_all(world, &answered);
    }
    world->now_us += 100 * MS;
    settle(world);
    answer_all(world, &answered);
    assert_true(world->sent_count <= 3);
    assert_true(world->sent_count >= 2);
    assert_int_equal(replies(calls, 1000), 1000);
    free(calls);
}

/* No answer is older than the request that it is given to, however many share it. */
static void test_who_waits_gets_answers_to_what_went_out_after_it_came(void **state) {
    struct world *world = *state;
    struct call first, second, third;
    size_t answered = 0;
    start(world);
    world_get(world, &first, "/lamps");
    world_get(world, &second, "/lamps"); /* joins: it is a burst */
    world_advance(world, MS);
    answer_all(world, &answered);
    world_get(world, &third, "/lamps");
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 48 * MS);
    assert_int_equal(world->sent_count, 1);
    world_advance(world, MS);
    assert_int_equal(world->sent_count, 2);
    answer_all(world, &answered);
    assert_int_equal(third.reply.summary.answered, 2);
    assert_int_equal(third.reply.summary.joined_ms, 0);
}

static void test_who_asks_alone_never_waits(void **state) {
    struct world *world = *state;
    size_t answered = 0;
    start(world);
    for (unsigned i = 0; i < 20; i++) {
        struct call call;
        world_get(world, &call, "/lamps");
        assert_int_equal(world->sent_count, i + 1);
        world_advance(world, MS);
        answer_all(world, &answered);
        assert_int_equal(call.replies, 1);
    }
}

static void test_each_keeps_its_own_deadline(void **state) {
    struct world *world = *state;
    struct call first, second, hasty, patient;
    start(world);
    world_get(world, &first, "/lamps");
    world_get(world, &second, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on"); /* nobody joins it any more, and it goes on */
    struct cg_request *request = world_new(world, &hasty, "/lamps");
    request->has_timeout = true;
    request->timeout_s = 1;
    world_go(world, &hasty);
    request = world_new(world, &patient, "/lamps");
    request->has_timeout = true;
    request->timeout_s = 5;
    world_go(world, &patient);
    world_advance(world, 50 * MS);
    assert_int_equal(world->sent_count, 2);
    world_advance(world, SECOND);
    assert_int_equal(hasty.replies, 1);
    assert_int_equal(patient.replies, 0);
    world_advance(world, 4 * SECOND);
    assert_int_equal(patient.replies, 1);
}

static void test_a_change_is_not_waited_across(void **state) {
    struct world *world = *state;
    struct call first, second, change, after;
    size_t answered = 0;
    start(world);
    world_get(world, &first, "/lamps");
    world_get(world, &second, "/lamps");
    answer_all(world, &answered);
    world_new(world, &change, "/lamps")->method = CG_PUT;
    world_go(world, &change);
    answer_all(world, &answered);
    world_get(world, &after, "/lamps");
    assert_int_equal(world->sent_count, 3);
    answer_all(world, &answered);
}

static void test_what_is_unsafe_never_waits_for_company(void **state) {
    struct world *world = *state;
    struct call calls[4];
    size_t answered = 0;
    start(world);
    for (unsigned i = 0; i < 4; i++) {
        world_new(world, &calls[i], "/lamps")->method = CG_PUT;
        world_go(world, &calls[i]);
        answer_all(world, &answered);
        assert_int_equal(world->sent_count, i + 1);
    }
}

static void test_nothing_goes_out_for_those_who_left_while_they_waited(void **state) {
    struct world *world = *state;
    struct call first, second, third;
    size_t answered = 0;
    start(world);
    world_get(world, &first, "/lamps");
    world_get(world, &second, "/lamps");
    answer_all(world, &answered);
    world_get(world, &third, "/lamps");
    cg_gateway_abandon(world->gateway, third.ticket);
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 1);
    assert_int_equal(world->gateway->engine.legs.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_a_thousand_in_100_ms_cost_three_multicasts),
        world_test(test_who_waits_gets_answers_to_what_went_out_after_it_came),
        world_test(test_who_asks_alone_never_waits),
        world_test(test_each_keeps_its_own_deadline),
        world_test(test_a_change_is_not_waited_across),
        world_test(test_what_is_unsafe_never_waits_for_company),
        world_test(test_nothing_goes_out_for_those_who_left_while_they_waited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
