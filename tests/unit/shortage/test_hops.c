/* Connections to next hops without memory: whichever allocation of the gateway's side fails, in our code, in libuv's or
 * in OpenSSL's, whoever has asked is told, and the next request is answered as if nothing had been. The next hop is
 * this test's, and always finds memory. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "exchange/fake_world.h"
#include "fake_shortage.h"
#include "hops/connections.h"
#include "hops/credentials.h"
#include "io/loop.h"
#include "io/reserve.h"
#include "io/tls_terms.h"
#include "wire/reliable.h"

#define KEY "0123456789abcdef"

/* OpenSSL 3.5 reads what is not there in SSL_free, where a handshake had run out of memory: with it, allocations of
 * ours alone fail. */
enum { FAILS_IN_OPENSSL = OPENSSL_VERSION_NUMBER < 0x30200000L, LIMIT_S = 20, CALLS = 2 };

/* Whoever is lost may be asked again at once. */
static const struct cg_hop_limits limits = {.opening_us = LIMIT_S * SECOND,
                                            .pong_us = LIMIT_S * SECOND,
                                            .quiet_us = LIMIT_S * SECOND,
                                            .release_us = LIMIT_S * SECOND,
                                            .rest_us = 1};

/* The next hop, with one peer: the latest that has come. */
struct far {
    struct sockaddr_in at, peer;
    int listener, fd; /* the same socket by datagrams; -1: nobody has come */
    SSL *ssl;         /* NULL: none, or nobody has come */
    struct cg_reliable reliable;
    bool has_begun;
};

struct fixture {
    enum cg_scheme scheme;
    uv_loop_t uv;
    struct world world;
    struct call calls[CALLS];
    struct cg_hop_connections *hops;
    struct cg_credentials credentials;
    struct far far;
    bool has_asked[CALLS];
};

static char key_file[] = "/tmp/castgate-test-XXXXXX";

static bool is_by_stream(const struct fixture *f) { return f->scheme != CG_SCHEME_COAPS; }
static bool is_protected(const struct fixture *f) { return f->scheme != CG_SCHEME_COAP_TCP; }

/* ---- The next hop ---- */

static unsigned on_key(SSL *ssl, const char *identity, unsigned char *key, unsigned cap) {
    (void)ssl, (void)identity, (void)cap;
    memcpy(key, KEY, strlen(KEY));
    return strlen(KEY);
}

static SSL_CTX *accepting[2]; /* TLS, DTLS */

static void far_opens(struct fixture *f) {
    struct far *far = &f->far;
    socklen_t len = sizeof far->at;
    far->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    far->listener = socket(AF_INET, (is_by_stream(f) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
    assert_true(far->listener >= 0 && bind(far->listener, (struct sockaddr *)&far->at, len) == 0);
    assert_int_equal(getsockname(far->listener, (struct sockaddr *)&far->at, &len), 0);
    if (is_by_stream(f)) assert_int_equal(listen(far->listener, 8), 0);
    far->fd = -1;
}

static void far_forgets(struct fixture *f) {
    struct far *far = &f->far;
    SSL_free(far->ssl);
    if (far->has_begun) cg_reliable_fini(&far->reliable);
    if (far->fd >= 0 && is_by_stream(f)) close(far->fd);
    far->ssl = NULL;
    far->has_begun = false;
    far->fd = -1;
}

static void far_closes(struct fixture *f) {
    far_forgets(f);
    close(f->far.listener);
}

static void far_says(void *ctx, struct cg_slice bytes) {
    struct far *far = ctx;
    if (far->ssl != NULL) {
        (void)SSL_write(far->ssl, bytes.data, (int)bytes.len); /* it may be gone */
    } else {
        (void)!send(far->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
    }
}

static const uint8_t reply_from[] = {0x82, 0x20, 0x81, 0x44, 10, 0, 0, 5}; /* [-1, [h'0a000005']] */

/* Who says that it is enough gets no answer. */
static bool is_to_be_answered(uint8_t code) { return code == CG_PUT; }

static void on_request(void *ctx, const struct cg_frame *request, size_t size) {
    uint8_t body[64], bytes[256];
    struct cg_msg_writer writer;
    (void)size;
    if (!is_to_be_answered(request->code)) return;
    cg_msg_begin_inner(&writer, body, sizeof body, 0);
    cg_msg_put_opt(&writer, 248, cg_slice_of(reply_from, sizeof reply_from));
    int len = cg_msg_end(&writer);
    const struct cg_frame frame = {
        .code = CG_CODE(2, 5), .token = request->token, .options = cg_slice_of(body + 1, (size_t)len - 1)};
    len = cg_frame_emit(&frame, bytes, sizeof bytes);
    assert_true(len > 0);
    far_says(ctx, cg_slice_of(bytes, (size_t)len));
}

static void answer_datagram(struct far *far, struct cg_slice datagram) {
    uint8_t bytes[256];
    struct cg_msg_writer writer;
    struct cg_msg request;
    assert_int_equal(cg_msg_parse(&request, datagram), CG_OK);
    if (request.type != CG_CON) return;
    const bool is_answered = is_to_be_answered(request.code);
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_ACK, is_answered ? CG_CODE(2, 5) : CG_EMPTY, request.mid,
                 is_answered ? request.token : (struct cg_token){0});
    if (is_answered) cg_msg_put_opt(&writer, 248, cg_slice_of(reply_from, sizeof reply_from));
    int len = cg_msg_end(&writer);
    far_says(far, cg_slice_of(bytes, (size_t)len));
}

static void on_csm(void *ctx) { (void)ctx; }

static const struct cg_reliable_ops reliable_ops = {.emit = far_says, .request = on_request, .opened = on_csm};
static const struct cg_capabilities all = {.max_message_size = 4096, .token_max = CG_TOKEN_MAX};

static void meet(struct fixture *f, int fd, BIO *bio) {
    struct far *far = &f->far;
    far->fd = fd;
    if (!is_protected(f)) return;
    far->ssl = SSL_new(accepting[!is_by_stream(f)]);
    assert_true(far->ssl != NULL && bio != NULL);
    SSL_set_bio(far->ssl, bio, bio);
    SSL_set_accept_state(far->ssl);
    if (!is_by_stream(f)) (void)SSL_set_mtu(far->ssl, 1232);
}

static void accept_stream(struct fixture *f) {
    int fd = accept4(f->far.listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    far_forgets(f);
    meet(f, fd, is_protected(f) ? BIO_new_socket(fd, BIO_NOCLOSE) : NULL);
}

/* A session begins with the first message of a handshake, a ClientHello (RFC 6347 §4.2.2). */
static bool is_hello(const uint8_t *bytes, ssize_t len) {
    return len > 18 && bytes[0] == 22 && bytes[13] == 1 && bytes[17] == 0 && bytes[18] == 0;
}

/* Whether what comes next is of the peer's session. Records of sessions that are forgotten are nothing. */
static bool accept_datagram(struct fixture *f) {
    struct far *far = &f->far;
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    uint8_t bytes[19];
    ssize_t len;
    while ((len = recvfrom(far->listener, bytes, sizeof bytes, MSG_PEEK, (struct sockaddr *)&from, &size)) >= 0) {
        if (is_hello(bytes, len)) {
            far_forgets(f);
            far->peer = from;
            meet(f, far->listener, BIO_new_dgram(far->listener, BIO_NOCLOSE));
        }
        if (far->fd >= 0 && from.sin_port == far->peer.sin_port) return true;
        assert_true(recv(far->listener, bytes, sizeof bytes, 0) >= 0);
    }
    return false;
}

static int far_hears(struct fixture *f, uint8_t *bytes, size_t cap) {
    if (f->far.ssl == NULL) return (int)recv(f->far.fd, bytes, cap, 0);
    return SSL_read(f->far.ssl, bytes, (int)cap);
}

/* As soon as it can. */
static void begin_once(struct far *far) {
    if (far->has_begun || (far->ssl != NULL && !SSL_is_init_finished(far->ssl))) return;
    cg_reliable_begin(&far->reliable, &reliable_ops, far, &all);
    far->has_begun = true;
}

static void serve_stream(struct fixture *f) {
    struct far *far = &f->far;
    uint8_t bytes[8192];
    int len;
    accept_stream(f);
    while (far->fd >= 0 && (len = far_hears(f, bytes, sizeof bytes)) > 0) {
        struct cg_slice heard = cg_slice_of(bytes, (size_t)len);
        begin_once(far);
        while (heard.len > 0 && cg_reliable_take(&far->reliable, &heard) == CG_RELIABLE_NEXT) continue;
    }
    if (far->fd >= 0) begin_once(far);
}

static void serve_datagrams(struct fixture *f) {
    uint8_t bytes[8192];
    int len;
    while (accept_datagram(f) && (len = far_hears(f, bytes, sizeof bytes)) > 0)
        answer_datagram(&f->far, cg_slice_of(bytes, (size_t)len));
}

/* ---- The gateway ---- */

static void turn(struct fixture *f) {
    uv_run(&f->uv, UV_RUN_NOWAIT);
    f->world.now_us = cg_loop_now_us();
    world_run(&f->world);
    shortage_pause();
    (is_by_stream(f) ? serve_stream : serve_datagrams)(f);
    shortage_resume();
}

/* False: there was no memory to take the request in. */
static bool ask(struct fixture *f, struct call *call) {
    f->world.now_us = cg_loop_now_us();
    struct cg_request *request = world_new(&f->world, call, "/lamps");
    if (request == NULL) return false;
    request->method = CG_PUT; /* none joins another */
    world_go(&f->world, call);
    return true;
}

static void run_until_told(struct fixture *f, const struct call *call) {
    const uint64_t until_us = cg_loop_now_us() + LIMIT_S * SECOND;
    while (call->replies + call->problems == 0 && cg_loop_now_us() < until_us) turn(f);
    assert_int_equal(call->replies + call->problems, 1);
}

static bool is_answered(const struct call *call) {
    return call->text != NULL && strstr(call->text, "10.0.0.5") != NULL;
}

static void lead_to_far(struct fixture *f) {
    struct cg_mapping *lamps = world_mapping(&f->world, "lamps");
    struct cg_next_hop *next_hop = &lamps->targets[0].next_hop;
    *next_hop = (struct cg_next_hop){
        .uri = "coap://127.0.0.1/floor", .origin = "coap://127.0.0.1", .scheme = f->scheme, .host = "127.0.0.1"};
    next_hop->addr = address("127.0.0.1");
    next_hop->addr.port = ntohs(f->far.at.sin_port);
    if (is_protected(f)) {
        next_hop->credentials = &f->credentials;
        next_hop->credentials_name = f->credentials.name;
    }
    lamps->timeout_us = SECOND;
    lamps->finish = (struct cg_finish){.rule = CG_FINISH_COUNT, .count = 1};
    lamps->targets[0].uri = next_hop->uri;
    lamps->targets[0].path = cg_slice_str("/floor");
}

static int load(struct fixture *f, struct cg_problem *problem) {
    f->credentials = (struct cg_credentials){.name = "far", .psk = {.identity = "near", .key_file = key_file}};
    f->world.config->credentials = &f->credentials;
    f->world.config->credentials_count = 1;
    return cg_hop_credentials_load(f->world.config, problem);
}

static void before(void *ctx) {
    struct fixture *f = ctx;
    struct cg_problem problem = {0};
    *f = (struct fixture){.scheme = f->scheme};
    assert_int_equal(uv_loop_init(&f->uv), 0);
    assert_int_equal(cg_reserve_descriptors(&f->uv, 256), CG_OK);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    far_opens(f);
    world_init(&f->world);
    assert_int_equal(load(f, &problem), CG_OK);
    lead_to_far(f);
    world_start(&f->world);
    f->hops = cg_hop_connections_open(&f->uv, cg_gateway_engine(f->world.gateway), &limits);
    assert_non_null(f->hops);
    f->world.port.connections = cg_hop_connections_port(f->hops);
}

/* One asks, and one waits for its turn or for the connection. */
static void act(void *ctx) {
    struct fixture *f = ctx;
    for (size_t i = 0; i < CALLS; i++) f->has_asked[i] = ask(f, &f->calls[i]);
    for (size_t i = 0; i < CALLS; i++) {
        if (f->has_asked[i]) run_until_told(f, &f->calls[i]);
    }
}

static void assert_is_served(struct fixture *f) {
    struct call call;
    assert_true(ask(f, &call));
    run_until_told(f, &call);
    assert_true(is_answered(&call));
    call_fini(&call);
}

static void after(void *ctx) {
    struct fixture *f = ctx;
    for (size_t i = 0; i < CALLS; i++) call_fini(&f->calls[i]);
    assert_is_served(f);
    assert_int_equal(cg_gateway_running(f->world.gateway), 0);
    cg_hop_connections_close(f->hops);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    assert_int_equal(f->world.gateway->quota.used, 0);
    far_closes(f);
    world_fini(&f->world);
    cg_hop_connections_free(f->hops);
}

static const struct shortage_scenario asking = {before, act, after};

static void every_allocation(enum cg_scheme scheme, unsigned least) {
    struct fixture f = {.scheme = scheme};
    assert_in_range(shortage_every(&asking, &f, 0), least, 5000);
    assert_in_range(shortage_every(&asking, &f, 20), least, 5000);
}

static void by_tcp(void **state) {
    (void)state;
    every_allocation(CG_SCHEME_COAP_TCP, 20);
}

static void by_tls(void **state) {
    (void)state;
    every_allocation(CG_SCHEME_COAPS_TCP, FAILS_IN_OPENSSL ? 100 : 20);
}

static void by_dtls(void **state) {
    (void)state;
    every_allocation(CG_SCHEME_COAPS, FAILS_IN_OPENSSL ? 100 : 20);
}

/* ---- Credentials ---- */

static void before_loading(void *ctx) { world_init(&((struct fixture *)ctx)->world); }

static void load_with_little(void *ctx) {
    struct cg_problem problem = {0};
    int err = load(ctx, &problem);
    assert_true(err == CG_OK || (err < 0 && problem.err == err && problem.detail[0] != '\0'));
}

static void after_loading(void *ctx) { world_fini(&((struct fixture *)ctx)->world); }

static void credentials_are_there_or_a_problem_says_why(void **state) {
    static const struct shortage_scenario loading = {before_loading, load_with_little, after_loading};
    struct fixture f;
    (void)state;
    assert_in_range(shortage_every(&loading, &f, 0), 3, 5000);
    assert_in_range(shortage_every(&loading, &f, 20), 3, 5000);
}

static int agree(void **state) {
    (void)state;
    int fd = mkstemp(key_file);
    assert_true(fd >= 0 && write(fd, KEY, strlen(KEY)) == (ssize_t)strlen(KEY));
    close(fd);
    for (int i = 0; i < 2; i++) {
        accepting[i] =
            cg_tls_terms_new(i == 0 ? CG_TLS_OF_STREAMS : CG_TLS_OF_DATAGRAMS, CG_TLS_ACCEPTS, CG_TLS_KEYS_FIRST);
        assert_non_null(accepting[i]);
        SSL_CTX_set_psk_server_callback(accepting[i], on_key);
    }
    return 0;
}

static int forget(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) SSL_CTX_free(accepting[i]);
    unlink(key_file);
    return 0;
}

int main(void) {
    if (FAILS_IN_OPENSSL) shortage_init();
    assert_int_equal(uv_replace_allocator(malloc, realloc, calloc, free), 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_tcp),
        cmocka_unit_test(by_tls),
        cmocka_unit_test(by_dtls),
        cmocka_unit_test(credentials_are_there_or_a_problem_says_why),
    };
    return cmocka_run_group_tests_name("shortage/hops", tests, agree, forget);
}
