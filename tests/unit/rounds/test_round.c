/* Many who wait for one group request: what is asked beyond it is asked once, each has its own time, and nobody's
 * leaving takes anything from the others. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

enum { CLIENTS = 1000 };

static int teardown(void **state) {
    struct world *world = *state;
    assert_int_equal(cg_gateway_running(world->gateway), 0);
    assert_null(world->gateway->rounds.all);
    assert_null(world->gateway->rounds.open);
    assert_int_equal(world->gateway->engine.legs.used, 0);
    assert_int_equal(world->gateway->quota.used, 0);
    return world_teardown(state);
}

#define round_test(test) cmocka_unit_test_setup_teardown(test, world_setup, teardown)

static void get_all(struct world *world, struct call *calls, unsigned count) {
    for (unsigned i = 0; i < count; i++) world_get(world, &calls[i], "/lamps");
}

/* The gateway runs a few at a time. */
static void run_all(struct world *world) {
    while (cg_gateway_run(world->gateway, world->now_us) <= world->now_us) continue;
}

static void free_all(struct call *calls, unsigned count) {
    for (unsigned i = 0; i < count; i++) call_fini(&calls[i]);
}

static void test_a_silent_member_is_asked_once_however_many_wait(void **state) {
    struct world *world = *state;
    static struct call calls[CLIENTS];
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->repair_unicast = true;
    lamps->leisure = 1;
    world->config->limits.exchanges_per_client = CLIENTS;
    get_all(world, calls, CLIENTS);
    assert_int_equal(world->sent_count, 1);
    world_answer(world, 0, "127.1.0.1", "on");
    world->now_us += SECOND;
    run_all(world);
    assert_int_equal(world->sent_count, 2);
    assert_false(cg_addr_is_multicast(&world->sent[1].route.to));
    world_answer_as(world, 1, "127.1.0.2",
                    (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[1].msg.mid});
    run_all(world);
    assert_int_equal(world->sent_count, 2);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(calls[i].replies, 1);
        assert_int_equal(calls[i].reply.summary.answered, 2);
    }
    assert_int_equal(lamps->stats->asked, 1);
    free_all(calls, CLIENTS);
}

static void test_an_answer_in_blocks_is_fetched_once(void **state) {
    struct world *world = *state;
    struct call calls[3];
    uint8_t first = 8, last = 16; /* 16 bytes and more; the second of 16 bytes */
    struct cg_opt block = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(&first, 1)};
    struct cg_opts options = {.list = &block, .count = 1};
    struct answer answer = {.type = CG_NON, .code = CG_CODE(2, 5), .payload = "0123456789abcdef", .options = &options};
    world_add_members(world, world_mapping(world, "lamps"), 2);
    get_all(world, calls, 3);
    world_answer_as(world, 0, "127.1.0.1", answer);
    run_all(world);
    assert_int_equal(world->sent_count, 2);
    block.value = cg_slice_of(&last, 1);
    answer.type = CG_ACK;
    answer.mid = world->sent[1].msg.mid;
    answer.payload = "the end";
    world_answer_as(world, 1, "127.1.0.1", answer);
    world_advance(world, 2 * SECOND);
    assert_int_equal(world->sent_count, 2);
    for (int i = 0; i < 3; i++) assert_non_null(strstr(calls[i].text, "0123456789abcdefthe end"));
    free_all(calls, 3);
}

static void test_no_more_than_64_are_run_in_a_turn(void **state) {
    struct world *world = *state;
    static struct call calls[200];
    unsigned replies = 0;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_mapping(world, "lamps")->complete = false;
    world->config->limits.exchanges_per_client = 200;
    get_all(world, calls, 200);
    world_answer(world, 0, "127.1.0.1", "on");
    assert_int_equal(cg_gateway_run(world->gateway, world->now_us), world->now_us); /* there is more to do */
    for (int i = 0; i < 200; i++) replies += calls[i].replies;
    assert_int_equal(replies, 64);
    run_all(world);
    for (int i = 0; i < 200; i++) assert_int_equal(calls[i].replies, 1);
    free_all(calls, 200);
}

static void ask_for(struct world *world, struct call *call, uint32_t timeout_s) {
    struct cg_request *request = world_new(world, call, "/lamps");
    request->has_timeout = true;
    request->timeout_s = timeout_s;
    world_go(world, call);
}

static void test_each_has_its_own_time(void **state) {
    struct world *world = *state;
    struct call patient, hasty;
    ask_for(world, &patient, 5);
    ask_for(world, &hasty, 1);
    assert_int_equal(world->sent_count, 1);
    world_answer(world, 0, "127.1.0.1", "in time for both");
    world_advance(world, SECOND);
    assert_int_equal(hasty.replies, 1);
    assert_int_equal(hasty.reply.summary.answered, 1);
    assert_string_equal(hasty.reply.summary.ended_by, "deadline");
    assert_int_equal(patient.replies, 0);
    world_answer(world, 0, "127.1.0.2", "in time for one");
    world_advance(world, 4 * SECOND - 1);
    assert_int_equal(patient.replies, 0);
    world_advance(world, 1);
    assert_int_equal(patient.reply.summary.answered, 2);
    free_all((struct call[]){patient, hasty}, 2);
}

static void test_the_silent_are_asked_in_time_for_who_joins(void **state) {
    struct world *world = *state;
    struct call patient, hasty;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->repair_unicast = true;
    lamps->leisure = 5;
    ask_for(world, &patient, 20);
    world_advance(world, SECOND / 100);
    ask_for(world, &hasty, 2);
    world_advance(world, SECOND - SECOND / 100 - 1);
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 1);
    assert_int_equal(world->sent_count, 3); /* half of its time is left for asking */
    world_advance(world, 20 * SECOND);
    free_all((struct call[]){patient, hasty}, 2);
}

static void test_the_last_to_leave_ends_it(void **state) {
    struct world *world = *state;
    struct call first, second;
    world_get(world, &first, "/lamps");
    world_get(world, &second, "/lamps");
    cg_gateway_abandon(world->gateway, first.ticket); /* whose request it was */
    world_run(world);
    world_answer(world, 0, "127.1.0.1", "on");
    assert_int_equal(world->gateway->engine.legs.used, 1);
    cg_gateway_abandon(world->gateway, second.ticket);
    world_run(world);
    assert_int_equal(world->gateway->engine.legs.used, 0);
    assert_int_equal(first.replies + second.replies, 0);
}

static void test_what_nobody_hears_any_more_does_not_go_out(void **state) {
    struct world *world = *state;
    struct call before, first, second;
    world->config->group.nstart = 1;
    world_get(world, &before, "/lamps/other"); /* has the group's turn */
    world_get(world, &first, "/lamps");
    world_get(world, &second, "/lamps");
    cg_gateway_abandon(world->gateway, first.ticket);
    cg_gateway_abandon(world->gateway, second.ticket);
    world_answer(world, 0, "127.1.0.1", "on"); /* the turn is free before their steps have run */
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 2 * SECOND);
    assert_int_equal(world->sent_count, 1);
    call_fini(&before);
}

static void test_one_who_still_waits_is_enough(void **state) {
    struct world *world = *state;
    struct call before, first, second;
    world->config->group.nstart = 1;
    world_get(world, &before, "/lamps/other");
    world_get(world, &first, "/lamps");
    world_get(world, &second, "/lamps");
    cg_gateway_abandon(world->gateway, first.ticket);
    world_answer(world, 0, "127.1.0.1", "on");
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 4 * SECOND);
    assert_int_equal(second.replies, 1);
    free_all((struct call[]){before, second}, 2);
}

/* One encoding for all of a kind, whoever's `exchange` and `summary` stand before it. */

static const struct castgate_encoder *counted; /* whose work is counted */
static unsigned encodings;

static int count_encode(const struct castgate_host *host, struct castgate_call *call) {
    encodings++;
    return counted->encode(host, call);
}

static void count_encodings(const struct castgate_encoder *of, struct castgate_encoder *encoder) {
    counted = of;
    encodings = 0;
    *encoder = *of;
    encoder->encode = count_encode;
}

static void get_with(struct world *world, struct call *call, const struct castgate_encoder *encoder) {
    world_new(world, call, "/lamps");
    call->encoder = encoder;
    world_go(world, call);
}

static void test_equal_replies_are_encoded_once(void **state) {
    struct world *world = *state;
    const struct castgate_plugin *const plugins[] = {&cg_plugin_json, &cg_plugin_mixed};
    for (int i = 0; i < 2; i++) {
        struct call calls[3];
        struct castgate_encoder encoder;
        size_t before = world->sent_count;
        count_encodings(plugins[i]->ops.encoder, &encoder);
        for (int j = 0; j < 3; j++) get_with(world, &calls[j], &encoder);
        world_answer(world, before, "127.1.0.1", "on");
        world_advance(world, 2 * SECOND);
        assert_int_equal(encodings, 1);
        assert_string_equal(calls[0].reply.content_type, calls[2].reply.content_type);
        for (int j = 0; j < 3; j++) {
            assert_int_equal(calls[j].reply.status, 200);
            assert_non_null(strstr(calls[j].text, "on"));
        }
        if (i == 0) { /* JSON says whose it is */
            assert_non_null(strstr(calls[0].text, calls[0].reply.exchange_id));
            assert_non_null(strstr(calls[2].text, calls[2].reply.exchange_id));
            assert_non_null(strstr(calls[2].text, "joined_ms"));
            assert_null(strstr(calls[0].text, "joined_ms"));
        } else {
            assert_string_equal(calls[0].text, calls[2].text);
        }
        free_all(calls, 3);
    }
}

static void test_what_has_changed_is_encoded_again(void **state) {
    struct world *world = *state;
    struct call hasty, patient;
    struct castgate_encoder encoder;
    count_encodings(cg_plugin_json.ops.encoder, &encoder);
    get_with(world, &hasty, &encoder);
    world->now_us += 1000;
    get_with(world, &patient, &encoder);
    world_answer(world, 0, "127.1.0.1", "first");
    world_advance(world, 2 * SECOND - 1000);
    assert_int_equal(hasty.replies, 1);
    world_answer(world, 0, "127.1.0.2", "second");
    world_advance(world, 1000);
    assert_int_equal(encodings, 2);
    assert_null(strstr(hasty.text, "second"));
    assert_non_null(strstr(patient.text, "second"));
    free_all((struct call[]){hasty, patient}, 2);
}

static void test_an_encoder_that_says_nothing_is_asked_each_time(void **state) {
    struct world *world = *state;
    struct call first, second;
    struct castgate_encoder encoder;
    count_encodings(cg_plugin_mixed.ops.encoder, &encoder);
    encoder.encode_is_common = false;
    get_with(world, &first, &encoder);
    get_with(world, &second, &encoder);
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(encodings, 2);
    free_all((struct call[]){first, second}, 2);
}

static void test_common_bytes_are_charged_once_and_given_back(void **state) {
    struct world *world = *state;
    static struct call calls[50];
    struct castgate_encoder encoder;
    static char payload[2001];
    memset(payload, 'x', sizeof payload - 1);
    world->config->limits.total_memory = 400000; /* 50 exchanges, and not 50 replies of 20 KB */
    world->config->limits.exchanges_per_client = 50;
    count_encodings(cg_plugin_json.ops.encoder, &encoder);
    for (int i = 0; i < 50; i++) get_with(world, &calls[i], &encoder);
    for (int i = 1; i <= 10; i++) {
        char from[16];
        snprintf(from, sizeof from, "127.1.0.%d", i);
        world_answer(world, 0, from, payload);
    }
    world->now_us += 2 * SECOND;
    run_all(world);
    for (int i = 0; i < 50; i++) assert_int_equal(calls[i].reply.status, 200);
    assert_int_equal(encodings, 1);
    free_all(calls, 50);
}

/* Two targets in one group: the end of the first request makes it the second's turn, which nobody wants any more. */
static void test_what_ends_in_its_own_way_does_not_begin_again(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *pair = world_mapping(world, "pair");
    world->config->group.nstart = 1;
    pair->targets[1].group = pair->targets[0].group;
    pair->repair_unicast = true;
    world_add_members(world, pair, 2);
    world_get(world, &call, "/pair");
    assert_int_equal(world->sent_count, 1);
    cg_gateway_abandon(world->gateway, call.ticket);
    world_run(world);
    assert_null(cg_heap_first(&world->gateway->engine.deadlines));
    world_advance(world, 10 * SECOND);
    assert_int_equal(world->sent_count, 1);
}

/* A round of its own for each of them. */
static void get_apart(struct world *world, struct call *calls, unsigned count) {
    static char paths[CLIENTS][32]; /* for as long as the requests are there */
    for (unsigned i = 0; i < count; i++) {
        snprintf(paths[i], sizeof paths[i], "/lamps/%u", i);
        world_get(world, &calls[i], paths[i]);
    }
    assert_int_equal(world->sent_count, count);
}

static void test_those_whose_group_was_left_hear_of_it_some_at_a_time(void **state) {
    struct world *world = *state;
    static struct call calls[CLIENTS];
    struct cg_protector own = {.ops = cg_protector_none()->ops};
    struct call other;
    world_mapping(world, "lamps")->protector = &own;
    world->config->limits.exchanges_per_client = CLIENTS + 1;
    world->config->group.nstart = CLIENTS;
    world->config->group.probing_burst = 1 << 24;
    get_apart(world, calls, CLIENTS);
    world_get(world, &other, "/pair");
    cg_engine_left(cg_gateway_engine(world->gateway), &own);
    assert_int_equal(cg_gateway_run(world->gateway, world->now_us), world->now_us); /* there is more to do */
    struct cg_round *unseen = world->gateway->rounds.unseen;
    assert_non_null(unseen);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (calls[i].problems == 0 && world_round(world, &calls[i]) == unseen)
            cg_gateway_abandon(world->gateway, calls[i].ticket); /* just before its turn */
    }
    run_all(world);
    unsigned told = 0;
    for (unsigned i = 0; i < CLIENTS; i++) told += calls[i].problems == 1 && calls[i].problem.err == CG_E_PROTECT;
    assert_int_equal(told, CLIENTS - 1);
    assert_int_equal(other.replies + other.problems, 0);
    world_advance(world, 2 * SECOND);
    assert_int_equal(other.replies, 1);
    free_all(calls, CLIENTS);
    call_fini(&other);
}

/* A group may come back while those are still told that were asked before it was left. */
static void test_what_begins_after_the_group_came_back_goes_on(void **state) {
    struct world *world = *state;
    struct cg_protector own = {.ops = cg_protector_none()->ops};
    struct call before, after;
    world_mapping(world, "lamps")->protector = &own;
    world_get(world, &before, "/lamps/before");
    cg_engine_left(cg_gateway_engine(world->gateway), &own);
    world_get(world, &after, "/lamps/after");
    run_all(world);
    assert_int_equal(before.problem.err, CG_E_PROTECT);
    assert_int_equal(after.replies + after.problems, 0);
    world_advance(world, 2 * SECOND);
    assert_int_equal(after.replies, 1);
    call_fini(&before);
    call_fini(&after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        round_test(test_a_silent_member_is_asked_once_however_many_wait),
        round_test(test_an_answer_in_blocks_is_fetched_once),
        round_test(test_no_more_than_64_are_run_in_a_turn),
        round_test(test_each_has_its_own_time),
        round_test(test_the_silent_are_asked_in_time_for_who_joins),
        round_test(test_the_last_to_leave_ends_it),
        round_test(test_what_nobody_hears_any_more_does_not_go_out),
        round_test(test_equal_replies_are_encoded_once),
        round_test(test_what_has_changed_is_encoded_again),
        round_test(test_an_encoder_that_says_nothing_is_asked_each_time),
        round_test(test_common_bytes_are_charged_once_and_given_back),
        round_test(test_what_ends_in_its_own_way_does_not_begin_again),
        round_test(test_one_who_still_waits_is_enough),
        round_test(test_those_whose_group_was_left_hear_of_it_some_at_a_time),
        round_test(test_what_begins_after_the_group_came_back_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
