/* How many connections there are and for how long, with real sockets on loopback and small bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "fronts/coap/connections.h"
#include "io/endpoint.h"
#include "wire/signal.h"

enum { LIMIT_MS = 20000, CLIENTS_MAX = 12 };

struct fixture {
    uv_loop_t uv;
    struct cg_config *config;
    struct cg_coap_connections *all;
    struct cg_listen listen;
    int clients[CLIENTS_MAX];
    size_t count;
    bool holds;                /* what comes */
    struct cg_coap_peer *peer; /* of the latest request */
    unsigned requests, acknowledged, gone;
    bool is_late;
    struct cg_buf metrics;
};

static const struct cg_coap_message hello = {.code = CG_CODE(2, 5)};

static void on_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct fixture *f = ctx;
    const struct cg_coap_message response = {.code = CG_CODE(2, 5), .token = request->message.token};
    assert_int_equal(request->type, CG_NON);
    assert_int_equal(cg_coap_peer_proof(peer), CG_COAP_PROVEN);
    f->requests++;
    f->peer = peer;
    if (f->holds) {
        cg_coap_peer_hold(peer);
    } else {
        cg_coap_peer_answer(peer, &response);
    }
}

static void on_lost(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    (void)ctx, (void)peer, (void)token;
    fail();
}

static void on_acknowledged(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    struct fixture *f = ctx;
    assert_ptr_equal(peer, f->peer);
    assert_true(cg_slice_is(token, "T"));
    f->acknowledged++;
}

static void on_gone(void *ctx, struct cg_coap_peer *peer) {
    struct fixture *f = ctx;
    f->gone++;
    if (f->peer == peer) f->peer = NULL;
}

static const struct cg_coap_peer_ops ops = {
    .request = on_request, .lost = on_lost, .acknowledged = on_acknowledged, .gone = on_gone};

static const struct cg_coap_connection_limits small = {.connections = 4,
                                                       .openings = 2,
                                                       .input = 3000,
                                                       .opening_us = 60000000,
                                                       .idle_us = 60000000,
                                                       .stranger_idle_us = 60000000,
                                                       .release_us = 60000000};

static int setup_limited(void **state, const struct cg_coap_connection_limits *limits) {
    struct fixture *f = calloc(1, sizeof *f);
    struct cg_problem problem = {0};
    if (f == NULL || uv_loop_init(&f->uv) != 0 || (f->config = cg_config_new()) == NULL) return -1;
    cg_buf_init(&f->metrics, 0);
    assert_int_equal(cg_addr_parse(&f->listen.addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    f->all = cg_coap_connections_new(&f->uv, f->config, limits, &ops, f);
    assert_non_null(f->all);
    assert_int_equal(cg_coap_connections_listen(f->all, CG_SCHEME_COAP_TCP, &f->listen, &problem), CG_OK);
    *state = f;
    return 0;
}

static int setup(void **state) { return setup_limited(state, &small); }

static int setup_hasty(void **state) {
    struct cg_coap_connection_limits hasty = small;
    hasty.opening_us = hasty.stranger_idle_us = hasty.release_us = 50000;
    return setup_limited(state, &hasty);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    cg_coap_connections_close(f->all, NULL, NULL);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    for (size_t i = 0; i < f->count; i++) close(f->clients[i]);
    cg_config_unref(f->config);
    cg_buf_fini(&f->metrics);
    free(f);
    return 0;
}

#define connections_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define hasty_test(test)       cmocka_unit_test_setup_teardown(test, setup_hasty, teardown)

/* ---- Clients ---- */

static void send_bytes(int fd, struct cg_slice bytes) { assert_int_equal(write(fd, bytes.data, bytes.len), bytes.len); }

#define BYTES(...) cg_slice_of((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

/* From that address of loopback; it says nothing. */
static int connect_from(struct fixture *f, const char *text) {
    union cg_endpoint endpoint;
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 1), CG_OK);
    addr.port = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = cg_endpoint_from_addr(&endpoint, &addr);
    assert_true(fd >= 0 && bind(fd, &endpoint.any, len) == 0);
    len = cg_endpoint_from_addr(&endpoint, &f->listen.addr);
    assert_int_equal(connect(fd, &endpoint.any, len), 0);
    assert_true(f->count < CLIENTS_MAX);
    return f->clients[f->count++] = fd;
}

static void on_late(uv_timer_t *timer) { *(bool *)timer->data = true; }

static bool figures_say(struct fixture *f, const char *line) {
    cg_buf_clear(&f->metrics);
    cg_coap_connections_metrics(f->all, &f->metrics);
    cg_buf_put_u8(&f->metrics, 0);
    return strstr((const char *)f->metrics.data, line) != NULL;
}

/* Until the metrics have that line. */
static void run_until(struct fixture *f, const char *line) {
    uv_timer_t timer;
    f->is_late = false;
    uv_timer_init(&f->uv, &timer);
    timer.data = &f->is_late;
    uv_timer_start(&timer, on_late, LIMIT_MS, 0);
    while (!f->is_late && !figures_say(f, line)) uv_run(&f->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&f->uv, UV_RUN_NOWAIT);
    if (!figures_say(f, line)) fail_msg("there is no %s", line);
}

static int open_from(struct fixture *f, const char *text, const char *then) {
    int fd = connect_from(f, text);
    send_bytes(fd, BYTES(0, CG_SIGNAL_CSM));
    run_until(f, then);
    return fd;
}

#define ENDED(cause, count) "castgate_coap_tcp_ended_total{cause=\"" cause "\"} " count "\n"
#define OPENED(count)       "\ncastgate_coap_tcp_opened_total " count "\n"

/* ---- How many ---- */

static void the_host_with_most_gives_way(void **state) {
    struct fixture *f = *state;
    open_from(f, "127.0.0.9", OPENED("1"));
    open_from(f, "127.0.0.2", OPENED("2"));
    open_from(f, "127.0.0.2", OPENED("3"));
    open_from(f, "127.0.0.2", OPENED("4"));
    open_from(f, "127.0.0.3", OPENED("5"));
    run_until(f, ENDED("room", "1"));
    char byte[64];
    assert_true(recv(f->clients[1], byte, sizeof byte, 0) > 0); /* our CSM, and a Release */
    assert_true(figures_say(f, "\ncastgate_coap_tcp_connections 4\n"));
}

static void who_has_something_running_stays(void **state) {
    struct fixture *f = *state;
    f->holds = true;
    for (int i = 0; i < 4; i++) {
        static const char *const opened[] = {OPENED("1"), OPENED("2"), OPENED("3"), OPENED("4")};
        int fd = open_from(f, "127.0.0.2", opened[i]);
        send_bytes(fd, BYTES(0x01, CG_GET, 'T'));
        while (f->requests < (unsigned)i + 1) uv_run(&f->uv, UV_RUN_ONCE);
    }
    connect_from(f, "127.0.0.3");
    run_until(f, "\ncastgate_coap_tcp_refused_total 1\n");
    cg_coap_peer_release(f->peer);
    connect_from(f, "127.0.0.3");
    run_until(f, ENDED("room", "1"));
}

static void half_open_ones_are_bounded_for_who_has_most(void **state) {
    struct fixture *f = *state;
    connect_from(f, "127.0.0.2");
    connect_from(f, "127.0.0.2");
    run_until(f, "\ncastgate_coap_tcp_connections 2\n");
    connect_from(f, "127.0.0.2");
    run_until(f, "\ncastgate_coap_tcp_refused_total 1\n");
    open_from(f, "127.0.0.3", OPENED("1"));
    assert_true(figures_say(f, ENDED("room", "1")));
}

/* What one holds of a message that has not come whole. */
static void who_holds_most_memory_gives_way(void **state) {
    struct fixture *f = *state;
    static uint8_t part[2500] = {0xe0, 0x20, 0x00, CG_PUT};
    int first = open_from(f, "127.0.0.2", OPENED("1")), second = open_from(f, "127.0.0.3", OPENED("2"));
    send_bytes(first, cg_slice_of(part, 2400));
    for (int i = 0; i < 50; i++) uv_run(&f->uv, UV_RUN_NOWAIT);
    send_bytes(second, cg_slice_of(part, 300));
    run_until(f, ENDED("input", "1"));
    assert_true(figures_say(f, "\ncastgate_coap_tcp_connections 1\n"));
}

/* ---- For how long ---- */

static void who_says_nothing_is_gone(void **state) {
    struct fixture *f = *state;
    connect_from(f, "127.0.0.2");
    run_until(f, ENDED("late", "1"));
    assert_int_equal(f->gone, 1);
}

static void who_is_idle_is_gone_and_told(void **state) {
    struct fixture *f = *state;
    int fd = open_from(f, "127.0.0.2", OPENED("1"));
    uint8_t bytes[256];
    run_until(f, ENDED("idle", "1"));
    while (uv_run(&f->uv, UV_RUN_NOWAIT) != 0 && recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT) < 10) continue;
    ssize_t len = recv(fd, bytes, sizeof bytes, 0);
    assert_true(len > 10 && memmem(bytes, (size_t)len, "idle for too long", 17) != NULL);
}

static void who_runs_something_is_not_idle(void **state) {
    struct fixture *f = *state;
    f->holds = true;
    int fd = open_from(f, "127.0.0.2", OPENED("1"));
    send_bytes(fd, BYTES(0x01, CG_GET, 'T'));
    while (f->requests == 0) uv_run(&f->uv, UV_RUN_ONCE);
    connect_from(f, "127.0.0.3"); /* whose time is over meanwhile */
    run_until(f, ENDED("late", "1"));
    assert_int_equal(f->gone, 1);
    cg_coap_peer_release(f->peer);
    run_until(f, ENDED("idle", "1"));
}

static void a_release_waits_for_what_runs_and_no_longer(void **state) {
    struct fixture *f = *state;
    f->holds = true;
    int fd = open_from(f, "127.0.0.2", OPENED("1"));
    send_bytes(fd, BYTES(0x01, CG_GET, 'T', 0, CG_SIGNAL_RELEASE));
    run_until(f, ENDED("released", "1"));
    assert_int_equal(f->requests, 1);
    assert_int_equal(f->gone, 1);
}

/* ---- What is sent ---- */

static void what_is_to_be_acknowledged_is_when_it_is_out(void **state) {
    struct fixture *f = *state;
    struct cg_coap_message message = hello;
    f->holds = true;
    message.token = cg_slice_str("T");
    int fd = open_from(f, "127.0.0.2", OPENED("1"));
    send_bytes(fd, BYTES(0x01, CG_GET, 'T'));
    while (f->requests == 0) uv_run(&f->uv, UV_RUN_ONCE);
    assert_int_equal(cg_coap_peer_send(f->peer, &message, CG_NON), CG_OK);
    assert_int_equal(cg_coap_peer_send(f->peer, &message, CG_CON), CG_OK);
    assert_int_equal(f->acknowledged, 0);
    while (f->acknowledged == 0) uv_run(&f->uv, UV_RUN_ONCE);
    assert_true(figures_say(f, "\ncastgate_coap_tcp_sent_total 2\n"));
    cg_coap_peer_release(f->peer);
}

static void nothing_larger_goes_than_the_client_has_said(void **state) {
    struct fixture *f = *state;
    static uint8_t payload[1200];
    struct cg_coap_message message = hello;
    f->holds = true;
    int fd = open_from(f, "127.0.0.2", OPENED("1"));
    send_bytes(fd, BYTES(0x01, CG_GET, 'T'));
    while (f->requests == 0) uv_run(&f->uv, UV_RUN_ONCE);
    message.payload = cg_slice_of(payload, sizeof payload);
    assert_int_equal(cg_coap_peer_send(f->peer, &message, CG_NON), CG_E_TOO_BIG);
    send_bytes(fd, BYTES(0x30, CG_SIGNAL_CSM, 0x22, 0x10, 0x00, 0x01, CG_GET, 'U'));
    while (f->requests == 1) uv_run(&f->uv, UV_RUN_ONCE);
    assert_int_equal(cg_coap_peer_room(f->peer), 0x1000 - 2);
    assert_int_equal(cg_coap_peer_send(f->peer, &message, CG_NON), CG_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        connections_test(the_host_with_most_gives_way),
        connections_test(who_has_something_running_stays),
        connections_test(half_open_ones_are_bounded_for_who_has_most),
        connections_test(who_holds_most_memory_gives_way),
        hasty_test(who_says_nothing_is_gone),
        hasty_test(who_is_idle_is_gone_and_told),
        hasty_test(who_runs_something_is_not_idle),
        hasty_test(a_release_waits_for_what_runs_and_no_longer),
        connections_test(what_is_to_be_acknowledged_is_when_it_is_out),
        connections_test(nothing_larger_goes_than_the_client_has_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
