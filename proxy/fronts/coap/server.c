/* The listeners. The hard thing is the end: peers hold paths into their transports, and libuv's handles hold the
 * server, so peers go first, then the listeners, and the memory with the last handle. */
#include "fronts/coap/server.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "fronts/coap/connections.h"
#include "fronts/coap/dtls_transport.h"
#include "fronts/coap/figure.h"
#include "fronts/coap/message.h"
#include "fronts/coap/udp.h"
#include "io/loop.h"

struct listener {
    struct cg_listen listen; /* with the port that it has */
    struct cg_coap_udp *udp; /* NULL: it is not open, or of another transport */
    bool is_open;
};

struct cg_coap_server {
    struct cg_coap_messages *messages;
    struct cg_coap_inbox *inbox;
    struct cg_coap_dtls *dtls;               /* of all coaps listeners; NULL: there are none */
    struct cg_coap_connections *connections; /* of all coap+tcp and coaps+tcp listeners; NULL: there are none */
    const struct cg_coap_peer_ops *ops;      /* the front's */
    void *ctx;
    struct cg_config *config; /* while it is opened */
    struct listener *listeners;
    size_t listener_count;
    uv_loop_t *uv;
    uv_timer_t timer;
    unsigned open_handles;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

/* ---- The message layer's host ---- */

static uint64_t tell_now(void *ctx) {
    (void)ctx;
    return cg_loop_now_us();
}

static void make_random(void *ctx, void *bytes, size_t len) {
    (void)ctx;
    cg_loop_random(bytes, len);
}

static void on_timer(uv_timer_t *timer) {
    const struct cg_coap_server *server = timer->data;
    cg_coap_messages_turn(server->messages);
}

static void arm(void *ctx, uint64_t at_us) {
    struct cg_coap_server *server = ctx;
    uint64_t now = tell_now(NULL), ms = at_us > now ? (at_us - now) / 1000 + 1 : 0;
    uv_update_time(server->uv);
    CG_CHECK(uv_timer_start(&server->timer, on_timer, ms, 0) == 0);
}

static const struct cg_coap_host host = {.now_us = tell_now, .random = make_random, .arm = arm};

/* ---- Listeners ---- */

static int open_udp(struct cg_coap_server *server, struct listener *listener, struct cg_problem *problem) {
    listener->udp = cg_coap_udp_open(server->uv, server->inbox, &listener->listen, server->messages, problem);
    if (listener->udp == NULL) return problem->err;
    server->open_handles++;
    return CG_OK;
}

static int open_dtls(struct cg_coap_server *server, struct listener *listener, struct cg_problem *problem) {
    if (server->dtls == NULL) {
        server->dtls = cg_coap_dtls_open(server->uv, server->inbox, server->config, server->messages, problem);
        if (server->dtls == NULL) return problem->err;
        server->open_handles++;
    }
    return cg_coap_dtls_listen(server->dtls, &listener->listen, problem);
}

static int open_tcp(struct cg_coap_server *server, struct listener *listener, enum cg_scheme scheme,
                    struct cg_problem *problem) {
    if (server->connections == NULL) {
        server->connections = cg_coap_connections_new(server->uv, server->config, &cg_coap_connection_usual_limits,
                                                      server->ops, server->ctx);
        if (server->connections == NULL) return cg_problem_no_memory(problem);
        server->open_handles++;
    }
    return cg_coap_connections_listen(server->connections, scheme, &listener->listen, problem);
}

static int open_by_scheme(struct cg_coap_server *server, struct listener *listener, enum cg_scheme scheme,
                          struct cg_problem *problem) {
    switch (scheme) {
    case CG_SCHEME_COAPS: return open_dtls(server, listener, problem);
    case CG_SCHEME_COAP_TCP:
    case CG_SCHEME_COAPS_TCP: return open_tcp(server, listener, scheme, problem);
    default: return open_udp(server, listener, problem);
    }
}

static int open_listener(struct cg_coap_server *server, struct listener *listener, const struct cg_coap_listen *coap,
                         struct cg_problem *problem) {
    listener->listen = coap->listen;
    int err = open_by_scheme(server, listener, coap->scheme, problem);
    listener->is_open = err == CG_OK;
    return err;
}

/* Nobody asked for the default: a gateway for HTTP alone must start beside any CoAP server. */
static int open_or_warn(struct cg_coap_server *server, struct listener *listener, const struct cg_coap_listen *coap,
                        struct cg_problem *problem) {
    int err = open_listener(server, listener, coap, problem);
    if (err == CG_OK || err == CG_E_NO_MEMORY || !coap->is_default) return err;
    cg_log(CG_LOG_WARNING, "listening", "%s, which is coap.listen's default; no CoAP client is served there",
           problem->detail);
    *problem = (struct cg_problem){0};
    return CG_OK;
}

static int open_listeners(struct cg_coap_server *server, const struct cg_coap_server_options *options,
                          struct cg_problem *problem) {
    server->listeners = calloc(options->listen_count + 1, sizeof *server->listeners);
    if (server->listeners == NULL) return cg_problem_no_memory(problem);
    server->listener_count = options->listen_count;
    for (size_t i = 0; i < options->listen_count; i++) {
        int err = open_or_warn(server, &server->listeners[i], &options->listen[i], problem);
        if (err < 0) return err;
    }
    return CG_OK;
}

/* ---- Opening and closing ---- */

static void free_server(struct cg_coap_server *server) {
    if (server->on_closed != NULL) server->on_closed(server->on_closed_ctx);
    cg_coap_inbox_free(server->inbox);
    free(server->listeners);
    free(server);
}

static void on_handle_closed(void *ctx) {
    struct cg_coap_server *server = ctx;
    if (--server->open_handles == 0) free_server(server);
}

static void on_timer_closed(uv_handle_t *handle) { on_handle_closed(handle->data); }

static int open_all(struct cg_coap_server *server, struct cg_config *config,
                    const struct cg_coap_server_options *options, struct cg_problem *problem) {
    const struct cg_coap_messages_options messages = {
        .ops = options->ops, .ctx = options->ctx, .host = &host, .host_ctx = server, .memory = options->memory};
    server->messages = cg_coap_messages_new(&messages);
    server->inbox = cg_coap_inbox_new();
    if (server->messages == NULL || server->inbox == NULL) return cg_problem_no_memory(problem);
    server->config = config;
    return open_listeners(server, options, problem);
}

struct cg_coap_server *cg_coap_server_open(uv_loop_t *uv, struct cg_config *config,
                                           const struct cg_coap_server_options *options, struct cg_problem *problem) {
    struct cg_coap_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    server->uv = uv;
    server->ops = options->ops;
    server->ctx = options->ctx;
    CG_CHECK(uv_timer_init(uv, &server->timer) == 0);
    server->timer.data = server;
    server->open_handles = 1;
    if (open_all(server, config, options, problem) == CG_OK) return server;
    cg_coap_server_close(server, NULL, NULL);
    return NULL;
}

void cg_coap_server_close(struct cg_coap_server *server, void (*on_closed)(void *ctx), void *ctx) {
    if (server == NULL) return;
    server->on_closed = on_closed;
    server->on_closed_ctx = ctx;
    if (server->dtls != NULL) cg_coap_dtls_close(server->dtls, on_handle_closed, server);
    if (server->connections != NULL) cg_coap_connections_close(server->connections, on_handle_closed, server);
    cg_coap_messages_free(server->messages);
    for (size_t i = 0; i < server->listener_count; i++) {
        if (server->listeners[i].udp != NULL) cg_coap_udp_close(server->listeners[i].udp, on_handle_closed, server);
    }
    uv_close((uv_handle_t *)&server->timer, on_timer_closed);
}

const struct cg_listen *cg_coap_server_listen(const struct cg_coap_server *server, size_t index) {
    CG_CHECK(index < server->listener_count);
    return !server->listeners[index].is_open ? NULL : &server->listeners[index].listen;
}

int cg_coap_server_reload(struct cg_coap_server *server, struct cg_config *config, struct cg_problem *problem) {
    int err = server->dtls == NULL ? CG_OK : cg_coap_dtls_reload(server->dtls, config, problem);
    if (server->connections == NULL) return err;
    struct cg_problem second = {0};
    int other = cg_coap_connections_reload(server->connections, config, &second);
    if (err < 0) return err;
    *problem = second;
    return other;
}

static bool is_everywhere(const struct cg_addr *addr, enum cg_family family) {
    return addr->family == family && addr->port == CG_COAP_PORT && cg_addr_is_unspecified(addr);
}

struct cg_coap_udp *cg_coap_server_everywhere(const struct cg_coap_server *server, enum cg_family family) {
    for (size_t i = 0; i < server->listener_count; i++) {
        const struct listener *listener = &server->listeners[i];
        if (listener->udp != NULL && is_everywhere(&listener->listen.addr, family)) return listener->udp;
    }
    return NULL;
}

/* ---- Figures ---- */

static void put_dtls_figures(const struct cg_dtls_figures *figures, struct cg_buf *to) {
    /* clang-format off */
    const struct cg_coap_figure all[] = {
        {"dtls_hellos_total", "ClientHello messages of DTLS.", figures->hellos},
        {"dtls_challenged_total", "Those that were answered by a cookie.", figures->challenged},
        {"dtls_refused_total", "Those with a good cookie, at a time of too many handshakes.", figures->refused},
        {"dtls_opened_total", "DTLS handshakes that were done.", figures->opened},
        {"dtls_failed_total", "DTLS handshakes that failed, or were not done in time.", figures->failed},
        {"dtls_strays_total", "Datagrams to coaps listeners that belong to no session.", figures->strays},
        {"dtls_ignored_total", "Datagrams to DTLS sessions with nothing good or new in them.", figures->ignored},
    };
    /* clang-format on */
    cg_coap_figure_put_counters(to, all, sizeof all / sizeof *all);
    cg_coap_figure_put(to, "dtls_sessions", "gauge", "DTLS sessions.", figures->sessions);
    cg_coap_figure_put(to, "dtls_handshakes", "gauge", "DTLS handshakes in progress.", figures->handshakes);
}

void cg_coap_server_metrics(const struct cg_coap_server *server, struct cg_buf *to) {
    const struct cg_coap_messages *messages = server->messages;
    const struct cg_coap_counters *counters = cg_coap_messages_counters(messages);
    /* clang-format off */
    const struct cg_coap_figure all[] = {
        {"received_total", "Datagrams from CoAP clients.", counters->received},
        {"requests_total", "Requests of CoAP clients, duplicates left out.", counters->requests},
        {"duplicates_total", "Requests that came again, by their Message ID.", counters->duplicates},
        {"malformed_total", "Datagrams that are no message, or none that a client may send.", counters->malformed},
        {"rejected_total", "Messages that were answered by a Reset.", counters->rejected},
        {"refused_total", "Requests refused for want of memory or room, or for too long a token.", counters->refused},
        {"sent_total", "Datagrams to CoAP clients.", counters->sent},
        {"dropped_total", "Datagrams that could not be sent.", counters->dropped},
        {"retransmissions_total", "Confirmable messages sent again.", counters->retransmissions},
        {"resets_total", "Resets of CoAP clients.", counters->resets},
        {"unacknowledged_total", "Confirmable messages that no client acknowledged.", counters->unacknowledged},
        {"forgotten_total", "Requests whose duplicates are no longer known, for want of memory.",
         cg_coap_messages_forgotten(messages)},
    };
    /* clang-format on */
    cg_coap_figure_put_counters(to, all, sizeof all / sizeof *all);
    cg_coap_figure_put(to, "peers", "gauge", "CoAP clients' addresses that are remembered.",
                       cg_coap_messages_remotes(messages));
    if (server->dtls != NULL) put_dtls_figures(cg_coap_dtls_figures(server->dtls), to);
    if (server->connections != NULL) cg_coap_connections_metrics(server->connections, to);
}
