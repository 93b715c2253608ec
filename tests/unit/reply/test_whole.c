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

static struct cg_request *begin(struct world *world, struct call *call, const struct castgate_plugin *plugin) {
    struct cg_request *request = world_new(world, call, "/lamps");
    assert_non_null(request);
    call->encoder = plugin->ops.encoder;
    return request;
}

static void go_silently(struct world *world, struct call *call) {
    world_go(world, call);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call->replies, 1);
    assert_int_equal(call->reply.summary.answered, 0);
}

static const struct cg_stats *stats_of(struct world *world) {
    return cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
}

static void test_nobody_answers(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 3);
    begin(world, &call, &cg_plugin_mixed);
    go_silently(world, &call);
    assert_int_equal(call.reply.status, 504);
    assert_int_equal(call.problem.err, CG_E_NO_ANSWER);
    assert_null(call.text);
    assert_int_equal(call.reply.summary.missing, 3);
    assert_string_equal(call.problem.detail,
                        "nobody answered within 2.0 s; the request went out, and members may have acted on it; members "
                        "that have nothing at this path are silent, too");
    assert_int_equal(stats_of(world)->missing[CG_CAUSE_UNKNOWN], 3); /* an error whose figures count */
    assert_int_equal(stats_of(world)->errors[-1 - CG_E_NO_ANSWER], 1);
    begin(world, &call, &cg_plugin_json);
    go_silently(world, &call);
    assert_int_equal(call.reply.status, 504);
    assert_non_null(strstr(call.text, "\"missing\":3"));
    assert_int_equal(stats_of(world)->errors[-1 - CG_E_NO_ANSWER], 2);
    begin(world, &call, &cg_plugin_html);
    go_silently(world, &call);
    assert_int_equal(call.reply.status, 504);
    assert_non_null(strstr(call.text, "Missing"));
}

static void test_nobody_answers_whoever_says_how_long_to_wait(void **state) {
    struct world *world = *state;
    struct call call;
    *begin(world, &call, &cg_plugin_mixed) = (struct cg_request){.method = CG_GET,
                                                                 .may_be_anonymous = true,
                                                                 .path = cg_slice_str("/lamps"),
                                                                 .has_timeout = true,
                                                                 .timeout_s = 2};
    go_silently(world, &call);
    assert_int_equal(call.reply.status, 204);
    assert_string_equal(call.text, "");
    begin(world, &call, &cg_plugin_json)->has_timeout = true;
    cg_gateway_request(world->gateway, call.ticket)->timeout_s = 2;
    go_silently(world, &call);
    assert_int_equal(call.reply.status, 200);
    assert_int_equal(stats_of(world)->errors[-1 - CG_E_NO_ANSWER], 0);
}

static void test_silence_may_be_fine(void **state) {
    struct world *world = *state;
    struct call call;
    world_mapping(world, "lamps")->silence = CG_SILENCE_IS_FINE;
    begin(world, &call, &cg_plugin_mixed);
    go_silently(world, &call);
    assert_int_equal(call.reply.status, 204);
}

/* Members that cannot give what Accept names keep silent in a group. */
static void test_silence_names_the_type_that_was_asked_for(void **state) {
    struct world *world = *state;
    static const uint8_t formats[][2] = {{60}, {0xfd, 0xe8}};
    static const char *const names[] = {": application/cbor", ": Content-Format 65000"};
    for (size_t i = 0; i < 2; i++) {
        struct call call;
        struct cg_opt accept = {.number = CG_OPT_ACCEPT, .value = {.data = formats[i], .len = i + 1}};
        begin(world, &call, &cg_plugin_mixed)->options = (struct cg_opts){.list = &accept, .count = 1};
        go_silently(world, &call);
        assert_non_null(strstr(call.problem.detail, CG_SILENT_ABOUT_ACCEPT));
        assert_string_equal(strrchr(call.problem.detail, ':'), names[i]);
    }
}

static void test_nobody_is_heard_whose_answers_are_rejected(void **state) {
    struct world *world = *state;
    static const uint8_t unsafe = 0;
    struct cg_opt option = {.number = 2051, .value = {.data = &unsafe, .len = 1}};
    const struct cg_opts options = {.list = &option, .count = 1};
    struct call call;
    begin(world, &call, &cg_plugin_mixed);
    world_go(world, &call);
    world_answer_as(world, 0, "127.1.0.1",
                    (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = 1, .options = &options});
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.status, 504);
    assert_non_null(strstr(call.problem.detail, "; 1 answers were rejected"));
}

/* RFC 7240 §4.4: whoever wants all or nothing. */
static void test_strict_handling(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    begin(world, &call, &cg_plugin_mixed)->is_strict = true;
    world_go(world, &call);
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.status, 504);
    assert_true(call.reply.is_strict);
    assert_non_null(strstr(call.text, "\r\n\r\non\r\n")); /* the body is as usual */
    begin(world, &call, &cg_plugin_json)->is_strict = true;
    world_go(world, &call);
    size_t index = world->sent_count - 1;
    world_answer(world, index, "127.1.0.1", "on");
    world_answer_as(world, index, "127.1.0.2", (struct answer){.type = CG_NON, .code = CG_CODE(5, 0), .mid = 99});
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.status, 502);
    assert_int_equal(call.reply.summary.failed, 1);
    assert_int_equal(stats_of(world)->answered, 3);
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
        reply_test(test_nobody_answers_whoever_says_how_long_to_wait),
        reply_test(test_silence_may_be_fine),
        reply_test(test_silence_names_the_type_that_was_asked_for),
        reply_test(test_nobody_is_heard_whose_answers_are_rejected),
        reply_test(test_strict_handling),
        reply_test(test_a_reply_has_its_encoders_type_and_bytes),
        reply_test(test_an_encoder_that_gives_up_is_500),
        reply_test(test_an_encoder_without_memory_is_503),
        reply_test(test_nobody_hears_what_was_made_for_who_left),
        cmocka_unit_test(test_what_is_full_may_soon_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
