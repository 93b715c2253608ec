/* Why silent members are silent: what they are asked for it, and that what they say to that is no answer. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

#include "legs/signs.h"

#define AT "127.1.0.1"

/* "lamps" has two members, of which the second answers at once; its time is 8 s. */
static struct cg_mapping *set_up(struct world *world) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->timeout_us = 8 * SECOND;
    lamps->leisure = 5;
    world->probes = true;
    return lamps;
}

static void begin_as(struct world *world, struct call *call, uint8_t method) {
    size_t before = world->sent_count;
    struct cg_request *request = world_new(world, call, "/lamps");
    request->method = method;
    world_go(world, call);
    assert_int_equal(world->sent_count, before + 1);
    world_answer(world, before, "127.1.0.2", "on");
    world_run(world);
}

static void begin(struct world *world, struct call *call) { begin_as(world, call, CG_GET); }

static void expect_cause(struct call *call, const char *cause) {
    char part[100];
    snprintf(part, sizeof part, "\"missing\":[{\"member\":\"first\",\"from\":\"" AT ":5683\",\"cause\":\"%s\"}]",
             cause);
    assert_int_equal(call->replies, 1);
    assert_int_equal(call->reply.summary.answered, 1);
    if (strstr(call->text, part) == NULL) fail_msg("no %s in %s", part, call->text);
}

static void end(struct world *world, struct call *call, const char *cause) {
    world_advance(world, 8 * SECOND);
    expect_cause(call, cause);
}

/* The last thing sent went to the silent member. */
static const struct cg_msg *last(const struct world *world, size_t count) {
    assert_int_equal(world->sent_count, count);
    struct cg_addr at = address(AT);
    assert_true(cg_addr_equal(&world->sent[count - 1].route.to, &at));
    return &world->sent[count - 1].msg;
}

static void test_who_answers_by_unicast_was_not_reached(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world);
    begin(world, &call);
    world_advance(world, 4 * SECOND - 1);
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 1);
    assert_int_equal(last(world, 2)->code, CG_GET);
    assert_int_equal(last(world, 2)->type, CG_CON);
    world_answer(world, 1, AT, "off");
    end(world, &call, "never-reached");
    assert_int_equal(world->sent_count, 2);
    assert_null(strstr(call.text, "off"));
    assert_int_equal(call.reply.summary.late + call.reply.summary.duplicates + call.reply.summary.rejected, 0);
    assert_int_equal(cg_gateway_totals(world->gateway)->fates[CG_FATE_PROBE], 1);
}

/* It may have had the group request: errors are not sent to groups. */
static void test_who_declines_by_unicast(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world);
    begin(world, &call);
    world_advance(world, 4 * SECOND);
    world_answer_as(world, 1, AT, (struct answer){.type = CG_NON, .code = CG_CODE(4, 4)});
    end(world, &call, "refused");
    assert_int_equal(call.reply.summary.failed, 0);
}

static void test_not_a_word(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world);
    begin(world, &call);
    world_advance(world, 6 * SECOND);
    const struct cg_msg *ping = last(world, 3);
    assert_int_equal(ping->type, CG_CON);
    assert_int_equal(ping->code, CG_EMPTY);
    uint16_t mid = ping->mid;
    world_advance(world, SECOND);
    assert_int_equal(last(world, 4)->mid, mid);
    end(world, &call, "asleep");
    assert_int_equal(world->sent_count, 4);
}

static void test_once_a_minute(void **state) {
    struct world *world = *state;
    struct call call, next, third;
    set_up(world);
    begin(world, &call);
    end(world, &call, "asleep");
    size_t before = world->sent_count;
    begin(world, &next);
    end(world, &next, "asleep"); /* as was found */
    assert_int_equal(world->sent_count, before + 1);
    world_advance(world, 60 * SECOND);
    begin(world, &third);
    end(world, &third, "asleep");
    assert_int_equal(world->sent_count, before + 5);
}

static void test_what_was_found_is_past_when_it_answers(void **state) {
    struct world *world = *state;
    struct call call, next, third;
    set_up(world);
    begin(world, &call);
    end(world, &call, "asleep");
    begin(world, &next);
    world_answer(world, world->sent_count - 1, AT, "on");
    world_advance(world, 8 * SECOND);
    assert_int_equal(next.reply.summary.missing, 0);
    size_t before = world->sent_count;
    begin(world, &third);
    world_advance(world, 4 * SECOND);
    assert_int_equal(last(world, before + 2)->code, CG_GET); /* it is asked anew */
    end(world, &third, "asleep");
}

static void test_nothing_listens(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_addr at = address(AT);
    set_up(world);
    begin(world, &call);
    world_advance(world, 4 * SECOND);
    cg_engine_sign(cg_gateway_engine(world->gateway), &at, CG_SIGN_PORT_UNREACHABLE);
    world_advance(world, 2 * SECOND);
    assert_int_equal(world->sent_count, 2); /* no ping: that says it */
    end(world, &call, "not-listening");
}

/* Of an address that nothing was sent to nobody is believed. */
static void test_signs_of_who_was_not_asked(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_addr at = address(AT);
    set_up(world)->repair_probe = false;
    world->probes = false;
    begin(world, &call);
    cg_engine_sign(cg_gateway_engine(world->gateway), &at, CG_SIGN_PORT_UNREACHABLE);
    end(world, &call, "unknown");
    assert_int_equal(world->sent_count, 1);
}

static void answer_ping(struct world *world, size_t index) {
    const struct cg_msg *ping = &world->sent[index].msg;
    const uint8_t pong[] = {0x70, 0, (uint8_t)(ping->mid >> 8), (uint8_t)ping->mid};
    assert_int_equal(ping->code, CG_EMPTY);
    world_deliver(world, AT, pong, sizeof pong);
}

static void test_there_and_without_an_answer(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world);
    begin(world, &call);
    world_advance(world, 6 * SECOND);
    assert_int_equal(last(world, 3)->code, CG_EMPTY);
    answer_ping(world, 2);
    end(world, &call, "answer-lost");
}

/* POST is not said again, also not to find out. */
static void test_what_may_not_be_repeated_is_only_pinged(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world)->unsafe_methods = true;
    begin_as(world, &call, CG_POST);
    world_advance(world, 6 * SECOND);
    assert_int_equal(last(world, 2)->code, CG_EMPTY);
    answer_ping(world, 1);
    end(world, &call, "unknown");
    assert_int_equal(world->sent_count, 2);
}

static void test_repair_asks_already(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world)->repair_unicast = true;
    begin(world, &call);
    world_advance(world, 6 * SECOND);
    size_t pings = 0;
    for (size_t i = 0; i < world->sent_count; i++) pings += world->sent[i].msg.code == CG_EMPTY;
    assert_int_equal(pings, 1);
    end(world, &call, "asleep");
}

/* By the answer itself, the next time. */
static void test_late(void **state) {
    struct world *world = *state;
    struct call call, next;
    set_up(world)->repair_probe = false;
    world->probes = false;
    begin(world, &call);
    end(world, &call, "unknown");
    world_answer(world, 0, AT, "on");
    begin(world, &next);
    end(world, &next, "late");
}

/* It has answered, and says so again when all is over: that makes nobody slow. */
static void test_repetitions_are_not_late(void **state) {
    struct world *world = *state;
    struct call call, next;
    set_up(world);
    begin(world, &call);
    world_answer(world, 0, AT, "on");
    world_run(world);
    assert_int_equal(call.reply.summary.missing, 0);
    world_advance(world, 8 * SECOND);
    assert_int_equal(call.replies, 1);
    world_answer(world, 0, AT, "on");
    begin(world, &next);
    end(world, &next, "asleep");
}

static void test_refused(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_opt critical = {.number = 9, .value = cg_slice_str("x")}; /* OSCORE, of a plain group */
    struct cg_opts options = {.list = &critical, .count = 1};
    set_up(world);
    begin(world, &call);
    world_answer_as(world, 0, AT, (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .options = &options});
    world_advance(world, 8 * SECOND);
    assert_int_equal(world->sent_count, 1); /* nobody needs to be asked */
    assert_non_null(strstr(call.text, "\"cause\":\"refused\""));
    assert_non_null(strstr(call.text, "\"reason\":\"bad-option\""));
}

static void test_dropped_by_this_host(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world);
    begin(world, &call);
    world->kernel_drops += 3;
    end(world, &call, "kernel-drop");
}

static void test_at_most_eight(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 20);
    lamps->timeout_us = 8 * SECOND;
    lamps->leisure = 5;
    world->probes = true;
    world_get(world, &call, "/lamps");
    world_advance(world, 4 * SECOND);
    assert_int_equal(world->sent_count, 1 + 8);
    world_advance(world, 4 * SECOND);
    assert_int_equal(cg_gateway_engine(world->gateway)->asks, 0);
    assert_non_null(strstr(call.text, "\"cause\":\"asleep\""));
    assert_non_null(strstr(call.text, "\"cause\":\"unknown\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_who_answers_by_unicast_was_not_reached),
        world_test(test_who_declines_by_unicast),
        world_test(test_not_a_word),
        world_test(test_once_a_minute),
        world_test(test_what_was_found_is_past_when_it_answers),
        world_test(test_nothing_listens),
        world_test(test_signs_of_who_was_not_asked),
        world_test(test_there_and_without_an_answer),
        world_test(test_what_may_not_be_repeated_is_only_pinged),
        world_test(test_repair_asks_already),
        world_test(test_late),
        world_test(test_repetitions_are_not_late),
        world_test(test_refused),
        world_test(test_dropped_by_this_host),
        world_test(test_at_most_eight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
