/* Streams between both ends of a connection on loopback, plain and in TLS with a pre-shared key. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/err.h>

#include "base/buf.h"
#include "io/acceptor.h"
#include "io/endpoint.h"
#include "io/stream.h"

enum { LIMIT_MS = 20000 };

struct fixture;

struct end {
    struct fixture *f;
    struct cg_stream *stream; /* NULL: it is over */
    struct cg_buf heard;
    size_t takes; /* bytes of what comes at once; 0: all */
    bool ends_when_heard;
    unsigned opened, drained, closed;
    enum cg_stream_end why;
};

struct fixture {
    uv_loop_t uv;
    struct cg_streams *streams;
    struct cg_acceptor *acceptor;
    struct cg_addr addr;
    SSL_CTX *server, *client; /* NULL: without TLS */
    struct end near, far;     /* far: the one that was accepted */
    bool is_late, is_closed;
    bool is_small; /* what the kernel holds for the one that was accepted */
};

/* ---- Ends ---- */

static void on_opened(void *ctx) { ((struct end *)ctx)->opened++; }

static size_t on_received(void *ctx, struct cg_slice bytes) {
    struct end *end = ctx;
    size_t taken = end->takes != 0 && end->takes < bytes.len ? end->takes : bytes.len;
    cg_buf_put(&end->heard, bytes.data, taken);
    if (end->ends_when_heard) {
        cg_stream_end(end->stream);
        end->stream = NULL;
    }
    return taken;
}

static void on_drained(void *ctx) { ((struct end *)ctx)->drained++; }

static void on_closed(void *ctx, enum cg_stream_end why, const char *detail) {
    struct end *end = ctx;
    assert_non_null(detail);
    end->closed++;
    end->why = why;
    end->stream = NULL;
}

static const struct cg_stream_ops ops = {
    .opened = on_opened, .received = on_received, .drained = on_drained, .closed = on_closed};

static SSL *make_ssl(SSL_CTX *context, bool accepts) {
    if (context == NULL) return NULL;
    SSL *ssl = SSL_new(context);
    assert_non_null(ssl);
    if (accepts) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return ssl;
}

static void on_accepted(void *ctx, int fd, const struct cg_addr *from) {
    struct fixture *f = ctx;
    assert_true(cg_addr_is_loopback(from));
    if (f->is_small) assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int)), 0);
    f->far.stream = cg_stream_open(f->streams, fd, make_ssl(f->server, true), &ops, &f->far);
    assert_non_null(f->far.stream);
}

/* ---- Keys ---- */

static unsigned on_client_key(SSL *ssl, const char *hint, char *identity, unsigned identity_cap, unsigned char *key,
                              unsigned cap) {
    (void)hint, (void)ssl;
    assert_true(identity_cap > 4 && cap >= 16);
    strcpy(identity, "lamp");
    memset(key, 7, 16);
    return 16;
}

static unsigned on_server_key(SSL *ssl, const char *identity, unsigned char *key, unsigned cap) {
    (void)ssl;
    assert_string_equal(identity, "lamp");
    assert_true(cap >= 16);
    memset(key, 7, 16);
    return 16;
}

static unsigned on_other_key(SSL *ssl, const char *identity, unsigned char *key, unsigned cap) {
    (void)ssl, (void)identity, (void)cap;
    memset(key, 8, 16);
    return 16;
}

static void use_tls(struct fixture *f, int version) {
    f->server = SSL_CTX_new(TLS_server_method());
    f->client = SSL_CTX_new(TLS_client_method());
    assert_true(f->server != NULL && f->client != NULL);
    SSL_CTX_set_psk_server_callback(f->server, on_server_key);
    SSL_CTX_set_psk_client_callback(f->client, on_client_key);
    SSL_CTX_set_options(f->server, SSL_OP_NO_RENEGOTIATION);
    assert_true(SSL_CTX_set_max_proto_version(f->server, version) == 1);
    assert_true(SSL_CTX_set_cipher_list(f->server, "PSK") == 1 && SSL_CTX_set_cipher_list(f->client, "PSK") == 1);
}

/* ---- The loop ---- */

static void on_late(uv_timer_t *timer) { *(bool *)timer->data = true; }

static void run_until(struct fixture *f, bool (*is_so)(const struct fixture *f)) {
    uv_timer_t timer;
    f->is_late = false;
    uv_timer_init(&f->uv, &timer);
    timer.data = &f->is_late;
    uv_timer_start(&timer, on_late, LIMIT_MS, 0);
    while (!is_so(f) && !f->is_late) uv_run(&f->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&f->uv, UV_RUN_NOWAIT);
    assert_true(is_so(f));
}

static int connect_to(const struct cg_addr *addr) {
    union cg_endpoint endpoint;
    socklen_t len = cg_endpoint_from_addr(&endpoint, addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && connect(fd, &endpoint.any, len) == 0);
    return fd;
}

static void open_near(struct fixture *f) {
    f->near.stream = cg_stream_open(f->streams, connect_to(&f->addr), make_ssl(f->client, false), &ops, &f->near);
    assert_non_null(f->near.stream);
}

static void connect_near(struct fixture *f) {
    struct cg_problem problem = {0};
    f->near.stream = cg_stream_connect(f->streams, &f->addr, make_ssl(f->client, false), &ops, &f->near, &problem);
    assert_non_null(f->near.stream);
}

static bool are_open(const struct fixture *f) {
    unsigned expected = f->server != NULL;
    return f->far.stream != NULL && f->near.opened == expected && f->far.opened == expected;
}

static void open_both(struct fixture *f) {
    open_near(f);
    run_until(f, are_open);
}

static void open_with(struct fixture *f, const struct cg_stream_limits *limits) {
    struct cg_problem problem = {0};
    assert_int_equal(cg_addr_parse(&f->addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    f->streams = cg_streams_open(&f->uv, limits);
    f->acceptor = cg_acceptor_open(&f->uv, &f->addr, on_accepted, f, &problem);
    assert_true(f->streams != NULL && f->acceptor != NULL);
}

static int setup_limited(void **state, const struct cg_stream_limits *limits) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || uv_loop_init(&f->uv) != 0) return -1;
    f->near.f = f->far.f = f;
    cg_buf_init(&f->near.heard, 0);
    cg_buf_init(&f->far.heard, 0);
    open_with(f, limits);
    *state = f;
    return 0;
}

static int setup(void **state) { return setup_limited(state, &cg_stream_usual_limits); }

static int setup_hasty(void **state) {
    static const struct cg_stream_limits hasty = {.opening_us = 50000, .stalled_us = 50000, .linger_us = 50000};
    return setup_limited(state, &hasty);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    if (f->near.stream != NULL) cg_stream_end(f->near.stream);
    if (f->far.stream != NULL) cg_stream_end(f->far.stream);
    cg_acceptor_close(f->acceptor, NULL, NULL);
    cg_streams_close(f->streams, NULL, NULL);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    cg_buf_fini(&f->near.heard);
    cg_buf_fini(&f->far.heard);
    SSL_CTX_free(f->server);
    SSL_CTX_free(f->client);
    free(f);
    return 0;
}

#define stream_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define hasty_test(test)  cmocka_unit_test_setup_teardown(test, setup_hasty, teardown)

static void write_to(struct end *end, const char *text) {
    assert_int_equal(cg_stream_write(end->stream, cg_slice_str(text)), CG_OK);
}

static bool far_heard_hello(const struct fixture *f) { return cg_slice_is(cg_buf_slice(&f->far.heard), "hello"); }
static bool near_heard_ho(const struct fixture *f) { return cg_slice_is(cg_buf_slice(&f->near.heard), "ho"); }
static bool far_drained(const struct fixture *f) { return f->far.drained > 0; }

/* ---- What they do ---- */

static void talk(struct fixture *f) {
    open_both(f);
    write_to(&f->near, "hel");
    write_to(&f->near, "lo");
    run_until(f, far_heard_hello);
    write_to(&f->far, "ho");
    run_until(f, near_heard_ho);
    run_until(f, far_drained);
    assert_int_equal(cg_stream_waits(f->far.stream), 0);
}

static void both_ends_hear_each_other(void **state) { talk(*state); }

static void so_they_do_in_tls_1_2(void **state) {
    use_tls(*state, TLS1_2_VERSION);
    talk(*state);
    assert_int_equal(cg_streams_figures(((struct fixture *)*state)->streams)->shaken, 2);
}

static void and_in_tls_1_3(void **state) {
    use_tls(*state, TLS1_3_VERSION);
    talk(*state);
}

static bool near_heard_ho_once_open(const struct fixture *f) { return f->near.opened == 1 && near_heard_ho(f); }

/* What is written before there is anybody goes when there is. */
static void connect_and_talk(struct fixture *f) {
    connect_near(f);
    write_to(&f->near, "hello");
    run_until(f, far_heard_hello);
    write_to(&f->far, "ho");
    run_until(f, near_heard_ho_once_open);
}

static void one_that_connects_is_told_when_it_is(void **state) { connect_and_talk(*state); }

static void in_tls_when_the_handshake_is_done(void **state) {
    use_tls(*state, TLS1_3_VERSION);
    connect_and_talk(*state);
}

static void one_may_be_left_before_it_is_connected(void **state) {
    struct fixture *f = *state;
    connect_near(f);
    cg_stream_end(f->near.stream);
    f->near.stream = NULL;
    for (int i = 0; i < 20; i++) uv_run(&f->uv, UV_RUN_NOWAIT);
    assert_int_equal(f->near.opened + f->near.closed, 0);
}

static bool far_heard_much(const struct fixture *f) { return f->far.heard.len == 200000; }
static bool nothing_comes(const struct fixture *f) { return f->far.heard.len == 10; }

static void untaken_bytes_come_again(struct fixture *f) {
    static char much[200000];
    struct cg_slice bytes = cg_slice_of(much, sizeof much);
    for (size_t i = 0; i < sizeof much; i++) much[i] = (char)('a' + i % 23);
    open_both(f);
    f->far.takes = 10;
    assert_int_equal(cg_stream_write(f->near.stream, bytes), CG_OK);
    run_until(f, nothing_comes);
    for (int i = 0; i < 20; i++) uv_run(&f->uv, UV_RUN_NOWAIT);
    assert_int_equal(f->far.heard.len, 10);
    f->far.takes = 0;
    cg_stream_resume(f->far.stream);
    run_until(f, far_heard_much);
    assert_true(cg_slice_equal(cg_buf_slice(&f->far.heard), bytes));
}

static void what_is_left_untaken_comes_again(void **state) { untaken_bytes_come_again(*state); }

static void what_is_left_untaken_of_tls_comes_again(void **state) {
    use_tls(*state, TLS1_2_VERSION);
    untaken_bytes_come_again(*state);
}

static void what_waits_is_bounded(void **state) {
    static char much[CG_STREAM_QUEUE_MAX];
    struct fixture *f = *state;
    open_both(f);
    assert_int_equal(cg_stream_write(f->near.stream, cg_slice_of(much, sizeof much)), CG_OK);
    assert_int_equal(cg_stream_write(f->near.stream, cg_slice_str("!")), CG_E_OVERLOAD);
    assert_int_equal(cg_stream_waits(f->near.stream), CG_STREAM_QUEUE_MAX);
}

static bool far_closed(const struct fixture *f) { return f->far.closed == 1; }

/* All that was written is heard, and then the end. */
static void leave(struct fixture *f) {
    open_both(f);
    write_to(&f->near, "hello");
    cg_stream_end(f->near.stream);
    f->near.stream = NULL;
    run_until(f, far_closed);
    assert_true(far_heard_hello(f));
    assert_int_equal(f->far.why, CG_STREAM_CLOSED);
    assert_int_equal(f->near.closed, 0);
}

static void who_leaves_is_heard_to_the_end(void **state) { leave(*state); }

static void who_leaves_in_tls_is_heard_to_the_end(void **state) {
    use_tls(*state, TLS1_3_VERSION);
    leave(*state);
}

static bool near_closed(const struct fixture *f) { return f->near.closed == 1; }

static void one_may_end_while_it_hears(void **state) {
    struct fixture *f = *state;
    open_both(f);
    f->far.ends_when_heard = true;
    write_to(&f->near, "hello");
    run_until(f, near_closed);
    assert_int_equal(f->near.why, CG_STREAM_CLOSED);
    assert_int_equal(f->far.closed, 0);
}

/* ---- What goes wrong ---- */

static bool both_closed(const struct fixture *f) { return f->near.closed == 1 && f->far.closed == 1; }

static void another_key_is_a_failure_at_both_ends(void **state) {
    struct fixture *f = *state;
    use_tls(f, TLS1_3_VERSION);
    SSL_CTX_set_psk_server_callback(f->server, on_other_key);
    open_near(f);
    run_until(f, both_closed);
    assert_int_equal(f->far.why, CG_STREAM_HANDSHAKE);
    assert_int_equal(f->near.why, CG_STREAM_HANDSHAKE); /* the alert has come */
    assert_int_equal(cg_streams_figures(f->streams)->failed, 2);
    assert_int_equal(cg_streams_figures(f->streams)->handshakes, 0);
}

static void what_is_no_tls_ends_it(void **state) {
    struct fixture *f = *state;
    use_tls(f, TLS1_2_VERSION);
    int fd = connect_to(&f->addr);
    assert_int_equal(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
    run_until(f, far_closed);
    assert_int_equal(f->far.why, CG_STREAM_HANDSHAKE);
    close(fd);
}

static bool far_opened(const struct fixture *f) { return f->far.opened == 1; }

/* One that is no stream of ours: what it sends is up to the test. */
static SSL *shake_hands(struct fixture *f, int fd) {
    SSL *ssl = make_ssl(f->client, false);
    assert_true(SSL_set_fd(ssl, fd) == 1 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (SSL_do_handshake(ssl) != 1) uv_run(&f->uv, UV_RUN_NOWAIT);
    run_until(f, far_opened);
    return ssl;
}

static void who_garbles_is_told_so(void **state) {
    static const uint8_t record[] = {23, 3, 3, 0, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    struct fixture *f = *state;
    char byte;
    use_tls(f, TLS1_3_VERSION);
    int fd = connect_to(&f->addr);
    SSL *ssl = shake_hands(f, fd);
    assert_int_equal(write(fd, record, sizeof record), sizeof record);
    run_until(f, far_closed);
    assert_int_equal(f->far.why, CG_STREAM_BROKEN);
    int result = SSL_read(ssl, &byte, 1);
    while (SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ) {
        uv_run(&f->uv, UV_RUN_NOWAIT);
        result = SSL_read(ssl, &byte, 1);
    }
    assert_int_equal(SSL_get_error(ssl, result), SSL_ERROR_SSL);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
    SSL_free(ssl);
    close(fd);
}

static void a_handshake_has_a_time(void **state) {
    struct fixture *f = *state;
    use_tls(f, TLS1_2_VERSION);
    int fd = connect_to(&f->addr);
    run_until(f, far_closed);
    assert_int_equal(f->far.why, CG_STREAM_LATE);
    close(fd);
}

/* Where somebody was, and nobody is. */
static struct cg_addr nobodys(void) {
    struct cg_addr addr;
    union cg_endpoint endpoint;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    socklen_t len = cg_endpoint_from_addr(&endpoint, &addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && bind(fd, &endpoint.any, len) == 0 && cg_endpoint_local(&addr, fd));
    close(fd);
    return addr;
}

static void where_nobody_listens_is_not_reached(void **state) {
    struct fixture *f = *state;
    f->addr = nobodys();
    connect_near(f);
    run_until(f, near_closed);
    assert_int_equal(f->near.why, CG_STREAM_UNREACHED);
    assert_int_equal(f->near.opened, 0);
}

static void an_address_that_cannot_be_connected_to_is_a_problem(void **state) {
    struct fixture *f = *state;
    struct cg_problem problem = {0};
    struct cg_addr multicast;
    assert_int_equal(cg_addr_parse(&multicast, cg_slice_str("224.0.1.187:5683"), 0), CG_OK);
    assert_null(cg_stream_connect(f->streams, &multicast, NULL, &ops, &f->near, &problem));
    assert_non_null(strstr(problem.detail, "cannot connect to 224.0.1.187:5683 (TCP): "));
}

/* The kernel completes as many as its line is long, and lets others wait. */
static void connecting_has_a_time(void **state) {
    struct fixture *f = *state;
    union cg_endpoint endpoint;
    struct cg_addr addr = nobodys();
    socklen_t len = cg_endpoint_from_addr(&endpoint, &addr);
    int server = socket(AF_INET, SOCK_STREAM, 0), first;
    assert_true(server >= 0 && bind(server, &endpoint.any, len) == 0 && listen(server, 0) == 0);
    first = connect_to(&addr);
    f->addr = addr;
    connect_near(f);
    run_until(f, near_closed);
    assert_int_equal(f->near.why, CG_STREAM_LATE);
    close(first);
    close(server);
}

static bool far_is_there(const struct fixture *f) { return f->far.stream != NULL; }

/* So much at once that neither end's kernel holds it. */
static void who_takes_nothing_is_left(void **state) {
    static char much[CG_STREAM_QUEUE_MAX];
    struct fixture *f = *state;
    int fd = connect_to(&f->addr), small = 4096;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    run_until(f, far_is_there);
    for (int i = 0; i < 100 && f->far.stream != NULL; i++) {
        (void)(cg_stream_write(f->far.stream, cg_slice_of(much, sizeof much)) == CG_OK);
        uv_run(&f->uv, UV_RUN_NOWAIT);
    }
    run_until(f, far_closed);
    assert_int_equal(f->far.why, CG_STREAM_STALLED);
    close(fd);
}

/* Takes a byte at a time; the number of those, when it is over. */
static size_t sip(struct fixture *f, int fd) {
    size_t count = 0;
    for (char byte;;) {
        ssize_t len = recv(fd, &byte, 1, MSG_DONTWAIT);
        uv_run(&f->uv, UV_RUN_NOWAIT);
        if (len == 0 || (len < 0 && errno != EAGAIN)) return count;
        count += len > 0;
    }
}

static void who_takes_a_little_of_the_last_words_is_left_all_the_same(void **state) {
    static char much[CG_STREAM_QUEUE_MAX];
    struct fixture *f = *state;
    int fd = connect_to(&f->addr), small = 4096;
    size_t written = 0;
    f->is_small = true;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    run_until(f, far_is_there);
    while (cg_stream_write(f->far.stream, cg_slice_of(much, sizeof much)) == CG_OK) {
        written += sizeof much;
        uv_run(&f->uv, UV_RUN_NOWAIT);
    }
    cg_stream_end(f->far.stream);
    f->far.stream = NULL;
    assert_true(sip(f, fd) < written);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        stream_test(both_ends_hear_each_other),
        stream_test(so_they_do_in_tls_1_2),
        stream_test(and_in_tls_1_3),
        stream_test(what_is_left_untaken_comes_again),
        stream_test(what_is_left_untaken_of_tls_comes_again),
        stream_test(what_waits_is_bounded),
        stream_test(who_leaves_is_heard_to_the_end),
        stream_test(who_leaves_in_tls_is_heard_to_the_end),
        stream_test(one_may_end_while_it_hears),
        stream_test(another_key_is_a_failure_at_both_ends),
        stream_test(what_is_no_tls_ends_it),
        stream_test(who_garbles_is_told_so),
        hasty_test(a_handshake_has_a_time),
        hasty_test(who_takes_nothing_is_left),
        hasty_test(who_takes_a_little_of_the_last_words_is_left_all_the_same),
        stream_test(one_that_connects_is_told_when_it_is),
        stream_test(in_tls_when_the_handshake_is_done),
        stream_test(one_may_be_left_before_it_is_connected),
        stream_test(where_nobody_listens_is_not_reached),
        stream_test(an_address_that_cannot_be_connected_to_is_a_problem),
        hasty_test(connecting_has_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
