/* One response with all answers: what it is, when it goes, and what becomes of its blocks. */
#include "fronts_coap/fake_listener.h"

#include <stdio.h>
#include <string.h>

#include "fronts/coap/aggregate.h"
#include "fronts/coap/cut.h"
#include "fronts/coap/serve.h"
#include "wire/cbor.h"

enum { ROOM = 4 << 20 };

struct stage {
    struct world *world;
    struct cg_coap_bodies bodies;
    struct listener listener;
    struct cg_aggregate_to to;
    struct cg_block block1, block2;
    struct cg_coap_message last; /* its options and payload are these */
    uint8_t options[200], payload[2000];
    enum cg_type type;
    unsigned responses;
    int refuses;
};

static int setup(void **state) {
    static struct stage stage;
    stage = (struct stage){0};
    void *world;
    if (world_setup(&world) != 0) return -1;
    stage.world = world;
    *state = &stage;
    return 0;
}

static int teardown(void **state) {
    struct stage *stage = *state;
    void *world = stage->world;
    listener_fini(&stage->listener);
    cg_coap_bodies_fini(&stage->bodies);
    assert_int_equal(cg_gateway_running(stage->world->gateway), 0);
    assert_int_equal(stage->world->gateway->quota.used, 0);
    return world_teardown(&world);
}

static int on_respond(void *ctx, const struct cg_coap_message *response, enum cg_type type) {
    struct stage *stage = ctx;
    if (stage->refuses < 0) return stage->refuses;
    assert_true(cg_to_coap_size(response) <= CG_COAP_MESSAGE_MAX);
    assert_true(cg_slice_is(response->token, "t"));
    stage->last = *response;
    stage->type = type;
    stage->responses++;
    memcpy(stage->payload, response->payload.data, response->payload.len);
    assert_true(response->options.len <= sizeof stage->options);
    memcpy(stage->options, response->options.data, response->options.len);
    stage->last.payload.data = stage->payload;
    stage->last.options.data = stage->options;
    return stage->listener.to.ops->respond(&stage->listener, response, type);
}

static void on_over(void *ctx, const struct cg_problem *problem) {
    struct stage *stage = ctx;
    stage->listener.to.ops->over(&stage->listener, problem);
}

static const struct cg_separate_ops ops = {.respond = on_respond, .over = on_over};

static struct cg_request *begin(struct stage *stage) {
    struct cg_request *request = listener_new(&stage->listener, stage->world, NULL);
    static const struct castgate_plugin *const plugins[] = {&cg_plugin_mixed, &cg_plugin_multipart_core};
    request->finishing = CG_FINISH_AS_MAPPING;
    if (stage->bodies.keep.max == 0) cg_coap_bodies_init(&stage->bodies, ROOM, cg_gateway_quota(stage->world->gateway));
    stage->to = (struct cg_aggregate_to){
        .encoder = cg_aggregate_encoder(&(struct cg_encoder_list){.plugins = plugins, .count = 2}),
        .ops = &ops,
        .ctx = stage,
        .room = CG_COAP_MESSAGE_MAX,
        .token = cg_slice_str("t"),
        .type = CG_NON,
        .bodies = &stage->bodies,
        .quota = cg_gateway_quota(stage->world->gateway),
        .port = cg_gateway_port(stage->world->gateway)};
    assert_ptr_equal(stage->to.encoder, cg_plugin_multipart_core.ops.encoder);
    return request;
}

static void go(struct stage *stage) {
    struct cg_sink *sink = cg_aggregate_new(&stage->to);
    assert_non_null(sink);
    cg_gateway_start(stage->world->gateway, stage->listener.ticket, sink, stage->world->now_us);
    world_run(stage->world);
}

static void answer(struct stage *stage, const char *from, const char *payload) {
    world_answer(stage->world, 0, from, payload);
    world_run(stage->world);
}

static struct cg_slice option(const struct stage *stage, uint16_t number) {
    struct cg_msg msg = {.options = stage->last.options};
    struct cg_slice value = CG_SLICE_NONE;
    if (!cg_msg_find(&msg, number, &value)) value.data = NULL;
    return value;
}

static size_t elements(struct cg_slice body) {
    struct cg_cbor_item item;
    assert_int_equal(cg_cbor_next(&body, &item), CG_OK);
    assert_int_equal(item.major, CG_CBOR_ARRAY);
    return item.number;
}

static void test_one_response_when_the_time_is_over(void **state) {
    struct stage *stage = *state;
    begin(stage);
    go(stage);
    answer(stage, "127.1.0.1", "on");
    answer(stage, "127.1.0.2", "off");
    assert_int_equal(stage->responses, 0);
    world_advance(stage->world, 2 * SECOND);
    assert_int_equal(stage->responses, 1);
    assert_int_equal(stage->last.code, CG_CODE(2, 5));
    assert_int_equal(stage->type, CG_NON);
    assert_true(cg_slice_is(option(stage, CG_OPT_CONTENT_FORMAT), "\x3e"));
    assert_null(option(stage, CG_OPT_BLOCK2).data);
    assert_null(option(stage, 248).data); /* Reply-From is inside */
    assert_int_equal(elements(stage->last.payload), 10);
    assert_int_equal(stage->bodies.keep.used, 0); /* there is nothing to fetch */
}

/* Unlike separate responses, which run until the client's time. */
static void test_the_finish_rule_ends_it(void **state) {
    struct stage *stage = *state;
    world_add_members(stage->world, world_mapping(stage->world, "lamps"), 2);
    begin(stage);
    stage->to.type = CG_CON;
    go(stage);
    answer(stage, "127.1.0.1", "on");
    answer(stage, "127.1.0.2", "off");
    assert_int_equal(stage->responses, 1);
    assert_int_equal(stage->type, CG_CON);
}

static void test_nobody_is_an_answer_too(void **state) {
    struct stage *stage = *state;
    begin(stage);
    go(stage);
    world_advance(stage->world, 2 * SECOND);
    assert_int_equal(stage->responses, 1);
    assert_int_equal(stage->last.code, CG_CODE(2, 5));
    assert_int_equal(elements(stage->last.payload), 2);
}

static void test_what_is_refused_is_a_problem(void **state) {
    struct stage *stage = *state;
    begin(stage)->has_timeout = false;
    go(stage);
    assert_int_equal(stage->responses, 0);
    assert_string_equal(listener_take(&stage->listener), "over 4.00\n");
    assert_true(stage->listener.problem.ask_timeout);
}

static void test_no_response_where_none_is_wanted(void **state) {
    struct stage *stage = *state;
    begin(stage)->timeout_s = 0;
    go(stage);
    assert_int_equal(stage->world->sent_count, 1);
    assert_string_equal(listener_take(&stage->listener), "over\n");
    listener_fini(&stage->listener);
    begin(stage)->no_response = 2;
    go(stage);
    world_advance(stage->world, 2 * SECOND);
    assert_int_equal(stage->responses, 0);
    assert_string_equal(listener_take(&stage->listener), "over\n");
}

static void test_a_client_that_has_left_hears_nothing(void **state) {
    struct stage *stage = *state;
    begin(stage);
    go(stage);
    answer(stage, "127.1.0.1", "on");
    cg_gateway_abandon(stage->world->gateway, stage->listener.ticket);
    world_run(stage->world);
    assert_int_equal(stage->responses, 0);
    assert_string_equal(listener_take(&stage->listener), "over\n");
}

/* What the client sent in blocks it gets said again. */
static void test_block1_is_said_again(void **state) {
    struct stage *stage = *state;
    begin(stage);
    stage->to.block1 = &(struct cg_block){.number = 3, .szx = 6};
    go(stage);
    world_advance(stage->world, 2 * SECOND);
    assert_true(cg_slice_is(option(stage, CG_OPT_BLOCK1), "\x36"));
}

static void collect_large(struct stage *stage, const struct cg_block *block2) {
    static char payload[1500];
    begin(stage);
    stage->to.block2 = block2;
    go(stage);
    answer(stage, "127.1.0.1", fill_payload(payload, 1400));
    answer(stage, "127.1.0.2", payload);
    world_advance(stage->world, 2 * SECOND);
    assert_int_equal(stage->responses, 1);
}

/* All that is behind the first response. */
static size_t fetch_rest(struct stage *stage, uint8_t szx, uint8_t *body, size_t len) {
    struct cg_request request = {.method = CG_GET, .path = cg_slice_str("/lamps"), .scheme = CG_CRI_COAP};
    const struct cg_coap_body *kept = cg_coap_bodies_find(&stage->bodies, &request, stage->world->now_us);
    assert_non_null(kept);
    int more = 1;
    while (more == 1) {
        uint8_t options[CG_COAP_OPTIONS_MAX];
        const struct cg_block asked = {.number = (uint32_t)(len >> (szx + 4)), .szx = szx};
        const struct cg_coap_serve serve = {.numbers = &stage->world->config->options,
                                            .code = kept->code,
                                            .options = kept->options,
                                            .payload = cg_slice_of(kept->bytes->data, kept->bytes->len),
                                            .etag = kept->etag,
                                            .block2 = &asked,
                                            .room = CG_COAP_MESSAGE_MAX,
                                            .token = cg_slice_str("u")};
        struct cg_coap_message message;
        more = cg_coap_serve(&serve, options, &message);
        assert_true(more >= 0);
        stage->last.options = message.options; /* of this block */
        assert_int_equal(option(stage, CG_OPT_ETAG).len, 8);
        assert_null(option(stage, CG_OPT_SIZE2).data);
        assert_true(cg_slice_is(option(stage, CG_OPT_CONTENT_FORMAT), "\x3e"));
        memcpy(body + len, message.payload.data, message.payload.len);
        len += message.payload.len;
    }
    return len;
}

static void test_a_large_body_goes_in_blocks(void **state) {
    struct stage *stage = *state;
    uint8_t body[4000];
    collect_large(stage, NULL);
    assert_true(cg_slice_is(option(stage, CG_OPT_BLOCK2), "\x0e")); /* 0, more, 1024 */
    assert_int_equal(option(stage, CG_OPT_ETAG).len, 8);
    size_t size = cg_uint_parse(option(stage, CG_OPT_SIZE2)), first = stage->last.payload.len;
    assert_int_equal(first, 1024);
    memcpy(body, stage->payload, first);
    assert_int_equal(fetch_rest(stage, 6, body, first), size);
    assert_int_equal(elements(cg_slice_of(body, size)), 10);
    assert_int_equal(stage->world->sent_count, 1); /* nothing of that was cast again */
}

static void test_the_clients_block_size_is_kept_to(void **state) {
    struct stage *stage = *state;
    uint8_t body[4000];
    collect_large(stage, &(struct cg_block){.szx = 2});
    assert_true(cg_slice_is(option(stage, CG_OPT_BLOCK2), "\x0a")); /* 0, more, 64 */
    size_t size = cg_uint_parse(option(stage, CG_OPT_SIZE2));
    assert_int_equal(stage->last.payload.len, 64);
    memcpy(body, stage->payload, 64);
    assert_int_equal(fetch_rest(stage, 2, body, 64), size);
}

static void test_nothing_goes_where_nothing_can_be_kept(void **state) {
    struct stage *stage = *state;
    static char payload[1500];
    begin(stage);
    stage->to.bodies = NULL;
    go(stage);
    answer(stage, "127.1.0.1", fill_payload(payload, 1400));
    world_advance(stage->world, 2 * SECOND);
    assert_int_equal(stage->responses, 0);
    assert_string_equal(listener_take(&stage->listener), "over 5.03\n");
}

static void test_a_response_that_does_not_go_is_the_end(void **state) {
    struct stage *stage = *state;
    begin(stage);
    go(stage);
    stage->refuses = CG_E_OVERLOAD;
    world_advance(stage->world, 2 * SECOND);
    assert_string_equal(listener_take(&stage->listener), "over\n");
}

#define stage_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        stage_test(test_one_response_when_the_time_is_over),
        stage_test(test_the_finish_rule_ends_it),
        stage_test(test_nobody_is_an_answer_too),
        stage_test(test_what_is_refused_is_a_problem),
        stage_test(test_no_response_where_none_is_wanted),
        stage_test(test_a_client_that_has_left_hears_nothing),
        stage_test(test_block1_is_said_again),
        stage_test(test_a_large_body_goes_in_blocks),
        stage_test(test_the_clients_block_size_is_kept_to),
        stage_test(test_nothing_goes_where_nothing_can_be_kept),
        stage_test(test_a_response_that_does_not_go_is_the_end),
    };
    return cmocka_run_group_tests_name("fronts_coap/aggregate", tests, NULL, NULL);
}
