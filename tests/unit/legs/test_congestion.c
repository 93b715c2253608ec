/* When requests of several exchanges share a cast, wait for their turn, or are held back from a silent group. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

#include "legs/queue.h"

static void test_two_exchanges_on_one_cast(void **state) {
    struct world *world = *state;
    struct call first, second, other;
    world_get(world, &first, "/lamps/a");
    world->now_us += 1000;
    world_get(world, &second, "/lamps/a");
    world_get(world, &other, "/lamps/b"); /* another request: waits for its turn (NSTART) */
    assert_int_equal(world->sent_count, 1);
    world_answer(world, 0, "127.1.0.1", "on");
    assert_int_equal(world->sent_count, 2); /* the group has answered: the next may go */
    world_advance(world, 2 * SECOND - 1000);
    assert_int_equal(first.replies, 1);
    assert_int_equal(second.replies, 0); /* its own deadline */
    world_answer(world, 0, "127.1.0.2", "on");
    world_advance(world, 1000);
    assert_int_equal(second.reply.summary.answered, 2);
    assert_int_equal(first.reply.summary.answered, 1);
    world_advance(world, 2 * SECOND);
    assert_int_equal(other.replies, 1);
}

/* What the members answer to the first may be older than the second: the second's reply says so. */
static void test_a_request_that_joins_a_running_one_says_so(void **state) {
    struct world *world = *state;
    struct call first, second, waiting, joined_waiting;
    world_get(world, &first, "/lamps/a");
    world_get(world, &waiting, "/lamps/b"); /* for its turn */
    world->now_us += 12345;
    world_get(world, &second, "/lamps/a");
    world_get(world, &joined_waiting, "/lamps/b");
    assert_int_equal(world->sent_count, 1);
    world_answer(world, 0, "127.1.0.1", "on");
    assert_int_equal(world->sent_count, 2);
    world_answer(world, 1, "127.1.0.1", "on");
    world_advance(world, 5 * SECOND);
    assert_int_equal(first.reply.summary.joined_ms, 0);
    assert_int_equal(second.reply.summary.joined_ms, 13);
    assert_int_equal(waiting.reply.summary.joined_ms, 0);
    assert_int_equal(joined_waiting.reply.summary.joined_ms, 0); /* it went out after both */
    assert_null(strstr(first.text, "joined_ms"));
    assert_non_null(strstr(second.text, ",\"joined_ms\":13}"));
}

static void test_even_the_shortest_time_before_counts(void **state) {
    struct world *world = *state;
    struct call first, second;
    world_get(world, &first, "/lamps");
    world_get(world, &second, "/lamps");
    world_advance(world, 2 * SECOND);
    assert_int_equal(second.reply.summary.joined_ms, 1);
}

/* PUT, its reply, then GET: what answers must not have been asked before the PUT. */
static void test_what_is_asked_after_a_change_joins_nothing_from_before(void **state) {
    struct world *world = *state;
    struct call before, change, after, elsewhere, elsewhere_after;
    world->config->group.nstart = 10;
    world_mapping(world, "pair")->targets[0].group = address("224.0.1.189");
    world_get(world, &before, "/lamps");
    world_get(world, &elsewhere, "/pair");
    assert_int_equal(world->sent_count, 3);
    world_new(world, &change, "/lamps")->method = CG_PUT;
    world_go(world, &change);
    assert_int_equal(world->sent_count, 4);
    world_get(world, &after, "/lamps");
    assert_int_equal(world->sent_count, 5);
    world_get(world, &elsewhere_after, "/pair"); /* other groups have not changed */
    assert_int_equal(world->sent_count, 5);
    world_advance(world, 2 * SECOND);
    assert_int_equal(after.reply.summary.joined_ms, 0);
}

static void test_requests_are_equal_when_all_their_bytes_are(void **state) {
    struct world *world = *state;
    struct call first, second;
    world->config->group.nstart = 10;
    world_get(world, &first, "/lamps/a");
    world_get(world, &second, "/lamps/b");
    assert_int_equal(world->sent_count, 2);
    world_answer(world, 0, "127.1.0.1", "a's");
    world_answer(world, 1, "127.1.0.1", "b's");
    world_advance(world, 2 * SECOND);
    assert_null(strstr(first.text, "b's"));
    assert_null(strstr(second.text, "a's"));
}

static void test_unsafe_and_answered_casts_are_not_shared(void **state) {
    struct world *world = *state;
    struct call calls[4];
    world->config->group.nstart = 10;
    for (int i = 0; i < 2; i++) {
        struct cg_request *request = world_new(world, &calls[i], "/lamps");
        request->method = CG_PUT;
        world_go(world, &calls[i]);
    }
    assert_int_equal(world->sent_count, 2);
    world_get(world, &calls[2], "/lamps");
    world_answer(world, 2, "127.1.0.1", "on");
    world_get(world, &calls[3], "/lamps"); /* would miss the first answer */
    assert_int_equal(world->sent_count, 3);
    world_advance(world, 50000); /* for which it waits, as others ask the same */
    assert_int_equal(world->sent_count, 4);
    world_advance(world, 2 * SECOND);
    for (int i = 0; i < 4; i++) call_fini(&calls[i]);
}

/* Members may have decided on their leisure by then. */
static void test_nobody_joins_after_50_ms(void **state) {
    struct world *world = *state;
    struct call first, second, third;
    world->config->group.nstart = 10;
    world_get(world, &first, "/lamps");
    world_advance(world, 49999);
    world_get(world, &second, "/lamps");
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 1);
    world_get(world, &third, "/lamps");
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 2 * SECOND);
    assert_int_equal(second.reply.summary.joined_ms, 50);
    assert_int_equal(third.reply.summary.joined_ms, 0);
}

static void test_nstart_and_its_end(void **state) { /* R38 */
    struct world *world = *state;
    struct call first, second, third;
    world_get(world, &first, "/lamps/a");
    world_get(world, &second, "/lamps/b");
    world_get(world, &third, "/pair"); /* shares the first group, not the second */
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 2 * SECOND); /* the silent first one ends, the next goes */
    assert_int_equal(first.replies, 1);
    assert_true(world->sent_count >= 3);
    world_advance(world, 10 * SECOND);
    assert_int_equal(second.replies + second.problems, 1);
    assert_int_equal(third.replies + third.problems, 1);
}

/* Who has not answered within leisure has not heard it: the next request goes, and what comes late is taken. */
static void test_a_silent_cast_holds_its_groups_turn_for_leisure(void **state) {
    struct world *world = *state;
    struct call first, second;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    lamps->timeout_us = lamps->max_timeout_us = 30 * SECOND;
    lamps->leisure = 1.5;
    world_get(world, &first, "/lamps/a");
    world_get(world, &second, "/lamps/b");
    world_advance(world, 3 * SECOND / 2 - 1);
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 1);
    assert_int_equal(world->sent_count, 2);
    world_answer(world, 0, "127.1.0.1", "late");
    world_advance(world, 40 * SECOND);
    assert_int_equal(first.reply.summary.answered, 1);
    assert_int_equal(second.reply.summary.answered, 0);
}

/* It was asked by unicast and has answered: the multicast is no longer outstanding, though nobody has heard it. */
static void test_a_unicast_answer_frees_the_groups_turn(void **state) {
    struct world *world = *state;
    struct call first, second;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->timeout_us = lamps->max_timeout_us = 10 * SECOND;
    lamps->repair_unicast = true;
    lamps->leisure = 30; /* half of the time is left for asking */
    world_get(world, &first, "/lamps/a");
    world_get(world, &second, "/lamps/b");
    world_advance(world, 5 * SECOND);
    assert_int_equal(world->sent_count, 3);
    world_answer_as(
        world, 1, "127.1.0.1",
        (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[1].msg.mid, .payload = "on"});
    assert_int_equal(world->sent_count, 4);
    assert_true(cg_addr_is_multicast(&world->sent[3].route.to));
    world_advance(world, 40 * SECOND);
}

/* PROBING_RATE is about silence, which the end of leisure does not end. */
static void test_leisure_refills_no_allowance(void **state) {
    struct world *world = *state;
    struct call first, second;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world->config->group.probing_rate = 1;
    world->config->group.probing_burst = 30;
    lamps->timeout_us = lamps->max_timeout_us = 30 * SECOND;
    lamps->leisure = 1;
    world_get(world, &first, "/lamps/a");
    world_get(world, &second, "/lamps/b");
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 1);
    world_answer(world, 0, "127.1.0.1", "on");
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 100 * SECOND);
}

static void test_a_patient_client_that_joins_waits_on(void **state) {
    struct world *world = *state;
    struct call first, hasty, patient;
    struct cg_request *request = world_new(world, &first, "/lamps/a");
    request->has_timeout = true;
    request->timeout_s = 5; /* holds the group, which stays silent */
    world_go(world, &first);
    request = world_new(world, &hasty, "/lamps/b");
    request->has_timeout = true;
    request->timeout_s = 1;
    world_go(world, &hasty);
    request = world_new(world, &patient, "/lamps/b");
    request->has_timeout = true;
    request->timeout_s = 10;
    world_go(world, &patient);
    world_advance(world, 5 * SECOND);
    assert_int_equal(world->sent_count, 2); /* their turn has come */
    world_answer(world, 1, "127.1.0.1", "on");
    world_advance(world, 10 * SECOND);
    assert_int_equal(patient.reply.summary.answered, 1);
}

static void test_silent_groups_are_paced(void **state) { /* R38 */
    struct world *world = *state;
    world->config->group.probing_rate = 2;
    world->config->group.probing_burst = 100;
    world_mapping(world, "lamps")->timeout_us = SECOND;
    world->config->limits.exchanges_per_client = 1000;
    size_t bytes = 0;
    unsigned refused = 0;
    uint64_t began = world->now_us;
    for (int i = 0; i < 60; i++) {
        struct call call;
        world_get(world, &call, "/lamps");
        world_advance(world, 2 * SECOND);
        refused += call.problems;
        if (call.problems > 0) {
            assert_int_equal(call.problem.err, CG_E_RATE);
            assert_non_null(strstr(call.problem.detail, "group.probing_rate"));
            assert_true(call.problem.retry_after > 0);
        }
    }
    for (size_t i = 0; i < world->sent_count; i++) bytes += world->sent[i].len;
    double seconds = (double)(world->now_us - began) / 1e6;
    assert_true((double)bytes <= 100 + 2 * seconds);
    assert_true(refused > 0);
    assert_true(world->sent_count > 10);
    /* one answer, and the group is no longer silent */
    struct call call;
    world_advance(world, 60 * SECOND);
    size_t before = world->sent_count;
    for (int i = 0; i < 20; i++) {
        world_get(world, &call, "/lamps");
        world_answer(world, world->sent_count - 1, "127.1.0.1", "on");
        world_advance(world, SECOND);
        assert_int_equal(call.replies, 1);
    }
    assert_int_equal(world->sent_count, before + 20);
}

/* A late PUT would surprise whoever gave up on it. */
static void test_nothing_is_sent_for_a_client_that_left(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *pair = world_mapping(world, "pair");
    pair->targets[1].group = pair->targets[0].group; /* the second request waits for the group's turn */
    world_new(world, &call, "/pair")->method = CG_PUT;
    world_go(world, &call);
    assert_int_equal(world->sent_count, 1);
    cg_gateway_abandon(world->gateway, call.ticket);
    world_advance(world, 10 * SECOND);
    assert_int_equal(world->sent_count, 1);
    assert_int_equal(world->gateway->engine.legs.used, 0);
}

static void get_as(struct world *world, struct call *call, unsigned client, unsigned number) {
    struct cg_request *request = world_new(world, call, "/lamps");
    char *query = cg_arena_alloc(cg_gateway_arena(world->gateway, call->ticket), 24);
    assert_non_null(query);
    snprintf(query, 24, "n=%u.%u", client, number);
    request->query = cg_slice_str(query);
    request->from = address("10.0.0.0:1000");
    request->from.ip[3] = (uint8_t)client;
    world_go(world, call);
}

/* Whoever has many requests waiting delays another's by one. */
static void test_clients_take_turns(void **state) { /* R38 */
    struct world *world = *state;
    struct call greedy[40], other;
    world->config->limits.exchanges_per_client = 1000;
    for (unsigned i = 0; i < 40; i++) get_as(world, &greedy[i], 1, i);
    get_as(world, &other, 2, 0);
    assert_int_equal(world->sent_count, 1);
    for (size_t i = 0; i < 2; i++) world_answer(world, i, "127.1.0.1", "on");
    assert_int_equal(world->sent_count, 3);
    assert_non_null(memmem(world->sent[2].bytes, world->sent[2].len, "n=2.0", 5));
    for (size_t i = 2; i < world->sent_count; i++) world_answer(world, i, "127.1.0.1", "on");
    assert_int_equal(world->sent_count, 41);
    world_advance(world, 2 * SECOND);
}

static void test_what_would_wait_in_vain_is_told_to_come_again(void **state) { /* R38 */
    struct world *world = *state;
    struct call calls[100], other;
    unsigned refused = 0;
    world->config->limits.exchanges_per_client = 1000;
    for (unsigned i = 0; i < 100; i++) get_as(world, &calls[i], 1, i);
    for (unsigned i = 0; i < 100; i++) {
        refused += calls[i].problems;
        if (calls[i].problems == 0) continue;
        assert_int_equal(calls[i].problem.err, CG_E_RATE);
        assert_true(calls[i].problem.retry_after > 0);
        assert_non_null(strstr(calls[i].problem.detail, "group.nstart"));
    }
    assert_int_equal(refused, 100 - 1 - CG_QUEUE_OF_CLIENT);
    get_as(world, &other, 2, 0); /* others are not refused for it */
    assert_int_equal(other.problems, 0);
    for (unsigned i = 0; i < 400; i++) { /* more end at once than are looked at in one turn */
        world->now_us += SECOND / 20;
        world_run(world);
    }
    for (unsigned i = 0; i < 100; i++) assert_int_equal(calls[i].replies + calls[i].problems, 1);
}

static bool is_for(const struct emission *sent, const char *path) {
    return memmem(sent->bytes, sent->len, path, strlen(path)) != NULL;
}

static void ask_for_ourselves(struct world *world, struct call *call, const char *path) {
    world_new(world, call, path)->proof = CG_PROOF_GATEWAY;
    world_go(world, call);
}

static void test_what_the_gateway_asks_for_itself_gives_way_to_clients(void **state) {
    struct world *world = *state;
    struct call first, own, second, third;
    const struct cg_target *target = &world_mapping(world, "lamps")->targets[0];
    world_get(world, &first, "/lamps/first");
    ask_for_ourselves(world, &own, "/lamps/own");
    assert_false(cg_cast_is_waited_for(cg_gateway_engine(world->gateway), target));
    world_get(world, &second, "/lamps/second");
    world_get(world, &third, "/lamps/third");
    assert_true(cg_cast_is_waited_for(cg_gateway_engine(world->gateway), target));
    for (size_t i = 0; i < 3; i++) world_answer(world, i, "127.1.0.1", "on");
    assert_int_equal(world->sent_count, 4);
    assert_true(is_for(&world->sent[1], "second"));
    assert_true(is_for(&world->sent[2], "third"));
    assert_true(is_for(&world->sent[3], "own"));
    world_advance(world, 10 * SECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_nothing_is_sent_for_a_client_that_left),
        world_test(test_two_exchanges_on_one_cast),
        world_test(test_a_request_that_joins_a_running_one_says_so),
        world_test(test_even_the_shortest_time_before_counts),
        world_test(test_what_is_asked_after_a_change_joins_nothing_from_before),
        world_test(test_requests_are_equal_when_all_their_bytes_are),
        world_test(test_unsafe_and_answered_casts_are_not_shared),
        world_test(test_nobody_joins_after_50_ms),
        world_test(test_nstart_and_its_end),
        world_test(test_a_silent_cast_holds_its_groups_turn_for_leisure),
        world_test(test_a_unicast_answer_frees_the_groups_turn),
        world_test(test_leisure_refills_no_allowance),
        world_test(test_a_patient_client_that_joins_waits_on),
        world_test(test_silent_groups_are_paced),
        world_test(test_clients_take_turns),
        world_test(test_what_would_wait_in_vain_is_told_to_come_again),
        world_test(test_what_the_gateway_asks_for_itself_gives_way_to_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
