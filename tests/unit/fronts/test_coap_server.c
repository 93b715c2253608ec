/* CoAP listeners with real sockets, on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "fronts/coap/server.h"
#include "io/endpoint.h"

enum { LISTENERS_MAX = 3, PATIENCE_MS = 10000 };

struct fixture {
    uv_loop_t uv;
    struct cg_config *config;
    struct cg_coap_listen listen[LISTENERS_MAX];
    struct cg_coap_server *server;
    struct cg_problem problem;
    unsigned requests, gone, closed;
    enum cg_coap_proof proof;
    struct cg_addr to;
    size_t size;
};

static void on_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct fixture *f = ctx;
    const struct cg_coap_message response = {.code = CG_CODE(2, 5), .token = request->message.token};
    f->requests++;
    f->proof = cg_coap_peer_proof(peer);
    f->to = *cg_coap_peer_local(peer);
    f->size = request->size;
    cg_coap_peer_answer(peer, &response);
}

static void on_token(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    (void)ctx, (void)peer, (void)token;
    fail();
}

static void on_gone(void *ctx, struct cg_coap_peer *peer) {
    (void)peer;
    ((struct fixture *)ctx)->gone++;
}

static const struct cg_coap_peer_ops ops = {
    .request = on_request, .lost = on_token, .acknowledged = on_token, .gone = on_gone};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || uv_loop_init(&f->uv) != 0) return -1;
    f->config = cg_config_new();
    if (f->config == NULL) return -1;
    f->config->coap.listen = f->listen;
    *state = f;
    return 0;
}

static void on_closed(void *ctx) { ((struct fixture *)ctx)->closed++; }

static void close_server(struct fixture *f) {
    cg_coap_server_close(f->server, on_closed, f);
    if (f->server != NULL) {
        while (f->closed == 0) uv_run(&f->uv, UV_RUN_ONCE);
    }
    f->server = NULL;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    close_server(f);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    cg_config_unref(f->config);
    free(f);
    return 0;
}

#define server_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 0), CG_OK);
    return addr;
}

static struct cg_coap_listen *add(struct fixture *f, const char *text) {
    struct cg_coap_listen *listen = &f->listen[f->config->coap.listen_count++];
    *listen = (struct cg_coap_listen){.listen = {.addr = address(text), .text = text}, .scheme = CG_SCHEME_COAP};
    return listen;
}

static void open_server(struct fixture *f) {
    const struct cg_coap_server_options options = {
        .listen = f->config->coap.listen, .listen_count = f->config->coap.listen_count, .ops = &ops, .ctx = f};
    f->server = cg_coap_server_open(&f->uv, f->config, &options, &f->problem);
}

/* A client's socket. */
static int make_client(const char *text) {
    union cg_endpoint endpoint;
    struct cg_addr addr = address(text);
    socklen_t len = cg_endpoint_from_addr(&endpoint, &addr);
    int fd = socket(endpoint.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &endpoint.any, len), 0);
    return fd;
}

static void send_to(int fd, const struct cg_addr *to, const void *bytes, size_t len) {
    union cg_endpoint endpoint;
    socklen_t endpoint_len = cg_endpoint_from_addr(&endpoint, to);
    assert_int_equal(sendto(fd, bytes, len, 0, &endpoint.any, endpoint_len), len);
}

static void on_timeout(uv_timer_t *timer) { *(bool *)timer->data = true; }

static ssize_t receive(struct fixture *f, int fd, uint8_t *bytes, size_t cap, struct cg_addr *from) {
    bool is_late = false;
    union cg_endpoint endpoint;
    socklen_t len = sizeof endpoint;
    uv_timer_t timer;
    ssize_t got = -1;
    uv_timer_init(&f->uv, &timer);
    timer.data = &is_late;
    uv_timer_start(&timer, on_timeout, PATIENCE_MS, 0);
    while (!is_late && (got = recvfrom(fd, bytes, cap, 0, &endpoint.any, &len)) < 0) uv_run(&f->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&f->uv, UV_RUN_NOWAIT);
    assert_true(got >= 0);
    cg_endpoint_to_addr(from, &endpoint);
    return got;
}

static const uint8_t get[] = {0x41, 1, 0x12, 0x34, 'T'};

/* Asks there, and sees that the answer comes from there. */
static void ask(struct fixture *f, const char *client, const struct cg_addr *to) {
    struct cg_addr from;
    uint8_t reply[64];
    int fd = make_client(client);
    send_to(fd, to, get, sizeof get);
    assert_int_equal(receive(f, fd, reply, sizeof reply, &from), 5);
    const uint8_t expected[] = {0x61, 0x45, 0x12, 0x34, 'T'};
    assert_memory_equal(reply, expected, sizeof expected);
    assert_true(cg_addr_equal(&from, to));
    assert_true(cg_addr_equal(&f->to, to));
    close(fd);
}

static void a_client_on_loopback_is_proven_and_answered(void **state) {
    struct fixture *f = *state;
    add(f, "127.0.0.1:0");
    open_server(f);
    assert_non_null(f->server);
    assert_int_not_equal(cg_coap_server_listen(f->server, 0)->addr.port, 0);
    ask(f, "127.0.0.1:0", &cg_coap_server_listen(f->server, 0)->addr);
    assert_int_equal(f->proof, CG_COAP_PROVEN);
    assert_int_equal(f->size, sizeof get);
    close_server(f);
    assert_int_equal(f->gone, 1);
}

static void it_answers_from_the_address_that_was_asked(void **state) {
    struct fixture *f = *state;
    add(f, "0.0.0.0:0");
    open_server(f);
    assert_non_null(f->server);
    struct cg_addr to = address("127.0.0.77:0");
    to.port = cg_coap_server_listen(f->server, 0)->addr.port;
    ask(f, "127.0.0.1:0", &to);
}

/* Here the sender is this host's own, whose address needs no proof. */
static void what_was_broadcast_is_for_nobody(void **state) {
    struct fixture *f = *state;
    add(f, "0.0.0.0:0");
    open_server(f);
    assert_non_null(f->server);
    struct cg_addr all = address("127.255.255.255:0"), own = address("127.0.0.1:0");
    all.port = own.port = cg_coap_server_listen(f->server, 0)->addr.port;
    int fd = make_client("127.0.0.1:0"), yes = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes), 0);
    send_to(fd, &all, get, sizeof get);
    ask(f, "127.0.0.1:0", &own);
    assert_int_equal(f->requests, 1);
    close(fd);
}

static void it_does_so_by_ipv6(void **state) {
    struct fixture *f = *state;
    add(f, "[::]:0");
    add(f, "[::1]:0");
    open_server(f);
    assert_non_null(f->server);
    struct cg_addr to = address("[::1]:0");
    to.port = cg_coap_server_listen(f->server, 0)->addr.port;
    ask(f, "[::1]:0", &to);
    ask(f, "[::1]:0", &cg_coap_server_listen(f->server, 1)->addr);
}

static void large_datagrams_are_taken_whole(void **state) {
    struct fixture *f = *state;
    static uint8_t put[60000] = {0x41, 3, 0, 1, 'T', 0xff};
    struct cg_addr from;
    uint8_t reply[64];
    add(f, "127.0.0.1:0");
    open_server(f);
    int fd = make_client("127.0.0.1:0");
    send_to(fd, &cg_coap_server_listen(f->server, 0)->addr, put, sizeof put);
    assert_int_equal(receive(f, fd, reply, sizeof reply, &from), 5);
    assert_int_equal(f->size, sizeof put);
    close(fd);
}

static void a_flood_of_ports_is_answered_and_counted(void **state) {
    struct fixture *f = *state;
    struct cg_buf metrics;
    struct cg_addr from;
    uint8_t reply[64];
    enum { CLIENTS = 200 };
    int fds[CLIENTS];
    add(f, "127.0.0.1:0");
    open_server(f);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = make_client("127.0.0.1:0");
        send_to(fds[i], &cg_coap_server_listen(f->server, 0)->addr, get, sizeof get);
    }
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(receive(f, fds[i], reply, sizeof reply, &from), 5);
        close(fds[i]);
    }
    cg_buf_init(&metrics, 0);
    cg_coap_server_metrics(f->server, &metrics);
    cg_buf_put_u8(&metrics, 0);
    assert_non_null(strstr((const char *)metrics.data, "\ncastgate_coap_received_total 200\n"));
    assert_non_null(strstr((const char *)metrics.data, "\ncastgate_coap_sent_total 200\n"));
    assert_non_null(strstr((const char *)metrics.data, "\ncastgate_coap_peers 200\n"));
    cg_buf_fini(&metrics);
}

static void what_cannot_be_listened_on_is_said(void **state) {
    struct fixture *f = *state;
    union cg_endpoint endpoint;
    socklen_t len = sizeof endpoint;
    int fd = make_client("127.0.0.1:0");
    assert_int_equal(getsockname(fd, &endpoint.any, &len), 0);
    struct cg_coap_listen *taken = add(f, "127.0.0.1:0");
    taken->listen.addr.port = ntohs(endpoint.v4.sin_port);
    add(f, "127.0.0.1:0");
    open_server(f);
    assert_null(f->server);
    assert_non_null(strstr(f->problem.detail, "cannot listen on 127.0.0.1:"));
    taken->is_default = true;
    f->problem = (struct cg_problem){0};
    open_server(f);
    assert_non_null(f->server);
    assert_null(cg_coap_server_listen(f->server, 0));
    ask(f, "127.0.0.1:0", &cg_coap_server_listen(f->server, 1)->addr);
    close(fd);
}

static void no_listener_is_fine(void **state) {
    struct fixture *f = *state;
    open_server(f);
    assert_non_null(f->server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        server_test(a_client_on_loopback_is_proven_and_answered),
        server_test(it_answers_from_the_address_that_was_asked),
        server_test(what_was_broadcast_is_for_nobody),
        server_test(it_does_so_by_ipv6),
        server_test(large_datagrams_are_taken_whole),
        server_test(a_flood_of_ports_is_answered_and_counted),
        server_test(what_cannot_be_listened_on_is_said),
        server_test(no_listener_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
