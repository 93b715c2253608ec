/* What is refused before anything is emitted, and the limits that hold when clients or members ask for too much. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

static void expect_problem(struct world *world, struct call *call, int err) {
    world_go(world, call);
    assert_int_equal(call->replies, 0);
    assert_int_equal(call->problems, 1);
    assert_int_equal(call->problem.err, err);
    assert_int_equal(cg_gateway_running(world->gateway), 0);
}

static void test_refusals(void **state) { /* R1 GCP REQ1 REQ2, R58: nothing is emitted */
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    static struct cg_client known = {.name = "known"}, stranger = {.name = "stranger"};
    lamps->grants[0] = (struct cg_grant){.client = &known, .methods = CG_METHOD_BIT(CG_GET) | CG_METHOD_BIT(CG_PUT)};
    lamps->unsafe_methods = false;
    lamps->methods = CG_METHOD_BIT(CG_GET);
    lamps->requests_per_minute = 1;
    world_mapping(world, "pair")->has_timeout = false;
    world_new(world, &call, "/nowhere");
    expect_problem(world, &call, CG_E_NOT_FOUND);
    world_new(world, &call, "/lamps");
    expect_problem(world, &call, CG_E_UNAUTHORIZED);
    world_new(world, &call, "/lamps")->client = &stranger;
    expect_problem(world, &call, CG_E_FORBIDDEN);
    struct cg_request *request = world_new(world, &call, "/lamps");
    request->client = &known;
    request->method = CG_PUT;
    expect_problem(world, &call, CG_E_UNSAFE);
    request = world_new(world, &call, "/lamps");
    request->client = &known;
    request->method = CG_FETCH;
    expect_problem(world, &call, CG_E_METHOD);
    assert_int_equal(call.problem.allow, CG_METHOD_BIT(CG_GET));
    request = world_new(world, &call, "/pair");
    request->may_be_anonymous = false;
    expect_problem(world, &call, CG_E_UNAUTHORIZED);
    world_new(world, &call, "/pair");
    expect_problem(world, &call, CG_E_NO_TIMEOUT);
    assert_true(call.problem.ask_timeout);
    request = world_new(world, &call, "/pair");
    request->has_timeout = true;
    request->timeout_s = 61;
    expect_problem(world, &call, CG_E_NO_TIMEOUT);
    assert_int_equal(world->sent_count, 0);
    world_new(world, &call, "/lamps")->client = &known;
    world_go(world, &call);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 1);
    world_new(world, &call, "/lamps")->client = &known;
    expect_problem(world, &call, CG_E_RATE);
    assert_true(call.problem.retry_after > 50 && call.problem.retry_after <= 60);
    world_advance(world, 60 * SECOND);
    world_new(world, &call, "/lamps")->client = &known;
    world_go(world, &call);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 1);
}

static void test_emission_fails(void **state) {
    struct world *world = *state;
    struct call call;
    world->emit_error = CG_E_EMIT;
    world_new(world, &call, "/pair");
    expect_problem(world, &call, CG_E_EMIT);
    assert_string_equal(call.problem.detail, "the fake port fails");
    assert_int_equal(world->gateway->engine.legs.used, 0);
}

static void test_table_full(void **state) {
    struct world *world = *state;
    struct call calls[5], one_more;
    world->config->limits.exchanges = 5;
    world->config->limits.exchanges_per_client = 4;
    for (int i = 0; i < 4; i++) world_get(world, &calls[i], "/lamps");
    world_get(world, &calls[4], "/lamps");
    assert_int_equal(calls[4].problem.err, CG_E_RATE); /* the client's own limit */
    assert_non_null(world_new(world, &calls[4], "/lamps"));
    assert_null(world_new(world, &one_more, "/lamps"));
    assert_int_equal(one_more.problem.err, CG_E_OVERLOAD);
    assert_true(one_more.problem.retry_after > 0);
    const struct cg_totals *totals = cg_gateway_totals(world->gateway);
    assert_int_equal(totals->requests_refused, 1);
    assert_int_equal(totals->errors[-1 - CG_E_OVERLOAD], 1);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->errors[-1 - CG_E_RATE], 1);
    cg_gateway_abandon(world->gateway, calls[4].ticket);
    world_advance(world, 2 * SECOND);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(calls[i].replies, 1);
    }
    assert_int_equal(cg_gateway_running(world->gateway), 0);
}

static void test_answer_and_memory_limits(void **state) {
    struct world *world = *state;
    struct call call;
    char from[32];
    world_mapping(world, "lamps")->max_answers = 3;
    world->config->limits.exchange_memory = 8192;
    world->config->limits.answer = 3000;
    world_get(world, &call, "/lamps");
    for (int i = 1; i <= 10; i++) {
        snprintf(from, sizeof from, "127.1.0.%d", i);
        world_answer(world, 0, from, "on");
    }
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 3);
    assert_int_equal(call.reply.summary.rejected, 7);
    assert_string_equal(call.reply.summary.ended_by, "limit");
    assert_non_null(strstr(call.text, "\"reason\":\"max_answers\""));
    static char large[3001], larger[3002];
    memset(large, 'x', sizeof large - 2);
    memset(larger, 'x', sizeof larger - 1);
    world_get(world, &call, "/pair");
    world_answer(world, 1, "127.1.0.11", larger);
    for (int i = 1; i <= 10; i++) {
        snprintf(from, sizeof from, "127.1.0.%d", i);
        world_answer(world, 1, from, large);
    }
    const struct cg_round *round = world_round(world, &call);
    assert_true(round->arena.used <= 8192);
    world_advance(world, 2 * SECOND);
    assert_true(call.reply.summary.answered >= 1 && call.reply.summary.answered <= 2);
    assert_int_equal(call.reply.summary.answered + call.reply.summary.rejected, 11);
    assert_non_null(strstr(call.text, "\"reason\":\"too-large\""));
    assert_non_null(strstr(call.text, "\"reason\":\"memory-limit\""));
    assert_int_equal(world->gateway->quota.used, 0);
}

static void test_total_memory_limit(void **state) {
    struct world *world = *state;
    struct call calls[8], refused;
    char path[32], from[32];
    world->config->limits.total_memory = 40000;
    world->config->group.nstart = 8;
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "/lamps/%d", i);
        world_get(world, &calls[i], path);
    }
    static char large[1001];
    memset(large, 'x', sizeof large - 1);
    for (int member = 1; member < 50; member++) {
        for (size_t i = 0; i < 8; i++) {
            snprintf(from, sizeof from, "127.1.0.%d", member);
            world_answer(world, i, from, large);
        }
        assert_true(world->gateway->quota.used <= 40000);
    }
    world_run(world);
    unsigned problems = 0;
    for (int i = 0; i < 8; i++) {
        if (calls[i].problems > 0) assert_int_equal(calls[i].problem.err, CG_E_NO_MEMORY);
        problems += calls[i].problems;
    }
    assert_true(problems > 0);
    const struct cg_stats *stats = cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
    assert_true(stats->over_cap >= problems);
    assert_int_equal(stats->over_cap, stats->rejected);
    world_advance(world, 2 * SECOND);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(calls[i].replies + calls[i].problems, 1);
    }
    assert_int_equal(world->gateway->quota.used, 0);
    assert_non_null(world_new(world, &refused, "/lamps"));
    world_go(world, &refused);
    world_advance(world, 2 * SECOND);
    assert_int_equal(refused.replies, 1); /* and all is well again */
}

static void test_a_reply_that_does_not_fit_is_503(void **state) {
    struct world *world = *state;
    struct call call;
    char from[32];
    static char large[1001];
    memset(large, 'x', sizeof large - 1);
    world->config->limits.total_memory = 50000; /* for the answers, but not for both */
    world_get(world, &call, "/lamps");
    for (int i = 1; i <= 30; i++) {
        snprintf(from, sizeof from, "127.1.0.%d", i);
        world_answer(world, 0, from, large);
    }
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 0);
    assert_int_equal(call.problem.err, CG_E_NO_MEMORY);
    assert_int_equal(call.problem.retry_after, 1);
    assert_non_null(strstr(call.problem.detail, "the reply does not fit"));
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->answered, 0); /* nobody was given any */
    assert_int_equal(world->gateway->quota.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_refusals),           world_test(test_emission_fails),
        world_test(test_table_full),         world_test(test_answer_and_memory_limits),
        world_test(test_total_memory_limit), world_test(test_a_reply_that_does_not_fit_is_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
