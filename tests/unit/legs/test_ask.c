/* Unicast requests: the single known member, silent members, members that challenge. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

static void test_single_known_member_is_asked_by_unicast(void **state) { /* R6 */
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_get(world, &call, "/lamps");
    assert_int_equal(world->sent_count, 1);
    assert_int_equal(world->sent[0].msg.type, CG_CON);
    assert_true(cg_addr_equal(&world->sent[0].route.to,
                              &(struct cg_addr){.family = CG_FAMILY_IPV4, .port = 5683, .ip = {127, 1, 0, 1}}));
    world_answer_as(
        world, 0, "127.1.0.1",
        (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[0].msg.mid, .payload = "on"});
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_string_equal(call.reply.summary.ended_by, "all");
    assert_non_null(strstr(call.text, "\"via\":\"unicast\""));
}

/* Others may be in the group: only complete membership makes one configured member the only one. */
static void test_a_single_configured_member_of_an_open_group_is_cast_to(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_mapping(world, "lamps")->complete = false;
    world_mapping(world, "lamps")->finish.rule = CG_FINISH_DEADLINE;
    world_get(world, &call, "/lamps");
    assert_int_equal(world->sent_count, 1);
    assert_int_equal(world->sent[0].msg.type, CG_NON);
    assert_true(cg_addr_is_multicast(&world->sent[0].route.to));
    world_answer(world, 0, "127.1.0.1", "on");
    world_answer(world, 0, "127.1.0.7", "and I");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
}

static void test_retransmission_and_separate_answer(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_mapping(world, "lamps")->timeout_us = 100 * SECOND;
    world_mapping(world, "lamps")->max_timeout_us = 100 * SECOND;
    world_get(world, &call, "/lamps");
    world_advance(world, 3 * SECOND); /* ACK_TIMEOUT is 2 to 3 s */
    assert_int_equal(world->sent_count, 2);
    assert_memory_equal(world->sent[0].bytes, world->sent[1].bytes, world->sent[0].len); /* the identical message */
    world_advance(world, 6 * SECOND);
    assert_int_equal(world->sent_count, 3);
    uint8_t ack[] = {0x60, 0, (uint8_t)(world->sent[0].msg.mid >> 8), (uint8_t)world->sent[0].msg.mid};
    world_deliver(world, "127.1.0.2", ack, sizeof ack); /* somebody else's */
    world_advance(world, 13 * SECOND);
    assert_int_equal(world->sent_count, 4);
    world_deliver(world, "127.1.0.1", ack, sizeof ack);
    world_advance(world, 40 * SECOND);
    assert_int_equal(world->sent_count, 4); /* acknowledged: no more of it */
    world_answer(world, 0, "127.1.0.2", "from the wrong endpoint");
    world_answer_as(world, 0, "127.1.0.1",
                    (struct answer){.type = CG_CON, .code = CG_CODE(2, 5), .mid = 3, .payload = "on"});
    assert_int_equal(world->sent[4].msg.type, CG_ACK);
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_non_null(strstr(call.text, "\"body\":\"on\""));
}

static void test_retransmission_gives_up(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_mapping(world, "lamps")->timeout_us = 200 * SECOND;
    world_get(world, &call, "/lamps");
    world_advance(world, 199 * SECOND);
    assert_int_equal(world->sent_count, 5); /* the first and MAX_RETRANSMIT */
    assert_int_equal(call.replies, 0);
    world_advance(world, SECOND);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_int_equal(world->gateway->engine.asks, 0);
    const struct cg_stats *stats = cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
    assert_int_equal(stats->asked, 3); /* retransmissions aside */
    assert_int_equal(stats->missing[CG_CAUSE_ASLEEP], 1);
    assert_int_equal(stats->sent, 0); /* nothing to the group */
}

static void test_silent_members_are_repaired(void **state) { /* R48 */
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 4);
    lamps->repair_unicast = true;
    lamps->leisure = 5;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.2", "on");
    world_advance(world, SECOND); /* half the time: the silent ones are asked */
    assert_int_equal(world->sent_count, 4);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(world->sent[i].msg.type, CG_CON);
        assert_int_not_equal(world->sent[i].route.to.ip[3], 2);
    }
    world_answer_as(
        world, 1, "127.1.0.1",
        (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[1].msg.mid, .payload = "on"});
    world_answer(world, 0, "127.1.0.3", "on after all"); /* by the cast while being asked */
    uint8_t rst[] = {0x70, 0, (uint8_t)(world->sent[3].msg.mid >> 8), (uint8_t)world->sent[3].msg.mid};
    world_deliver(world, "127.1.0.4", rst, sizeof rst);
    world_advance(world, SECOND);
    assert_int_equal(call.reply.summary.answered, 3);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_non_null(strstr(call.text, "\"via\":\"unicast\""));
    assert_non_null(strstr(call.text, "\"via\":\"multicast\""));
}

static void test_repair_waits_for_the_members_leisure_only(void **state) { /* R48 */
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->repair_unicast = true;
    lamps->leisure = 0.5;
    lamps->timeout_us = 60 * SECOND;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, SECOND / 2 - 1);
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 1);
    assert_int_equal(world->sent_count, 2);
    world_answer_as(
        world, 1, "127.1.0.2",
        (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[1].msg.mid, .payload = "on"});
    world_run(world);
    assert_string_equal(call.reply.summary.ended_by, "all");
}

static void start(struct world *world, struct call *call, uint8_t method) {
    struct cg_request *request = world_new(world, call, "/lamps");
    assert_non_null(request);
    request->method = method;
    world_go(world, call);
}

static void set_up_repair(struct world *world, unsigned members) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, members);
    lamps->repair_unicast = true;
    lamps->leisure = 0.5;
}

/* Who repeats POST or PATCH to a member whose answer was lost lets it act twice. */
static void test_only_idempotent_methods_are_repaired(void **state) {
    struct world *world = *state;
    static const struct {
        uint8_t method;
        bool repaired;
    } methods[] = {{CG_GET, true},   {CG_POST, false},  {CG_PUT, true},   {CG_DELETE, true},
                   {CG_FETCH, true}, {CG_PATCH, false}, {CG_IPATCH, true}};
    struct call call;
    set_up_repair(world, 2);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        start(world, &call, methods[i].method);
        world_answer(world, world->sent_count - 1, "127.1.0.1", "on");
        size_t sent = world->sent_count;
        world_advance(world, SECOND);
        assert_int_equal(world->sent_count, sent + (methods[i].repaired ? 1 : 0));
        world_advance(world, SECOND);
        assert_int_equal(call.reply.summary.missing, 1);
    }
}

static void test_the_only_member_is_asked_whatever_the_method(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_mapping(world, "lamps")->timeout_us = 20 * SECOND;
    start(world, &call, CG_POST);
    world_advance(world, 3 * SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_memory_equal(world->sent[0].bytes, world->sent[1].bytes, world->sent[0].len); /* the same MID: done once */
    world_answer_as(world, 0, "127.1.0.1",
                    (struct answer){.type = CG_ACK, .code = CG_CODE(2, 4), .mid = world->sent[0].msg.mid});
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
}

static void test_one_ask_that_cannot_be_sent_is_one_silent_member(void **state) {
    struct world *world = *state;
    struct call call;
    set_up_repair(world, 3);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world->emit_error = CG_E_EMIT;
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.problems, 0);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.missing, 2);
    assert_string_equal(call.reply.summary.ended_by, "deadline");
}

/* 65536 of all requests together; the others of the group go unasked, and group requests go on. */
static void test_unicast_requests_have_a_limit(void **state) {
    struct world *world = *state;
    struct call call;
    set_up_repair(world, 3);
    world_mapping(world, "lamps")->leisure = 5; /* half the time is shorter */
    world_get(world, &call, "/lamps");
    world->gateway->engine.asks += (1u << 16) - 2; /* of others */
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 1 + 2); /* the third is not asked */
    world_advance(world, SECOND);
    assert_int_equal(call.reply.summary.missing, 3);
    world_get(world, &call, "/lamps");
    assert_true(cg_addr_is_multicast(&world->sent[3].route.to));
    world->gateway->engine.asks -= (1u << 16) - 2;
    world_advance(world, 2 * SECOND);
}

/* 32 are asked at once; those who are not there do not use up the time of those who are. */
static void test_who_does_not_answer_makes_room_for_others(void **state) { /* R48 */
    struct world *world = *state;
    struct call call;
    bool asked[41] = {false};
    set_up_repair(world, 40);
    world_mapping(world, "lamps")->leisure = 60;
    world_mapping(world, "lamps")->timeout_us = 60 * SECOND;
    world_get(world, &call, "/lamps");
    world_advance(world, 31 * SECOND);
    for (size_t i = 1; i < world->sent_count; i++) asked[world->sent[i].route.to.ip[3]] = true;
    for (int i = 1; i <= 40; i++) assert_int_equal(asked[i], i <= 32);
    world_advance(world, 12 * SECOND);
    for (size_t i = 1; i < world->sent_count; i++) asked[world->sent[i].route.to.ip[3]] = true;
    for (int i = 1; i <= 40; i++) assert_true(asked[i]);
    assert_true(world_round(world, &call)->repair.running <= 32);
    assert_int_equal(world->gateway->engine.asks, 40 + 32 - 8); /* slow ones are heard on, and 24 places used again */
    unsigned slow = world->sent[1].route.to.ip[3];
    char from[sizeof "127.1.0.255"];
    snprintf(from, sizeof from, "127.1.0.%u", slow);
    world_answer(world, 1, from, "took its time");
    world_advance(world, 17 * SECOND);
    assert_int_equal(call.reply.summary.missing, 39);
}

static void test_the_only_member_beyond_that_limit_is_the_problem(void **state) {
    struct world *world = *state;
    struct call call;
    set_up_repair(world, 1);
    world_start(world);
    world->gateway->engine.asks += 1u << 16; /* of others */
    world_get(world, &call, "/lamps");
    assert_int_equal(call.problem.err, CG_E_NO_MEMORY);
    assert_int_equal(call.problem.retry_after, 1);
    world->gateway->engine.asks -= 1u << 16;
}

static void test_the_only_ask_that_cannot_be_sent_is_the_problem(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world->emit_error = CG_E_EMIT;
    world_get(world, &call, "/lamps");
    assert_int_equal(call.problems, 1);
    assert_int_equal(call.problem.err, CG_E_EMIT);
    assert_int_equal(world->gateway->engine.asks, 0);
}

/* RFC 7252 §5.3.2: a piggybacked response matches by Message ID, too. */
static void test_an_ack_of_another_message_answers_nothing(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_mapping(world, "lamps")->timeout_us = 20 * SECOND;
    world_get(world, &call, "/lamps");
    struct answer answer = {
        .type = CG_ACK, .code = CG_CODE(2, 5), .mid = (uint16_t)(world->sent[0].msg.mid - 1), .payload = "old"};
    world_answer_as(world, 0, "127.1.0.1", answer);
    world_advance(world, 3 * SECOND);
    assert_int_equal(call.replies, 0);
    assert_int_equal(world->sent_count, 2); /* it acknowledges nothing */
    answer.mid = world->sent[0].msg.mid;
    answer.payload = "new";
    world_answer_as(world, 0, "127.1.0.1", answer);
    world_run(world);
    assert_non_null(strstr(call.text, "\"body\":\"new\""));
    assert_non_null(strstr(call.text, "\"reason\":\"wrong-mid\""));
    assert_int_equal(call.reply.summary.rejected, 1);
}

/* Everything that comes is a challenge of whoever sent it. */
static int challenge_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                          struct cg_opened *opened) {
    static uint8_t identity[sizeof opening->from];
    (void)protector;
    (void)job;
    memcpy(identity, &opening->from, sizeof identity);
    *opened = (struct cg_opened){.code = CG_CODE(4, 1),
                                 .verified = CASTGATE_VERIFIED_SOURCE,
                                 .identity = cg_slice_of(identity, sizeof identity),
                                 .echo = cg_slice_str("fresh?")};
    return CG_OK;
}

static void challenge_from(struct world *world, unsigned number) {
    char from[32];
    snprintf(from, sizeof from, "127.2.%u.%u", number / 256, number % 256);
    world_answer(world, 0, from, "");
}

static void test_challenges_are_answered_once_a_member_and_1024_at_once(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_protector_ops ops = *cg_protector_none()->ops;
    struct cg_protector protector = {.ops = &ops};
    ops.open = challenge_open;
    world_mapping(world, "lamps")->protector = &protector;
    world_get(world, &call, "/lamps");
    challenge_from(world, 0);
    assert_int_equal(world->sent_count, 2);
    struct cg_slice echo;
    assert_true(cg_msg_find(&world->sent[1].msg, CG_OPT_ECHO, &echo));
    assert_true(cg_slice_is(echo, "fresh?"));
    challenge_from(world, 0);
    assert_int_equal(world->sent_count, 2); /* it has been asked */
    for (unsigned i = 1; i < 1100; i++) challenge_from(world, i);
    assert_int_equal(world->sent_count, 1 + 1024);
    world_advance(world, 3 * SECOND);
    assert_int_equal(call.reply.summary.answered, 0);
}

/* Each challenge of the Echo itself ends an ask; the next one to the group would order another for ever. */
static void test_who_challenges_again_and_again_is_asked_four_times(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_protector_ops ops = *cg_protector_none()->ops;
    struct cg_protector protector = {.ops = &ops};
    ops.open = challenge_open;
    world_mapping(world, "lamps")->protector = &protector;
    world_get(world, &call, "/lamps");
    for (int i = 0; i < 10; i++) {
        size_t sent = world->sent_count;
        challenge_from(world, 1);
        world_run(world);
        if (world->sent_count > sent) world_answer(world, sent, "127.2.0.1", "");
        world_run(world);
    }
    assert_int_equal(world->sent_count, 1 + 4);
    world_advance(world, 2 * SECOND);
}

static unsigned challenges_left;

static int challenge_at_first(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                              struct cg_opened *opened) {
    int err = challenge_open(protector, opening, job, opened);
    struct cg_slice who = opened->identity;
    if (challenges_left == 0) {
        err = cg_protector_none()->ops->open(protector, opening, job, opened);
        opened->identity = who;
    } else {
        challenges_left--;
    }
    return err;
}

/* RFC 10020 §3.6: the other one is as silent as before. */
static void test_a_unicast_answer_is_an_answer_of_its_group_alone(void **state) {
    struct world *world = *state;
    struct call call, next;
    struct cg_protector_ops ops = *cg_protector_none()->ops;
    struct cg_protector protector = {.ops = &ops};
    ops.open = challenge_at_first;
    challenges_left = 1;
    world_mapping(world, "pair")->protector = &protector;
    world_get(world, &call, "/pair/a");
    assert_int_equal(world->sent_count, 2);
    challenge_from(world, 1);
    assert_int_equal(world->sent_count, 3);
    world_get(world, &next, "/pair/b");
    assert_int_equal(world->sent_count, 4); /* to the group of the member that challenged */
    world_answer(world, 2, "127.2.0.1", "on");
    world_run(world);
    assert_int_equal(world->sent_count, 4);
    world_answer(world, 1, "127.2.0.2", "on");
    world_run(world);
    assert_int_equal(world->sent_count, 5);
    world_advance(world, 5 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_int_equal(call.reply.summary.rejected, 0);
}

/* Two requests of one client act twice, even where the member challenged both of its first ones. */
static void test_what_acts_is_not_retried_for_who_is_not_known(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_protector_ops ops = *cg_protector_none()->ops;
    struct cg_protector protector = {.ops = &ops};
    ops.open = challenge_open;
    world_mapping(world, "lamps")->protector = &protector;
    start(world, &call, CG_POST);
    challenge_from(world, 0);
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 3 * SECOND);
}

/* What a client has protected its members know when they have seen it; the outer method says nothing. */
static void test_relayed_requests_are_repaired(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_opt oscore = {.number = CG_OPT_OSCORE, .value = cg_slice_str("")};
    set_up_repair(world, 2);
    world_mapping(world, "lamps")->security = CG_SECURITY_RELAY;
    struct cg_request *request = world_new(world, &call, "/lamps");
    request->method = CG_POST;
    request->options = (struct cg_opts){.list = &oscore, .count = 1};
    request->payload = cg_slice_str("sealed");
    world_go(world, &call);
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_true(cg_slice_is(world->sent[1].msg.payload, "sealed"));
    world_advance(world, SECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_single_known_member_is_asked_by_unicast),
        world_test(test_a_single_configured_member_of_an_open_group_is_cast_to),
        world_test(test_retransmission_and_separate_answer),
        world_test(test_retransmission_gives_up),
        world_test(test_silent_members_are_repaired),
        world_test(test_repair_waits_for_the_members_leisure_only),
        world_test(test_only_idempotent_methods_are_repaired),
        world_test(test_the_only_member_is_asked_whatever_the_method),
        world_test(test_one_ask_that_cannot_be_sent_is_one_silent_member),
        world_test(test_unicast_requests_have_a_limit),
        world_test(test_who_does_not_answer_makes_room_for_others),
        world_test(test_the_only_member_beyond_that_limit_is_the_problem),
        world_test(test_the_only_ask_that_cannot_be_sent_is_the_problem),
        world_test(test_an_ack_of_another_message_answers_nothing),
        world_test(test_challenges_are_answered_once_a_member_and_1024_at_once),
        world_test(test_who_challenges_again_and_again_is_asked_four_times),
        world_test(test_a_unicast_answer_is_an_answer_of_its_group_alone),
        world_test(test_what_acts_is_not_retried_for_who_is_not_known),
        world_test(test_relayed_requests_are_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
