/* From messages to inbound/ and back. The hard thing: a reply may come at once or when threads have done their work,
 * and who asked may be gone by then; and what is to be ignored must not be acknowledged either, so that it comes again.
 */
#include "fronts/coap/alerts.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/container.h"
#include "exchange/gateway.h"
#include "fronts/coap/server.h"
#include "fronts/coap/token.h"
#include "io/loop.h"

enum { MEMORY = 16 << 20 }; /* for requests that came lately */

struct call {
    struct cg_inbound_call inbound;
    struct cg_front_alerts *front;
    struct cg_coap_peer *peer; /* held */
    struct cg_coap_token token;
    enum cg_type type;
    bool is_inside; /* of its request */
    bool is_over;   /* before that was left */
    struct call *prev, *next;
};

struct cg_front_alerts {
    struct cg_coap_server *server;
    struct cg_inbound *inbound;
    struct call *calls; /* utlist head */
    size_t running;
    bool is_stopping;
};

static void end_call(struct call *call) {
    DL_DELETE(call->front->calls, call);
    call->front->running--;
    free(call);
}

/* At once: in the acknowledgement. */
static void reply_inside(const struct call *call, const struct cg_inbound_reply *reply,
                         const struct cg_coap_message *message) {
    switch (reply->saying) {
    case CG_INBOUND_ANSWER: cg_coap_peer_answer(call->peer, message); break;
    case CG_INBOUND_ACKNOWLEDGE: break;
    case CG_INBOUND_IGNORE: cg_coap_peer_ignore(call->peer); break;
    }
}

/* An acknowledgement that waits goes by itself. What cannot be sent is lost, as on any network. */
static void reply_later(const struct call *call, const struct cg_inbound_reply *reply,
                        const struct cg_coap_message *message) {
    switch (reply->saying) {
    case CG_INBOUND_ANSWER: (void)(cg_coap_peer_send(call->peer, message, call->type) == CG_OK); break;
    case CG_INBOUND_ACKNOWLEDGE: break;
    case CG_INBOUND_IGNORE: cg_coap_peer_ignore(call->peer); break;
    }
}

static void on_reply(struct cg_inbound_call *inbound_call, const struct cg_inbound_reply *reply) {
    struct call *call = CG_CONTAINER(inbound_call, struct call, inbound);
    const struct cg_coap_message message = {.code = reply->code,
                                            .token = cg_coap_token_slice(&call->token),
                                            .options = reply->options,
                                            .payload = reply->payload};
    struct cg_coap_peer *peer = call->peer;
    if (reply->is_proven) cg_coap_peer_prove(peer);
    if (call->is_inside) {
        reply_inside(call, reply, &message);
        call->is_over = true;
        return;
    }
    reply_later(call, reply, &message);
    end_call(call);
    cg_coap_peer_release(peer);
}

static struct call *new_call(struct cg_front_alerts *front, struct cg_coap_peer *peer,
                             const struct cg_coap_request *request) {
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) return NULL;
    call->inbound.reply = on_reply;
    call->front = front;
    call->peer = peer;
    call->type = request->type;
    call->is_inside = true;
    if (!cg_coap_token_set(&call->token, request->message.token)) {
        free(call);
        return NULL;
    }
    DL_APPEND(front->calls, call);
    front->running++;
    return call;
}

/* To a group nobody answers, and no group's is listened to. */
static void on_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct cg_front_alerts *front = ctx;
    bool is_taken = request->reached == CG_COAP_BY_UNICAST && !front->is_stopping;
    struct call *call = is_taken ? new_call(front, peer, request) : NULL;
    if (call == NULL) {
        cg_coap_peer_ignore(peer);
        return;
    }
    const struct cg_inbound_arrival arrival = {.from = *cg_coap_peer_addr(peer),
                                               .msg = {.code = request->message.code,
                                                       .options = request->message.options,
                                                       .payload = request->message.payload},
                                               .size = request->size - request->message.token.len,
                                               .now_us = cg_loop_now_us()};
    cg_coap_peer_hold(peer);
    cg_inbound_take(front->inbound, &call->inbound, &arrival);
    if (call->is_over) {
        end_call(call);
        cg_coap_peer_release(peer);
    } else {
        call->is_inside = false;
        cg_coap_peer_expect(peer);
    }
}

static void ignore_token(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    (void)ctx;
    (void)peer;
    (void)token;
}

static void on_gone(void *ctx, struct cg_coap_peer *peer) {
    struct cg_front_alerts *front = ctx;
    struct call *call, *next;
    DL_FOREACH_SAFE(front->calls, call, next) {
        if (call->peer != peer) continue;
        cg_inbound_forget(front->inbound, &call->inbound);
        end_call(call);
    }
}

/* What a member's answer becomes is its own affair. */
static const struct cg_coap_peer_ops ops = {
    .request = on_request, .lost = ignore_token, .acknowledged = ignore_token, .gone = on_gone};

struct cg_front_alerts *cg_front_alerts_open(uv_loop_t *uv, struct cg_gateway *gateway, struct cg_inbound *inbound,
                                             struct cg_problem *problem) {
    struct cg_front_alerts *front = calloc(1, sizeof *front);
    if (front == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    struct cg_config *config = cg_gateway_config(gateway);
    const struct cg_coap_server_options options = {.listen = config->alerts.listen,
                                                   .listen_count = config->alerts.listen_count,
                                                   .ops = &ops,
                                                   .ctx = front,
                                                   .memory = MEMORY};
    front->inbound = inbound;
    front->server = cg_coap_server_open(uv, config, &options, problem);
    if (front->server != NULL) return front;
    free(front);
    return NULL;
}

void cg_front_alerts_stop(struct cg_front_alerts *front) { front->is_stopping = true; }

static void on_server_closed(void *ctx) { free(ctx); }

void cg_front_alerts_close(struct cg_front_alerts *front) {
    if (front != NULL) cg_coap_server_close(front->server, on_server_closed, front);
}

const struct cg_listen *cg_front_alerts_listen(const struct cg_front_alerts *front, size_t index) {
    return cg_coap_server_listen(front->server, index);
}

size_t cg_front_alerts_running(const struct cg_front_alerts *front) { return front->running; }
