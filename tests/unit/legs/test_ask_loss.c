/* Unicast requests when datagrams are lost: what is sent again and when, which answers still count, and what anybody
 * may say about it. RFC 7252 §4.2, RFC 6298, RFC 8613 §8.2. */
#include "exchange/fake_world.h"

#include <string.h>

enum { DATAGRAMS = 5 /* MAX_RETRANSMIT and the first */ };

/* "lamps" has one member, which is asked by unicast, and time. */
static struct cg_mapping *patient_init(struct world *world) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 1);
    lamps->timeout_us = lamps->max_timeout_us = 1000 * SECOND;
    return lamps;
}

static void ask_with(struct world *world, struct call *call, uint8_t method) {
    world_new(world, call, "/lamps")->method = method;
    world_go(world, call);
}

static bool are_same_bytes(const struct world *world, size_t a, size_t b) {
    return world->sent[a].len == world->sent[b].len &&
           memcmp(world->sent[a].bytes, world->sent[b].bytes, world->sent[a].len) == 0;
}

/* A request of its own: nothing that answers the one answers the other. */
static bool are_apart(const struct world *world, size_t a, size_t b) {
    const struct cg_msg *one = &world->sent[a].msg, *other = &world->sent[b].msg;
    return one->mid != other->mid && memcmp(one->token.bytes, other->token.bytes, CG_TOKEN_MAX) != 0;
}

static void answer_on_ack(struct world *world, size_t index, const char *payload) {
    struct answer answer = {.type = CG_ACK, .code = CG_CODE(2, 5), .payload = payload};
    answer.mid = world->sent[index].msg.mid;
    world_answer_as(world, index, "127.1.0.1", answer);
    world_run(world);
}

static void acknowledge(struct world *world, size_t index) {
    uint16_t mid = world->sent[index].msg.mid;
    uint8_t bytes[] = {0x60, 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(world, "127.1.0.1", bytes, sizeof bytes);
}

/* When the next datagram after `count` goes out, from now on. */
static uint64_t time_until(struct world *world, size_t count) {
    uint64_t began_us = world->now_us;
    while (world->sent_count == count) {
        assert_true(world->now_us - began_us < 100 * SECOND);
        world_advance(world, SECOND / 1000);
    }
    return world->now_us - began_us;
}

/* Repeating */

static void every_second_datagram_is_a_new_request(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    ask_with(world, &call, CG_PUT);
    world_advance(world, 94 * SECOND);
    assert_int_equal(world->sent_count, DATAGRAMS);
    assert_true(are_same_bytes(world, 0, 1));
    assert_true(are_apart(world, 1, 2));
    assert_true(are_same_bytes(world, 2, 3));
    assert_true(are_apart(world, 3, 4));
    assert_true(are_apart(world, 0, 4));
    world_advance(world, 1000 * SECOND);
    assert_int_equal(world->gateway->engine.asks, 0);
    assert_int_equal(world->gateway->engine.tokens.live == NULL, true);
    call_fini(&call);
}

static void what_must_not_be_done_twice_is_the_same_bytes_always(void **state) {
    struct world *world = *state;
    static const uint8_t methods[] = {CG_POST, CG_PATCH};
    patient_init(world);
    for (size_t i = 0; i < sizeof methods; i++) {
        struct call call;
        size_t first = world->sent_count;
        ask_with(world, &call, methods[i]);
        world_advance(world, 94 * SECOND);
        assert_int_equal(world->sent_count, first + DATAGRAMS);
        for (size_t j = 1; j < DATAGRAMS; j++) assert_true(are_same_bytes(world, first, first + j));
        call_fini(&call);
    }
}

/* Its number is behind the member's window by then (RFC 8613 §7.4). */
static void what_others_have_overtaken_is_made_anew_at_once(void **state) {
    struct world *world = *state;
    static const struct {
        enum cg_security security;
        uint8_t method;
        unsigned others;
        bool is_same;
    } cases[] = {{CG_SECURITY_GROUP, CG_PUT, 16, false},
                 {CG_SECURITY_GROUP, CG_PUT, 15, true},
                 {CG_SECURITY_GROUP, CG_POST, 16, true},
                 {CG_SECURITY_NONE, CG_PUT, 16, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct call call;
        patient_init(world)->security = cases[i].security;
        ask_with(world, &call, cases[i].method);
        world->gateway->engine.requests += cases[i].others;
        time_until(world, 1);
        assert_int_equal(are_same_bytes(world, 0, 1), cases[i].is_same);
        assert_int_equal(are_apart(world, 0, 1), !cases[i].is_same);
        call_fini(&call);
        world_renew(world);
    }
}

/* Its members would take a new message for a replay, whatever its method says outside. */
static void what_a_client_has_protected_is_the_same_bytes_always(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_opt oscore = {.number = CG_OPT_OSCORE, .value = cg_slice_str("")};
    patient_init(world)->security = CG_SECURITY_RELAY;
    struct cg_request *request = world_new(world, &call, "/lamps");
    request->method = CG_FETCH;
    request->options = (struct cg_opts){.list = &oscore, .count = 1};
    request->payload = cg_slice_str("sealed");
    world_go(world, &call);
    world_advance(world, 94 * SECOND);
    assert_int_equal(world->sent_count, DATAGRAMS);
    for (size_t j = 1; j < DATAGRAMS; j++) assert_true(are_same_bytes(world, 0, j));
    call_fini(&call);
}

static void whichever_request_is_answered_it_is_the_answer(void **state) {
    struct world *world = *state;
    static const size_t answered[] = {0, 2, 4};
    patient_init(world);
    for (size_t i = 0; i < sizeof answered / sizeof *answered; i++) {
        struct call call;
        size_t first = world->sent_count;
        ask_with(world, &call, CG_GET);
        while (world->sent_count < first + DATAGRAMS) world_advance(world, SECOND / 100);
        answer_on_ack(world, first + answered[i], "on");
        assert_int_equal(call.reply.summary.answered, 1);
        assert_int_equal(call.reply.summary.rejected, 0);
        assert_null(world->gateway->engine.tokens.live);
        call_fini(&call);
    }
}

/* An acknowledgement names the message; a response on it must, too. */
static void an_answer_on_the_acknowledgement_of_another_of_them_is_none(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    ask_with(world, &call, CG_GET);
    while (world->sent_count < 3) world_advance(world, SECOND / 100);
    struct answer answer = {.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[2].msg.mid, .payload = "on"};
    world_answer_as(world, 0, "127.1.0.1", answer);
    world_run(world);
    assert_int_equal(call.replies, 0);
    answer_on_ack(world, 2, "on");
    assert_int_equal(call.reply.summary.rejected, 1);
    assert_non_null(strstr(call.text, "\"reason\":\"wrong-mid\""));
    call_fini(&call);
}

/* It has the first request, and will answer that. */
static void an_acknowledgement_of_any_of_them_ends_repeating(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    ask_with(world, &call, CG_GET);
    while (world->sent_count < 4) world_advance(world, SECOND / 100);
    acknowledge(world, 0);
    world_advance(world, 200 * SECOND);
    assert_int_equal(world->sent_count, 4);
    world_answer(world, 0, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
    call_fini(&call);
}

static void what_cannot_go_out_again_is_as_lost(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    ask_with(world, &call, CG_GET);
    world->emit_error = CG_E_EMIT;
    world_advance(world, 10 * SECOND); /* twice; the second time a new request */
    world->emit_error = 0;
    world_advance(world, 60 * SECOND);
    assert_in_range(world->sent_count, 2, 3);
    assert_int_equal(call.problems, 0);
    answer_on_ack(world, 0, "on");
    assert_int_equal(call.reply.summary.answered, 1);
    call_fini(&call);
}

/* Measuring */

static void the_first_timeout_is_the_settings(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    world->config->group.ack_timeout_us = SECOND / 2;
    ask_with(world, &call, CG_GET);
    uint64_t first_us = time_until(world, 1);
    assert_in_range(first_us, SECOND / 2, 3 * SECOND / 4 + 1000); /* ACK_RANDOM_FACTOR 1.5 */
    uint64_t second_us = time_until(world, 2);
    assert_in_range(second_us, 2 * first_us - 2000, 2 * first_us + 2000);
    call_fini(&call);
}

/* Answers at once to one request, and how long the next waits. */
static uint64_t timeout_after(struct world *world, uint64_t round_trip_us) {
    struct call call;
    size_t first = world->sent_count;
    ask_with(world, &call, CG_GET);
    world_advance(world, round_trip_us);
    answer_on_ack(world, first, "on");
    call_fini(&call);
    ask_with(world, &call, CG_GET);
    uint64_t timeout_us = time_until(world, first + 2);
    answer_on_ack(world, first + 2, "on");
    call_fini(&call);
    return timeout_us;
}

static void what_was_measured_is_the_next_timeout(void **state) {
    struct world *world = *state;
    patient_init(world);
    assert_in_range(timeout_after(world, SECOND / 10), 3 * SECOND / 10, 45 * SECOND / 100 + 1000); /* R + 4 R/2 */
}

static void it_is_measured_for_each_address(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->timeout_us = lamps->max_timeout_us = 60 * SECOND;
    lamps->repair_unicast = true;
    lamps->leisure = 60; /* half the time is shorter */
    world_get(world, &call, "/lamps");
    world_advance(world, 30 * SECOND);
    assert_int_equal(world->sent_count, 3);
    answer_on_ack(world, 1, "on");
    struct cg_engine *engine = cg_gateway_engine(world->gateway);
    struct cg_addr one = world->sent[1].route.to, other = world->sent[2].route.to;
    assert_int_equal(cg_endpoint_timeout_us(engine, cg_endpoint_find(engine, &one)), CG_RTT_FLOOR_US);
    assert_int_equal(cg_endpoint_timeout_us(engine, cg_endpoint_find(engine, &other)), 2 * SECOND);
    call_fini(&call);
}

/* Which of the two was answered nobody knows: it may have been the first. */
static void an_answer_to_what_was_repeated_shortens_nothing(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    ask_with(world, &call, CG_GET);
    time_until(world, 1);
    answer_on_ack(world, 0, "on");
    call_fini(&call);
    ask_with(world, &call, CG_GET);
    assert_in_range(time_until(world, 3), 2 * SECOND, 5 * SECOND);
    call_fini(&call);
}

/* The new request has a token of its own, so its answer is measured without doubt. */
static void an_answer_to_the_new_request_is_a_clear_sample(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    ask_with(world, &call, CG_GET);
    while (world->sent_count < 3) world_advance(world, SECOND / 1000);
    answer_on_ack(world, 2, "on");
    call_fini(&call);
    ask_with(world, &call, CG_GET);
    assert_in_range(time_until(world, 4), SECOND / 10, 15 * SECOND / 100 + 1000);
    call_fini(&call);
}

/* An empty acknowledgement is one of the way; what comes after it tells how long the member worked. */
static void a_separate_answer_does_not_lengthen_the_timeout(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    ask_with(world, &call, CG_GET);
    world_advance(world, SECOND / 20);
    acknowledge(world, 0);
    world_advance(world, 30 * SECOND);
    world_answer(world, 0, "127.1.0.1", "took its time");
    world_run(world);
    call_fini(&call);
    ask_with(world, &call, CG_GET);
    assert_in_range(time_until(world, 2), 15 * SECOND / 100, 23 * SECOND / 100);
    call_fini(&call);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(every_second_datagram_is_a_new_request),
        world_test(what_must_not_be_done_twice_is_the_same_bytes_always),
        world_test(what_others_have_overtaken_is_made_anew_at_once),
        world_test(what_a_client_has_protected_is_the_same_bytes_always),
        world_test(whichever_request_is_answered_it_is_the_answer),
        world_test(an_answer_on_the_acknowledgement_of_another_of_them_is_none),
        world_test(an_acknowledgement_of_any_of_them_ends_repeating),
        world_test(what_cannot_go_out_again_is_as_lost),
        world_test(the_first_timeout_is_the_settings),
        world_test(what_was_measured_is_the_next_timeout),
        world_test(it_is_measured_for_each_address),
        world_test(an_answer_to_what_was_repeated_shortens_nothing),
        world_test(an_answer_to_the_new_request_is_a_clear_sample),
        world_test(a_separate_answer_does_not_lengthen_the_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
