/* What an exchange says to its sink, whatever that is: in order, no more than it has room for, and the end once. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

#include "base/container.h"

/* A sink that writes down what it hears. */
struct listener {
    struct cg_sink sink;
    struct cg_ticket ticket;
    char heard[2048];
    size_t len;
    unsigned room; /* answers that it takes before it is full */
    unsigned looks;
    uint64_t again_us; /* what `look` returns */
    bool gives_up;     /* in its next operation */
    enum cg_sink_end how;
    struct cg_problem problem;
    struct castgate_summary summary;
    bool has_view, has_tally, expects_answers;
};

static struct listener *listener_of(struct cg_sink *sink) { return CG_CONTAINER(sink, struct listener, sink); }

static void hear(struct listener *listener, const char *what) {
    size_t room = sizeof listener->heard - listener->len;
    listener->len += (size_t)snprintf(listener->heard + listener->len, room, "%s;", what);
}

static int give_up(struct cg_problem *problem) { return cg_problem_set(problem, CG_E_INTERNAL, "the sink gives up"); }

static int on_begin(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    struct listener *listener = listener_of(sink);
    assert_int_equal(strlen(view->exchange), 16);
    assert_string_equal(view->mapping->name, "lamps");
    assert_string_equal(view->summary.ended_by, "");
    hear(listener, "begin");
    return listener->gives_up ? give_up(problem) : CG_OK;
}

static bool on_has_room(struct cg_sink *sink, enum cg_sink_word word) {
    (void)word;
    return listener_of(sink)->room > 0;
}

static int on_answer(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                     struct cg_problem *problem) {
    struct listener *listener = listener_of(sink);
    (void)view;
    assert_true(listener->room-- > 0);
    char what[64];
    snprintf(what, sizeof what, "answer %.*s", (int)answer->payload.len, (const char *)answer->payload.data);
    hear(listener, what);
    return listener->gives_up ? give_up(problem) : CG_OK;
}

static uint64_t on_look(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    struct listener *listener = listener_of(sink);
    (void)view;
    listener->looks++;
    if (listener->gives_up) give_up(problem);
    return listener->gives_up ? CG_SINK_CLOSED : listener->again_us;
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    static const char *const names[] = {[CG_SINK_DONE] = "done", [CG_SINK_CUT] = "cut", [CG_SINK_LEFT] = "left"};
    struct listener *listener = listener_of(sink);
    hear(listener, names[how]);
    listener->how = how;
    listener->problem = *problem;
    ending->status = 299;
    assert_int_equal(view == NULL, how == CG_SINK_LEFT);
    if (view == NULL) return;
    listener->has_tally = view->shelf != NULL;
    listener->summary = view->summary;
    listener->expects_answers = view->expects_answers;
}

static const struct cg_sink_ops told_ops = {
    .begin = on_begin, .has_room = on_has_room, .answer = on_answer, .look = on_look, .end = on_end};
static const struct cg_sink_ops end_ops = {.end = on_end};

static struct cg_request *new_request(struct world *world, struct listener *listener, const struct cg_sink_ops *ops,
                                      const char *path) {
    struct call call;
    *listener = (struct listener){.sink.ops = ops, .room = 1000, .again_us = UINT64_MAX};
    struct cg_request *request = world_new(world, &call, path);
    assert_non_null(request);
    listener->ticket = call.ticket;
    return request;
}

static void go(struct world *world, struct listener *listener) {
    cg_gateway_start(world->gateway, listener->ticket, &listener->sink, world->now_us);
    assert_string_equal(listener->heard, ""); /* nothing from inside */
    world_run(world);
}

static void begin(struct world *world, struct listener *listener, const struct cg_sink_ops *ops) {
    new_request(world, listener, ops, "/lamps");
    go(world, listener);
}

static void answer(struct world *world, const char *from, const char *payload) {
    world_answer(world, 0, from, payload);
    world_run(world);
}

static int teardown(void **state) {
    struct world *world = *state;
    assert_int_equal(cg_gateway_running(world->gateway), 0);
    assert_int_equal(world->gateway->quota.used, 0);
    return world_teardown(state);
}

#define sink_test(test) cmocka_unit_test_setup_teardown(test, world_setup, teardown)

static void test_a_sink_hears_each_answer_as_it_comes(void **state) {
    struct world *world = *state;
    struct listener listener;
    begin(world, &listener, &told_ops);
    assert_string_equal(listener.heard, "begin;");
    assert_int_equal(world->sent_count, 1); /* the request is out */
    answer(world, "127.1.0.1", "on");
    answer(world, "127.1.0.2", "off");
    answer(world, "127.1.0.1", "on");
    answer(world, "127.1.0.1", "dim");
    assert_string_equal(listener.heard, "begin;answer on;answer off;answer on;answer dim;");
    world_advance(world, 2 * SECOND);
    assert_string_equal(listener.heard, "begin;answer on;answer off;answer on;answer dim;done;");
    assert_int_equal(listener.summary.answered, 2);
    assert_string_equal(listener.summary.ended_by, "deadline");
}

static void test_a_sink_may_want_to_hear_the_end_only(void **state) {
    struct world *world = *state;
    struct listener listener;
    begin(world, &listener, &end_ops);
    answer(world, "127.1.0.1", "on");
    assert_string_equal(listener.heard, "");
    world_advance(world, 2 * SECOND);
    assert_string_equal(listener.heard, "done;");
    assert_true(listener.has_tally && listener.expects_answers);
    assert_int_equal(listener.summary.answered, 1);
    assert_int_equal(listener.problem.err, 0);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->answered, 1);
}

static void test_answers_wait_for_room(void **state) {
    struct world *world = *state;
    struct listener listener;
    begin(world, &listener, &told_ops);
    listener.room = 1;
    world_answer(world, 0, "127.1.0.1", "one");
    world_answer(world, 0, "127.1.0.2", "two");
    world_answer(world, 0, "127.1.0.3", "three");
    world_run(world);
    assert_string_equal(listener.heard, "begin;answer one;");
    answer(world, "127.1.0.2", "newer"); /* takes nothing from what was before it */
    listener.room = 1;
    world_run(world);
    assert_string_equal(listener.heard, "begin;answer one;"); /* nobody has said that there is room */
    cg_sink_wake(&listener.sink);
    world_run(world);
    assert_string_equal(listener.heard, "begin;answer one;answer two;");
    world_advance(world, 2 * SECOND);
    assert_int_equal(cg_gateway_running(world->gateway), 1); /* it has not heard all */
    listener.room = 3;                                       /* the end wants some, too */
    cg_sink_wake(&listener.sink);
    world_run(world);
    assert_string_equal(listener.heard, "begin;answer one;answer two;answer three;answer newer;done;");
    cg_sink_wake(&listener.sink); /* its exchange is over */
    world_run(world);
}

static void test_the_end_waits_for_room_a_minute(void **state) {
    struct world *world = *state;
    struct listener listener;
    begin(world, &listener, &told_ops);
    listener.room = 0;
    answer(world, "127.1.0.1", "on");
    world_advance(world, 62 * SECOND - 1);
    assert_string_equal(listener.heard, "begin;");
    world_advance(world, 1);
    assert_string_equal(listener.heard, "begin;cut;");
    assert_string_equal(listener.summary.ended_by, "deadline");
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->streams_cut, 1);
}

static void test_a_sink_is_asked_again_when_it_says(void **state) {
    struct world *world = *state;
    struct listener listener;
    begin(world, &listener, &told_ops);
    listener.again_us = world->now_us + SECOND;
    cg_sink_wake(&listener.sink);
    world_run(world);
    unsigned looks = listener.looks;
    world_advance(world, SECOND - 1);
    assert_int_equal(listener.looks, looks);
    listener.again_us = UINT64_MAX;
    world_advance(world, 1);
    assert_int_equal(listener.looks, looks + 1);
    world_advance(world, SECOND);
    assert_string_equal(listener.heard, "begin;done;");
}

static void test_a_sink_that_closes_ends_the_exchange(void **state) {
    struct world *world = *state;
    struct listener listener;
    begin(world, &listener, &told_ops);
    listener.again_us = CG_SINK_CLOSED;
    answer(world, "127.1.0.1", "on");
    assert_string_equal(listener.heard, "begin;answer on;cut;");
    assert_string_equal(listener.summary.ended_by, "limit");
    assert_int_equal(listener.problem.err, 0);
    const struct cg_stats *stats = cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
    assert_int_equal(stats->streams_cut, 1);
    assert_int_equal(stats->errors[-1 - CG_E_INTERNAL], 0);
}

static void test_a_sink_that_fails_ends_the_exchange_with_its_problem(void **state) {
    struct world *world = *state;
    struct listener listener;
    begin(world, &listener, &told_ops);
    listener.gives_up = true;
    world_answer(world, 0, "127.1.0.1", "on");
    answer(world, "127.1.0.2", "not any more");
    assert_string_equal(listener.heard, "begin;answer on;cut;");
    assert_string_equal(listener.problem.detail, "the sink gives up");
    const struct cg_stats *stats = cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
    assert_int_equal(stats->streams_cut, 0);
    assert_int_equal(stats->errors[-1 - CG_E_INTERNAL], 1);
}

static void test_a_sink_that_cannot_begin_hears_the_end(void **state) {
    struct world *world = *state;
    struct listener listener;
    new_request(world, &listener, &told_ops, "/lamps");
    listener.gives_up = true;
    go(world, &listener);
    assert_string_equal(listener.heard, "begin;done;");
    assert_int_equal(listener.problem.err, CG_E_INTERNAL);
}

static void test_a_refused_request_has_an_end_with_its_problem(void **state) {
    struct world *world = *state;
    struct listener listener;
    new_request(world, &listener, &told_ops, "/nowhere");
    go(world, &listener);
    assert_string_equal(listener.heard, "done;");
    assert_int_equal(listener.problem.err, CG_E_NOT_FOUND);
    assert_false(listener.has_tally);
}

static void test_nothing_begins_where_no_answers_are_wanted(void **state) {
    struct world *world = *state;
    struct listener listener;
    struct cg_request *request = new_request(world, &listener, &told_ops, "/lamps");
    request->has_timeout = true;
    go(world, &listener);
    assert_int_equal(world->sent_count, 1);
    assert_string_equal(listener.heard, "done;");
    assert_false(listener.expects_answers);
}

static void test_the_end_is_said_once_to_who_left(void **state) {
    struct world *world = *state;
    struct listener listener;
    begin(world, &listener, &told_ops);
    cg_gateway_abandon(world->gateway, listener.ticket);
    assert_string_equal(listener.heard, "begin;"); /* nothing from inside */
    answer(world, "127.1.0.1", "on");
    assert_string_equal(listener.heard, "begin;left;");
}

static void test_the_end_is_said_when_the_gateway_goes(void **state) {
    struct world *world = *state;
    struct listener listener;
    begin(world, &listener, &told_ops);
    cg_gateway_free(world->gateway);
    world->gateway = NULL;
    assert_string_equal(listener.heard, "begin;left;");
}

static void test_a_request_that_never_starts_needs_no_sink(void **state) {
    struct world *world = *state;
    struct listener listener;
    struct cg_problem problem = {0};
    new_request(world, &listener, &told_ops, "/lamps");
    cg_problem_set(&problem, CG_E_BAD_URI, "no good");
    cg_gateway_refuse(world->gateway, listener.ticket, &problem, 400);
    assert_int_equal(cg_gateway_totals(world->gateway)->errors[-1 - CG_E_BAD_URI], 1);
    assert_int_equal(cg_gateway_totals(world->gateway)->requests_refused, 1);
    cg_gateway_abandon(world->gateway, listener.ticket); /* stale */
    world_run(world);
    assert_string_equal(listener.heard, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        sink_test(test_a_sink_hears_each_answer_as_it_comes),
        sink_test(test_a_sink_may_want_to_hear_the_end_only),
        sink_test(test_answers_wait_for_room),
        sink_test(test_the_end_waits_for_room_a_minute),
        sink_test(test_a_sink_is_asked_again_when_it_says),
        sink_test(test_a_sink_that_closes_ends_the_exchange),
        sink_test(test_a_sink_that_fails_ends_the_exchange_with_its_problem),
        sink_test(test_a_sink_that_cannot_begin_hears_the_end),
        sink_test(test_a_refused_request_has_an_end_with_its_problem),
        sink_test(test_nothing_begins_where_no_answers_are_wanted),
        sink_test(test_the_end_is_said_once_to_who_left),
        world_test(test_the_end_is_said_when_the_gateway_goes),
        sink_test(test_a_request_that_never_starts_needs_no_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
