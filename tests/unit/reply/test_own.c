/* Replies to requests for one member: its answer as HTTP has it (RFC 8075 §7). */
#include "exchange/fake_world.h"

#include <string.h>

static struct cg_request *begin(struct world *world, struct call *call) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    if (lamps->members == NULL) world_add_members(world, lamps, 2);
    lamps->stand_in = CG_STAND_IN_MEMBERS;
    struct cg_request *request = world_new(world, call, "/lamps/.member/first/status");
    assert_non_null(request);
    request->host = cg_slice_str("gw");
    call->encoder = cg_plugin_mixed.ops.encoder;
    call->any_form = true;
    return request;
}

/* What it answers with that option, if there is one. */
static void answer(struct world *world, uint8_t code, const struct cg_opt *option, const char *payload) {
    struct cg_opts options = {.list = (struct cg_opt *)option, .count = option != NULL};
    const struct cg_msg *request = &world->sent[world->sent_count - 1].msg;
    world_answer_as(
        world, world->sent_count - 1, "127.1.0.1",
        (struct answer){.type = CG_ACK, .code = code, .mid = request->mid, .payload = payload, .options = &options});
    world_run(world);
}

static void get(struct world *world, struct call *call, uint8_t code, const struct cg_opt *option,
                const char *payload) {
    begin(world, call);
    world_go(world, call);
    world_run(world);
    answer(world, code, option, payload);
}

static const struct cg_opt text = {.number = CG_OPT_CONTENT_FORMAT}; /* 0: text/plain */

static void test_the_reply_is_the_members_own(void **state) {
    struct world *world = *state;
    struct call call;
    get(world, &call, CG_CODE(2, 5), &text, "on");
    assert_int_equal(call.replies, 1);
    assert_int_equal(call.reply.status, 200);
    assert_string_equal(call.text, "on");
    assert_string_equal(call.reply.content_type, "text/plain; charset=utf-8");
    assert_non_null(strstr(call.fields, "Castgate-Member: \"first\";verified=none;via=unicast;ms="));
    assert_non_null(
        strstr(call.fields, "Reply-From: :giKBYmd3gvWDZWxhbXBzZy5tZW1iZXJlZmlyc3Q=:\n")); /* see test_cri.c */
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.expected, 1);
    assert_string_equal(call.reply.summary.ended_by, "all");
}

static void test_its_options_are_fields(void **state) {
    struct world *world = *state;
    struct call call;
    get(world, &call, CG_CODE(2, 5), &(struct cg_opt){.number = CG_OPT_ETAG, .value = cg_slice_of("\x01\xff", 2)},
        "on");
    assert_non_null(strstr(call.fields, "ETag: \"01ff\"\n"));
    get(world, &call, CG_CODE(5, 3), &(struct cg_opt){.number = CG_OPT_MAX_AGE, .value = cg_slice_of("\x07", 1)},
        "later");
    assert_int_equal(call.reply.status, 503);
    assert_non_null(strstr(call.fields, "Retry-After: 7\n"));
    get(world, &call, CG_CODE(2, 5), &(struct cg_opt){.number = 2052, .value = cg_slice_of("\x08", 1)}, "on");
    assert_non_null(strstr(call.fields, "Castgate-Options: 2052;v=:CA==:\n"));
}

/* A head beyond what HTTP's peers take would be no reply at all. */
static void test_a_field_that_is_too_long_is_left_out(void **state) {
    struct world *world = *state;
    struct call call;
    static uint8_t bytes[3200];
    get(world, &call, CG_CODE(2, 5), &(struct cg_opt){.number = 2052, .value = cg_slice_of(bytes, 3000)}, "on");
    assert_non_null(strstr(call.fields, "Castgate-Options: 2052;v=:AAAA"));
    get(world, &call, CG_CODE(2, 5), &(struct cg_opt){.number = 2052, .value = cg_slice_of(bytes, sizeof bytes)}, "on");
    assert_null(strstr(call.fields, "Castgate-Options"));
    assert_non_null(strstr(call.fields, "Castgate-Member: \"first\""));
    assert_string_equal(call.text, "on");
}

/* Whatever the answer is, it is no error of the gateway's. */
static void test_its_errors_are_its_own(void **state) {
    static const struct {
        uint8_t code;
        const char *payload;
        unsigned status;
        const char *type, *body;
    } rows[] = {
        {CG_CODE(4, 4), "no status here", 404, "text/plain; charset=utf-8", "no status here"},
        {CG_CODE(4, 4), "\xff", 404, "", "\xff"}, /* no text */
        {CG_CODE(4, 1), NULL, 403, "", ""},       /* RFC 8075: 401 would ask for the gateway's credentials */
        {CG_CODE(5, 0), "broken", 500, "text/plain; charset=utf-8", "broken"},
        {CG_CODE(2, 1), NULL, 201, "", ""},
        {CG_CODE(2, 5), "bytes", 200, "", "bytes"},
    };
    struct world *world = *state;
    struct call call;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        get(world, &call, rows[i].code, NULL, rows[i].payload);
        assert_int_equal(call.problems, 0);
        assert_int_equal(call.reply.status, rows[i].status);
        assert_string_equal(call.reply.content_type, rows[i].type);
        assert_string_equal(call.text, rows[i].body);
    }
}

static void test_nothing_is_valid_still_that_was_not_asked_for(void **state) {
    struct world *world = *state;
    struct call call;
    get(world, &call, CG_CODE(2, 3), NULL, NULL);
    assert_int_equal(call.replies, 0);
    assert_int_equal(call.problem.err, CG_E_CODE);
}

static void test_a_form_by_name_is_that_encoders(void **state) {
    struct world *world = *state;
    struct call call;
    begin(world, &call);
    call.encoder = cg_plugin_json.ops.encoder;
    call.any_form = false;
    world_go(world, &call);
    world_run(world);
    answer(world, CG_CODE(4, 4), NULL, "none");
    assert_int_equal(call.reply.status, 200);
    assert_string_equal(call.fields, "");
    assert_non_null(strstr(call.text, "\"code\":\"4.04\""));
}

/* RFC 7967: what the client does not want to hear is only not said. */
static void test_what_is_not_wanted_is_not_said(void **state) {
    struct world *world = *state;
    static const struct {
        uint32_t no_response;
        uint8_t code;
        unsigned status;
    } rows[] = {{2, CG_CODE(2, 5), 204}, {2, CG_CODE(4, 4), 404}, {8, CG_CODE(4, 4), 204}, {26, CG_CODE(5, 0), 204}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call call;
        struct cg_opt option = {.number = CG_OPT_NO_RESPONSE, .value = cg_slice_of(&rows[i].no_response, 1)};
        struct cg_request *request = begin(world, &call);
        request->no_response = rows[i].no_response;
        request->options = (struct cg_opts){.list = &option, .count = 1};
        world_go(world, &call);
        world_run(world);
        answer(world, rows[i].code, NULL, "said");
        assert_int_equal(call.reply.status, rows[i].status);
        assert_string_equal(call.text, rows[i].status == 204 ? "" : "said");
    }
}

/* Its silence is no group's: nobody else could have answered. */
static void test_silence_is_an_error_however_long_it_was_waited_for(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_request *request = begin(world, &call);
    world_mapping(world, "lamps")->silence = CG_SILENCE_IS_FINE;
    request->has_timeout = true;
    request->timeout_s = 1;
    world_go(world, &call);
    world_advance(world, SECOND);
    assert_int_equal(call.reply.status, 504);
    assert_int_equal(call.problem.err, CG_E_NO_ANSWER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_the_reply_is_the_members_own),
        world_test(test_its_options_are_fields),
        world_test(test_a_field_that_is_too_long_is_left_out),
        world_test(test_its_errors_are_its_own),
        world_test(test_nothing_is_valid_still_that_was_not_asked_for),
        world_test(test_a_form_by_name_is_that_encoders),
        world_test(test_what_is_not_wanted_is_not_said),
        world_test(test_silence_is_an_error_however_long_it_was_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
