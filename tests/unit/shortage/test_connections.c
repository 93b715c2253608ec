/* CoAP over TLS without memory: whichever allocation of the gateway's side fails, in our code, in libuv's or in
 * OpenSSL's, the client is served or its connection ends, and the next client is served. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_shortage.h"
#include "fronts/coap/connections.h"
#include "io/endpoint.h"
#include "io/reserve.h"
#include "io/tls_terms.h"
#include "wire/signal.h"

/* OpenSSL 3.5 reads what is not there in SSL_free, where a handshake had run out of memory: with it, allocations of
 * ours alone fail. */
enum { FAILS_IN_OPENSSL = OPENSSL_VERSION_NUMBER < 0x30200000L, TURNS_MAX = 100000 };

struct client {
    int fd;
    SSL *ssl; /* NULL: without TLS */
    uint8_t heard[4096];
    size_t len;
    bool has_said, is_over;
};

struct fixture {
    uv_loop_t uv;
    struct cg_config *config;
    struct cg_coap_connections *all;
    struct cg_listen listen;
    SSL_CTX *context; /* the client's */
    bool has_tls;
    unsigned gone;
    struct client client;
};

/* ---- The front ---- */

static void on_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    const struct cg_coap_message response = {.code = CG_CODE(2, 5), .token = request->message.token};
    (void)ctx;
    cg_coap_peer_answer(peer, &response);
}

static void on_other(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    (void)ctx, (void)peer, (void)token;
}
static void on_gone(void *ctx, struct cg_coap_peer *peer) {
    (void)peer;
    ((struct fixture *)ctx)->gone++;
}

static const struct cg_coap_peer_ops ops = {
    .request = on_request, .lost = on_other, .acknowledged = on_other, .gone = on_gone};

/* ---- The client, which always finds memory ---- */

static unsigned on_key_asked(SSL *ssl, const char *hint, char *identity, unsigned identity_cap, unsigned char *key,
                             unsigned cap) {
    (void)hint, (void)ssl;
    assert_true(identity_cap > 4 && cap >= 16);
    strcpy(identity, "lamp");
    memset(key, 7, 16);
    return 16;
}

static void come(struct fixture *f) {
    union cg_endpoint endpoint;
    socklen_t len = cg_endpoint_from_addr(&endpoint, &f->listen.addr);
    f->client = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    assert_true(f->client.fd >= 0 && connect(f->client.fd, &endpoint.any, len) == 0);
    assert_int_equal(fcntl(f->client.fd, F_SETFL, O_NONBLOCK), 0);
    if (!f->has_tls) return;
    f->client.ssl = SSL_new(f->context);
    assert_true(f->client.ssl != NULL && SSL_set_fd(f->client.ssl, f->client.fd) == 1);
    SSL_set_connect_state(f->client.ssl);
}

static ssize_t hear(struct client *client, uint8_t *to, size_t cap) {
    if (client->ssl == NULL) return recv(client->fd, to, cap, MSG_DONTWAIT);
    struct pollfd comes = {.fd = client->fd, .events = POLLIN};
    if (SSL_pending(client->ssl) == 0 && poll(&comes, 1, 0) == 0) return errno = EAGAIN, -1;
    int len = SSL_read(client->ssl, to, (int)cap);
    if (len > 0) return len;
    errno = EAGAIN;
    return SSL_get_error(client->ssl, len) == SSL_ERROR_WANT_READ ? -1 : 0;
}

static void say(struct client *client, struct cg_slice bytes) {
    ssize_t len = client->ssl == NULL ? send(client->fd, bytes.data, bytes.len, MSG_NOSIGNAL)
                                      : SSL_write(client->ssl, bytes.data, (int)bytes.len);
    client->is_over = len != (ssize_t)bytes.len;
}

/* False: nothing comes until the other end has done something. */
static bool shakes(struct client *client) {
    struct pollfd comes = {.fd = client->fd, .events = POLLIN};
    if (client->ssl == NULL || SSL_is_init_finished(client->ssl)) return true;
    if (SSL_get_state(client->ssl) != TLS_ST_BEFORE && poll(&comes, 1, 0) == 0) return false;
    int result = SSL_do_handshake(client->ssl);
    if (result != 1 && SSL_get_error(client->ssl, result) != SSL_ERROR_WANT_READ) client->is_over = true;
    return result == 1;
}

static void step(struct client *client) {
    static const uint8_t words[] = {0x00, CG_SIGNAL_CSM, 0x01, CG_GET, 'T'};
    if (client->is_over || !shakes(client)) return;
    if (!client->has_said) say(client, cg_slice_of(words, sizeof words));
    client->has_said = true;
    ssize_t len = hear(client, client->heard + client->len, sizeof client->heard - client->len);
    if (len > 0) client->len += (size_t)len;
    if (len == 0 || (len < 0 && errno != EAGAIN)) client->is_over = true;
}

static bool has_answer(const struct client *client) {
    static const uint8_t answer[] = {0x01, CG_CODE(2, 5), 'T'};
    return memmem(client->heard, client->len, answer, sizeof answer) != NULL;
}

static void leave(struct client *client) {
    SSL_free(client->ssl);
    close(client->fd);
}

/* ---- A scenario ---- */

static struct cg_config *config_with_key(void) {
    static const uint8_t key[16] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    struct cg_config *config = cg_config_new();
    assert_non_null(config);
    config->clients = cg_arena_zalloc(&config->arena, 2 * sizeof *config->clients);
    assert_non_null(config->clients);
    config->client_count = 1;
    config->clients[0] = (struct cg_client){
        .name = "lamp",
        .psk = {.identity = "lamp", .key = cg_arena_copy(&config->arena, cg_slice_of(key, sizeof key))}};
    assert_int_equal(cg_config_index(config), CG_OK);
    return config;
}

static void start(struct fixture *f, enum cg_scheme scheme) {
    struct cg_problem problem = {0};
    *f = (struct fixture){.has_tls = scheme == CG_SCHEME_COAPS_TCP, .config = config_with_key()};
    assert_int_equal(uv_loop_init(&f->uv), 0);
    assert_int_equal(cg_reserve_descriptors(&f->uv, 256), CG_OK);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(cg_addr_parse(&f->listen.addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    f->all = cg_coap_connections_new(&f->uv, f->config, &cg_coap_connection_usual_limits, &ops, f);
    assert_non_null(f->all);
    assert_int_equal(cg_coap_connections_listen(f->all, scheme, &f->listen, &problem), CG_OK);
    f->context = cg_tls_terms_new(CG_TLS_OF_STREAMS, CG_TLS_CONNECTS, CG_TLS_KEYS_ALONE);
    assert_non_null(f->context);
    SSL_CTX_set_psk_client_callback(f->context, on_key_asked);
    come(f);
}

static void before_tcp(void *ctx) { start(ctx, CG_SCHEME_COAP_TCP); }
static void before_tls(void *ctx) { start(ctx, CG_SCHEME_COAPS_TCP); }

/* Until it is answered, or over: it waits for no time to be over. */
static void act(void *ctx) {
    struct fixture *f = ctx;
    for (unsigned turn = 0; !f->client.is_over && !has_answer(&f->client); turn++) {
        assert_true(turn < TURNS_MAX);
        uv_run(&f->uv, UV_RUN_NOWAIT);
        shortage_pause();
        step(&f->client);
        shortage_resume();
    }
}

static void after(void *ctx) {
    struct fixture *f = ctx;
    leave(&f->client);
    come(f);
    act(f);
    assert_true(has_answer(&f->client));
    leave(&f->client);
    cg_coap_connections_close(f->all, NULL, NULL);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    cg_config_unref(f->config);
    SSL_CTX_free(f->context);
}

static void a_shortage_costs_one_client_its_connection_at_most(void **state) {
    static const struct shortage_scenario tcp = {before_tcp, act, after};
    struct fixture f;
    (void)state;
    assert_in_range(shortage_every(&tcp, &f, 0), 4, 5000);
    assert_in_range(shortage_every(&tcp, &f, 20), 4, 5000);
}

static void so_it_does_by_tls(void **state) {
    static const struct shortage_scenario tls = {before_tls, act, after};
    struct fixture f;
    (void)state;
    assert_in_range(shortage_every(&tls, &f, 0), FAILS_IN_OPENSSL ? 50 : 4, 5000);
    assert_in_range(shortage_every(&tls, &f, 20), FAILS_IN_OPENSSL ? 50 : 4, 5000);
}

int main(void) {
    if (FAILS_IN_OPENSSL) shortage_init();
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(uv_replace_allocator(malloc, realloc, calloc, free), 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shortage_costs_one_client_its_connection_at_most),
        cmocka_unit_test(so_it_does_by_tls),
    };
    return cmocka_run_group_tests_name("shortage/connections", tests, NULL, NULL);
}
