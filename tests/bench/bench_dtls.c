/* What DTLS costs beside OpenSSL as it is: memory of a session at rest, CPU of a request and its response, of a
 * handshake, and of a ClientHello from an address that nobody has proven; and the longest turn while thousands come.
 * All in one process, without sockets. The hard thing is to count one side alone: clients are gone before memory is
 * looked at, and time is taken around the gateway's calls. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/ssl.h>

#include "base/check.h"
#include "common/figures.h"
#include "fronts/coap/dtls.h"
#include "fronts/coap/dtls_bio.h"

enum { ROUNDS = 5, SESSIONS = 5000, MESSAGES = 20000, HELLOS = 20000, FLIGHT_MAX = 16 };

#define SUITE "PSK-AES128-CCM8"

/* Datagrams on their way to one side. */
struct flight {
    uint8_t bytes[FLIGHT_MAX][2048];
    size_t len[FLIGHT_MAX];
    unsigned count;
};

static struct flight to_client, to_server;

static void put(struct flight *flight, struct cg_slice datagram) {
    CG_CHECK(flight->count < FLIGHT_MAX && datagram.len <= sizeof flight->bytes[0]);
    memcpy(flight->bytes[flight->count], datagram.data, datagram.len);
    flight->len[flight->count++] = datagram.len;
}

static void put_to_server(void *ctx, struct cg_slice datagram) { (void)ctx, put(&to_server, datagram); }
static void put_to_client(void *ctx, struct cg_slice datagram) { (void)ctx, put(&to_client, datagram); }

static size_t heap_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* ---- A client ---- */

static const char key[17] = "0123456789abcdef";

static unsigned on_client_psk(SSL *ssl, const char *hint, char *identity, unsigned identity_cap, unsigned char *to,
                              unsigned cap) {
    (void)ssl, (void)hint;
    CG_CHECK(cap >= 16);
    snprintf(identity, identity_cap, "d");
    memcpy(to, key, 16);
    return 16;
}

struct client {
    SSL *ssl;
    struct cg_dtls_bio bio;
};

static SSL_CTX *client_context(void) {
    SSL_CTX *context = SSL_CTX_new(DTLS_client_method());
    CG_CHECK(context != NULL && SSL_CTX_set_cipher_list(context, SUITE ":@SECLEVEL=0") == 1);
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_psk_client_callback(context, on_client_psk);
    return context;
}

static void open_end(SSL **ssl, struct cg_dtls_bio *bio, SSL_CTX *context, void (*emit)(void *, struct cg_slice)) {
    *bio = (struct cg_dtls_bio){.emit = emit};
    *ssl = SSL_new(context);
    BIO *made = cg_dtls_bio_new(bio);
    CG_CHECK(*ssl != NULL && made != NULL);
    SSL_set_bio(*ssl, made, made);
    SSL_set_mtu(*ssl, CG_DTLS_DATAGRAM_ROOM);
}

static void take_as_client(struct client *client) {
    char text[256];
    for (unsigned i = 0; i < to_client.count; i++) {
        client->bio.datagram = cg_slice_of(to_client.bytes[i], to_client.len[i]);
        if (!SSL_is_init_finished(client->ssl)) (void)SSL_do_handshake(client->ssl);
        while (SSL_read(client->ssl, text, sizeof text) > 0) {
        }
    }
    to_client.count = 0;
}

/* ---- The gateway's side, and OpenSSL's alone: what is measured ---- */

struct side {
    void (*take)(struct side *side, unsigned from, struct cg_slice datagram);
    uint64_t ns, longest_ns;
    struct cg_dtls *dtls;
    struct cg_config *config;
    bool busy, is_closing;
    struct cg_dtls_session *session;
    SSL_CTX *context;
    struct client *bare; /* an SSL for each */
};

static void deliver(struct side *side, unsigned from) {
    for (unsigned i = 0; i < to_server.count; i++) {
        uint64_t began = bench_thread_ns();
        side->take(side, from, cg_slice_of(to_server.bytes[i], to_server.len[i]));
        side->ns += bench_thread_ns() - began;
    }
    to_server.count = 0;
}

static const struct cg_config *on_config(void *ctx) { return ((struct side *)ctx)->config; }

static int on_emit(void *ctx, const struct cg_dtls_path *path, struct cg_slice datagram) {
    (void)path;
    if (!((struct side *)ctx)->is_closing) put_to_client(ctx, datagram);
    return CG_OK;
}

static void on_busy(void *ctx) { ((struct side *)ctx)->busy = true; }

static bool on_opened(void *ctx, struct cg_dtls_session *session) {
    ((struct side *)ctx)->session = session;
    return true;
}

static void on_received(void *ctx, struct cg_dtls_session *session, struct cg_slice message) {
    (void)ctx;
    CG_CHECK(cg_dtls_send(session, message) == CG_OK);
}

static bool is_used(void *ctx, struct cg_dtls_session *session) {
    (void)ctx, (void)session;
    return false;
}

static void on_closed(void *ctx, struct cg_dtls_session *session) { (void)ctx, (void)session; }

static const struct cg_dtls_ops ops = {on_config, on_emit, on_busy, on_opened, on_received, is_used, on_closed};

static struct cg_dtls_path path_from(unsigned from) {
    struct cg_dtls_path path;
    memset(&path, 0, sizeof path);
    path.remote =
        (struct cg_addr){.family = CG_FAMILY_IPV4, .port = 1000, .ip = {10, 1, (uint8_t)(from >> 8), (uint8_t)from}};
    path.local = (struct cg_addr){.family = CG_FAMILY_IPV4, .port = 5684, .ip = {10, 0, 0, 1}};
    return path;
}

static void take_as_gateway(struct side *side, unsigned from, struct cg_slice datagram) {
    const struct cg_dtls_path path = path_from(from);
    cg_dtls_take(side->dtls, &path, datagram, 1000000);
    while (side->busy) {
        uint64_t began = bench_thread_ns();
        side->busy = cg_dtls_turn(side->dtls, 1000000);
        uint64_t ns = bench_thread_ns() - began;
        if (ns > side->longest_ns) side->longest_ns = ns;
    }
}

static void open_gateway(struct side *side) {
    static const struct cg_tls_settings no_files;
    struct cg_problem problem = {0};
    struct cg_config *config = cg_config_new();
    CG_CHECK(config != NULL);
    config->clients = cg_arena_zalloc(&config->arena, sizeof *config->clients);
    config->client_count = 1;
    config->clients[0] = (struct cg_client){.name = "d", .psk = {.identity = "d", .key = cg_slice_of(key, 16)}};
    CG_CHECK(cg_config_index(config) == CG_OK);
    *side = (struct side){.take = take_as_gateway, .config = config};
    side->dtls = cg_dtls_new(&ops, side, &cg_dtls_usual_limits, 1000000, &problem);
    CG_CHECK(side->dtls != NULL && cg_dtls_load(side->dtls, &no_files, false, &problem) == CG_OK);
}

static void close_gateway(struct side *side) {
    side->is_closing = true; /* who hears goodbye is gone */
    cg_dtls_free(side->dtls);
    cg_config_unref(side->config);
}

static unsigned on_bare_psk(SSL *ssl, const char *identity, unsigned char *to, unsigned cap) {
    (void)ssl, (void)identity;
    CG_CHECK(cap >= 16);
    memcpy(to, key, 16);
    return 16;
}

static void take_as_bare(struct side *side, unsigned from, struct cg_slice datagram) {
    struct client *own = &side->bare[from];
    char text[256];
    int len;
    if (own->ssl == NULL) {
        open_end(&own->ssl, &own->bio, side->context, put_to_client);
        SSL_set_accept_state(own->ssl);
    }
    own->bio.datagram = datagram;
    if (!SSL_is_init_finished(own->ssl)) (void)SSL_do_handshake(own->ssl);
    while ((len = SSL_read(own->ssl, text, sizeof text)) > 0) CG_CHECK(SSL_write(own->ssl, text, len) == len);
}

static void open_bare(struct side *side) {
    *side = (struct side){.take = take_as_bare, .context = SSL_CTX_new(DTLS_server_method())};
    side->bare = calloc(SESSIONS, sizeof *side->bare);
    CG_CHECK(side->context != NULL && side->bare != NULL);
    CG_CHECK(SSL_CTX_set_cipher_list(side->context, SUITE ":@SECLEVEL=0") == 1);
    SSL_CTX_set_options(side->context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(side->context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_psk_server_callback(side->context, on_bare_psk);
}

static void close_bare(struct side *side) {
    for (unsigned i = 0; i < SESSIONS; i++) SSL_free(side->bare[i].ssl);
    free(side->bare);
    SSL_CTX_free(side->context);
}

/* ---- What is done to both ---- */

static void shake_hands(struct side *side, struct client *client, SSL_CTX *context, unsigned from) {
    open_end(&client->ssl, &client->bio, context, put_to_server);
    SSL_set_connect_state(client->ssl);
    (void)SSL_do_handshake(client->ssl);
    while (to_server.count > 0) {
        deliver(side, from);
        take_as_client(client);
    }
    CG_CHECK(SSL_is_init_finished(client->ssl));
}

struct costs {
    double kib, handshake_us, message_us, turn_ms;
};

static struct costs measure(struct side *side, SSL_CTX *context, unsigned sessions, unsigned messages) {
    struct client client;
    struct costs costs;
    size_t before = heap_in_use();
    for (unsigned i = 0; i < sessions; i++) {
        shake_hands(side, &client, context, i);
        if (i + 1 < sessions) SSL_free(client.ssl);
    }
    costs.handshake_us = (double)side->ns / 1e3 / sessions;
    costs.turn_ms = (double)side->longest_ns / 1e6;
    side->ns = 0;
    for (unsigned i = 0; i < messages; i++) {
        CG_CHECK(SSL_write(client.ssl, "GET of some sixty bytes, as a request to a group has them ...", 60) == 60);
        deliver(side, sessions - 1);
        take_as_client(&client);
    }
    costs.message_us = (double)side->ns / 1e3 / messages;
    SSL_free(client.ssl);
    costs.kib = (double)(heap_in_use() - before) / 1024 / sessions;
    return costs;
}

static double measure_hellos(struct side *side, SSL_CTX *context, unsigned hellos) {
    struct client client;
    open_end(&client.ssl, &client.bio, context, put_to_server);
    SSL_set_connect_state(client.ssl);
    (void)SSL_do_handshake(client.ssl);
    const struct flight hello = to_server;
    side->ns = 0;
    for (unsigned i = 0; i < hellos; i++) {
        to_server = hello;
        deliver(side, i % 60000);
        to_client.count = 0;
    }
    CG_CHECK(cg_dtls_figures(side->dtls)->handshakes == 0);
    SSL_free(client.ssl);
    return (double)side->ns / 1e3 / hellos;
}

int main(int argc, char **argv) {
    const bool quick = bench_is_quick(argc, argv);
    const unsigned sessions = quick ? 500 : SESSIONS, messages = quick ? 2000 : MESSAGES;
    struct bench_rounds memory = {0}, handshake = {0}, message = {0}, hello = {0};
    double longest_ms = 0;
    SSL_CTX *context = client_context();
    for (unsigned i = 0; i < (quick ? 2 : ROUNDS); i++) {
        struct side own, bare;
        open_gateway(&own);
        struct costs ours = measure(&own, context, sessions, messages);
        double hello_us = measure_hellos(&own, context, quick ? 2000 : HELLOS);
        close_gateway(&own);
        open_bare(&bare);
        struct costs theirs = measure(&bare, context, sessions, messages);
        close_bare(&bare);
        bench_add_round(&memory, ours.kib, theirs.kib);
        bench_add_round(&handshake, ours.handshake_us, theirs.handshake_us);
        bench_add_round(&message, ours.message_us, theirs.message_us);
        bench_add_round(&hello, hello_us, theirs.handshake_us);
        if (ours.turn_ms > longest_ms) longest_ms = ours.turn_ms;
    }
    SSL_CTX_free(context);
    bench_put_rounds(&memory, (struct bench_row){.figure = "memory of a DTLS session at rest, of 5000",
                                                 .unit = "KiB",
                                                 .beside = "an SSL object of OpenSSL",
                                                 .ratio_aim = 1});
    bench_put_rounds(&message, (struct bench_row){.figure = "request and response of 60 bytes in a DTLS session",
                                                  .unit = "µs CPU",
                                                  .beside = "SSL_read, SSL_write",
                                                  .ratio_aim = 2});
    bench_put_rounds(&handshake, (struct bench_row){.figure = "DTLS handshake by pre-shared key, cookie included",
                                                    .unit = "µs CPU",
                                                    .beside = "SSL_do_handshake without one",
                                                    .ratio_aim = 2});
    bench_put_rounds(&hello, (struct bench_row){.figure = "ClientHello from an address that nobody has proven",
                                                .unit = "µs CPU",
                                                .beside = "a whole handshake",
                                                .ratio_aim = 0.25});
    bench_put_row(&(struct bench_row){.figure = "longest turn of DTLS while 5000 clients shake hands",
                                      .unit = "ms CPU",
                                      .measured = longest_ms,
                                      .figure_aim = 10});
    return 0;
}
