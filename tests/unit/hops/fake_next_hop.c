/* Both ends on one loop. The hard thing: the core's time is the loop's here, so that deadlines of both fit. */
#include "hops/fake_next_hop.h"

#include <stdlib.h>
#include <string.h>

#include "io/loop.h"

enum { LIMIT_MS = 20000, TICK_MS = 2 };

const struct cg_hop_limits patient = {.opening_us = 20 * SECOND,
                                      .pong_us = 20 * SECOND,
                                      .quiet_us = 20 * SECOND,
                                      .release_us = 20 * SECOND,
                                      .rest_us = SECOND / 50};
/* In a second everything must have gone that has to, however busy the machine is. */
const struct cg_hop_limits hasty = {.opening_us = SECOND,
                                    .pong_us = SECOND,
                                    .quiet_us = SECOND / 20,
                                    .release_us = SECOND / 20,
                                    .rest_us = SECOND / 50};

/* ---- The far end ---- */

static void on_emit(void *ctx, struct cg_slice frame) {
    struct far_end *end = ctx;
    if (end->stage->says_nothing) return;
    if (end->stage->answers_no_pings && (frame.data[1] == CG_SIGNAL_PONG || frame.data[1] == 0)) return;
    assert_int_equal(cg_stream_write(end->stream, frame), CG_OK);
}

static void on_request(void *ctx, const struct cg_frame *request, size_t size) {
    struct stage *stage = ((struct far_end *)ctx)->stage;
    (void)size;
    if (request->code == CG_GET) return; /* that it is enough: requests are PUT */
    assert_true(stage->requests < FAR_REQUESTS);
    struct cg_token *token = &stage->tokens[stage->requests++];
    token->len = (uint8_t)request->token.len;
    memcpy(token->bytes, request->token.data, request->token.len);
}

static void on_csm(void *ctx) { (void)ctx; }
static void on_pong(void *ctx) { ((struct far_end *)ctx)->stage->pongs++; }
static void on_released(void *ctx) { ((struct far_end *)ctx)->is_released = true; }

static const struct cg_reliable_ops reliable_ops = {
    .emit = on_emit, .request = on_request, .pong = on_pong, .opened = on_csm, .released = on_released};

/* Pings are told by their code: 7.02, with two bytes of header and one of an option. */
static size_t on_received(void *ctx, struct cg_slice bytes) {
    struct far_end *end = ctx;
    const size_t len = bytes.len;
    if (end->stage->reads_nothing) return 0;
    for (size_t i = 0; i + 1 < bytes.len; i++)
        end->stage->pings += bytes.data[i] == 0x10 && bytes.data[i + 1] == CG_SIGNAL_PING;
    while (bytes.len > 0 && cg_reliable_take(&end->reliable, &bytes) == CG_RELIABLE_NEXT) continue;
    return len;
}

static void on_drained(void *ctx) { (void)ctx; }

static void on_closed(void *ctx, enum cg_stream_end why, const char *detail) {
    (void)why, (void)detail;
    ((struct far_end *)ctx)->stream = NULL;
}

static void on_opened(void *ctx) { (void)ctx; }

static const struct cg_stream_ops stream_ops = {
    .opened = on_opened, .received = on_received, .drained = on_drained, .closed = on_closed};

static void on_accepted(void *ctx, int fd, const struct cg_addr *from) {
    static const struct cg_capabilities all = {.max_message_size = 4096, .token_max = CG_TOKEN_MAX};
    struct stage *stage = ctx;
    (void)from;
    assert_true(stage->end_count < FAR_ENDS);
    struct far_end *end = &stage->ends[stage->end_count++];
    *end = (struct far_end){.stage = stage, .has_begun = true};
    end->stream = cg_stream_open(stage->streams, fd, NULL, &stream_ops, end);
    assert_non_null(end->stream);
    cg_reliable_begin(&end->reliable, &reliable_ops, end, &all);
    if (stage->releases_at_once) far_releases(stage, stage->end_count - 1);
}

void far_answers(struct stage *stage, size_t end, size_t request, uint8_t member, const char *payload) {
    const struct cg_token *token = &stage->tokens[request];
    uint8_t body[64], bytes[256];
    struct cg_msg_writer writer;
    const uint8_t reply_from[] = {0x82, 0x20, 0x81, 0x44, 10, 0, 0, member}; /* [-1, [h'0a0000…']] */
    cg_msg_begin_inner(&writer, body, sizeof body, 0);
    cg_msg_put_opt(&writer, 248, cg_slice_of(reply_from, sizeof reply_from));
    int len = cg_msg_end(&writer);
    const struct cg_frame frame = {.code = CG_CODE(2, 5),
                                   .token = cg_slice_of(token->bytes, token->len),
                                   .options = cg_slice_of(body + 1, (size_t)len - 1),
                                   .payload = cg_slice_str(payload)};
    len = cg_frame_emit(&frame, bytes, sizeof bytes);
    assert_true(len > 0);
    far_writes(stage, end, bytes, (size_t)len);
}

void far_writes(struct stage *stage, size_t end, const void *bytes, size_t len) {
    assert_true(end < stage->end_count && stage->ends[end].stream != NULL);
    assert_int_equal(cg_stream_write(stage->ends[end].stream, cg_slice_of(bytes, len)), CG_OK);
}

void far_releases(struct stage *stage, size_t end) {
    uint8_t bytes[CG_SIGNAL_MAX];
    far_writes(stage, end, bytes, cg_signal_emit_release("", bytes));
}

void far_closes(struct stage *stage, size_t end) {
    assert_true(end < stage->end_count && stage->ends[end].stream != NULL);
    cg_stream_end(stage->ends[end].stream);
    stage->ends[end].stream = NULL;
}

void far_listens(struct stage *stage) {
    struct cg_problem problem = {0};
    stage->acceptor = cg_acceptor_open(&stage->uv, &stage->addr, on_accepted, stage, &problem);
    assert_non_null(stage->acceptor);
}

void far_stops_listening(struct stage *stage) {
    if (stage->acceptor != NULL) cg_acceptor_close(stage->acceptor, NULL, NULL);
    stage->acceptor = NULL;
    for (size_t i = 0; i < stage->end_count; i++) {
        if (stage->ends[i].stream != NULL) far_closes(stage, i);
    }
}

/* ---- The near end ---- */

static void on_tick(uv_timer_t *timer) { (void)timer; }

static void turn(struct stage *stage) {
    uv_run(&stage->uv, UV_RUN_ONCE);
    stage->world.now_us = cg_loop_now_us();
    world_run(&stage->world);
}

void stage_runs(struct stage *stage, unsigned ms) {
    const uint64_t until_us = cg_loop_now_us() + ms * UINT64_C(1000);
    while (cg_loop_now_us() < until_us) turn(stage);
}

void stage_runs_until(struct stage *stage, bool (*is_so)(const struct stage *stage)) {
    const uint64_t until_us = cg_loop_now_us() + LIMIT_MS * UINT64_C(1000);
    while (!is_so(stage) && cg_loop_now_us() < until_us) turn(stage);
    assert_true(is_so(stage));
}

void stage_runs_until_told(struct stage *stage, const struct call *call) {
    const uint64_t until_us = cg_loop_now_us() + LIMIT_MS * UINT64_C(1000);
    while (call->replies + call->problems == 0 && cg_loop_now_us() < until_us) turn(stage);
    assert_int_equal(call->replies + call->problems, 1);
}

void stage_asks(struct stage *stage, struct call *call, unsigned seconds) {
    stage->world.now_us = cg_loop_now_us();
    struct cg_request *request = world_new(&stage->world, call, "/lamps");
    assert_non_null(request);
    request->has_timeout = true;
    request->timeout_s = seconds;
    request->method = CG_PUT; /* none joins another */
    world_go(&stage->world, call);
}

static void make_target(struct stage *stage) {
    struct cg_mapping *lamps = world_mapping(&stage->world, "lamps");
    struct cg_target *target = &lamps->targets[0];
    stage->next_hop = &target->next_hop;
    *stage->next_hop = (struct cg_next_hop){.uri = "coap+tcp://127.0.0.1/floor",
                                            .origin = "coap+tcp://127.0.0.1:5683",
                                            .scheme = CG_SCHEME_COAP_TCP,
                                            .host = "127.0.0.1",
                                            .addr = stage->addr,
                                            .round_trip_s = 0};
    lamps->finish = (struct cg_finish){.rule = CG_FINISH_COUNT, .count = 1};
    target->uri = stage->next_hop->uri;
    target->path = cg_slice_str("/floor");
}

static int setup(void **state, const struct cg_hop_limits *limits) {
    struct stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL || uv_loop_init(&stage->uv) != 0) return -1;
    uv_timer_init(&stage->uv, &stage->tick);
    uv_timer_start(&stage->tick, on_tick, TICK_MS, TICK_MS);
    assert_int_equal(cg_addr_parse(&stage->addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    stage->streams = cg_streams_open(&stage->uv, &cg_stream_usual_limits);
    assert_non_null(stage->streams);
    far_listens(stage);
    world_init(&stage->world);
    stage->world.now_us = cg_loop_now_us();
    make_target(stage);
    world_start(&stage->world);
    stage->hops = cg_hop_connections_open(&stage->uv, cg_gateway_engine(stage->world.gateway), limits);
    assert_non_null(stage->hops);
    stage->world.port.connections = cg_hop_connections_port(stage->hops);
    *state = stage;
    return 0;
}

int stage_setup(void **state) { return setup(state, &patient); }
int stage_setup_hasty(void **state) { return setup(state, &hasty); }

int stage_teardown(void **state) {
    struct stage *stage = *state;
    cg_hop_connections_close(stage->hops);
    far_stops_listening(stage);
    cg_streams_close(stage->streams, NULL, NULL);
    uv_close((uv_handle_t *)&stage->tick, NULL);
    uv_run(&stage->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&stage->uv), 0);
    for (size_t i = 0; i < stage->end_count; i++) cg_reliable_fini(&stage->ends[i].reliable);
    world_fini(&stage->world);
    cg_hop_connections_free(stage->hops);
    free(stage);
    return 0;
}
