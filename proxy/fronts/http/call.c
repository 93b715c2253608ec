/* One request from its first byte to the end of its reply. The hard thing: libmicrohttpd calls at four different times
 * (the head, each piece of the body, the end of the body, after a resume), takes a reply only at three of them, and
 * closes the connection when it gets one early; the state of the call says which time it is. */
#include "fronts/http/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/html.h"
#include "base/text.h"
#include "fronts/http/allow.h"
#include "fronts/http/origin.h"

enum {
    BLOCKS_MAX = 4,        /* of a whole reply: its own, and what others get as well */
    DISCARD_MAX = 4 << 20, /* bytes of a body of unknown length that are read only to say 413 behind them */
    BLOCK = 32768,         /* of a reply of known length that is read from a queue in pieces */
    OWN_HEADERS = 5,       /* of a problem */
    MORE_HEADERS_MAX = 8,
    STREAM_BLOCK = 1024, /* libmicrohttpd sets it aside for each stream, and uses it for clients without chunks only */
};

/* ---- Replies ---- */

static bool add_header(struct MHD_Response *response, const char *name, const char *value) {
    return value[0] == '\0' || MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool is_said(const struct cg_http_head *head, const char *name) {
    for (size_t i = 0; i < head->header_count; i++) {
        if (strcmp(head->headers[i].name, name) == 0 && head->headers[i].value[0] != '\0') return true;
    }
    return false;
}

static bool add_unsaid(struct MHD_Response *response, const struct cg_http_head *head, const char *name,
                       const char *value) {
    return is_said(head, name) || add_header(response, name, value);
}

/* Whoever is turned away for now is told when to come back (RFC 9110 §15.6.4), by any of the listeners. */
static bool add_retry(struct MHD_Response *response, const struct cg_http_head *head) {
    return head->status != 503 || add_unsaid(response, head, "Retry-After", "1");
}

static bool add_cors(const struct cg_http_call *call, struct MHD_Response *response) {
    if (call->allowed_origin == NULL) return true;
    return add_header(response, "Access-Control-Allow-Origin", call->allowed_origin) &&
           add_header(response, "Access-Control-Allow-Credentials", "true") &&
           add_header(response, "Access-Control-Expose-Headers", CG_CORS_EXPOSED) &&
           add_header(response, "Vary", "Origin");
}

static bool add_headers(const struct cg_http_call *call, struct MHD_Response *response,
                        const struct cg_http_head *head) {
    bool ok = add_header(response, "Content-Type", head->content_type);
    for (size_t i = 0; i < head->header_count; i++) {
        ok = ok && add_header(response, head->headers[i].name, head->headers[i].value);
    }
    ok = ok && add_retry(response, head);
    ok = ok && add_cors(call, response);
    ok = ok && add_unsaid(response, head, "Cache-Control", "no-store");
    ok = ok && add_header(response, "X-Content-Type-Options", "nosniff");
    bool is_page = strncmp(head->content_type, CG_HTML_TYPE, sizeof CG_HTML_TYPE - 1) == 0;
    ok = ok && (!is_page || add_unsaid(response, head, "Content-Security-Policy", CG_HTML_POLICY));
    /* nginx would gather it first; so would others that took the word up */
    ok = ok && (!call->streaming || add_header(response, "X-Accel-Buffering", "no"));
    bool closes = call->must_close || call->connection->server->stopping;
    return ok && (!closes || add_header(response, "Connection", "close"));
}

/* A response that could not be made stays NULL: the connection is then closed without one. */
static void answer(struct cg_http_call *call, const struct cg_http_head *head, struct MHD_Response *response) {
    if (response != NULL && (call->state == CG_HTTP_CALL_LOST || !add_headers(call, response, head))) {
        MHD_destroy_response(response);
        response = NULL;
    }
    if (call->state == CG_HTTP_CALL_LOST) return;
    CG_CHECK(call->state == CG_HTTP_CALL_ASKED);
    call->state = CG_HTTP_CALL_ANSWERED;
    call->response = response;
    call->status = head->status;
    if (call->connection->suspended) cg_http_resume(call->connection);
}

void cg_http_call_reply_bytes(struct cg_http_call *call, const struct cg_http_head *head, struct cg_buf *body) {
    struct MHD_Response *response = NULL;
    if (!body->failed) {
        size_t len;
        uint8_t *bytes = cg_buf_detach(body, &len);
        response = MHD_create_response_from_buffer_with_free_callback(len, bytes, free);
        if (response == NULL) free(bytes);
    }
    cg_buf_fini(body);
    answer(call, head, response);
}

void cg_http_call_reply_static(struct cg_http_call *call, const struct cg_http_head *head, struct cg_slice body) {
    void *bytes = (void *)(uintptr_t)body.data; /* which libmicrohttpd 0.9.75 wants not to be const */
    answer(call, head, MHD_create_response_from_buffer(body.len, bytes, MHD_RESPMEM_PERSISTENT));
}

/* ---- Replies from a queue ---- */

/* What libmicrohttpd reads from. It outlives the call by a little, never the connection. */
struct reply_body {
    struct cg_http_connection *connection;
    struct cg_outq *queue;
};

/* The end of the reply is known: the client has so long to take it. */
static void begin_draining(struct cg_http_connection *connection) {
    cg_http_set_timer(connection->server, &connection->timer, connection->server->patience_us);
    cg_http_connection_rank(connection, CG_HTTP_DRAINING);
}

static void on_queue_change(void *ctx) {
    struct reply_body *body = ctx;
    struct cg_http_connection *connection = body->connection;
    if (body->queue->ended) begin_draining(connection);
    if (connection->suspended) cg_http_resume(connection);
}

static void free_reply_body(void *cls) {
    struct reply_body *body = cls;
    body->queue->on_change = NULL;
    cg_outq_unref(body->queue);
    free(body);
}

static void unref_queue(void *cls) { cg_outq_unref(cls); }

/* Nothing to send yet: the connection sleeps until the queue changes. */
static ssize_t wait_for_queue(struct cg_http_connection *connection) {
    if (connection->server->closing || connection->call->state == CG_HTTP_CALL_LOST) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    cg_http_suspend(connection);
    return 0;
}

static ssize_t on_read(void *cls, uint64_t position, char *to, size_t max) {
    (void)position;
    struct reply_body *body = cls;
    size_t copied = 0;
    while (copied < max && body->queue->len > 0) {
        struct cg_slice bytes = cg_outq_peek(body->queue);
        size_t len = bytes.len < max - copied ? bytes.len : max - copied;
        memcpy(to + copied, bytes.data, len);
        cg_outq_drop(body->queue, len);
        copied += len;
    }
    if (copied > 0) return (ssize_t)copied;
    if (body->queue->broken) return MHD_CONTENT_READER_END_WITH_ERROR;
    return body->queue->ended ? MHD_CONTENT_READER_END_OF_STREAM : wait_for_queue(body->connection);
}

static struct MHD_Response *response_from_reader(struct cg_http_call *call, struct cg_outq *queue) {
    struct reply_body *body = malloc(sizeof *body);
    if (body == NULL) return NULL;
    *body = (struct reply_body){.connection = call->connection, .queue = queue};
    struct MHD_Response *response =
        queue->ended
            ? MHD_create_response_from_callback(queue->len, BLOCK, on_read, body, free_reply_body)
            : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_read, body, free_reply_body);
    if (response == NULL) {
        free(body);
        return NULL;
    }
    queue->on_change = on_queue_change;
    queue->on_change_ctx = body;
    return response;
}

/* A reply that is whole goes out from where it is. */
static struct MHD_Response *response_from_queue(struct cg_http_call *call, struct cg_outq *queue) {
    struct cg_slice blocks[BLOCKS_MAX];
    struct MHD_IoVec parts[BLOCKS_MAX];
    size_t count = cg_outq_peek_all(queue, blocks, BLOCKS_MAX);
    if (!queue->ended || count > BLOCKS_MAX) return response_from_reader(call, queue);
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct MHD_IoVec){.iov_base = blocks[i].data, .iov_len = blocks[i].len};
    return MHD_create_response_from_iovec(parts, (unsigned)count, unref_queue, queue);
}

void cg_http_call_reply_queue(struct cg_http_call *call, const struct cg_http_head *head, struct cg_outq *body) {
    struct MHD_Response *response = response_from_queue(call, cg_outq_ref(body));
    if (response == NULL) cg_outq_unref(body);
    call->streaming = response != NULL && !body->ended;
    answer(call, head, response);
}

/* ---- Problems ---- */

static void put_pair(struct cg_buf *json, const char *key, const char *value) {
    cg_buf_printf(json, ",\"%s\":", key);
    cg_buf_put_json(json, cg_slice_str(value));
}

static void put_problem(struct cg_buf *json, const struct cg_problem *problem, const char *exchange_id,
                        struct cg_slice members) {
    const struct cg_err_info *info = cg_err_info(problem->err);
    cg_buf_printf(json, "{\"type\":\"urn:castgate:problem:%s\",\"status\":%u", info->slug, info->http_status);
    put_pair(json, "title", info->text);
    put_pair(json, "detail", problem->detail);
    if (exchange_id != NULL) put_pair(json, "exchange", exchange_id);
    cg_buf_put_slice(json, members);
    cg_buf_put_str(json, "}\n");
}

void cg_http_call_reply_problem_with(struct cg_http_call *call, const struct cg_problem *problem,
                                     const char *exchange_id, const struct cg_http_more *more) {
    char allow[CG_HTTP_ALLOW_MAX], retry_after[16] = "", timeout[16] = "";
    cg_http_allow(allow, problem->allow);
    if (problem->least_timeout > 0) snprintf(timeout, sizeof timeout, "%u", (unsigned)problem->least_timeout);
    if (problem->retry_after > 0) snprintf(retry_after, sizeof retry_after, "%u", (unsigned)problem->retry_after);
    struct cg_http_header headers[OWN_HEADERS + MORE_HEADERS_MAX] = {
        {"Castgate-Exchange", exchange_id == NULL ? "" : exchange_id},
        {"Allow", allow},
        {"Retry-After", retry_after},
        {"Multicast-Timeout", problem->ask_timeout ? "0" : timeout},
        {"WWW-Authenticate", problem->err == CG_E_UNAUTHORIZED ? "Bearer" : ""},
    };
    CG_CHECK(more->count <= MORE_HEADERS_MAX);
    if (more->count > 0) memcpy(headers + OWN_HEADERS, more->headers, more->count * sizeof *more->headers);
    const struct cg_http_head head = {.status = cg_err_info(problem->err)->http_status,
                                      .content_type = "application/problem+json",
                                      .headers = headers,
                                      .header_count = OWN_HEADERS + more->count};
    struct cg_buf body;
    cg_buf_init(&body, 0);
    put_problem(&body, problem, exchange_id, more->members);
    cg_http_call_reply_bytes(call, &head, &body);
}

void cg_http_call_reply_problem(struct cg_http_call *call, const struct cg_problem *problem, const char *exchange_id) {
    static const struct cg_http_more nothing;
    cg_http_call_reply_problem_with(call, problem, exchange_id, &nothing);
}

/* ---- What handlers ask of a call ---- */

const struct cg_http_message *cg_http_call_message(const struct cg_http_call *call) { return &call->message; }

const struct cg_listen *cg_http_call_listen(const struct cg_http_call *call) {
    return &call->connection->listener->listen;
}

const struct cg_addr *cg_http_call_peer(const struct cg_http_call *call) { return &call->connection->from; }

bool cg_http_call_allow_origin(struct cg_http_call *call, const char *origin) {
    free(call->allowed_origin);
    call->allowed_origin = strdup(origin);
    return call->allowed_origin != NULL;
}

static int check_certificate(struct cg_http_connection *connection, struct cg_problem *problem) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL) return CG_E_NOT_FOUND;
    return cg_http_tls_client(info->tls_session, connection->certificate_sha256, &connection->certified_until, problem);
}

/* The signatures are checked once in a connection; time goes on. */
int cg_http_call_certificate(struct cg_http_call *call, uint8_t sha256[CG_HTTP_CERTIFICATE_SHA256],
                             struct cg_problem *problem) {
    struct cg_http_connection *connection = call->connection;
    if (connection->tls == NULL) return CG_E_NOT_FOUND;
    int err = connection->certified_until > time(NULL) ? CG_OK : check_certificate(connection, problem);
    if (err == CG_OK) memcpy(sha256, connection->certificate_sha256, CG_HTTP_CERTIFICATE_SHA256);
    return err;
}

void cg_http_call_take_body(struct cg_http_call *call, struct cg_buf *body) {
    *body = call->body;
    cg_buf_init(&call->body, 0);
    call->message.body = CG_SLICE_NONE;
    call->charged = 0;
}

void cg_http_call_set_ctx(struct cg_http_call *call, void *ctx) { call->ctx = ctx; }

void *cg_http_call_ctx(const struct cg_http_call *call) { return call->ctx; }

/* ---- libmicrohttpd's side ---- */

static struct cg_http_connection *connection_of(struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

void *cg_http_on_request_line(void *cls, const char *target, struct MHD_Connection *mhd) {
    (void)cls;
    struct cg_http_connection *connection = connection_of(mhd);
    if (connection == NULL || target == NULL) return NULL;
    struct cg_http_call *call = malloc(sizeof *call);
    if (call == NULL) return NULL;
    *call = (struct cg_http_call){.connection = connection, .raw_target = target};
    cg_buf_init(&call->target, 0);
    cg_buf_put_str(&call->target, target);
    cg_buf_init(&call->body, 0);
    connection->call = call;
    cg_http_connection_begins_head(connection);
    return call;
}

static enum MHD_Result send_response(struct cg_http_call *call) {
    struct cg_http_connection *connection = call->connection;
    if (call->response == NULL) return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection->mhd, call->status, call->response);
    MHD_destroy_response(call->response);
    call->response = NULL;
    call->state = CG_HTTP_CALL_SENDING;
    if (call->streaming) {
        cg_http_clear_timer(connection->server, &connection->timer);
    } else {
        begin_draining(connection);
    }
    return result;
}

/* libmicrohttpd never wipes a connection's memory, in which a bearer token stands then until something else does. The
 * bytes are no constants there, and nobody reads them any more once the client is known. */
static enum MHD_Result on_credentials(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                      const char *value, size_t value_len) {
    (void)cls, (void)kind;
    if (!cg_slice_is_nocase(cg_slice_of(name, name_len), "Authorization")) return MHD_YES;
    explicit_bzero((void *)(uintptr_t)value, value_len);
    return MHD_YES;
}

static void wipe_credentials(struct MHD_Connection *mhd) {
    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_credentials, NULL);
}

static enum MHD_Result refuse(struct cg_http_call *call, const struct cg_problem *problem) {
    call->state = CG_HTTP_CALL_ASKED;
    cg_http_call_reply_problem(call, problem, NULL);
    return send_response(call);
}

static void ask_handler(struct cg_http_call *call) {
    struct cg_http_connection *connection = call->connection;
    struct cg_http_server *server = connection->server;
    call->state = CG_HTTP_CALL_ASKED;
    call->handed_over = true;
    server->handler->request(server->ctx, call);
    wipe_credentials(connection->mhd);
}

/* Whether so many more bytes of the body are; if not, the message says why. */
static bool takes(struct cg_http_call *call, uint64_t more) {
    call->message.body_is_too_big = more > call->body_max - call->body.len;
    call->message.body_has_no_room =
        !call->message.body_is_too_big && !cg_quota_has_room(call->connection->server->bodies, more);
    return !call->message.body_is_too_big && !call->message.body_has_no_room;
}

/* Only who it is from and where it goes is looked at, for a reply that is no surprise. */
static enum MHD_Result refuse_body(struct cg_http_call *call) {
    ask_handler(call);
    CG_CHECK(call->state == CG_HTTP_CALL_ANSWERED);
    return send_response(call);
}

/* The head is there. A reply here ends the connection, so only what cannot be trusted or is not wanted gets one. */
static enum MHD_Result take_head(struct cg_http_call *call, const char *method, const char *version) {
    struct cg_http_server *server = call->connection->server;
    struct cg_problem problem = {0};
    uint64_t content_length;
    int err = cg_http_check_head(call, method, version, &content_length, &problem);
    if (err == CG_OK) call->body_max = server->handler->body_max(server->ctx, call);
    call->state = CG_HTTP_CALL_BODY;
    cg_http_connection_begins_body(call->connection);
    bool is_taken = err == CG_OK && (content_length == UINT64_MAX || takes(call, content_length));
    if (is_taken) return MHD_YES;
    call->connection->unread = true;
    if (server->closing) return MHD_NO;
    return err == CG_OK ? refuse_body(call) : refuse(call, &problem);
}

static void charge(struct cg_http_call *call, size_t len) {
    struct cg_quota *bodies = call->connection->server->bodies;
    if (bodies == NULL) return;
    bodies->used += len;
    call->charged += len;
}

static void discharge(struct cg_http_call *call) {
    if (call->charged > 0) call->connection->server->bodies->used -= call->charged;
}

/* libmicrohttpd takes no reply in the middle of a body, so what is too much is read and dropped, within bounds. */
static enum MHD_Result take_piece(struct cg_http_call *call, const char *data, size_t *len) {
    if (call->discarded > 0 || !takes(call, *len)) {
        call->discarded += *len;
    } else {
        cg_buf_put(&call->body, data, *len);
        charge(call, *len);
    }
    *len = 0;
    return call->discarded > DISCARD_MAX || call->body.failed ? MHD_NO : MHD_YES;
}

static enum MHD_Result hand_over(struct cg_http_call *call) {
    struct cg_http_connection *connection = call->connection;
    struct cg_http_server *server = connection->server;
    if (server->closing) return MHD_NO;
    if (call->discarded > 0) return refuse_body(call);
    call->message.body = cg_buf_slice(&call->body);
    cg_http_clear_timer(server, &connection->timer);
    cg_http_connection_rank(connection, CG_HTTP_BUSY);
    ask_handler(call);
    if (call->state == CG_HTTP_CALL_ANSWERED) return send_response(call);
    cg_http_suspend(connection);
    return MHD_YES;
}

enum MHD_Result cg_http_on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_len, void **context) {
    (void)cls, (void)mhd, (void)url;
    struct cg_http_call *call = *context;
    if (call == NULL) return MHD_NO;
    switch (call->state) {
    case CG_HTTP_CALL_HEAD: return take_head(call, method, version);
    case CG_HTTP_CALL_BODY: return *data_len > 0 ? take_piece(call, data, data_len) : hand_over(call);
    case CG_HTTP_CALL_ANSWERED: return send_response(call);
    case CG_HTTP_CALL_ASKED:
    case CG_HTTP_CALL_SENDING: return MHD_YES;
    case CG_HTTP_CALL_LOST: break;
    }
    return MHD_NO;
}

static void free_call(struct cg_http_call *call) {
    call->connection->call = NULL;
    discharge(call);
    if (call->response != NULL) MHD_destroy_response(call->response);
    cg_buf_fini(&call->target);
    cg_buf_fini(&call->body);
    free(call->allowed_origin);
    free(call->fields);
    free(call);
}

void cg_http_call_drop(struct cg_http_call *call) {
    CG_CHECK(!call->handed_over);
    free_call(call);
}

void cg_http_on_completed(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code) {
    (void)code;
    struct cg_http_server *server = cls;
    struct cg_http_call *call = *context;
    wipe_credentials(mhd);
    if (call == NULL) return;
    *context = NULL;
    struct cg_http_connection *connection = call->connection;
    if (call->handed_over) server->handler->done(server->ctx, call);
    free_call(call);
    cg_http_connection_idles(connection);
}
