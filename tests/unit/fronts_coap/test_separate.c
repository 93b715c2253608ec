/* What a client of separate responses gets of what members answer. */
#include "fronts_coap/fake_listener.h"

#include <stdio.h>
#include <string.h>

static int teardown(void **state) {
    struct world *world = *state;
    assert_int_equal(cg_gateway_running(world->gateway), 0);
    assert_int_equal(world->gateway->quota.used, 0);
    return world_teardown(state);
}

#define separate_test(test) cmocka_unit_test_setup_teardown(test, world_setup, teardown)

static void end(struct listener *listener) {
    world_advance(listener->world, 2 * SECOND);
    assert_string_equal(listener_take(listener), "over\n");
    listener_fini(listener);
}

static void answer_with(struct world *world, const char *from, uint8_t code, const struct cg_opts *options,
                        const char *payload) {
    static uint16_t mid = 1000;
    world_answer_as(
        world, 0, from,
        (struct answer){.type = CG_NON, .code = code, .mid = mid++, .options = options, .payload = payload});
    world_run(world);
}

static void answer(struct world *world, const char *from, const char *payload) {
    answer_with(world, from, CG_CODE(2, 5), NULL, payload);
}

static void test_each_answer_is_a_response_as_it_comes(void **state) {
    struct world *world = *state;
    struct listener listener;
    listener_begin(&listener, world);
    assert_string_equal(listener_take(&listener), "");
    answer(world, "127.1.0.1", "on");
    assert_string_equal(listener_take(&listener), "NON 2.05 " FROM(1) " on\n");
    answer_with(world, "127.1.0.2", CG_CODE(4, 4), NULL, NULL);
    assert_string_equal(listener_take(&listener), "NON 4.04 " FROM(2) "\n");
    answer(world, "127.1.0.1", "off");
    assert_string_equal(listener_take(&listener), "NON 2.05 " FROM(1) " off\n");
    end(&listener);
}

static void test_what_comes_after_the_time_goes_nowhere(void **state) {
    struct world *world = *state;
    struct listener listener;
    listener_begin(&listener, world);
    world_advance(world, 2 * SECOND);
    answer(world, "127.1.0.1", "late");
    assert_string_equal(listener_take(&listener), "over\n");
    listener_fini(&listener);
}

static void test_a_refused_request_is_over_with_its_problem(void **state) {
    struct world *world = *state;
    struct listener listener;
    struct cg_request *request = listener_new(&listener, world, NULL);
    request->has_timeout = false;
    listener_go(&listener);
    assert_string_equal(listener_take(&listener), "over 4.00\n");
    assert_true(listener.problem.ask_timeout);
    assert_int_equal(world->sent_count, 0);
    listener_fini(&listener);
}

static void test_no_answers_go_back_where_the_time_is_0(void **state) {
    struct world *world = *state;
    struct listener listener;
    listener_new(&listener, world, NULL)->timeout_s = 0;
    listener_go(&listener);
    assert_int_equal(world->sent_count, 1);
    assert_string_equal(listener_take(&listener), "over\n");
    listener_fini(&listener);
}

static void test_classes_that_the_client_suppresses_stay_here(void **state) { /* RFC 7967 §2.1 */
    struct world *world = *state;
    struct listener listener;
    listener_new(&listener, world, NULL)->no_response = 2 | 16;
    listener_go(&listener);
    answer(world, "127.1.0.1", "on");
    answer_with(world, "127.1.0.2", CG_CODE(5, 0), NULL, "broken");
    assert_string_equal(listener_take(&listener), "");
    answer_with(world, "127.1.0.3", CG_CODE(4, 4), NULL, "nothing here");
    assert_string_equal(listener_take(&listener), "NON 4.04 " FROM(3) " nothing here\n");
    end(&listener);
}

static void test_who_leaves_is_told_nothing(void **state) {
    struct world *world = *state;
    struct listener listener;
    listener_begin(&listener, world);
    cg_gateway_abandon(world->gateway, listener.ticket);
    world_run(world);
    assert_string_equal(listener_take(&listener), "over\n");
    assert_int_equal(listener.problem.err, 0);
    listener_fini(&listener);
}

static void test_a_hidden_member_has_no_reply_from(void **state) { /* R19 */
    struct world *world = *state;
    struct listener listener;
    world_mapping(world, "lamps")->anonymise = true;
    world_mapping(world, "lamps")->stand_in = CG_STAND_IN_MEMBERS;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    listener_begin(&listener, world);
    answer(world, "127.1.0.1", "on");
    assert_string_equal(listener_take(&listener), "NON 2.05 on\n");
    end(&listener);
}

/* [-1, [127.0.0.1, 5700]], [true, ["lamps", ".member", "first"]]: GCP §5.1. */
static void test_a_proxy_that_stands_in_names_itself_as_it_was_reached(void **state) {
    struct world *world = *state;
    struct listener listener;
    world_mapping(world, "lamps")->stand_in = CG_STAND_IN_MEMBERS;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    listener_new(&listener, world, NULL)->reached = address("127.0.0.1:5700");
    listener_go(&listener);
    answer(world, "127.1.0.1", "on");
    assert_string_equal(listener_take(&listener),
                        "NON 2.05 248:822082447f00000119164482f583656c616d7073672e6d656d626572656669727374 on\n");
    end(&listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        separate_test(test_each_answer_is_a_response_as_it_comes),
        separate_test(test_what_comes_after_the_time_goes_nowhere),
        separate_test(test_a_refused_request_is_over_with_its_problem),
        separate_test(test_no_answers_go_back_where_the_time_is_0),
        separate_test(test_classes_that_the_client_suppresses_stay_here),
        separate_test(test_who_leaves_is_told_nothing),
        separate_test(test_a_hidden_member_has_no_reply_from),
        separate_test(test_a_proxy_that_stands_in_names_itself_as_it_was_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
