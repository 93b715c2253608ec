/* Unicast requests of a round beside what else comes of their members: who has answered is asked no more, and who is
 * slow is heard until the round ends, though nothing of it is in anybody's way. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

#define BLOCK "0123456789abcdef" /* 16 bytes */

enum { DATAGRAMS = 5 /* MAX_RETRANSMIT and the first */, AT_ONCE = 32 };

/* "lamps" has so many members, is repaired after a second, and collects for all of its time. */
static struct cg_mapping *set_up(struct world *world, unsigned members) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, members);
    lamps->timeout_us = lamps->max_timeout_us = 1000 * SECOND;
    lamps->repair_unicast = true;
    lamps->leisure = 1;
    lamps->finish.rule = CG_FINISH_DEADLINE;
    return lamps;
}

/* The first of two answers, the second is asked, by datagram 1. */
static void ask_the_second(struct world *world, struct call *call) {
    set_up(world, 2);
    world_get(world, call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_int_equal(world->sent[1].route.to.ip[3], 2);
}

static void put_block(struct world *world, size_t index, const char *from) {
    uint8_t value[] = {8}; /* the first, of 16 bytes, and more follow */
    struct cg_opt block = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(value, sizeof value)};
    struct cg_opts options = {.list = &block, .count = 1};
    world_answer_as(
        world, index, from,
        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = 5, .payload = BLOCK, .options = &options});
    world_run(world);
}

static void answer_on_ack(struct world *world, size_t index, const char *from, const char *payload) {
    struct answer answer = {.type = CG_ACK, .code = CG_CODE(2, 5), .payload = payload};
    answer.mid = world->sent[index].msg.mid;
    world_answer_as(world, index, from, answer);
    world_run(world);
}

static const struct cg_endpoint *endpoint_of(struct world *world, const struct cg_addr *to) {
    return cg_endpoint_find(cg_gateway_engine(world->gateway), to);
}

static size_t asked_of(const struct world *world, unsigned member) {
    size_t count = 0;
    for (size_t i = 0; i < world->sent_count; i++) {
        const struct cg_addr *to = &world->sent[i].route.to;
        count += !cg_addr_is_multicast(to) && to->ip[3] == member;
    }
    return count;
}

/* Answered otherwise */

static void who_answers_the_group_request_late_is_asked_no_more(void **state) {
    struct world *world = *state;
    struct call call;
    ask_the_second(world, &call);
    world_answer(world, 0, "127.1.0.2", "late");
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_int_equal(endpoint_of(world, &world->sent[1].route.to)->outstanding, 0);
    assert_int_equal(world_round(world, &call)->repair.running, 0);
    call_fini(&call);
}

/* Its place at the address is free for the blocks that follow. */
static void who_begins_to_answer_in_blocks_is_asked_for_these_alone(void **state) {
    struct world *world = *state;
    struct call call;
    ask_the_second(world, &call);
    put_block(world, 0, "127.1.0.2");
    assert_int_equal(world->sent_count, 3); /* for the second block, nstart is 1 */
    struct cg_slice block;
    assert_true(cg_msg_find(&world->sent[2].msg, CG_OPT_BLOCK2, &block));
    world_advance(world, SECOND * 3 / 2);
    for (size_t i = 2; i < world->sent_count; i++) assert_true(cg_msg_find(&world->sent[i].msg, CG_OPT_BLOCK2, &block));
    call_fini(&call);
}

/* It waits for another request to the same address, and never goes out. */
static void who_answers_before_its_turn_is_not_asked(void **state) {
    struct world *world = *state;
    struct call first, second;
    ask_the_second(world, &first);
    struct cg_request *request = world_new(world, &second, "/lamps");
    request->method = CG_PUT;
    world_go(world, &second);
    assert_int_equal(world->sent_count, 3);
    world_answer(world, 2, "127.1.0.1", "on");
    world_advance(world, SECOND);
    world_answer(world, 2, "127.1.0.2", "on");
    world_run(world);
    assert_null(world_round(world, &second)->repair.asks);
    call_fini(&second);
    call_fini(&first);
}

/* Slow members */

static void who_is_slow_is_heard_after_the_last_repetition(void **state) {
    struct world *world = *state;
    struct call call;
    ask_the_second(world, &call);
    world_advance(world, 100 * SECOND);
    assert_true(asked_of(world, 2) > DATAGRAMS); /* the next ask has begun, and the one before is answered */
    answer_on_ack(world, DATAGRAMS, "127.1.0.2", "at last");
    world_advance(world, 1000 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_non_null(strstr(call.text, "\"body\":\"at last\""));
    assert_null(world->gateway->engine.tokens.live);
    call_fini(&call);
}

/* POST is asked for once, of one who hears no group request. */
static void meanwhile_it_holds_nothing(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 3)->members[1].is_unicast_only = true;
    world_new(world, &call, "/lamps")->method = CG_POST;
    world_go(world, &call);
    world_advance(world, 100 * SECOND);
    assert_int_equal(asked_of(world, 2), DATAGRAMS);
    const struct cg_engine *engine = cg_gateway_engine(world->gateway);
    assert_int_equal(engine->asks, 1);
    assert_int_equal(engine->endpoints.sealed_bytes, 0);
    assert_int_equal(endpoint_of(world, &world->sent[1].route.to)->outstanding, 0);
    const struct cg_round *round = world_round(world, &call);
    assert_int_equal(round->repair.running, 0);
    assert_int_equal(round->repair.asks->leg.sending.datagram.cap, 0);
    call_fini(&call);
}

/* 32 are asked at once; those who are not there leave their places to the next. */
static void others_get_the_places_of_those_who_are_not_there(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, AT_ONCE + 2);
    world_get(world, &call, "/lamps");
    world_advance(world, 300 * SECOND);
    for (unsigned member = 1; member <= AT_ONCE + 2; member++) assert_true(asked_of(world, member) >= DATAGRAMS);
    world_advance(world, 1000 * SECOND);
    assert_int_equal(call.reply.summary.missing, AT_ONCE + 2);
    assert_int_equal(world->gateway->engine.asks, 0);
    call_fini(&call);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(who_answers_the_group_request_late_is_asked_no_more),
        world_test(who_begins_to_answer_in_blocks_is_asked_for_these_alone),
        world_test(who_answers_before_its_turn_is_not_asked),
        world_test(who_is_slow_is_heard_after_the_last_repetition),
        world_test(meanwhile_it_holds_nothing),
        world_test(others_get_the_places_of_those_who_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
