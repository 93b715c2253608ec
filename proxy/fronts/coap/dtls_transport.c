/* DTLS on sockets and a clock. The hard thing is that a handshake's step costs as much as a hundred requests, so each
 * has a turn of the loop to itself: while there is one to be made, the loop does not sleep, and looks at everybody else
 * in between. */
#include "fronts/coap/dtls_transport.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/container.h"
#include "io/loop.h"

struct listener {
    struct cg_coap_transport transport;
    struct cg_coap_dtls *dtls;
    struct cg_coap_socket *socket;
    struct listener *next;
};

struct cg_coap_dtls {
    struct cg_dtls *sessions; /* NULL: closed */
    struct cg_coap_messages *messages;
    struct cg_coap_inbox *inbox;
    struct cg_config *config; /* a reference of ours */
    struct listener *listeners;
    uv_loop_t *uv;
    uv_idle_t idle;
    uv_timer_t timer;
    uint64_t armed_us; /* when the timer goes off; UINT64_MAX: never */
    unsigned open_handles;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

/* ---- Time ---- */

static void arm(struct cg_coap_dtls *dtls);

static void on_timer(uv_timer_t *timer) {
    struct cg_coap_dtls *dtls = timer->data;
    dtls->armed_us = UINT64_MAX;
    cg_dtls_run(dtls->sessions, cg_loop_now_us());
    arm(dtls);
}

/* Too early does no harm: most sessions are heard of again before they are due. */
static void arm(struct cg_coap_dtls *dtls) {
    uint64_t due_us = cg_dtls_due_us(dtls->sessions), now = cg_loop_now_us();
    if (due_us >= dtls->armed_us) return;
    dtls->armed_us = due_us;
    uv_update_time(dtls->uv);
    CG_CHECK(uv_timer_start(&dtls->timer, on_timer, due_us > now ? (due_us - now) / 1000 + 1 : 0, 0) == 0);
}

static void on_idle(uv_idle_t *idle) {
    struct cg_coap_dtls *dtls = idle->data;
    if (!cg_dtls_turn(dtls->sessions, cg_loop_now_us())) uv_idle_stop(idle);
    arm(dtls);
}

/* ---- What sessions do ---- */

static const struct cg_config *tell_config(void *ctx) { return ((struct cg_coap_dtls *)ctx)->config; }

static int emit(void *ctx, const struct cg_dtls_path *path, struct cg_slice datagram) {
    const struct listener *listener = path->by;
    (void)ctx;
    return cg_coap_socket_send(listener->socket, &path->local, &path->remote, datagram);
}

static void on_busy(void *ctx) {
    struct cg_coap_dtls *dtls = ctx;
    CG_CHECK(uv_idle_start(&dtls->idle, on_idle) == 0);
}

static bool on_opened(void *ctx, struct cg_dtls_session *session) {
    struct cg_coap_dtls *dtls = ctx;
    const struct cg_dtls_path *by = cg_dtls_session_path(session);
    struct listener *listener = by->by;
    const struct cg_coap_path path = {.transport = &listener->transport,
                                      .session = session,
                                      .from = by->remote,
                                      .to = by->local,
                                      .proof = CG_COAP_PROVEN};
    struct cg_coap_peer *peer = cg_coap_messages_begin(dtls->messages, &path);
    *cg_dtls_session_place(session) = peer;
    return peer != NULL;
}

static void on_received(void *ctx, struct cg_dtls_session *session, struct cg_slice message) {
    (void)ctx;
    cg_coap_messages_take_from(*cg_dtls_session_place(session), message);
}

static bool is_used(void *ctx, struct cg_dtls_session *session) {
    (void)ctx;
    return cg_coap_peer_is_held(*cg_dtls_session_place(session));
}

static void on_session_closed(void *ctx, struct cg_dtls_session *session) {
    (void)ctx;
    cg_coap_messages_end(*cg_dtls_session_place(session));
}

static const struct cg_dtls_ops session_ops = {.config = tell_config,
                                               .emit = emit,
                                               .busy = on_busy,
                                               .opened = on_opened,
                                               .received = on_received,
                                               .is_used = is_used,
                                               .closed = on_session_closed};

/* ---- The message layer's side ---- */

static int send_message(const struct cg_coap_path *path, struct cg_slice message) {
    return cg_dtls_send(path->session, message);
}

static size_t room(const struct cg_coap_path *path) { return cg_dtls_room(path->session); }

static int identify(const struct cg_coap_path *path, const struct cg_config *config, struct cg_request *request,
                    struct cg_problem *problem) {
    return cg_dtls_session_identify(path->session, config, request, problem);
}

static const struct cg_coap_transport_ops ops = {
    .scheme = CG_CRI_COAPS, .send = send_message, .room = room, .identify = identify};

/* No group has DTLS (RFC 10020 §5): what was sent to one is nobody's. */
static void on_arrival(void *ctx, const struct cg_coap_arrival *arrival) {
    struct listener *listener = ctx;
    struct cg_dtls_path path;
    if (arrival->reached == CG_COAP_BY_MULTICAST) return;
    memset(&path, 0, sizeof path);
    path.remote = arrival->from;
    path.local = arrival->to;
    path.by = listener;
    cg_dtls_take(listener->dtls->sessions, &path, arrival->bytes, cg_loop_now_us());
    arm(listener->dtls);
}

/* ---- Opening and closing ---- */

static void on_handle_closed(void *ctx) {
    struct cg_coap_dtls *dtls = ctx;
    if (--dtls->open_handles > 0) return;
    if (dtls->on_closed != NULL) dtls->on_closed(dtls->on_closed_ctx);
    cg_config_unref(dtls->config);
    free(dtls);
}

static void on_uv_closed(uv_handle_t *handle) { on_handle_closed(handle->data); }

static void on_socket_closed(void *ctx) {
    struct listener *listener = ctx;
    struct cg_coap_dtls *dtls = listener->dtls;
    free(listener);
    on_handle_closed(dtls);
}

static void init_handles(struct cg_coap_dtls *dtls) {
    CG_CHECK(uv_idle_init(dtls->uv, &dtls->idle) == 0 && uv_timer_init(dtls->uv, &dtls->timer) == 0);
    dtls->idle.data = dtls->timer.data = dtls;
    dtls->open_handles = 2;
}

struct cg_coap_dtls *cg_coap_dtls_open(uv_loop_t *uv, struct cg_coap_inbox *inbox, struct cg_config *config,
                                       struct cg_coap_messages *messages, struct cg_problem *problem) {
    struct cg_coap_dtls *dtls = calloc(1, sizeof *dtls);
    if (dtls == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    *dtls = (struct cg_coap_dtls){
        .uv = uv, .inbox = inbox, .messages = messages, .config = cg_config_ref(config), .armed_us = UINT64_MAX};
    init_handles(dtls);
    dtls->sessions = cg_dtls_new(&session_ops, dtls, &cg_dtls_usual_limits, cg_loop_now_us(), problem);
    if (dtls->sessions != NULL &&
        cg_dtls_load(dtls->sessions, &config->coap.tls, config->key_files_may_be_shared, problem) == CG_OK) {
        return dtls;
    }
    cg_coap_dtls_close(dtls, NULL, NULL);
    return NULL;
}

int cg_coap_dtls_listen(struct cg_coap_dtls *dtls, struct cg_listen *listen, struct cg_problem *problem) {
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) return cg_problem_no_memory(problem);
    *listener = (struct listener){.transport = {.ops = &ops, .listen = listen}, .dtls = dtls, .next = dtls->listeners};
    listener->socket = cg_coap_socket_open(dtls->uv, dtls->inbox, &listen->addr, on_arrival, listener, problem);
    if (listener->socket == NULL) {
        free(listener);
        return problem->err;
    }
    dtls->listeners = listener;
    dtls->open_handles++;
    return CG_OK;
}

int cg_coap_dtls_reload(struct cg_coap_dtls *dtls, struct cg_config *config, struct cg_problem *problem) {
    struct cg_config *former = dtls->config;
    dtls->config = cg_config_ref(config);
    cg_config_unref(former);
    return cg_dtls_load(dtls->sessions, &config->coap.tls, config->key_files_may_be_shared, problem);
}

void cg_coap_dtls_close(struct cg_coap_dtls *dtls, void (*on_closed)(void *ctx), void *ctx) {
    dtls->on_closed = on_closed;
    dtls->on_closed_ctx = ctx;
    cg_dtls_free(dtls->sessions);
    dtls->sessions = NULL;
    for (struct listener *at = dtls->listeners, *next; at != NULL; at = next) {
        next = at->next;
        cg_coap_socket_close(at->socket, on_socket_closed, at);
    }
    uv_close((uv_handle_t *)&dtls->idle, on_uv_closed);
    uv_close((uv_handle_t *)&dtls->timer, on_uv_closed);
}

const struct cg_dtls_figures *cg_coap_dtls_figures(const struct cg_coap_dtls *dtls) {
    return cg_dtls_figures(dtls->sessions);
}
