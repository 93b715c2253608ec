/* Whoever hears a plain group request can answer it, from a made-up address: what that makes the gateway send, and how
 * members that nobody has configured are followed all the same. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "legs/ping.h"

enum { FORGED = 2000, LARGE = 1024 };

/* Answers emission `index` with a block of 16 bytes. */
static void answer_block(struct world *world, size_t index, const char *from, uint32_t number, bool more) {
    uint32_t block = number << 4 | (more ? 8 : 0);
    uint8_t value[3] = {(uint8_t)(block >> 16), (uint8_t)(block >> 8), (uint8_t)block};
    struct cg_opt opt = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(value, sizeof value)};
    struct cg_opts options = {.list = &opt, .count = 1};
    struct answer answer = {.code = CG_CODE(2, 5), .mid = 5, .payload = "0123456789abcdef", .options = &options};
    answer.type = CG_NON;
    world_answer_as(world, index, from, answer);
}

static bool is_ping(const struct emission *emission) {
    return emission->len == 4 && emission->msg.type == CG_CON && emission->msg.code == CG_EMPTY;
}

static size_t pings_since(const struct world *world, size_t first) {
    size_t count = 0;
    for (size_t i = first; i < world->sent_count; i++) count += is_ping(&world->sent[i]);
    return count;
}

static size_t bytes_to_hosts_since(const struct world *world, size_t first) {
    size_t bytes = 0;
    for (size_t i = first; i < world->sent_count; i++) {
        if (!cg_addr_is_multicast(&world->sent[i].route.to)) bytes += world->sent[i].len;
    }
    return bytes;
}

static void deliver_empty(struct world *world, const char *from, enum cg_type type, uint16_t mid) {
    uint8_t bytes[] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(world, from, bytes, sizeof bytes);
}

/* FETCH with 60 kB, to a mapping without configured members. */
static void fetch(struct world *world, struct call *call, const char *path) {
    static const uint8_t payload[LARGE];
    struct cg_request *request = world_new(world, call, path);
    assert_non_null(request);
    request->method = CG_FETCH;
    request->payload = cg_slice_of(payload, sizeof payload);
    world_go(world, call);
}

static void expect_refused(struct world *world, struct call *call, unsigned count) {
    world_advance(world, 3 * SECOND);
    assert_int_equal(call->reply.summary.answered, 0);
    assert_int_equal(call->reply.summary.rejected, count);
    assert_non_null(strstr(call->text, "\"reason\":\"unproven-address\""));
    assert_null(strstr(call->text, "blocks-incomplete"));
}

/* And what is asked of another group is answered meanwhile. */
static void expect_others_answered(struct world *world) {
    struct call other;
    size_t sent = world->sent_count;
    world_mapping(world, "pair")->target_count = 1;
    world_mapping(world, "pair")->targets[0].group = address("224.0.1.189");
    world_get(world, &other, "/pair");
    assert_int_equal(world->sent_count, sent + 1);
    world_answer(world, sent, "127.9.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(other.reply.summary.answered, 1);
}

static void test_a_victim_gets_sixteen_pings_and_nothing_else(void **state) {
    struct world *world = *state;
    struct call call;
    char from[32];
    fetch(world, &call, "/lamps");
    for (int i = 0; i < FORGED; i++) {
        snprintf(from, sizeof from, "127.66.6.6:%d", 1000 + i);
        answer_block(world, 0, from, 0, true);
    }
    world_run(world);
    assert_int_equal(world->gateway->engine.endpoints.sealed_bytes, 0); /* no copy of the request waits for them */
    world_advance(world, SECOND);
    assert_int_equal(pings_since(world, 1), 16);
    assert_int_equal(bytes_to_hosts_since(world, 1), 16 * 4);
    expect_others_answered(world);
    expect_refused(world, &call, FORGED);
    world_advance(world, 60 * SECOND);
    assert_int_equal(bytes_to_hosts_since(world, 1), 16 * 4); /* nobody waits for these any more */
    assert_int_equal(world->gateway->totals.pings, 16);
    assert_int_equal(world->gateway->engine.asks, 0);
}

static void test_a_victim_network_gets_what_one_request_may_order(void **state) {
    struct world *world = *state;
    struct call call;
    char from[32];
    fetch(world, &call, "/lamps");
    for (int i = 0; i < FORGED; i++) {
        snprintf(from, sizeof from, "127.66.%d.%d", i / 250, i % 250 + 1);
        answer_block(world, 0, from, 0, true);
    }
    world_advance(world, SECOND);
    assert_int_equal(pings_since(world, 1), CG_STRANGERS_MAX);
    assert_int_equal(bytes_to_hosts_since(world, 1), CG_STRANGERS_MAX * 4);
    expect_others_answered(world);
    expect_refused(world, &call, FORGED);
}

static void test_all_requests_together_order_no_more_than_the_gateway_gives(void **state) {
    struct world *world = *state;
    enum { REQUESTS = 12 };
    struct call calls[REQUESTS];
    char from[32];
    static char paths[REQUESTS][16];
    world->config->group.nstart = REQUESTS;
    world->config->group.probing_burst = 1000000000;
    world_mapping(world, "lamps")->timeout_us = 1000 * SECOND;
    for (int r = 0; r < REQUESTS; r++) {
        snprintf(paths[r], sizeof paths[r], "/lamps/%d", r);
        world_get(world, &calls[r], paths[r]);
    }
    assert_int_equal(world->sent_count, REQUESTS);
    uint64_t began = world->now_us;
    for (int r = 0; r < REQUESTS; r++) {
        for (int i = 0; i < FORGED; i++) {
            snprintf(from, sizeof from, "127.%d.%d.%d", 60 + r, i / 250, i % 250 + 1);
            answer_block(world, (size_t)r, from, 0, true);
        }
    }
    assert_int_equal(pings_since(world, 0), (size_t)CG_PINGS_ALL);
    world_advance(world, 30 * SECOND); /* retransmissions are pings as well */
    double seconds = (double)(world->now_us - began) / 1e6;
    assert_true((double)pings_since(world, 0) <= CG_PINGS_ALL + CG_PINGS_ALL_RATE * seconds);
    expect_others_answered(world);
    world_advance(world, 120 * SECOND); /* and all of it is forgotten, ... */
    world_advance(world, SECOND);       /* in slices */
    assert_int_equal(HASH_COUNT(world->gateway->engine.endpoints.by_addr), 0);
    assert_int_equal(HASH_COUNT(world->gateway->engine.pings.hosts), 0);
    for (int r = 0; r < REQUESTS; r++) call_fini(&calls[r]);
}

static void test_nothing_goes_beyond_link_prefixes_and_settings(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_prefix prefixes[2];
    assert_int_equal(cg_prefix_parse(&prefixes[0], cg_slice_str("10.0.0.0/8")), CG_OK);
    assert_int_equal(cg_prefix_parse(&prefixes[1], cg_slice_str("2001:db8:7::/48")), CG_OK);
    world->config->group.prefixes = prefixes;
    world->config->group.prefix_count = 2;
    world_get(world, &call, "/lamps");
    answer_block(world, 0, "203.0.113.9", 0, true);
    answer_block(world, 0, "[2001:db8:8::9]:5683", 0, true);
    answer_block(world, 0, "224.0.1.187", 0, true);
    assert_int_equal(world->sent_count, 1);
    answer_block(world, 0, "10.9.8.7", 0, true);
    answer_block(world, 0, "[2001:db8:7:1::9]:5683", 0, true);
    answer_block(world, 0, "127.1.0.1", 0, true);
    assert_int_equal(pings_since(world, 1), 3);
    expect_refused(world, &call, 6);
}

static void test_blocks_follow_a_ping_that_is_answered(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    answer_block(world, 0, "127.1.0.1", 0, true);
    assert_int_equal(world->sent_count, 2);
    assert_true(is_ping(&world->sent[1]));
    assert_true(cg_addr_equal(&world->sent[1].route.to,
                              &(struct cg_addr){.family = CG_FAMILY_IPV4, .port = 5683, .ip = {127, 1, 0, 1}}));
    deliver_empty(world, "127.1.0.1", CG_ACK, world->sent[1].msg.mid); /* no ping's answer */
    deliver_empty(world, "127.1.0.1:5684", CG_RST, world->sent[1].msg.mid);
    world_run(world);
    assert_int_equal(world->sent_count, 2);
    deliver_empty(world, "127.1.0.1", CG_RST, world->sent[1].msg.mid);
    world_run(world);
    assert_int_equal(world->sent_count, 3); /* one at a time */
    answer_block(world, 2, "127.1.0.1", 1, true);
    answer_block(world, 3, "127.1.0.1", 2, false);
    world_advance(world, 2 * SECOND);
    assert_int_equal(world->sent_count, 4);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_non_null(strstr(call.text, "\"body\":\"0123456789abcdef0123456789abcdef0123456789abcdef\""));
    world_get(world, &call, "/lamps"); /* known by now */
    answer_block(world, 4, "127.1.0.1", 0, true);
    assert_false(is_ping(&world->sent[5]));
    answer_block(world, 5, "127.1.0.1", 1, false);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    world_advance(world, 400 * SECOND); /* long ago: the address may be somebody else's */
    world_get(world, &call, "/lamps");
    answer_block(world, 6, "127.1.0.1", 0, true);
    assert_true(is_ping(&world->sent[7]));
    expect_refused(world, &call, 1);
}

/* It costs nobody's pings, and is no stranger of the requests that follow. */
static void test_who_has_answered_a_ping_takes_nothing_from_strangers(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    answer_block(world, 0, "127.1.0.1", 0, true);
    deliver_empty(world, "127.1.0.1", CG_RST, world->sent[1].msg.mid);
    world_run(world);
    answer_block(world, 2, "127.1.0.1", 1, false);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    world->gateway->engine.pings.all.left = 0; /* a flood */
    world->gateway->engine.pings.all.filled_us = world->now_us;
    world_get(world, &call, "/lamps");
    answer_block(world, 3, "127.1.0.1", 0, true);
    assert_int_equal(world->sent_count, 5);
    assert_int_equal(world_round(world, &call)->repair.strangers, 0);
    answer_block(world, 4, "127.1.0.1", 1, false);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
}

static void test_who_has_answered_a_request_needs_no_ping(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
    world_get(world, &call, "/pair"); /* where it is not configured */
    answer_block(world, 1, "127.1.0.1", 0, true);
    assert_int_equal(world->sent_count, 4);
    assert_false(is_ping(&world->sent[3]));
    answer_block(world, 3, "127.1.0.1", 1, false);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
}

static void test_an_unanswered_ping_is_repeated_twice(void **state) {
    struct world *world = *state;
    struct call call;
    world_mapping(world, "lamps")->timeout_us = 30 * SECOND;
    world_get(world, &call, "/lamps");
    answer_block(world, 0, "127.1.0.1", 0, true);
    world_advance(world, 2 * SECOND);
    assert_int_equal(pings_since(world, 1), 2);
    assert_memory_equal(world->sent[1].bytes, world->sent[2].bytes, 4);
    world_advance(world, 4 * SECOND);
    assert_int_equal(pings_since(world, 1), 3);
    world_advance(world, 8 * SECOND);
    assert_int_equal(world->gateway->engine.asks, 0);
    deliver_empty(world, "127.1.0.1", CG_RST, world->sent[1].msg.mid); /* too late */
    world_advance(world, 15 * SECOND);
    assert_int_equal(world->sent_count, 4);
    expect_refused(world, &call, 1);
}

static void test_who_guesses_message_ids_proves_nothing(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    answer_block(world, 0, "127.1.0.1", 0, true);
    uint16_t mid = world->sent[1].msg.mid;
    for (uint16_t i = 1; i <= 3; i++) deliver_empty(world, "127.1.0.1", CG_RST, (uint16_t)(mid + i));
    deliver_empty(world, "127.1.0.1", CG_RST, mid);
    world_run(world);
    assert_int_equal(world->sent_count, 2);
    expect_refused(world, &call, 1);
    world_renew(world);
    world->random_state = 43;
    world_get(world, &call, "/lamps");
    answer_block(world, 0, "127.1.0.1", 0, true);
    assert_int_not_equal(world->sent[1].msg.mid, mid);
    deliver_empty(world, "127.1.0.1", CG_RST, (uint16_t)(world->sent[1].msg.mid + 1)); /* two are chance */
    deliver_empty(world, "127.1.0.1", CG_RST, (uint16_t)(world->sent[1].msg.mid + 2));
    deliver_empty(world, "127.1.0.1", CG_RST, world->sent[1].msg.mid);
    world_run(world);
    assert_int_equal(world->sent_count, 3);
    world_advance(world, 2 * SECOND);
}

static void test_configured_members_need_no_ping(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->finish.rule = CG_FINISH_DEADLINE;
    lamps->members[1].addr = address("203.0.113.2"); /* behind a router */
    world_get(world, &call, "/lamps");
    answer_block(world, 0, "203.0.113.2", 0, true);
    assert_int_equal(world->sent_count, 2);
    assert_false(is_ping(&world->sent[1]));
    answer_block(world, 1, "203.0.113.2", 1, false);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    world_get(world, &call, "/lamps");
    answer_block(world, 2, "203.0.113.2:61000", 0, true); /* its host, but who knows the port? */
    assert_true(is_ping(&world->sent[3]));
    deliver_empty(world, "203.0.113.2:61000", CG_RST, world->sent[3].msg.mid);
    world_run(world);
    answer_block(world, 4, "203.0.113.2:61000", 1, false);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
}

/* Answers whatever is asked of it: pings, and blocks without end. */
static void serve_endlessly(struct world *world, size_t *next, const char *host) {
    struct cg_addr addr = address(host);
    for (; *next < world->sent_count; ++*next) {
        const struct emission *emission = &world->sent[*next];
        uint32_t block = 0;
        if (!cg_addr_equal(&emission->route.to, &addr)) continue;
        if (is_ping(emission)) {
            deliver_empty(world, host, CG_RST, emission->msg.mid);
        } else if (cg_msg_find_uint(&emission->msg, CG_OPT_BLOCK2, &block)) {
            answer_block(world, *next, host, block >> 4, true);
        }
        world_run(world);
    }
}

static void test_blocks_without_end_have_an_end(void **state) {
    struct world *world = *state;
    struct call call;
    world->config->limits.answer = 1 << 16;
    world_get(world, &call, "/lamps");
    size_t next = 1;
    answer_block(world, 0, "127.1.0.1", 0, true);
    serve_endlessly(world, &next, "127.1.0.1");
    assert_int_equal(world->sent_count, 1 + 1 + 1024);
    answer_block(world, 0, "127.1.0.1", 0, true); /* again, from the beginning */
    serve_endlessly(world, &next, "127.1.0.1");
    assert_int_equal(world->sent_count, 1 + 1 + 1024);
    expect_others_answered(world);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 0);
    assert_int_equal(call.reply.summary.rejected, 2);
    assert_non_null(strstr(call.text, "\"reason\":\"blocks-incomplete\""));
}

static void test_large_answers_are_followed_as_far_as_the_limit_allows(void **state) {
    struct world *world = *state;
    struct call call;
    world->config->limits.answer = 1 << 20;
    world_get(world, &call, "/lamps");
    size_t next = 1;
    answer_block(world, 0, "127.1.0.1", 0, true);
    for (int second = 0; second < 2; second++) serve_endlessly(world, &next, "127.1.0.1");
    assert_true(world->sent_count > 1 + 1 + 4000); /* strangers' burst; in time it would be 16384 */
    world_advance(world, 2 * SECOND);
}

static void prove(struct world *world, const char *from) {
    size_t ping = world->sent_count;
    answer_block(world, 0, from, 0, true);
    assert_true(is_ping(&world->sent[ping]));
    deliver_empty(world, from, CG_RST, world->sent[ping].msg.mid);
}

/* 500 a second when the burst is spent. */
static void test_the_next_request_to_a_stranger_goes_out_when_there_is_one(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    world_run(world);
    prove(world, "127.66.6.1");
    prove(world, "127.66.6.2");
    assert_int_equal(world->sent_count, 3);
    assert_true(world->gateway->engine.endpoints.strangers.left == 4096);
    world->gateway->engine.endpoints.strangers = (struct cg_allowance){.left = 1, .filled_us = world->now_us};
    world_run(world);
    assert_int_equal(world->sent_count, 4); /* the last one */
    world_advance(world, 1999);
    assert_int_equal(world->sent_count, 4);
    world_advance(world, 2);
    assert_int_equal(world->sent_count, 5);
    world_advance(world, 2 * SECOND);
}

static void test_strangers_together_are_paced_and_members_are_not(void **state) {
    struct world *world = *state;
    enum { STRANGERS = 8 };
    struct call call;
    char from[32];
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->finish.rule = CG_FINISH_DEADLINE;
    lamps->timeout_us = 4 * SECOND;
    world_get(world, &call, "/lamps");
    uint64_t began = world->now_us;
    for (int i = 0; i < STRANGERS; i++) {
        snprintf(from, sizeof from, "127.66.6.%d", i + 1);
        answer_block(world, 0, from, 0, true);
    }
    size_t next[STRANGERS];
    for (int i = 0; i < STRANGERS; i++) next[i] = 1;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < STRANGERS; i++) {
            snprintf(from, sizeof from, "127.66.6.%d", i + 1);
            serve_endlessly(world, &next[i], from);
        }
        world_advance(world, SECOND / 100);
    }
    double seconds = (double)(world->now_us - began) / 1e6;
    size_t asked = world->sent_count - 1 - STRANGERS;
    assert_true((double)asked <= 4096 + 500 * seconds + 1);
    assert_true((double)asked >= 4096 + 400 * seconds); /* and they do go on */
    size_t sent = world->sent_count;
    answer_block(world, 0, "127.1.0.1", 0, true); /* a member's blocks do not wait behind theirs */
    assert_int_equal(world->sent_count, sent + 1);
    answer_block(world, sent, "127.1.0.1", 1, false);
    world_advance(world, 4 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_a_victim_gets_sixteen_pings_and_nothing_else),
        world_test(test_a_victim_network_gets_what_one_request_may_order),
        world_test(test_all_requests_together_order_no_more_than_the_gateway_gives),
        world_test(test_nothing_goes_beyond_link_prefixes_and_settings),
        world_test(test_blocks_follow_a_ping_that_is_answered),
        world_test(test_who_has_answered_a_ping_takes_nothing_from_strangers),
        world_test(test_who_has_answered_a_request_needs_no_ping),
        world_test(test_an_unanswered_ping_is_repeated_twice),
        world_test(test_who_guesses_message_ids_proves_nothing),
        world_test(test_configured_members_need_no_ping),
        world_test(test_blocks_without_end_have_an_end),
        world_test(test_large_answers_are_followed_as_far_as_the_limit_allows),
        world_test(test_the_next_request_to_a_stranger_goes_out_when_there_is_one),
        world_test(test_strangers_together_are_paced_and_members_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
