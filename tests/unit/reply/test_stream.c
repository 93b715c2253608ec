/* Replies that go out while answers come in (R16): order, silence, and every way a stream can end. */
#include "reply/fake_teller.h"

#include <stdio.h>
#include <string.h>

static void test_events_come_while_members_answer(void **state) { /* R16 */
    struct world *world = *state;
    struct call call;
    prepare(world);
    stream(world, &call, "/lamps");
    assert_int_equal(call.reply.status, 200);
    assert_string_equal(call.reply.content_type, "text/told;v=1");
    assert_int_equal(strlen(call.reply.exchange_id), 16);
    assert_string_equal(call_take(&call), "begin answered=0 ms=0 by=\n");
    assert_int_equal(world->sent_count, 1); /* the request is out by then */
    world_advance(world, 10000);
    answer_now(world, 0, "127.1.0.1", "on");
    assert_string_equal(call_take(&call), "answer answered=1 ms=10 by= on\n");
    world_advance(world, 20000);
    answer_now(world, 0, "127.1.0.2", "off");
    assert_string_equal(call_take(&call), "answer answered=2 ms=30 by= off\n");
    world_advance(world, 2 * SECOND);
    assert_string_equal(call_take(&call), "end answered=2 ms=2000 by=deadline\n");
    assert_true(call.stream->ended);
    assert_int_equal(stats_of(world, "lamps")->answered, 2);
    assert_int_equal(stats_of(world, "lamps")->streams_cut, 0);
    end(world, &call);
}

static void test_finish_rule_ends_a_stream(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    world_add_members(world, world_mapping(world, "lamps"), 3);
    stream(world, &call, "/lamps");
    for (int i = 1; i <= 3; i++) {
        char from[48];
        snprintf(from, sizeof from, "127.1.0.%d", i);
        answer_now(world, 0, from, from);
    }
    assert_string_equal(call_take(&call), "begin answered=0 ms=0 by=\n"
                                          "answer answered=1 ms=0 by= 127.1.0.1\n"
                                          "answer answered=2 ms=0 by= 127.1.0.2\n"
                                          "answer answered=3 ms=0 by= 127.1.0.3\n"
                                          "end answered=3 ms=0 by=all\n");
    end(world, &call);
}

static void expect_start(const char *text, const char *start) { assert_memory_equal(text, start, strlen(start)); }

static void test_event_stream_of_the_real_encoder(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    world_add_members(world, world_mapping(world, "lamps"), 2);
    stream_with(world, &call, "/lamps", cg_plugin_sse.ops.encoder);
    assert_string_equal(call.reply.content_type, "text/event-stream");
    assert_string_equal(call_take(&call), ": sent\nretry: 10000\n\n");
    answer_now(world, 0, "127.1.0.2", "on");
    expect_start(call_take(&call), "event: answer\ndata: {\"member\":\"other\",\"from\":\"127.1.0.2:5683\",");
    world_advance(world, 2 * SECOND);
    expect_start(call_take(&call), "event: summary\nid: ");
    assert_non_null(strstr(call.text, "-summary\ndata: {\"exchange\":\""));
    assert_non_null(strstr(call.text, "\"answered\":1,"));
    assert_non_null(strstr(call.text, "\"ended_by\":\"deadline\""));
    assert_non_null(strstr(
        call.text,
        "\"missing\":[{\"member\":\"first\",\"from\":\"127.1.0.1:5683\",\"cause\":\"unknown\"}],\"rejected\":[]}\n\n"));
    end(world, &call);
}

static void test_nobody_answers(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    stream(world, &call, "/lamps");
    world_advance(world, 2 * SECOND);
    assert_string_equal(call_take(&call), "begin answered=0 ms=0 by=\nend answered=0 ms=2000 by=deadline\n");
    end(world, &call);
}

static void test_silence_is_broken(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    world_mapping(world, "lamps")->timeout_us = 50 * SECOND;
    stream(world, &call, "/lamps");
    world_advance(world, 15 * SECOND - 1);
    assert_string_equal(call_take(&call), "begin answered=0 ms=0 by=\n");
    world_advance(world, 1);
    assert_string_equal(call_take(&call), "idle answered=0 ms=15000 by=\n");
    world_advance(world, 5 * SECOND);
    answer_now(world, 0, "127.1.0.1", "on"); /* at 20 s: the next sign of life is due at 35 */
    assert_string_equal(call_take(&call), "answer answered=1 ms=20000 by= on\n");
    world_advance(world, 15 * SECOND - 1);
    assert_string_equal(call_take(&call), "");
    world_advance(world, 1);
    assert_string_equal(call_take(&call), "idle answered=1 ms=35000 by=\n");
    world_advance(world, 15 * SECOND);
    assert_non_null(strstr(call_take(&call), "end answered=1 ms=50000 by=deadline\n"));
    end(world, &call);
}

static void test_every_answer_is_an_event(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    stream(world, &call, "/lamps");
    call_take(&call);
    struct answer last = {.type = CG_NON, .code = CG_CODE(2, 5), .mid = 60000, .payload = "20.2"};
    answer_now(world, 0, "127.1.0.1", "20.1");
    answer_now(world, 0, "127.1.0.1", "20.1"); /* the same in another message */
    world_answer_as(world, 0, "127.1.0.1", last);
    world_answer_as(world, 0, "127.1.0.1", last); /* that message once more is none */
    world_run(world);
    assert_string_equal(call_take(&call), "answer answered=1 ms=0 by= 20.1\nanswer answered=1 ms=0 by= 20.1\n"
                                          "answer answered=1 ms=0 by= 20.2\n");
    world_advance(world, 2 * SECOND);
    assert_non_null(strstr(call_take(&call), "end answered=1 "));
    assert_int_equal(stats_of(world, "lamps")->duplicate, 3);
    end(world, &call);
}

static void put_block(struct world *world, size_t index, const char *from, uint32_t number, bool more,
                      const char *payload) {
    uint8_t value = (uint8_t)(number << 4 | (more ? 8 : 0)); /* 16 bytes each */
    struct cg_opt block = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(&value, 1)};
    struct cg_opts options = {.list = &block, .count = 1};
    world_answer_as(
        world, index, from,
        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = 5, .payload = payload, .options = &options});
    world_run(world);
}

static void test_event_only_when_all_blocks_are_there(void **state) { /* R40 */
    struct world *world = *state;
    struct call call;
    prepare(world);
    world_add_members(world, world_mapping(world, "lamps"), 3); /* blocks are asked for where a member is configured */
    world_mapping(world, "lamps")->finish.rule = CG_FINISH_DEADLINE;
    stream(world, &call, "/lamps");
    call_take(&call);
    put_block(world, 0, "127.1.0.1", 0, true, "0123456789abcdef");
    assert_string_equal(call_take(&call), "");
    assert_int_equal(world->sent_count, 2);
    answer_now(world, 0, "127.1.0.2", "small");
    assert_string_equal(call_take(&call), "answer answered=1 ms=0 by= small\n"); /* one is whole */
    put_block(world, 1, "127.1.0.1", 1, false, "ghi");
    assert_string_equal(call_take(&call), "answer answered=2 ms=0 by= 0123456789abcdefghi\n");
    /* the same member's next answer is large again: its first block alone is nothing to tell */
    put_block(world, 0, "127.1.0.1", 0, true, "ABCDEFGHIJKLMNOP");
    assert_string_equal(call_take(&call), "");
    put_block(world, 2, "127.1.0.1", 1, false, "Q");
    assert_string_equal(call_take(&call), "answer answered=2 ms=0 by= ABCDEFGHIJKLMNOPQ\n");
    /* and one whose rest never comes is taken back */
    put_block(world, 0, "127.1.0.3", 0, true, "0123456789abcdef");
    world_advance(world, 2 * SECOND);
    assert_string_equal(call_take(&call), "end answered=2 ms=2000 by=deadline\n");
    assert_int_equal(stats_of(world, "lamps")->rejected, 1);
    end(world, &call);
}

static void test_answers_before_the_head_are_told_behind_it(void **state) {
    struct world *world = *state;
    struct call blocking, call;
    prepare(world);
    world->config->group.nstart = 1;
    world_get(world, &blocking, "/lamps/other"); /* holds the turn of the pair's first group */
    stream_with(world, &call, "/pair", &teller);
    assert_int_equal(call.replies, 0);
    assert_int_equal(world->sent_count, 2); /* the second group's request is out */
    answer_now(world, 1, "127.1.0.7", "early");
    assert_int_equal(call.replies, 0);
    world_answer(world, 0, "127.1.0.1", "frees the turn");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_string_equal(call_take(&call), "begin answered=1 ms=0 by=\nanswer answered=1 ms=0 by= early\n");
    world_advance(world, 3 * SECOND);
    call_fini(&blocking);
    end(world, &call);
}

/* One of two groups was asked and has answered, the other one waits for its turn: there is no head yet. */
static void test_a_stream_whose_group_was_left_before_its_head_is_one(void **state) {
    struct world *world = *state;
    struct call blocking, call;
    struct cg_protector own = {.ops = cg_protector_none()->ops};
    prepare(world);
    world->config->group.nstart = 1;
    world_mapping(world, "pair")->protector = &own;
    world_get(world, &blocking, "/lamps/other"); /* holds the turn of the pair's first group */
    stream_with(world, &call, "/pair", &teller);
    answer_now(world, 1, "127.1.0.7", "early");
    assert_int_equal(call.replies, 0);
    cg_engine_left(cg_gateway_engine(world->gateway), &own);
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_string_equal(call_take(&call), "begin answered=1 ms=0 by=\nanswer answered=1 ms=0 by= early\n"
                                          "end answered=1 ms=0 by=limit\n");
    assert_int_equal(world->sent_count, 2);                 /* the other group was not asked any more */
    assert_int_equal(stats_of(world, "pair")->rejected, 1); /* which the reply says */
    world_advance(world, 2 * SECOND);
    call_fini(&blocking);
    end(world, &call);
}

static void test_client_leaves(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    stream(world, &call, "/lamps");
    answer_now(world, 0, "127.1.0.1", "on");
    world_answer_as(world, 0, "127.1.0.3", (struct answer){.type = CG_NON, .code = CG_CODE(5, 0)});
    world_run(world);
    cg_gateway_abandon(world->gateway, call.ticket);
    world_run(world);
    assert_int_equal(cg_gateway_running(world->gateway), 0);
    assert_true(call.stream->ended);
    assert_int_equal(stats_of(world, "lamps")->answered, 2);
    assert_int_equal(stats_of(world, "lamps")->failed, 1);
    assert_int_equal(stats_of(world, "lamps")->streams_cut, 0);
    answer_now(world, 0, "127.1.0.2", "late");
    assert_int_equal(stats_of(world, "lamps")->late, 1);
    call_take(&call); /* nobody is woken by it any more */
    end(world, &call);
}

static void test_gateway_stops(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    stream(world, &call, "/lamps");
    answer_now(world, 0, "127.1.0.1", "on");
    cg_gateway_stop(world->gateway);
    world_advance(world, SECOND);
    assert_false(call.stream->ended); /* it may go on for a while */
    cg_gateway_finish_all(world->gateway);
    world_run(world);
    assert_non_null(strstr(call_take(&call), "end answered=1 ms=1000 by=limit\n"));
    end(world, &call);
}

static void test_no_stream_where_no_answers_are_wanted(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    struct cg_request *request = world_new(world, &call, "/lamps");
    call.encoder = &teller;
    request->has_timeout = true; /* 0 seconds: sent, and that is all */
    world_go(world, &call);
    assert_int_equal(world->sent_count, 1);
    assert_int_equal(call.reply.status, 204);
    assert_null(call.stream);
    end(world, &call);
}

static void test_no_stream_for_a_refused_request(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    stream_with(world, &call, "/nowhere", &teller);
    assert_int_equal(call.problem.err, CG_E_NOT_FOUND);
    call_fini(&call);
    world->emit_error = CG_E_EMIT;
    stream_with(world, &call, "/lamps", &teller);
    assert_int_equal(call.problems, 1);
    assert_int_equal(call.problem.err, CG_E_EMIT);
    end(world, &call);
}

static void test_encoder_gives_up_at_the_head(void **state) {
    struct world *world = *state;
    struct call call;
    prepare(world);
    world_add_members(world, world_mapping(world, "lamps"), 1);
    teller_gives_up_at = "begin";
    stream_with(world, &call, "/pair", &teller);
    assert_int_equal(call.problems, 1);
    assert_int_equal(call.problem.err, CG_E_INTERNAL);
    assert_string_equal(call.problem.detail, "the encoder gave up");
    assert_int_equal(stats_of(world, "pair")->errors[-1 - CG_E_INTERNAL], 1);
    size_t sent = world->sent_count;
    stream_with(world, &call, "/lamps", &teller);
    assert_int_equal(call.problems, 1);
    assert_int_equal(world->sent_count, sent); /* the only member is not asked for nothing */
    end(world, &call);
}

static void test_encoder_gives_up_later(void **state) {
    static const char *const operations[] = {"answer", "idle", "end"};
    static const char *const said[] = {"answer answered", "idle answered", "end answered"};
    struct world *world = *state;
    struct call call;
    for (size_t i = 0; i < 3; i++) {
        world_renew(world);
        prepare(world);
        world_mapping(world, "lamps")->timeout_us = 20 * SECOND;
        stream(world, &call, "/lamps");
        teller_gives_up_at = operations[i];
        answer_now(world, 0, "127.1.0.1", "on");
        world_advance(world, 20 * SECOND);
        assert_true(call.stream->ended);
        assert_null(strstr(call_take(&call), said[i]));
        assert_int_equal(stats_of(world, "lamps")->errors[-1 - CG_E_INTERNAL], 1);
        assert_int_equal(stats_of(world, "lamps")->streams_cut, 0); /* the reader is not to blame */
        end(world, &call);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_events_come_while_members_answer),
        world_test(test_finish_rule_ends_a_stream),
        world_test(test_event_stream_of_the_real_encoder),
        world_test(test_nobody_answers),
        world_test(test_silence_is_broken),
        world_test(test_every_answer_is_an_event),
        world_test(test_event_only_when_all_blocks_are_there),
        world_test(test_answers_before_the_head_are_told_behind_it),
        world_test(test_a_stream_whose_group_was_left_before_its_head_is_one),
        world_test(test_client_leaves),
        world_test(test_gateway_stops),
        world_test(test_no_stream_where_no_answers_are_wanted),
        world_test(test_no_stream_for_a_refused_request),
        world_test(test_encoder_gives_up_at_the_head),
        world_test(test_encoder_gives_up_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
