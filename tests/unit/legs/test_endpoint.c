/* What RFC 7252 counts for each remote address: outstanding requests (§4.7), Message IDs (§4.4), and how long. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "legs/endpoint.h"

enum { CALLS = 10 };

/* "lamps" has one member, which is asked by unicast, and time. */
static void patient_init(struct world *world) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 1);
    lamps->timeout_us = lamps->max_timeout_us = 1000 * SECOND;
}

static void ask_each(struct world *world, struct call calls[CALLS]) {
    static char paths[CALLS][16]; /* read when it is a request's turn */
    for (int i = 0; i < CALLS; i++) {
        snprintf(paths[i], sizeof paths[i], "/lamps/%d", i);
        world_get(world, &calls[i], paths[i]);
    }
}

static void deliver_empty(struct world *world, enum cg_type type, uint16_t mid) {
    uint8_t bytes[] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(world, "127.1.0.1", bytes, sizeof bytes);
}

static bool ask_the_same(const struct cg_msg *one, const struct cg_msg *other) {
    return cg_slice_equal(one->options, other->options);
}

static uint16_t last_mid(const struct world *world) { return world->sent[world->sent_count - 1].msg.mid; }

/* Every way in which an interaction ends frees the place, and nothing else does. */
static void test_one_request_at_a_time_to_one_member(void **state) { /* RFC 7252 §4.7 */
    struct world *world = *state;
    struct call calls[CALLS];
    patient_init(world);
    ask_each(world, calls);
    assert_int_equal(world->sent_count, 1);
    deliver_empty(world, CG_ACK, last_mid(world));
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->sent_count, 1); /* the response is still expected */
    world_answer(world, 0, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(world->sent_count, 2);
    deliver_empty(world, CG_RST, last_mid(world));
    world_run(world);
    assert_int_equal(world->sent_count, 3);
    cg_gateway_abandon(world->gateway, calls[2].ticket);
    world_run(world);
    assert_int_equal(world->sent_count, 4);
    size_t before = world->sent_count - 1;
    world_advance(world, 94 * SECOND); /* MAX_TRANSMIT_WAIT: given up */
    assert_true(world->sent_count > before + 5);
    assert_true(ask_the_same(&world->sent[before + 4].msg, &world->sent[before].msg));
    assert_false(ask_the_same(&world->sent[before + 5].msg, &world->sent[before].msg));
    assert_int_equal(calls[0].replies, 1);
    for (int i = 0; i < CALLS; i++) {
        cg_gateway_abandon(world->gateway, calls[i].ticket);
    }
    world_run(world);
    assert_int_equal(world->gateway->engine.asks, 0);
    assert_int_equal(world->gateway->engine.endpoints.sealed_bytes, 0);
}

static void test_nstart_counts_for_members_too(void **state) { /* RFC 7252 §4.7 */
    struct world *world = *state;
    struct call calls[CALLS];
    patient_init(world);
    world->config->group.nstart = 3;
    ask_each(world, calls);
    assert_int_equal(world->sent_count, 3);
    world_answer(world, 1, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(world->sent_count, 4);
    for (int i = 0; i < CALLS; i++) call_fini(&calls[i]);
}

static void test_who_waits_holds_nothing_sealed(void **state) {
    struct world *world = *state;
    struct call calls[CALLS];
    patient_init(world);
    ask_each(world, calls);
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < world->gateway->engine.legs.cap; i++) {
        struct cg_leg *leg = world->gateway->engine.legs.slots[i].item;
        if (leg == NULL || cg_ask_of(leg)->turn.flies) continue;
        assert_null(leg->sending.datagram.data);
        assert_null(leg->sending.token);
        waiting++;
    }
    assert_int_equal(waiting, CALLS - 1);
    for (int i = 0; i < CALLS; i++) call_fini(&calls[i]);
}

static void answer_block(struct world *world, size_t index, uint8_t number) {
    uint8_t value = (uint8_t)(number << 4 | 8); /* more, 16 bytes */
    struct cg_opt opt = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(&value, 1)};
    struct cg_opts options = {.list = &opt, .count = 1};
    world_answer_as(
        world, index, "127.1.0.1",
        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .payload = "0123456789abcdef", .options = &options});
}

/* The next block stands behind whoever came in between. */
static void test_who_leaves_while_its_next_block_waits_frees_nobodys_place(void **state) { /* RFC 7252 §4.7 */
    struct world *world = *state;
    struct call large, between, after;
    patient_init(world);
    world_get(world, &large, "/lamps/a");
    answer_block(world, 0, 0);
    assert_int_equal(world->sent_count, 2);
    world_get(world, &between, "/lamps/b");
    answer_block(world, 1, 1);
    assert_int_equal(world->sent_count, 3); /* the one in between */
    world_get(world, &after, "/lamps/c");
    cg_gateway_abandon(world->gateway, large.ticket);
    world_advance(world, SECOND / 20);
    assert_int_equal(world->sent_count, 3);
    world_answer(world, 2, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(between.reply.summary.answered, 1);
    assert_int_equal(world->sent_count, 4);
    world_answer(world, 3, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(after.reply.summary.answered, 1);
    assert_int_equal(world->gateway->engine.endpoints.sealed_bytes, 0);
}

/* A client that left is only marked until its exchange's turn. */
static void test_nothing_is_asked_for_a_client_that_left(void **state) {
    struct world *world = *state;
    struct call large, gone;
    uint32_t block;
    patient_init(world);
    world_get(world, &large, "/lamps/a");
    answer_block(world, 0, 0);
    world_get(world, &gone, "/lamps/b");
    cg_gateway_abandon(world->gateway, gone.ticket);
    answer_block(world, 1, 1);
    assert_int_equal(world->sent_count, 3);
    assert_true(cg_msg_find_uint(&world->sent[2].msg, CG_OPT_BLOCK2, &block)); /* the other one's next */
    cg_gateway_stop(world->gateway);
    cg_gateway_finish_all(world->gateway);
    answer_block(world, 2, 2);
    assert_int_equal(world->sent_count, 3); /* and none for anybody at the end */
    world_run(world);
    assert_int_equal(large.reply.summary.rejected, 1);
}

static void test_its_time_begins_when_it_is_asked(void **state) {
    struct world *world = *state;
    struct call first, second, third;
    patient_init(world);
    world_mapping(world, "lamps")->timeout_us = 2 * SECOND;
    world_get(world, &first, "/lamps/a");
    world_get(world, &second, "/lamps/b");
    world_advance(world, 2 * SECOND); /* nobody answers the first */
    assert_int_equal(first.reply.summary.missing, 1);
    world_advance(world, SECOND + SECOND / 2);
    world_answer(world, world->sent_count - 1, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(second.reply.summary.answered, 1);
    assert_int_equal(second.reply.summary.ms, 1500);
    world_get(world, &third, "/lamps/c");
    world_advance(world, 2 * SECOND - 1);
    assert_int_equal(third.replies, 0);
    world_advance(world, 1);
    assert_int_equal(third.replies, 1);
}

static void test_whose_turn_does_not_come_is_told_so(void **state) {
    struct world *world = *state;
    struct call first, second;
    patient_init(world);
    world_get(world, &first, "/lamps/a");
    struct cg_request *request = world_new(world, &second, "/lamps/b");
    request->has_timeout = true;
    request->timeout_s = 3;
    world_go(world, &second);
    deliver_empty(world, CG_ACK, last_mid(world)); /* and then says nothing more */
    world_advance(world, 6 * SECOND - 1);
    assert_int_equal(second.problems, 0);
    world_advance(world, 1);
    assert_int_equal(second.replies, 0);
    assert_int_equal(second.problem.err, CG_E_RATE); /* not "silent": it was never asked */
    assert_non_null(strstr(second.problem.detail, "group.nstart"));
    assert_true(second.problem.retry_after > 0);
    assert_int_equal(world->sent_count, 1);
}

static void test_stopping_asks_nobody_more(void **state) {
    struct world *world = *state;
    struct call first, second;
    patient_init(world);
    world_get(world, &first, "/lamps/a");
    world_get(world, &second, "/lamps/b");
    cg_gateway_stop(world->gateway);
    cg_gateway_finish_all(world->gateway);
    world_run(world);
    assert_int_equal(world->sent_count, 1);
    assert_int_equal(first.reply.summary.missing, 1);
    assert_int_equal(second.problem.err, CG_E_STOPPING);
}

static void test_a_turn_that_comes_to_nothing_is_told_at_once(void **state) {
    struct world *world = *state;
    struct call first, second;
    patient_init(world);
    world_get(world, &first, "/lamps/a");
    world_get(world, &second, "/lamps/b");
    world_answer(world, 0, "127.1.0.1", "on");
    world->emit_error = CG_E_EMIT;
    world_run(world);
    assert_int_equal(first.replies, 1);
    assert_int_equal(second.problem.err, CG_E_EMIT);
}

static void test_message_ids_count_for_each_address(void **state) { /* RFC 7252 §4.4 */
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 3);
    lamps->repair_unicast = true;
    lamps->leisure = 5; /* half the time is shorter */
    world->config->group.nstart = 100;
    uint16_t mids[2][4];
    for (int round = 0; round < 2; round++) {
        size_t at = world->sent_count;
        world_get(world, &call, "/lamps");
        world_advance(world, SECOND);
        assert_int_equal(world->sent_count, at + 4);
        for (size_t i = 0; i < 4; i++) mids[round][i] = world->sent[at + i].msg.mid;
        world_advance(world, SECOND);
    }
    for (int i = 0; i < 4; i++) assert_int_equal(mids[1][i] & 0x7fff, (mids[0][i] + 1) & 0x7fff);
    assert_int_equal(mids[0][0] & CG_MID_UNICAST, 0); /* a group request is never taken for a unicast one */
    for (int i = 1; i < 4; i++) {
        assert_int_equal(mids[0][i] & CG_MID_UNICAST, CG_MID_UNICAST);
        assert_int_not_equal(mids[0][i] & 0x7fff, (mids[0][0] + i) & 0x7fff); /* nobody's next is another's */
    }
    assert_int_not_equal(mids[0][1], mids[0][2]);
}

/* Asks and answers at one time, until nothing more goes out. Returns how many went; every one has a Message ID of its
 * own. */
static uint32_t ask_until_it_waits(struct world *world, struct call *waiting) {
    static bool taken[1 << 15];
    memset(taken, 0, sizeof taken);
    for (uint32_t count = 0;; count++) {
        size_t sent = world->sent_count;
        world_get(world, waiting, "/lamps");
        if (world->sent_count == sent) return count;
        uint16_t mid = last_mid(world) & 0x7fff;
        assert_false(taken[mid]);
        taken[mid] = true;
        world_answer(world, sent, "127.1.0.1", "on");
        world_run(world);
        assert_int_equal(waiting->reply.summary.answered, 1);
    }
}

/* There are 2^15 of them for an address; whoever would repeat one waits. */
static void test_no_message_id_is_repeated_in_its_lifetime(void **state) { /* RFC 7252 §4.4, §4.8.2 */
    struct world *world = *state;
    struct call waiting;
    patient_init(world);
    for (int round = 0; round < 2; round++) {
        uint32_t count = ask_until_it_waits(world, &waiting);
        assert_true(count > (1 << 15) * 3 / 4 && count <= 1 << 15);
        size_t sent = world->sent_count;
        world_advance(world, 247 * SECOND - 1);
        assert_int_equal(world->sent_count, sent);
        world_advance(world, 1);
        assert_int_equal(world->sent_count, sent + 1);
        world_answer(world, sent, "127.1.0.1", "on");
        world_advance(world, 247 * SECOND);
        assert_int_equal(waiting.reply.summary.answered, 1);
    }
}

/* Nobody else waits with it. */
static void test_another_address_has_message_ids_of_its_own(void **state) {
    struct world *world = *state;
    struct call waiting, other;
    patient_init(world);
    struct cg_mapping *pair = world_mapping(world, "pair");
    world_add_members(world, pair, 1);
    pair->members[0].addr.ip[3] = 2;
    pair->target_count = 1;
    ask_until_it_waits(world, &waiting);
    size_t sent = world->sent_count;
    world_get(world, &other, "/pair");
    assert_int_equal(world->sent_count, sent + 1);
    cg_gateway_abandon(world->gateway, waiting.ticket);
    cg_gateway_abandon(world->gateway, other.ticket);
    world_advance(world, 600 * SECOND); /* nobody waits any more: the row goes, too */
    assert_int_equal(HASH_COUNT(world->gateway->engine.endpoints.by_addr), 0);
}

static void test_a_message_id_counts_for_its_address_alone(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    world_get(world, &call, "/lamps");
    uint16_t mid = last_mid(world);
    uint8_t rst[] = {0x70, 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(world, "127.1.0.1:5684", rst, sizeof rst); /* another port */
    deliver_empty(world, CG_RST, (uint16_t)(mid + 1));
    world_run(world);
    assert_int_equal(world->gateway->engine.asks, 1);
    deliver_empty(world, CG_RST, mid);
    world_run(world);
    assert_int_equal(world->gateway->engine.asks, 0);
}

static void test_an_address_is_not_forgotten_while_its_answer_is_awaited(void **state) {
    struct world *world = *state;
    struct call call;
    patient_init(world);
    world_get(world, &call, "/lamps");
    deliver_empty(world, CG_ACK, last_mid(world));
    world_advance(world, 400 * SECOND);
    assert_int_equal(HASH_COUNT(world->gateway->engine.endpoints.by_addr), 1);
    world_answer(world, 0, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
}

static void test_an_address_is_forgotten_when_its_message_ids_are(void **state) { /* RFC 7252 §4.8.2 */
    struct world *world = *state;
    struct call call;
    patient_init(world);
    world_mapping(world, "lamps")->timeout_us = 2 * SECOND;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 246 * SECOND);
    assert_int_equal(HASH_COUNT(world->gateway->engine.endpoints.by_addr), 1);
    world_advance(world, 61 * SECOND);
    assert_int_equal(HASH_COUNT(world->gateway->engine.endpoints.by_addr), 0);
}

/* Retransmission needs the bytes, so what may be under way is bounded; everybody is asked all the same. */
static void test_what_is_under_way_is_bounded_in_bytes(void **state) {
    struct world *world = *state;
    enum { EXCHANGES = 8, MEMBERS = 200, PAYLOAD = 60000, MOST = 8 << 20 };
    struct call calls[EXCHANGES];
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, MEMBERS);
    lamps->security = CG_SECURITY_RELAY; /* what clients protect goes as it is, however large */
    lamps->repair_unicast = true;
    lamps->timeout_us = lamps->max_timeout_us = 90 * SECOND;
    lamps->leisure = 90; /* half the time is shorter */
    world->config->group.nstart = 100;
    world->config->group.probing_burst = 1000000000;
    uint8_t *payload = calloc(1, PAYLOAD);
    assert_non_null(payload);
    for (int i = 0; i < EXCHANGES; i++) {
        struct cg_request *request = world_new(world, &calls[i], "/lamps");
        request->method = CG_FETCH;
        payload[0] = (uint8_t)i;
        struct cg_arena *arena = cg_gateway_arena(world->gateway, calls[i].ticket);
        request->payload = cg_arena_copy(arena, cg_slice_of(payload, PAYLOAD));
        world_go(world, &calls[i]);
    }
    world_advance(world, 46 * SECOND);
    size_t under_way = world->sent_count - EXCHANGES;
    assert_true(under_way > 100 && under_way * PAYLOAD <= MOST);
    assert_true(world->gateway->engine.endpoints.sealed_bytes <= MOST);
    for (size_t i = EXCHANGES; i < world->sent_count; i++) { /* each answers at once: the next may go */
        if (world->sent[i].msg.type != CG_CON) continue;
        char from[CG_ADDR_TEXT_MAX];
        cg_addr_emit(&world->sent[i].route.to, from);
        world_answer(world, i, from, "on");
        world_run(world);
        assert_true(world->gateway->engine.endpoints.sealed_bytes <= MOST);
    }
    for (int i = 0; i < EXCHANGES; i++) {
        assert_int_equal(calls[i].reply.summary.answered, MEMBERS);
    }
    assert_int_equal(world->gateway->engine.endpoints.sealed_bytes, 0);
    free(payload);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_one_request_at_a_time_to_one_member),
        world_test(test_nstart_counts_for_members_too),
        world_test(test_who_waits_holds_nothing_sealed),
        world_test(test_who_leaves_while_its_next_block_waits_frees_nobodys_place),
        world_test(test_nothing_is_asked_for_a_client_that_left),
        world_test(test_its_time_begins_when_it_is_asked),
        world_test(test_whose_turn_does_not_come_is_told_so),
        world_test(test_stopping_asks_nobody_more),
        world_test(test_a_turn_that_comes_to_nothing_is_told_at_once),
        world_test(test_message_ids_count_for_each_address),
        world_test(test_no_message_id_is_repeated_in_its_lifetime),
        world_test(test_another_address_has_message_ids_of_its_own),
        world_test(test_a_message_id_counts_for_its_address_alone),
        world_test(test_an_address_is_not_forgotten_while_its_answer_is_awaited),
        world_test(test_an_address_is_forgotten_when_its_message_ids_are),
        world_test(test_what_is_under_way_is_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
