/* The loop with the real core on it and a member on loopback. The hard thing: time is the real one here, so nothing is
 * asserted about how fast things are, only that they come, in order, and never early. */
#include "io/loop.h"
#include "settings/settings.h"
#include "builtin.h"
#include "base/container.h"
#include "reply/sink.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_member.h"

struct side {
    struct cg_sink sink;
    struct cg_loop loop;
    struct cg_config *config;
    struct cg_target target;
    struct cg_grant grant;
    struct cg_mapping mapping;
    struct cg_problem problem;
    int signal;
    unsigned hangups;
    size_t replies;
    uint32_t answered;
    uint64_t started_us;
    uint64_t replied_us;
    char ended_by[16];
    bool is_open;
};

static void attach_plain(struct cg_config *config) {
    for (size_t i = 0; i < config->mapping_count; i++) config->mappings[i].protector = cg_protector_none();
}

static void on_signal(void *ctx, int number) {
    struct side *side = ctx;
    side->signal = number;
    cg_loop_close(&side->loop);
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct side *side = CG_CONTAINER(sink, struct side, sink);
    (void)ending;
    if (how == CG_SINK_LEFT) return;
    side->problem = *problem;
    if (problem->err == 0) {
        side->replies++;
        side->replied_us = cg_loop_now_us();
        side->answered = view->summary.answered;
        snprintf(side->ended_by, sizeof side->ended_by, "%s", view->summary.ended_by);
    }
    cg_loop_close(&side->loop);
}

static const struct cg_sink_ops sink_ops = {.end = on_end};

static int setup(void **state) {
    struct side *side = calloc(1, sizeof *side);
    side->config = cg_settings_defaults();
    side->grant = (struct cg_grant){.methods = CG_METHODS_SAFE};
    side->target = (struct cg_target){.uri = "coap://224.0.1.187/", .interface = "lo", .hops = 1};
    side->mapping = (struct cg_mapping){.name = "floor",
                                        .path = "/floor",
                                        .targets = &side->target,
                                        .target_count = 1,
                                        .methods = CG_METHODS_ALL,
                                        .has_timeout = true,
                                        .timeout_us = 30 * 1000000,
                                        .max_timeout_us = 60 * 1000000,
                                        .max_answers = 100,
                                        .grants = &side->grant,
                                        .grant_count = 1};
    side->config->mappings = &side->mapping;
    side->config->mapping_count = 1;
    *state = side;
    return 0;
}

static int teardown(void **state) {
    struct side *side = *state;
    if (side->is_open) cg_loop_fini(&side->loop);
    cg_config_unref(side->config);
    free(side);
    return 0;
}

static void open_side(struct side *side) {
    assert_int_equal(cg_config_index(side->config), CG_OK);
    attach_plain(side->config);
    assert_int_equal(cg_loop_init(&side->loop, side->config, on_signal, side, &side->problem), CG_OK);
    side->is_open = true;
}

static void ask(struct side *side) {
    struct cg_ticket ticket;
    struct cg_gateway *gateway = side->loop.gateway;
    assert_int_equal(cg_gateway_new_exchange(gateway, &ticket, &side->problem), CG_OK);
    struct cg_request *request = cg_gateway_request(gateway, ticket);
    request->method = CG_GET;
    request->may_be_anonymous = true;
    request->path = cg_slice_str("/floor");
    side->sink.ops = &sink_ops;
    side->started_us = cg_loop_now_us();
    cg_gateway_start(gateway, ticket, &side->sink, side->started_us);
}

/* Answers the group request that waits at `member`, from an address of its own. */
static void answer(struct fake_member *member, struct fake_member *from) {
    struct fake_received received;
    struct cg_msg request;
    struct cg_msg_writer writer;
    uint8_t bytes[64];
    fake_member_receive(member, &received);
    assert_int_equal(cg_msg_parse(&request, cg_slice_of(received.bytes, received.len)), CG_OK);
    assert_int_equal(request.type, CG_NON); /* R29 */
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_CODE(2, 5), request.mid, request.token);
    cg_msg_put_payload(&writer, cg_slice_str("on"));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    fake_member_send(from, &received.from, bytes, (size_t)len);
}

struct watch {
    uv_poll_t poll;
    struct fake_member member, from;
};

static void on_group_request(uv_poll_t *poll, int status, int events) {
    struct watch *watch = poll->data;
    assert_int_equal(status, 0);
    assert_int_equal(events, UV_READABLE);
    answer(&watch->member, &watch->from);
    uv_close((uv_handle_t *)poll, NULL);
}

static void watch_group(struct side *side, struct watch *watch) {
    uv_poll_init(&side->loop.uv, &watch->poll, watch->member.fd);
    watch->poll.data = watch;
    uv_poll_start(&watch->poll, UV_READABLE, on_group_request);
}

/* Out by multicast, in by unicast, and the reply: the whole way through the loop. */
static void test_request_and_answer(void **state) {
    struct side *side = *state;
    struct watch watch = {0};
    fake_member_init(&watch.member, "224.0.1.187", "lo");
    fake_member_init(&watch.from, "127.0.0.11", NULL);
    side->target.group = watch.member.addr;
    side->mapping.finish = (struct cg_finish){.rule = CG_FINISH_COUNT, .count = 1};
    open_side(side);
    watch_group(side, &watch);
    ask(side);
    cg_loop_run(&side->loop);
    assert_int_equal(side->replies, 1);
    assert_int_equal(side->answered, 1);
    assert_string_equal(side->ended_by, "count");
    assert_int_equal(cg_gateway_totals(side->loop.gateway)->datagrams, 1);
    fake_member_fini(&watch.member);
    fake_member_fini(&watch.from);
}

static void test_deadline_is_never_early(void **state) {
    struct side *side = *state;
    side->target.group = fake_addr("224.0.1.187", 9);
    side->mapping.timeout_us = 20500;
    open_side(side);
    ask(side);
    cg_loop_run(&side->loop);
    assert_int_equal(side->replies, 1);
    assert_string_equal(side->ended_by, "deadline");
    assert_true(side->replied_us >= side->started_us + 20500);
}

static void on_late_prepare(uv_prepare_t *prepare) {
    struct side *side = prepare->data;
    uv_close((uv_handle_t *)prepare, NULL);
    ask(side);
}

/* Posted when the loop's own turn was over and it was about to sleep for good. */
static void test_wake_right_before_sleep(void **state) {
    struct side *side = *state;
    uv_prepare_t late;
    side->target.interface = "no-such-0";
    side->target.group = fake_addr("224.0.1.187", 9);
    open_side(side);
    uv_prepare_init(&side->loop.uv, &late);
    late.data = side;
    /* libuv runs the handle that was started last first: start the loop's again, behind this one. */
    uv_prepare_cb own = side->loop.prepare.prepare_cb;
    uv_prepare_start(&late, on_late_prepare);
    uv_prepare_stop(&side->loop.prepare);
    uv_prepare_start(&side->loop.prepare, own);
    cg_loop_run(&side->loop);
    assert_int_equal(side->problem.err, CG_E_EMIT);
    assert_string_equal(side->problem.detail, "interface \"no-such-0\" does not exist");
}

static void test_signals(void **state) {
    struct side *side = *state;
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        if (i == 0) assert_int_equal(cg_config_index(side->config), CG_OK);
        attach_plain(side->config);
        assert_int_equal(cg_loop_init(&side->loop, side->config, on_signal, side, &side->problem), CG_OK);
        raise(numbers[i]);
        cg_loop_run(&side->loop);
        cg_loop_fini(&side->loop);
        assert_int_equal(side->signal, numbers[i]);
    }
}

static void on_storm(void *ctx, int number) {
    struct side *side = ctx;
    if (number == SIGHUP && side->hangups++ == 0) raise(SIGTERM);
    if (number == SIGTERM) cg_loop_close(&side->loop);
}

static void test_hangups_of_one_turn_are_one(void **state) {
    struct side *side = *state;
    assert_int_equal(cg_config_index(side->config), CG_OK);
    attach_plain(side->config);
    assert_int_equal(cg_loop_init(&side->loop, side->config, on_storm, side, &side->problem), CG_OK);
    for (int i = 0; i < 100; i++) raise(SIGHUP);
    cg_loop_run(&side->loop);
    cg_loop_fini(&side->loop);
    assert_int_equal(side->hangups, 1);
}

static void test_sigpipe_is_an_error_of_write(void **state) {
    struct side *side = *state;
    int ends[2];
    open_side(side);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
}

static int compare_words(const void *a, const void *b) { return memcmp(a, b, 8); }

/* Whatever the sizes that are drawn, no byte comes twice and none is left out. */
static void test_random(void **state) {
    struct side *side = *state;
    static uint8_t drawn[64][40], big[2][1000];
    open_side(side);
    const struct cg_port *port = &side->loop.port;
    for (size_t i = 0; i < 64; i++) port->random(port->ctx, drawn[i], 1 + i % 40);
    for (size_t i = 0; i < 64; i++) port->random(port->ctx, drawn[i], 8);
    port->random(port->ctx, big[0], sizeof big[0]);
    port->random(port->ctx, big[1], sizeof big[1]);
    assert_memory_not_equal(big[0], big[1], sizeof big[0]);
    uint8_t words[64][8], zero[8] = {0};
    for (size_t i = 0; i < 64; i++) memcpy(words[i], drawn[i], 8);
    qsort(words, 64, 8, compare_words);
    assert_memory_not_equal(words[0], zero, 8);
    for (size_t i = 1; i < 64; i++) assert_memory_not_equal(words[i - 1], words[i], 8);
}

static void test_no_socket_no_loop(void **state) {
    struct side *side = *state;
    struct fake_member other;
    fake_member_init(&other, "127.0.0.1", NULL);
    side->config->group.port = other.addr.port;
    assert_int_equal(cg_config_index(side->config), CG_OK);
    attach_plain(side->config);
    assert_int_equal(cg_loop_init(&side->loop, side->config, on_signal, side, &side->problem), CG_E_EMIT);
    assert_non_null(strstr(side->problem.detail, "address already in use"));
    fake_member_fini(&other);
}

/* An exchange that runs when the loop is closed is freed with the gateway; its front hears nothing. */
static void test_close_with_work_left(void **state) {
    struct side *side = *state;
    side->target.group = fake_addr("224.0.1.187", 9);
    open_side(side);
    ask(side);
    uv_run(&side->loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(cg_gateway_running(side->loop.gateway), 1);
    cg_loop_close(&side->loop);
    cg_loop_close(&side->loop);
    cg_loop_run(&side->loop);
    assert_int_equal(side->replies, 0);
}

int main(void) {
#define WITH_SIDE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SIDE(test_request_and_answer),
        WITH_SIDE(test_deadline_is_never_early),
        WITH_SIDE(test_wake_right_before_sleep),
        WITH_SIDE(test_signals),
        WITH_SIDE(test_hangups_of_one_turn_are_one),
        WITH_SIDE(test_sigpipe_is_an_error_of_write),
        WITH_SIDE(test_random),
        WITH_SIDE(test_no_socket_no_loop),
        WITH_SIDE(test_close_with_work_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
