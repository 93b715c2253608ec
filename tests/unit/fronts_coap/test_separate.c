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

/* GCP §3.4.1: several from one member are passed on as they come; one message is one however often it comes. */
static void test_further_answers_of_a_member_are_responses_of_their_own(void **state) {
    struct world *world = *state;
    struct listener listener;
    struct answer last = {.type = CG_NON, .code = CG_CODE(2, 5), .mid = 7, .payload = "off"};
    listener_begin(&listener, world);
    answer(world, "127.1.0.1", "on");
    answer(world, "127.1.0.1", "on");
    world_answer_as(world, 0, "127.1.0.1", last);
    world_answer_as(world, 0, "127.1.0.1", last);
    world_run(world);
    assert_string_equal(listener_take(&listener),
                        "NON 2.05 " FROM(1) " on\nNON 2.05 " FROM(1) " on\nNON 2.05 " FROM(1) " off\n");
    end(&listener);
}

static const struct cg_opt unsafe = {.number = 0xfffe, .value = {.data = (const uint8_t *)"x", .len = 1}};

/* RFC 7252 §5.7: the gateway cannot know what that option does to the rest. */
static void test_an_answer_with_an_unsafe_option_is_told_of(void **state) {
    struct world *world = *state;
    struct listener listener;
    const struct cg_opts options = {.list = (struct cg_opt *)&unsafe, .count = 1};
    listener_begin(&listener, world);
    answer_with(world, "127.1.0.1", CG_CODE(2, 5), &options, "on");
    const char *heard = listener_take(&listener);
    assert_memory_equal(heard, "NON 5.02 " FROM(1) " ", strlen("NON 5.02 " FROM(1) " "));
    assert_null(strstr(heard, " on"));
    answer(world, "127.1.0.1", "on");
    assert_string_equal(listener_take(&listener), "NON 2.05 " FROM(1) " on\n");
    end(&listener);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->rejected, 1);
}

static void test_an_unsafe_answer_is_not_told_of_to_who_suppresses_its_class(void **state) {
    struct world *world = *state;
    struct listener listener;
    const struct cg_opts options = {.list = (struct cg_opt *)&unsafe, .count = 1};
    listener_new(&listener, world, NULL)->no_response = 16;
    listener_go(&listener);
    answer_with(world, "127.1.0.1", CG_CODE(2, 5), &options, "on");
    assert_string_equal(listener_take(&listener), "");
    end(&listener);
}

/* Windows */

static void flood(struct world *world, unsigned members) {
    for (unsigned i = 1; i <= members; i++) {
        char from[24];
        snprintf(from, sizeof from, "127.2.%u.%u", i / 250, i % 250 + 1);
        world_answer(world, 0, from, "on");
    }
    world_run(world);
}

static void test_what_waits_for_an_acknowledgement_goes_when_it_comes(void **state) {
    struct world *world = *state;
    struct listener listener;
    listener_begin(&listener, world);
    flood(world, 25);
    assert_int_equal(listener.responses, CG_OUTBOX_WINDOW_MIN);
    assert_int_equal(listener.confirmable, 1);
    listener_acknowledges(&listener);
    assert_int_equal(listener.responses, 25);
    assert_int_equal(listener.confirmable, 1);
    listener_take(&listener);
    end(&listener);
}

/* Nothing of what came in time is left out, and it ends although the client never acknowledges. */
static void test_what_came_in_time_goes_after_it_for_a_minute(void **state) {
    struct world *world = *state;
    struct listener listener;
    listener_begin(&listener, world);
    flood(world, 25);
    world_advance(world, 2 * SECOND);
    answer(world, "127.1.0.1", "late");
    listener_acknowledges(&listener);
    assert_int_equal(listener.overs, 0);
    listener_acknowledges(&listener);
    assert_int_equal(listener.responses, 25);
    assert_int_equal(listener.overs, 1);
    assert_int_equal(listener.problem.err, 0);
    listener_fini(&listener);
}

static void test_who_never_acknowledges_hears_that_answers_are_lost(void **state) {
    struct world *world = *state;
    struct listener listener;
    listener_begin(&listener, world);
    flood(world, 25);
    world_advance(world, 62 * SECOND - 1);
    assert_int_equal(listener.overs, 0);
    world_advance(world, 1);
    assert_int_equal(listener.responses, CG_OUTBOX_WINDOW_MIN);
    assert_int_equal(listener.problem.err, CG_E_OVERLOAD);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->streams_cut, 1);
    listener_fini(&listener);
}

static void test_who_is_too_far_behind_is_cut(void **state) {
    struct world *world = *state;
    struct listener listener;
    world->config->limits.stream_queue = 2000;
    listener_begin(&listener, world);
    flood(world, 10);
    for (int i = 0; i < 20 && listener.overs == 0; i++) {
        char payload[16];
        snprintf(payload, sizeof payload, "%d", i);
        answer(world, "127.1.0.1", payload);
    }
    assert_int_equal(listener.overs, 1);
    assert_int_equal(listener.problem.err, CG_E_OVERLOAD);
    assert_int_equal(listener.responses, CG_OUTBOX_WINDOW_MIN);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->streams_cut, 1);
    listener_fini(&listener);
}

/* They have asked the same, so the group was asked once. */
static void test_exchanges_of_one_client_take_turns(void **state) {
    struct world *world = *state;
    struct listener first, second;
    listener_begin(&first, world);
    listener_new(&second, world, first.outbox);
    listener_go(&second);
    assert_int_equal(world->sent_count, 1);
    flood(world, 100);
    assert_int_equal(first.responses + second.responses, CG_OUTBOX_WINDOW_MIN);
    while (first.responses + second.responses < 200) {
        cg_outbox_settled(first.outbox, first.to.token, world->now_us);
        for (int i = 0; i < 200; i++) world_run(world);
        if (first.responses < 100 && second.responses < 100)
            assert_in_range(first.responses + 100 - second.responses, 90, 110);
        listener_take(&first);
        listener_take(&second);
    }
    assert_int_equal(first.responses, 100);
    world_advance(world, 2 * SECOND);
    listener_fini(&first);
    listener_fini(&second);
}

/* Whoever has its turn, and nothing to send, holds up nobody. */
static void test_a_turn_that_is_not_used_is_the_next_ones(void **state) {
    struct world *world = *state;
    struct listener deaf, second;
    listener_new(&deaf, world, NULL)->no_response = 2;
    listener_go(&deaf);
    listener_new(&second, world, deaf.outbox);
    listener_go(&second);
    flood(world, CG_OUTBOX_WINDOW_MIN);
    assert_int_equal(second.responses, CG_OUTBOX_WINDOW_MIN);
    flood(world, 5); /* both wait */
    listener_acknowledges(&second);
    for (int i = 0; i < 5; i++) world_run(world);
    assert_int_equal(second.responses, CG_OUTBOX_WINDOW_MIN + 5);
    assert_int_equal(deaf.responses, 0);
    world_advance(world, 2 * SECOND);
    listener_fini(&deaf);
    listener_fini(&second);
}

static void test_what_cannot_be_sent_now_is_sent_a_little_later(void **state) {
    struct world *world = *state;
    struct listener listener;
    listener_begin(&listener, world);
    listener.refuses = CG_E_OVERLOAD;
    answer(world, "127.1.0.1", "on");
    answer(world, "127.1.0.2", "off");
    world_advance(world, SECOND / 2);
    assert_int_equal(listener.responses, 0);
    listener.refuses = CG_OK;
    world_advance(world, SECOND / 100);
    assert_string_equal(listener_take(&listener), "NON 2.05 " FROM(1) " on\nNON 2.05 " FROM(2) " off\n");
    end(&listener);
}

/* Large answers */

#define SIZE2_1500 " 28:05dc"

static void test_a_large_answer_goes_by_its_first_block(void **state) { /* RFC 10020 §3.8 */
    struct world *world = *state;
    struct listener listener;
    char payload[1501], heard[128];
    listener_begin(&listener, world);
    answer(world, "127.1.0.1", fill_payload(payload, 1024));
    assert_string_equal(listener_take(&listener), "NON 2.05 " FROM(1) " 1024 bytes\n");
    assert_int_equal(listener.kept, 0);
    answer(world, "127.1.0.2", fill_payload(payload, 1500));
    assert_int_equal(listener.kept, 1);
    assert_int_equal(listener.keeps.len, 1500);
    assert_int_equal(listener.etag_len, 8);
    char etag[17];
    for (int i = 0; i < 8; i++) snprintf(etag + 2 * i, 3, "%02x", listener.etag[i]);
    snprintf(heard, sizeof heard, "NON 2.05 4:%s 23:0e" SIZE2_1500 " " FROM(2) " 1024 bytes\n", etag);
    assert_string_equal(listener_take(&listener), heard);
    end(&listener);
}

static void test_the_members_own_tag_is_that_of_the_blocks(void **state) {
    struct world *world = *state;
    struct listener listener;
    char payload[1501];
    struct cg_opt etag = {.number = CG_OPT_ETAG, .value = cg_slice_str("mine")};
    const struct cg_opts options = {.list = &etag, .count = 1};
    listener_begin(&listener, world);
    answer_with(world, "127.1.0.1", CG_CODE(2, 5), &options, fill_payload(payload, 1500));
    assert_string_equal(listener_take(&listener), "NON 2.05 4:6d696e65 23:0e" SIZE2_1500 " " FROM(1) " 1024 bytes\n");
    assert_int_equal(listener.etag_len, 4);
    assert_memory_equal(listener.etag, "mine", 4);
    end(&listener);
}

static void test_blocks_are_as_small_as_the_client_wants_them(void **state) { /* RFC 7959 §2.4 */
    struct world *world = *state;
    struct listener listener;
    char payload[65];
    const struct cg_block block = {.szx = 1};
    listener_new(&listener, world, NULL);
    listener.to.block2 = &block;
    listener_go(&listener);
    answer(world, "127.1.0.1", fill_payload(payload, 32));
    assert_int_equal(listener.kept, 0);
    answer(world, "127.1.0.1", fill_payload(payload, 33));
    assert_int_equal(listener.kept, 1);
    assert_non_null(strstr(listener_take(&listener), " 23:09 28:21 " FROM(1) " abcdefghijklmnopqrstuvwxyzabcdef\n"));
    end(&listener);
}

static void test_blocks_are_as_small_as_what_stands_before_them_wants(void **state) {
    struct world *world = *state;
    struct listener listener;
    char payload[1025];
    static char token[65];
    memset(token, 't', 64);
    struct cg_opt location = {.number = CG_OPT_LOCATION_PATH, .value = cg_slice_str(fill_payload(payload, 200))};
    const struct cg_opts options = {.list = &location, .count = 1};
    char body[1025];
    listener_new(&listener, world, NULL);
    listener.to.token = cg_slice_str(token);
    listener_go(&listener);
    answer_with(world, "127.1.0.1", CG_CODE(2, 5), &options, fill_payload(body, 1024));
    assert_non_null(strstr(listener_take(&listener), " 512 bytes\n"));
    assert_int_equal(listener.kept, 1);
    assert_in_range(listener.last_size, 512, 1152);
    listener.largest = 450; /* of the path */
    answer_with(world, "127.1.0.2", CG_CODE(2, 5), &options, body);
    assert_non_null(strstr(listener_take(&listener), " 128 bytes\n"));
    end(&listener);
}

static void test_an_answer_whose_options_fill_a_message_is_bad(void **state) {
    struct world *world = *state;
    struct listener listener;
    char value[256];
    struct cg_opt list[6];
    fill_payload(value, 255);
    for (int i = 0; i < 6; i++) list[i] = (struct cg_opt){.number = CG_OPT_LOCATION_PATH, .value = cg_slice_str(value)};
    const struct cg_opts options = {.list = list, .count = 6};
    listener_begin(&listener, world);
    answer_with(world, "127.1.0.1", CG_CODE(2, 1), &options, NULL);
    assert_non_null(strstr(listener_take(&listener), "NON 5.02 " FROM(1) " "));
    listener.largest = 10; /* nothing goes at all: it is not tried for ever */
    answer(world, "127.1.0.2", "on");
    assert_string_equal(listener_take(&listener), "");
    end(&listener);
}

/* RFC 8613 §4.1.3.4.2: whole, byte for byte, as long as its way takes it; and then by outer blocks. */
static void test_what_a_member_protected_goes_whole_as_far_as_it_can(void **state) {
    struct world *world = *state;
    struct listener listener;
    char payload[1501];
    uint8_t inside[2] = {0x08, 0x12};
    struct cg_opt oscore = {.number = CG_OPT_OSCORE, .value = cg_slice_of(inside, sizeof inside)};
    const struct cg_opts options = {.list = &oscore, .count = 1};
    world_mapping(world, "lamps")->security = CG_SECURITY_RELAY;
    world_mapping(world, "lamps")->methods = CG_METHODS_RELAYED;
    struct cg_request *request = listener_new(&listener, world, NULL);
    request->method = CG_FETCH;
    request->options = options;
    listener_go(&listener);
    assert_int_equal(world->sent_count, 1);
    answer_with(world, "127.1.0.1", CG_CODE(2, 5), &options, fill_payload(payload, 1500));
    assert_string_equal(listener_take(&listener), "NON 2.05 9:0812 " FROM(1) " 1500 bytes\n");
    assert_int_equal(listener.kept, 0);
    listener.largest = 1300;
    answer_with(world, "127.1.0.1", CG_CODE(2, 5), &options, payload);
    assert_non_null(strstr(listener_take(&listener), " 9:0812 23:0e" SIZE2_1500 " " FROM(1) " 1024 bytes\n"));
    assert_int_equal(listener.kept, 1);
    end(&listener);
}

/* Single members */

static void ask_first(struct listener *listener, struct world *world, enum cg_type type) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    lamps->stand_in = CG_STAND_IN_MEMBERS;
    world_add_members(world, lamps, 2);
    struct cg_request *request = listener_new(listener, world, NULL);
    request->path = cg_slice_str("/lamps/.member/first");
    listener->to.type = type;
    listener_go(listener);
    assert_int_equal(world->sent_count, 1);
    assert_false(cg_addr_is_multicast(&world->sent[0].route.to));
}

static void answer_alone(struct world *world, const struct cg_opts *options) {
    world_answer_as(
        world, 0, "127.1.0.1",
        (struct answer){
            .type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[0].msg.mid, .options = options, .payload = "on"});
    world_run(world);
}

/* An ordinary response (RFC 7252 §5.2.2, §5.2.3): of the request's kind, from whom the client has asked. */
static void test_a_single_members_response_is_the_only_one(void **state) {
    struct world *world = *state;
    struct listener listener;
    ask_first(&listener, world, CG_CON);
    answer_alone(world, NULL);
    assert_string_equal(listener_take(&listener), "CON 2.05 on\nover\n");
    listener_fini(&listener);
    world_renew(world);
    ask_first(&listener, world, CG_NON);
    answer_alone(world, NULL);
    assert_string_equal(listener_take(&listener), "NON 2.05 on\nover\n");
    listener_fini(&listener);
}

static void test_a_single_members_silence_is_told(void **state) {
    struct world *world = *state;
    struct listener listener;
    ask_first(&listener, world, CG_CON);
    world_advance(world, 2 * SECOND);
    assert_string_equal(listener_take(&listener), "over 5.04\n");
    listener_fini(&listener);
}

static void test_a_single_member_is_told_of_once(void **state) {
    struct world *world = *state;
    struct listener listener;
    const struct cg_opts options = {.list = (struct cg_opt *)&unsafe, .count = 1};
    ask_first(&listener, world, CG_CON);
    answer_alone(world, &options);
    assert_memory_equal(listener_take(&listener), "CON 5.02 ", 9);
    world_advance(world, 2 * SECOND);
    assert_string_equal(listener_take(&listener), "over\n");
    listener_fini(&listener);
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
        separate_test(test_further_answers_of_a_member_are_responses_of_their_own),
        separate_test(test_an_answer_with_an_unsafe_option_is_told_of),
        separate_test(test_an_unsafe_answer_is_not_told_of_to_who_suppresses_its_class),
        separate_test(test_what_waits_for_an_acknowledgement_goes_when_it_comes),
        separate_test(test_what_came_in_time_goes_after_it_for_a_minute),
        separate_test(test_who_never_acknowledges_hears_that_answers_are_lost),
        separate_test(test_who_is_too_far_behind_is_cut),
        separate_test(test_exchanges_of_one_client_take_turns),
        separate_test(test_a_turn_that_is_not_used_is_the_next_ones),
        separate_test(test_what_cannot_be_sent_now_is_sent_a_little_later),
        separate_test(test_a_large_answer_goes_by_its_first_block),
        separate_test(test_the_members_own_tag_is_that_of_the_blocks),
        separate_test(test_blocks_are_as_small_as_the_client_wants_them),
        separate_test(test_blocks_are_as_small_as_what_stands_before_them_wants),
        separate_test(test_an_answer_whose_options_fill_a_message_is_bad),
        separate_test(test_what_a_member_protected_goes_whole_as_far_as_it_can),
        separate_test(test_a_single_members_response_is_the_only_one),
        separate_test(test_a_single_members_silence_is_told),
        separate_test(test_a_single_member_is_told_of_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
