/* Streams whose readers are slow: what waits for them, who is cut and when, and what becomes of the rest (R16). */
#include "reply/fake_teller.h"

#include <stdio.h>
#include <string.h>

/* A reader's limit that two events of 1000 bytes fill. */
static void start_narrow(struct world *world, char payload[1001]) {
    prepare(world);
    world->config->limits.stream_queue = 2000;
    world_mapping(world, "lamps")->timeout_us = 30 * SECOND;
    memset(payload, 'x', 1000);
    payload[1000] = 0;
}

static void flood(struct world *world, size_t index, const char *payload, int members) {
    for (int i = 1; i <= members; i++) {
        char from[48];
        snprintf(from, sizeof from, "127.1.%d.%d", i / 250, i % 250 + 1);
        world_answer(world, index, from, payload);
    }
    world_run(world);
}

static void test_stalled_reader_is_cut(void **state) {
    struct world *world = *state;
    struct call stalled, other;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &stalled, "/lamps/a");
    stream(world, &other, "/lamps/b");
    flood(world, 0, payload, 500);
    assert_in_range(stalled.stream->len, 2000, 3100); /* the limit and no more than one event */
    world_advance(world, 5 * SECOND - 1);
    assert_false(stalled.stream->ended);
    answer_now(world, 1, "127.1.0.1", "as ever");
    assert_string_equal(call_take(&other), "begin answered=0 ms=0 by=\nanswer answered=1 ms=4999 by= as ever\n");
    assert_int_equal(cg_gateway_running(world->gateway), 2);
    world_advance(world, 1);
    assert_true(stalled.stream->ended);
    assert_in_range(stalled.stream->len, 2000, 3100);
    assert_int_equal(cg_gateway_running(world->gateway), 1); /* its exchange is gone */
    assert_int_equal(stats_of(world, "lamps")->streams_cut, 1);
    assert_int_equal(stats_of(world, "lamps")->answered, 500);
    assert_null(strstr(call_take(&stalled), "end ")); /* what is cut has no end */
    answer_now(world, 0, "127.1.0.9", "late");
    assert_string_equal(call_take(&stalled), "");
    world_advance(world, 30 * SECOND);
    assert_non_null(strstr(call_take(&other), "end answered=1 ms=30000 by=deadline\n"));
    call_fini(&stalled);
    end(world, &other);
}

static void test_crowd_does_not_cut_a_good_reader(void **state) {
    struct world *world = *state;
    struct call call;
    char payload[1001];
    unsigned events = 0;
    start_narrow(world, payload);
    stream(world, &call, "/lamps");
    world_advance(world, 10 * SECOND); /* long silence says nothing against the reader */
    flood(world, 0, payload, 3000);    /* all at once: 3 MB of events */
    while (call.stream->len > 0) {
        assert_in_range(call.stream->len, 1, 3100);
        for (const char *at = call_take(&call); (at = strstr(at, "answer answered=")) != NULL; at++) events++;
        world_run(world);
    }
    assert_int_equal(events, 3000);
    assert_int_equal(stats_of(world, "lamps")->streams_cut, 0);
    world_advance(world, 20 * SECOND);
    assert_non_null(strstr(call_take(&call), "end answered=3000 ms=30000 by=deadline\n"));
    end(world, &call);
}

/* Of one member. */
static void read_out(struct world *world, int count) {
    for (int i = 0; i < count; i++) {
        char reading[24];
        snprintf(reading, sizeof reading, "reading %d", i);
        answer_now(world, 0, "127.2.0.1", reading);
    }
}

static void test_slow_reader_gets_every_answer(void **state) {
    struct world *world = *state;
    struct call call;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &call, "/lamps");
    flood(world, 0, payload, 2);
    read_out(world, 4);
    call_take(&call);
    world_run(world);
    assert_string_equal(call_take(&call),
                        "answer answered=3 ms=0 by= reading 0\nanswer answered=3 ms=0 by= reading 1\n"
                        "answer answered=3 ms=0 by= reading 2\nanswer answered=3 ms=0 by= reading 3\n");
    world_advance(world, 30 * SECOND);
    assert_non_null(strstr(call_take(&call), "end answered=3 "));
    end(world, &call);
}

/* Nothing is left out in silence; and whoever reads is not held up. */
static void test_who_reads_too_slowly_for_one_member_is_cut(void **state) {
    struct world *world = *state;
    struct call slow, quick;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &slow, "/lamps");
    stream(world, &quick, "/lamps");
    flood(world, 0, payload, 2);
    call_take(&quick);
    world_run(world);
    read_out(world, 30);
    assert_true(slow.stream->ended);
    assert_int_equal(stats_of(world, "lamps")->streams_cut, 1);
    assert_null(strstr(call_take(&slow), "reading"));
    assert_non_null(strstr(call_take(&quick), "reading 0\n"));
    assert_non_null(strstr(quick.text, "reading 29\n"));
    world_advance(world, 30 * SECOND);
    assert_non_null(strstr(call_take(&quick), "end answered=3 "));
    call_fini(&slow);
    end(world, &quick);
}

static void test_rest_is_drained_after_collecting(void **state) {
    struct world *world = *state;
    struct call call;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &call, "/lamps");
    world_advance(world, 29 * SECOND);
    flood(world, 0, payload, 20);
    world_advance(world, SECOND);
    assert_false(call.stream->ended); /* the time is over, the reader is not done */
    answer_now(world, 0, "127.3.0.1", "late");
    assert_int_equal(stats_of(world, "lamps")->late, 1);
    while (!call.stream->ended) {
        world_advance(world, SECOND); /* slow, but it takes */
        call_take(&call);
    }
    world_run(world);
    assert_non_null(strstr(call.text, "end answered=20 ms=30000 by=deadline\n"));
    assert_int_equal(stats_of(world, "lamps")->streams_cut, 0);
    end(world, &call);
}

static void test_the_end_follows_at_once_when_the_reader_has_taken_the_rest(void **state) {
    struct world *world = *state;
    struct call call;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &call, "/lamps");
    world_advance(world, 28 * SECOND);
    flood(world, 0, payload, 2); /* nothing waits behind them, but the queue is full */
    world_advance(world, 2 * SECOND);
    assert_false(call.stream->ended);
    call_take(&call);
    world_run(world);
    assert_true(call.stream->ended);
    assert_string_equal(call_take(&call), "end answered=2 ms=30000 by=deadline\n");
    end(world, &call);
}

static void test_drain_has_an_end(void **state) {
    struct world *world = *state;
    struct call call;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &call, "/lamps");
    flood(world, 0, payload, 500);
    unsigned seconds = 0;
    for (; !call.stream->ended; seconds++) {
        world_advance(world, SECOND);
        if (call.stream->len > 0) cg_outq_drop(call.stream, 1); /* just enough not to stall */
    }
    assert_in_range(seconds, 90, 91); /* 30 of collecting, 60 of patience */
    assert_int_equal(stats_of(world, "lamps")->streams_cut, 1);
    end(world, &call);
}

static void test_stall_while_draining(void **state) {
    struct world *world = *state;
    struct call call;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &call, "/lamps");
    world_advance(world, 28 * SECOND);
    flood(world, 0, payload, 20);
    world_advance(world, 5 * SECOND - 1);
    assert_false(call.stream->ended);
    world_advance(world, 1);
    assert_true(call.stream->ended);
    assert_int_equal(stats_of(world, "lamps")->streams_cut, 1);
    end(world, &call);
}

/* All that the reader takes from now on, until the stream ends. */
static void expect_rest(struct world *world, struct call *call, unsigned answers, const char *end_by) {
    char text[16384] = "", by[32];
    for (int i = 0; i < 10 && !call->stream->ended; i++) {
        strncat(text, call_take(call), sizeof text - strlen(text) - 1);
        world_run(world);
    }
    strncat(text, call_take(call), sizeof text - strlen(text) - 1);
    assert_true(call->stream->ended);
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, "answer answered=")) != NULL; at++) count++;
    assert_int_equal(count, answers);
    snprintf(by, sizeof by, "by=%s", end_by);
    const char *end = strstr(text, "end answered=");
    assert_non_null(end);
    assert_non_null(strstr(end, by));
}

static void test_a_stream_whose_group_was_left_tells_what_it_has(void **state) {
    struct world *world = *state;
    struct cg_protector own = {.ops = cg_protector_none()->ops};
    struct call call;
    char payload[1001];
    start_narrow(world, payload);
    world_mapping(world, "lamps")->protector = &own;
    stream(world, &call, "/lamps");
    flood(world, 0, payload, 6);
    cg_engine_left(cg_gateway_engine(world->gateway), &own);
    world_run(world);
    assert_false(call.stream->ended); /* its reader has not taken all yet */
    expect_rest(world, &call, 6, "limit");
    end(world, &call);
}

static void test_a_stream_that_had_ended_is_not_ended_by_leaving_the_group(void **state) {
    struct world *world = *state;
    struct cg_protector own = {.ops = cg_protector_none()->ops};
    struct call call;
    char payload[1001];
    start_narrow(world, payload);
    world_mapping(world, "lamps")->protector = &own;
    world_mapping(world, "lamps")->timeout_us = SECOND;
    stream(world, &call, "/lamps");
    flood(world, 0, payload, 6);
    world_advance(world, SECOND);
    assert_false(call.stream->ended);
    cg_engine_left(cg_gateway_engine(world->gateway), &own);
    world_run(world);
    expect_rest(world, &call, 6, "deadline");
    end(world, &call);
}

static void test_event_larger_than_the_queue(void **state) {
    struct world *world = *state;
    struct call call;
    char payload[1001];
    prepare(world);
    world->config->limits.stream_queue = 100;
    memset(payload, 'x', 1000);
    payload[1000] = 0;
    stream(world, &call, "/lamps");
    answer_now(world, 0, "127.1.0.1", payload);
    answer_now(world, 0, "127.1.0.2", "behind it");
    assert_non_null(strstr(call_take(&call), payload));
    world_run(world);
    assert_string_equal(call_take(&call), "answer answered=2 ms=0 by= behind it\n");
    world_advance(world, 2 * SECOND);
    assert_non_null(strstr(call_take(&call), "end answered=2 "));
    end(world, &call);
}

static void test_client_leaves_while_answers_wait(void **state) {
    struct world *world = *state;
    struct call call;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &call, "/lamps");
    flood(world, 0, payload, 20);
    cg_outq_unref(call.stream); /* the front lets go before it says so */
    call.stream = NULL;
    cg_gateway_abandon(world->gateway, call.ticket);
    world_run(world);
    end(world, &call);
}

static void test_gateway_is_freed_under_a_stream(void **state) {
    struct world *world = *state;
    struct call call;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &call, "/lamps");
    flood(world, 0, payload, 20);
    call_fini(&call);
}

static void test_shared_memory_runs_out(void **state) {
    struct world *world = *state;
    struct call call, other;
    char payload[1001];
    start_narrow(world, payload);
    stream(world, &call, "/lamps/a");
    stream(world, &other, "/lamps/b");
    world->gateway->quota.max = world->gateway->quota.used + 1100;
    flood(world, 0, payload, 50);
    world_run(world);
    assert_true(call.stream->ended);
    assert_int_equal(stats_of(world, "lamps")->errors[-1 - CG_E_NO_MEMORY], 1);
    assert_int_equal(stats_of(world, "lamps")->streams_cut, 0);
    assert_false(other.stream->ended);
    call_fini(&call);
    world->gateway->quota.max = SIZE_MAX;
    answer_now(world, 1, "127.1.0.1", "on");
    assert_non_null(strstr(call_take(&other), "answer answered=1 "));
    world_advance(world, 30 * SECOND);
    end(world, &other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_stalled_reader_is_cut),
        world_test(test_crowd_does_not_cut_a_good_reader),
        world_test(test_slow_reader_gets_every_answer),
        world_test(test_who_reads_too_slowly_for_one_member_is_cut),
        world_test(test_rest_is_drained_after_collecting),
        world_test(test_the_end_follows_at_once_when_the_reader_has_taken_the_rest),
        world_test(test_drain_has_an_end),
        world_test(test_stall_while_draining),
        world_test(test_a_stream_whose_group_was_left_tells_what_it_has),
        world_test(test_a_stream_that_had_ended_is_not_ended_by_leaving_the_group),
        world_test(test_event_larger_than_the_queue),
        world_test(test_client_leaves_while_answers_wait),
        world_test(test_gateway_is_freed_under_a_stream),
        world_test(test_shared_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
