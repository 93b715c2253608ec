/* Streams without memory: whichever allocation of either end fails, in our code, in libuv's or in OpenSSL's, both ends
 * hear that it is over, or go on, and the next two meet as if nothing had been. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_shortage.h"
#include "io/acceptor.h"
#include "io/reserve.h"
#include "io/stream.h"
#include "io/tls_terms.h"

/* OpenSSL 3.5 reads what is not there in SSL_free, where a handshake had run out of memory: with it, allocations of
 * ours alone fail. */
enum { FAILS_IN_OPENSSL = OPENSSL_VERSION_NUMBER < 0x30200000L, TURNS_MAX = 100000, MANY = 3000 };

struct end {
    struct cg_stream *stream; /* NULL: it is over, or has not begun */
    size_t heard;
    bool is_over;
};

struct fixture {
    uv_loop_t uv;
    struct cg_streams *streams;
    struct cg_acceptor *acceptor;
    struct cg_addr addr;
    bool has_tls;
    struct end near, far;
};

static SSL_CTX *accepting, *connecting;

/* ---- Both ends ---- */

static void on_opened(void *ctx) { (void)ctx; }
static void on_drained(void *ctx) { (void)ctx; }

/* In pieces, so that some is kept. */
static size_t on_received(void *ctx, struct cg_slice bytes) {
    struct end *end = ctx;
    size_t taken = bytes.len > 1000 ? 1000 : bytes.len;
    end->heard += taken;
    if (taken < bytes.len) cg_stream_resume(end->stream);
    return taken;
}

static void on_closed(void *ctx, enum cg_stream_end why, const char *detail) {
    struct end *end = ctx;
    (void)why;
    assert_non_null(detail);
    end->is_over = true;
    end->stream = NULL;
}

static const struct cg_stream_ops ops = {
    .opened = on_opened, .received = on_received, .drained = on_drained, .closed = on_closed};

static SSL *make_ssl(SSL_CTX *context, void (*set)(SSL *ssl)) {
    SSL *ssl = SSL_new(context);
    if (ssl != NULL) set(ssl);
    return ssl;
}

static void on_accepted(void *ctx, int fd, const struct cg_addr *from) {
    struct fixture *f = ctx;
    SSL *ssl = NULL;
    (void)from;
    if (f->has_tls && (ssl = make_ssl(accepting, SSL_set_accept_state)) == NULL) {
        close(fd);
    } else {
        f->far.stream = cg_stream_open(f->streams, fd, ssl, &ops, &f->far);
    }
    f->far.is_over = f->far.stream == NULL;
}

static void connect_near(struct fixture *f) {
    struct cg_problem problem = {0};
    SSL *ssl = NULL;
    if (!f->has_tls || (ssl = make_ssl(connecting, SSL_set_connect_state)) != NULL)
        f->near.stream = cg_stream_connect(f->streams, &f->addr, ssl, &ops, &f->near, &problem);
    f->near.is_over = f->near.stream == NULL;
}

/* ---- Pre-shared keys ---- */

static unsigned on_key_asked(SSL *ssl, const char *hint, char *identity, unsigned identity_cap, unsigned char *key,
                             unsigned cap) {
    (void)hint, (void)ssl;
    assert_true(identity_cap > 4 && cap >= 16);
    strcpy(identity, "near");
    memset(key, 7, 16);
    return 16;
}

static unsigned on_key_shown(SSL *ssl, const char *identity, unsigned char *key, unsigned cap) {
    (void)ssl, (void)identity, (void)cap;
    memset(key, 7, 16);
    return 16;
}

static int agree(void **state) {
    (void)state;
    accepting = cg_tls_terms_new(CG_TLS_OF_STREAMS, CG_TLS_ACCEPTS, CG_TLS_KEYS_FIRST);
    connecting = cg_tls_terms_new(CG_TLS_OF_STREAMS, CG_TLS_CONNECTS, CG_TLS_KEYS_ALONE);
    assert_true(accepting != NULL && connecting != NULL);
    SSL_CTX_set_psk_server_callback(accepting, on_key_shown);
    SSL_CTX_set_psk_client_callback(connecting, on_key_asked);
    return 0;
}

static int forget(void **state) {
    (void)state;
    SSL_CTX_free(accepting);
    SSL_CTX_free(connecting);
    return 0;
}

/* ---- A scenario ---- */

static void start(void *ctx, bool has_tls) {
    struct fixture *f = ctx;
    struct cg_problem problem = {0};
    *f = (struct fixture){.has_tls = has_tls};
    assert_int_equal(uv_loop_init(&f->uv), 0);
    assert_int_equal(cg_reserve_descriptors(&f->uv, 256), CG_OK);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(cg_addr_parse(&f->addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    f->streams = cg_streams_open(&f->uv, &cg_stream_usual_limits);
    f->acceptor = cg_acceptor_open(&f->uv, &f->addr, on_accepted, f, &problem);
    assert_true(f->streams != NULL && f->acceptor != NULL);
}

static void before_plain(void *ctx) { start(ctx, false); }
static void before_tls(void *ctx) { start(ctx, true); }

static void say(struct end *end, size_t *said) {
    static const uint8_t much[MANY];
    if (end->stream == NULL || *said > 0) return;
    int err = cg_stream_write(end->stream, cg_slice_of(much, sizeof much));
    assert_true(err == CG_OK || err == CG_E_NO_MEMORY);
    *said = err == CG_OK ? sizeof much : 1;
}

static bool are_over(const struct fixture *f) { return f->near.is_over && (f->far.is_over || f->far.stream == NULL); }

/* Until what either has said was heard, or it is over. Nobody waits for a time to be over. */
static void talk(struct fixture *f) {
    size_t near_said = 0, far_said = 0;
    connect_near(f);
    for (unsigned turn = 0; !are_over(f); turn++) {
        assert_true(turn < TURNS_MAX);
        say(&f->near, &near_said);
        say(&f->far, &far_said);
        uv_run(&f->uv, UV_RUN_NOWAIT);
        if (near_said == 1 || far_said == 1) break;
        if (near_said > 0 && far_said > 0 && f->near.heard == far_said && f->far.heard == near_said) break;
    }
}

static void act(void *ctx) { talk(ctx); }

static void leave(struct fixture *f, struct end *end) {
    if (end->stream != NULL) cg_stream_end(end->stream);
    for (int i = 0; i < 20; i++) uv_run(&f->uv, UV_RUN_NOWAIT);
    *end = (struct end){0};
}

static void after(void *ctx) {
    struct fixture *f = ctx;
    leave(f, &f->near);
    leave(f, &f->far);
    talk(f);
    assert_int_equal(f->near.heard, MANY);
    assert_int_equal(f->far.heard, MANY);
    leave(f, &f->near);
    leave(f, &f->far);
    assert_int_equal(cg_streams_figures(f->streams)->handshakes, 0);
    cg_acceptor_close(f->acceptor, NULL, NULL);
    cg_streams_close(f->streams, NULL, NULL);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->uv), 0);
}

static const struct shortage_scenario plain = {before_plain, act, after}, tls = {before_tls, act, after};

static void a_shortage_costs_a_connection_at_most(void **state) {
    struct fixture f;
    (void)state;
    assert_in_range(shortage_every(&plain, &f, 0), 3, 5000);
    assert_in_range(shortage_every(&plain, &f, 20), 3, 5000);
}

static void and_so_it_does_in_tls(void **state) {
    struct fixture f;
    (void)state;
    assert_in_range(shortage_every(&tls, &f, 0), FAILS_IN_OPENSSL ? 50 : 3, 5000);
    assert_in_range(shortage_every(&tls, &f, 20), FAILS_IN_OPENSSL ? 50 : 3, 5000);
}

int main(void) {
    if (FAILS_IN_OPENSSL) shortage_init();
    assert_int_equal(uv_replace_allocator(malloc, realloc, calloc, free), 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shortage_costs_a_connection_at_most),
        cmocka_unit_test(and_so_it_does_in_tls),
    };
    return cmocka_run_group_tests_name("shortage/streams", tests, agree, forget);
}
