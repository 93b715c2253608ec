/* A connection as a peer. The hard thing: over a stream nothing is acknowledged, yet the front paces what it sends by
 * acknowledgements (outbox.h). Here one is that all which was written has left this host: so a client that reads slowly
 * is sent slowly, and one that does not read is not listened to, either. */
#include "fronts/coap/connection.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "fronts/coap/figure.h"
#include "io/loop.h"

enum {
    MESSAGES_AT_ONCE = 32, /* that are dealt with in a turn of the loop */
    WAITS_MAX = 64 * 1024, /* bytes that the client has not taken, before it is listened to again */
    FRAME_MORE = 2,        /* bytes that a large frame's header has more than a datagram's */
    FAILURES_LOGGED = 10,  /* at once, and one more each second */
    MESSAGE_MAX = 64 * 1024 + 4096,
};

/* Beside that size, blocks stand for BERT, too (§5.3.2). */
static const struct cg_capabilities ours = {
    .max_message_size = MESSAGE_MAX, .has_blocks = true, .token_max = CG_EXTENDED_TOKEN_MAX};

static struct cg_coap_connection *connection_of(const struct cg_coap_peer *peer) {
    return CG_CONTAINER((struct cg_coap_peer *)(uintptr_t)peer, struct cg_coap_connection, peer);
}

/* ---- Ends ---- */

static const char *const words[CG_COAP_ENDS_COUNT] = {
#define CG_COAP_END(name, metric, said) [CG_COAP_END_##name] = said,
    CG_COAP_ENDS(CG_COAP_END)
#undef CG_COAP_END
};

static const char *const names[CG_COAP_ENDS_COUNT] = {
#define CG_COAP_END(name, metric, said) [CG_COAP_END_##name] = metric,
    CG_COAP_ENDS(CG_COAP_END)
#undef CG_COAP_END
};

static void say_release(const struct cg_coap_connection *connection, const char *said) {
    uint8_t bytes[CG_SIGNAL_MAX];
    size_t len = cg_signal_emit_release(said, bytes);
    (void)(cg_stream_write(connection->stream, cg_slice_of(bytes, len)) == CG_OK); /* else it sees the end alone */
}

/* Its stream is over, or goes on by itself to the last word. */
static void forget(struct cg_coap_connection *connection, enum cg_coap_end end) {
    struct cg_coap_connections *all = connection->all;
    CG_CHECK(!connection->is_inside);
    all->figures.ended[end]++;
    cg_coap_connection_take_out(connection);
    all->ops->gone(all->ctx, &connection->peer);
    if (connection->has_begun) cg_reliable_fini(&connection->reliable);
    cg_tls_client_fini(&connection->client);
    free(connection);
}

void cg_coap_connection_end(struct cg_coap_connection *connection, enum cg_coap_end end) {
    struct cg_stream *stream = connection->stream;
    if (connection->has_begun && words[end] != NULL) say_release(connection, words[end]);
    forget(connection, end);
    cg_stream_end(stream);
}

/* Anybody with an address can have as many of them as it likes. */
static bool may_log(struct cg_coap_connections *all) {
    cg_allowance_fill(&all->loggable, FAILURES_LOGGED, 1, cg_loop_now_us());
    all->unlogged += all->loggable.left < 1;
    if (all->loggable.left < 1) return false;
    all->loggable.left -= 1;
    return true;
}

/* The reason is a library's word or ours, so nothing that the client sent is in it. */
static void log_end(const struct cg_coap_connection *connection, const char *event, const char *reason) {
    struct cg_coap_connections *all = connection->all;
    char at[CG_ADDR_TEXT_MAX];
    struct cg_log_line line;
    if (!may_log(all)) return;
    cg_addr_emit(&connection->peer.path.from, at);
    cg_log_begin(&line, CG_LOG_INFO, event);
    cg_log_str(&line, "peer", at);
    cg_log_str(&line, "reason", reason);
    if (all->unlogged > 0) cg_log_u64(&line, "others", all->unlogged);
    cg_log_end(&line);
    all->unlogged = 0;
}

/* ---- What the client says ---- */

static void on_emit(void *ctx, struct cg_slice frame) {
    struct cg_coap_connection *connection = ctx;
    if (cg_stream_write(connection->stream, frame) == CG_OK) return;
    connection->all->figures.dropped++;
    connection->is_mute = true;
}

static void on_request(void *ctx, const struct cg_frame *frame, size_t size) {
    struct cg_coap_connection *connection = ctx;
    struct cg_coap_connections *all = connection->all;
    const struct cg_coap_request request = {
        .message = {.code = frame->code, .token = frame->token, .options = frame->options, .payload = frame->payload},
        .type = CG_NON,
        .size = size,
        .reached = CG_COAP_BY_UNICAST};
    all->figures.requests++;
    connection->is_inside = true;
    all->ops->request(all->ctx, &connection->peer, &request);
    connection->is_inside = false;
}

static void on_csm(void *ctx) {
    struct cg_coap_connection *connection = ctx;
    connection->all->figures.opened++;
    cg_coap_connection_place(connection);
}

static const struct cg_reliable_ops reliable_ops = {.emit = on_emit, .request = on_request, .opened = on_csm};

static void end_by_rules(struct cg_coap_connection *connection) {
    enum cg_reliable_cause cause = connection->reliable.cause;
    if (cause == CG_RELIABLE_ABORTED) {
        cg_coap_connection_end(connection, CG_COAP_END_ABORTED);
        return;
    }
    connection->all->figures.broken_rules[cause]++;
    log_end(connection, "coap-aborted", cg_reliable_cause_name(cause));
    cg_coap_connection_end(connection, CG_COAP_END_RULES);
}

/* False: it is over. */
static bool settle(struct cg_coap_connection *connection) {
    bool is_done = connection->reliable.is_released && connection->peer.holds == 0;
    if (connection->is_inside) return true;
    if (is_done || connection->is_mute) {
        cg_coap_connection_end(connection, is_done ? CG_COAP_END_RELEASED : CG_COAP_END_INPUT);
        return false;
    }
    cg_coap_connection_place(connection);
    return true;
}

/* What it has not taken is to be less before anything more is done for it. */
static bool may_hear(const struct cg_coap_connection *connection) {
    return cg_stream_waits(connection->stream) <= WAITS_MAX;
}

static size_t on_received(void *ctx, struct cg_slice bytes) {
    struct cg_coap_connection *connection = ctx;
    const size_t len = bytes.len;
    enum cg_reliable_step step = CG_RELIABLE_NEXT;
    unsigned left = MESSAGES_AT_ONCE;
    for (; step == CG_RELIABLE_NEXT && left > 0 && may_hear(connection); left--) {
        step = cg_reliable_take(&connection->reliable, &bytes);
    }
    if (step == CG_RELIABLE_ENDS) {
        end_by_rules(connection);
        return len;
    }
    if (bytes.len > 0 && may_hear(connection)) cg_stream_resume(connection->stream); /* else when it has drained */
    if (connection->is_mute ||
        !cg_coap_connection_weigh(connection, cg_frame_reader_held(&connection->reliable.reader))) {
        cg_coap_connection_end(connection, CG_COAP_END_INPUT);
        return len;
    }
    if (left < MESSAGES_AT_ONCE - 1 || step == CG_RELIABLE_NEXT) (void)settle(connection); /* a message has come */
    return len - bytes.len;
}

/* ---- What the stream says ---- */

/* False: there was no memory to say what we can, and the other end would wait for it. */
static bool begin(struct cg_coap_connection *connection) {
    connection->has_begun = true;
    cg_reliable_begin(&connection->reliable, &reliable_ops, connection, &ours);
    return !connection->is_mute;
}

static void log_opened(const struct cg_coap_connection *connection) {
    char at[CG_ADDR_TEXT_MAX];
    struct cg_log_line line;
    cg_addr_emit(&connection->peer.path.from, at);
    cg_log_begin(&line, CG_LOG_DEBUG, "tls-session");
    cg_log_str(&line, "peer", at);
    cg_log_str(&line, "cipher", SSL_get_cipher_name(connection->ssl));
    cg_log_end(&line);
}

static void on_shaken(void *ctx) {
    struct cg_coap_connection *connection = ctx;
    if (!cg_tls_client_take(&connection->client, connection->ssl)) {
        cg_coap_connection_end(connection, CG_COAP_END_INPUT);
        return;
    }
    (void)cg_coap_connection_judge(connection);
    log_opened(connection);
    if (!begin(connection)) cg_coap_connection_end(connection, CG_COAP_END_INPUT);
}

static void on_drained(void *ctx) {
    struct cg_coap_connection *connection = ctx;
    struct cg_coap_connections *all = connection->all;
    cg_stream_resume(connection->stream);
    if (!connection->awaits) return;
    struct cg_coap_token token = connection->what;
    connection->awaits = false;
    all->ops->acknowledged(all->ctx, &connection->peer, cg_coap_token_slice(&token));
}

static void on_closed(void *ctx, enum cg_stream_end why, const char *detail) {
    static const enum cg_coap_end ends[CG_STREAM_ENDS] = {
        [CG_STREAM_CLOSED] = CG_COAP_END_CLOSED,    [CG_STREAM_BROKEN] = CG_COAP_END_BROKEN,
        [CG_STREAM_UNREACHED] = CG_COAP_END_BROKEN, [CG_STREAM_HANDSHAKE] = CG_COAP_END_HANDSHAKE,
        [CG_STREAM_LATE] = CG_COAP_END_LATE,        [CG_STREAM_STALLED] = CG_COAP_END_STALLED,
    };
    struct cg_coap_connection *connection = ctx;
    if (why == CG_STREAM_HANDSHAKE || why == CG_STREAM_LATE) log_end(connection, "tls-failed", detail);
    if (why == CG_STREAM_STALLED) log_end(connection, "coap-stalled", detail);
    forget(connection, ends[why]);
}

static const struct cg_stream_ops stream_ops = {
    .opened = on_shaken, .received = on_received, .drained = on_drained, .closed = on_closed};

/* ---- The front's side ---- */

static size_t most(const struct cg_coap_peer *peer) {
    uint32_t theirs = connection_of(peer)->reliable.theirs.max_message_size;
    return theirs < CG_COAP_RESPONSE_MAX ? theirs : CG_COAP_RESPONSE_MAX;
}

static size_t room(const struct cg_coap_peer *peer) {
    size_t size = most(peer);
    return size > FRAME_MORE ? size - FRAME_MORE : 0;
}

static int send_message(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type) {
    struct cg_coap_connection *connection = connection_of(peer);
    struct cg_coap_connections *all = connection->all;
    const struct cg_frame frame = {
        .code = response->code, .token = response->token, .options = response->options, .payload = response->payload};
    int len = cg_frame_emit(&frame, all->scratch, most(peer));
    int err = len < 0 ? len : cg_stream_write(connection->stream, cg_slice_of(all->scratch, (size_t)len));
    all->figures.sent += err == CG_OK;
    all->figures.dropped += err < 0 && err != CG_E_TOO_BIG;
    if (err == CG_OK && type == CG_CON) connection->awaits = cg_coap_token_set(&connection->what, response->token);
    return err;
}

static void answer(struct cg_coap_peer *peer, const struct cg_coap_message *response) {
    const struct cg_coap_message instead = {.code = CG_CODE(5, 0), .token = response->token};
    int err = send_message(peer, response, CG_NON);
    if (err == CG_E_TOO_BIG) err = send_message(peer, &instead, CG_NON); /* the client is to hear something */
    connection_of(peer)->all->figures.dropped += err == CG_E_TOO_BIG;
    connection_of(peer)->is_mute |= err == CG_E_NO_MEMORY;
}

/* Nothing is acknowledged, so that there is nothing to wait with, and nothing to take back. */
static void expect(struct cg_coap_peer *peer) { (void)peer; }
static void ignore(struct cg_coap_peer *peer) { (void)peer; }
static void prove(struct cg_coap_peer *peer) { (void)peer; /* it is, since it has answered from there */ }

static void settle_peer(struct cg_coap_peer *peer) { (void)settle(connection_of(peer)); }

static const struct cg_coap_layer layer = {.answer = answer,
                                           .expect = expect,
                                           .ignore = ignore,
                                           .send = send_message,
                                           .prove = prove,
                                           .room = room,
                                           .settle = settle_peer};

/* ---- All of it ---- */

bool cg_coap_connection_judge(struct cg_coap_connection *connection) {
    struct cg_coap_connections *all = connection->all;
    struct cg_request request = {0};
    struct cg_problem ignored = {0};
    bool was_client = connection->is_client;
    int err = cg_tls_client_identify(&connection->client, all->config, &request, &ignored);
    connection->judged = all->generation;
    connection->is_client = err == CG_OK && request.client != NULL;
    return connection->is_client || !was_client;
}

struct cg_coap_connection *cg_coap_connection_new(struct cg_coap_connections *all, const struct cg_coap_path *path,
                                                  int fd, SSL *ssl) {
    struct cg_coap_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL || (ssl != NULL && SSL_set_app_data(ssl, connection) != 1)) {
        free(connection);
        SSL_free(ssl);
        close(fd);
        return NULL;
    }
    connection->peer = (struct cg_coap_peer){.layer = &layer, .path = *path};
    connection->peer.path.session = connection;
    connection->all = all;
    connection->ssl = ssl;
    connection->waiting = CG_COAP_NOT_WAITING;
    connection->stream = cg_stream_open(all->streams, fd, ssl, &stream_ops, connection);
    if (connection->stream == NULL) {
        free(connection);
        return NULL;
    }
    if (ssl != NULL || begin(connection)) return connection;
    cg_stream_end(connection->stream);
    cg_reliable_fini(&connection->reliable);
    free(connection);
    return NULL;
}

/* ---- Figures ---- */

static void put_ends(const struct cg_coap_connection_figures *figures, struct cg_buf *to) {
    cg_coap_figure_head(to, "tcp_ended_total", "counter", "CoAP connections by TCP that ended, by why.");
    for (unsigned i = 0; i < CG_COAP_ENDS_COUNT; i++) {
        cg_buf_printf(to, "castgate_coap_tcp_ended_total{cause=\"%s\"} %llu\n", names[i],
                      (unsigned long long)figures->ended[i]);
    }
    cg_coap_figure_head(to, "tcp_aborted_total", "counter", "Those that broke the rules of RFC 8323, by which.");
    for (unsigned i = CG_RELIABLE_FINE + 1; i < CG_RELIABLE_ABORTED; i++) {
        cg_buf_printf(to, "castgate_coap_tcp_aborted_total{cause=\"%s\"} %llu\n",
                      cg_reliable_cause_name((enum cg_reliable_cause)i), (unsigned long long)figures->broken_rules[i]);
    }
}

void cg_coap_connections_metrics(const struct cg_coap_connections *all, struct cg_buf *to) {
    const struct cg_coap_connection_figures *figures = &all->figures;
    const struct cg_stream_figures *tls = cg_streams_figures(all->streams);
    /* clang-format off */
    const struct cg_coap_figure counters[] = {
        {"tcp_accepted_total", "CoAP connections by TCP that came in.", figures->accepted},
        {"tcp_refused_total", "Those for which there was no room.", figures->refused},
        {"tcp_opened_total", "Those whose first message was a CSM.", figures->opened},
        {"tcp_requests_total", "Requests by CoAP over TCP.", figures->requests},
        {"tcp_sent_total", "Responses to them.", figures->sent},
        {"tcp_dropped_total", "Messages that could not be sent.", figures->dropped},
        {"tls_opened_total", "TLS handshakes of CoAP clients that were done.", tls->shaken},
        {"tls_failed_total", "Those that failed, or were not done in time.", tls->failed},
    };
    /* clang-format on */
    cg_coap_figure_put_counters(to, counters, sizeof counters / sizeof *counters);
    cg_coap_figure_put(to, "tcp_connections", "gauge", "CoAP connections by TCP.", all->count);
    cg_coap_figure_put(to, "tls_handshakes", "gauge", "TLS handshakes in progress.", tls->handshakes);
    put_ends(figures, to);
}
