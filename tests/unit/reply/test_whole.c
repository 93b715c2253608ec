/* Replies that are made when collecting has ended, and the words to the front: one, or none where the client left. */
#include "exchange/fake_world.h"

#include <string.h>

/* An encoder that fails as it is told to. */
static int result;

static int encode(const struct castgate_host *host, struct castgate_call *call) {
    return result != 0 ? result : host->write(call, (struct castgate_slice){.data = "told", .len = 4}) ? 0 : -1;
}

static const struct castgate_encoder teller = {.media_type = "text/told", .encode = encode};

static void tell(struct world *world, struct call *call, int told) {
    result = told;
    assert_non_null(world_new(world, call, "/lamps"));
    call->encoder = &teller;
    world_go(world, call);
    world_answer(world, 0, "127.1.0.1", "on");
}

/* Whatever became of it, nothing of it is left. */
static int teardown(void **state) {
    struct world *world = *state;
    assert_int_equal(cg_gateway_running(world->gateway), 0);
    assert_int_equal(world->gateway->quota.used, 0);
    return world_teardown(state);
}

#define reply_test(test) cmocka_unit_test_setup_teardown(test, world_setup, teardown)

static void test_nobody_answers(void **state) {
    struct world *world = *state;
    struct call call;
    assert_non_null(world_new(world, &call, "/lamps"));
    call.encoder = cg_plugin_mixed.ops.encoder;
    world_go(world, &call);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.status, 204);
    assert_string_equal(call.text, "");
    world_get(world, &call, "/lamps"); /* json: always 200 */
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.status, 200);
}

static void test_a_reply_has_its_encoders_type_and_bytes(void **state) {
    struct world *world = *state;
    struct call call;
    tell(world, &call, 0);
    assert_int_equal(call.replies + call.problems, 0);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 1);
    assert_int_equal(call.reply.status, 200);
    assert_false(call.reply.streams);
    assert_string_equal(call.reply.content_type, "text/told");
    assert_string_equal(call.text, "told");
    assert_int_equal(strlen(call.reply.exchange_id), 16);
    assert_int_equal(call.reply.summary.answered, 1);
}

static void expect_failure(struct world *world, int told, int err, unsigned retry_after, const char *detail) {
    struct call call;
    tell(world, &call, told);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 0);
    assert_int_equal(call.problems, 1);
    assert_int_equal(call.problem.err, err);
    assert_int_equal(call.problem.retry_after, retry_after);
    assert_string_equal(call.problem.detail, detail);
    const struct cg_stats *stats = cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
    assert_int_equal(stats->errors[-1 - err], 1);
    assert_int_equal(stats->answered, 0); /* nobody was given any */
}

static void test_an_encoder_that_gives_up_is_500(void **state) {
    expect_failure(*state, -1, CG_E_INTERNAL, 1, "the encoder gave up");
}

static void test_an_encoder_without_memory_is_503(void **state) {
    expect_failure(*state, CASTGATE_NO_MEMORY, CG_E_NO_MEMORY, 1, "the reply does not fit the memory limits");
}

static void test_nobody_hears_what_was_made_for_who_left(void **state) {
    struct world *world = *state;
    struct call call;
    tell(world, &call, 0);
    cg_gateway_abandon(world->gateway, call.ticket);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies + call.problems, 0);
}

static void note_problem(void *ctx, const struct cg_problem *problem, const char *exchange_id) {
    *(struct cg_problem *)ctx = *problem;
    assert_string_equal(exchange_id, "0123456789abcdef");
}

static void test_what_is_full_may_soon_not_be(void **state) {
    (void)state;
    static const struct cg_front front = {.problem = note_problem};
    struct cg_problem full = {.err = CG_E_OVERLOAD}, patient = {.err = CG_E_OVERLOAD, .retry_after = 7};
    struct cg_problem wrong = {.err = CG_E_BAD_URI}, told;
    assert_int_equal(cg_reply_problem(&front, &told, &full, "0123456789abcdef"), 503);
    assert_int_equal(told.retry_after, 1);
    assert_int_equal(cg_reply_problem(&front, &told, &patient, "0123456789abcdef"), 503);
    assert_int_equal(told.retry_after, 7);
    assert_int_equal(cg_reply_problem(&front, &told, &wrong, "0123456789abcdef"), 400);
    assert_int_equal(told.retry_after, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        reply_test(test_nobody_answers),
        reply_test(test_a_reply_has_its_encoders_type_and_bytes),
        reply_test(test_an_encoder_that_gives_up_is_500),
        reply_test(test_an_encoder_without_memory_is_503),
        reply_test(test_nobody_hears_what_was_made_for_who_left),
        cmocka_unit_test(test_what_is_full_may_soon_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
