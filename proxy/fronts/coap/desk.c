/* Requests to exchanges and back. The hard thing: three lifetimes meet here, the peer's, the token's and the
 * exchange's. A call ties them: it holds its peer until the client has left, its token as long, and its exchange by
 * ticket only; it is freed when the exchange's sink says that all is over, which comes exactly once, perhaps within the
 * very call that starts it. */
#include "fronts/coap/desk.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "fronts/coap/aggregate.h"
#include "fronts/coap/blocks.h"
#include "fronts/coap/discovery.h"
#include "fronts/coap/early_stop.h"
#include "fronts/coap/gate.h"
#include "fronts/coap/intake.h"
#include "fronts/coap/live.h"
#include "fronts/coap/separate.h"
#include "fronts/coap/to_coap.h"

enum { LISTED_MAX = 32 /* lists of links that are made at a time */ };

struct cg_coap_desk {
    struct cg_gateway *gateway;
    struct cg_coap_clock clock;
    struct cg_lives lives;
    struct cg_coap_gate gate;
    struct cg_coap_blocks blocks;
    const struct castgate_encoder *aggregate;
    struct cg_coap_desk_counts counts;
    struct cg_listings *listings; /* NULL: there is none */
    size_t listed;                /* how many of its lists are being made */
    struct call *current;         /* whose request is being answered */
    size_t running;
    bool closed; /* goes with its last call */
};

/* One request that became an exchange. */
struct call {
    struct cg_live live; /* in the desk's table while there is a peer */
    struct cg_coap_desk *desk;
    struct cg_coap_peer *peer; /* held; NULL: the client has left */
    struct cg_ticket ticket;
    struct cg_request_mark mark;
    enum cg_type type; /* of what the client sent, which an error is told by, too */
    uint32_t no_response;
    struct cg_listing listing; /* of a request for /.well-known/core, of which no exchange comes */
    struct cg_sink *sink;      /* the exchange's, until that is over, where it is for separate responses; else NULL */
    bool is_single;            /* it goes to one member */
    bool has_block2;
    struct cg_block block2; /* of that request */
};

/* What is kept of a peer. */
struct place {
    struct cg_live *lives;    /* utlist */
    struct cg_outbox *outbox; /* a reference */
};

static uint64_t now_us(const struct cg_coap_desk *desk) { return desk->clock.now_us(desk->clock.ctx); }

/* NULL: nothing is. */
static struct place *place_of(struct cg_coap_peer *peer) { return *cg_coap_peer_place(peer); }

/* NULL: no memory. */
static struct place *make_place(struct cg_coap_peer *peer) {
    void **kept = cg_coap_peer_place(peer);
    if (*kept != NULL) return *kept;
    struct place *place = calloc(1, sizeof *place);
    if (place == NULL || (place->outbox = cg_outbox_new()) == NULL) {
        free(place);
        return NULL;
    }
    *kept = place;
    return place;
}

static const struct cg_option_numbers *numbers_of(const struct cg_coap_desk *desk) {
    return &cg_gateway_config(desk->gateway)->options;
}

/* ---- Responses ---- */

static uint32_t no_response_of(const struct cg_coap_message *message) {
    const struct cg_msg msg = {.options = message->options};
    uint32_t value;
    return cg_msg_find_uint(&msg, CG_OPT_NO_RESPONSE, &value) ? value : 0;
}

static void answer_problem(struct cg_coap_desk *desk, struct cg_coap_peer *peer, const struct cg_coap_message *request,
                           const struct cg_problem *problem) {
    uint8_t bytes[CG_COAP_MESSAGE_MAX];
    struct cg_coap_message response;
    cg_to_coap_problem(numbers_of(desk), problem, CG_SLICE_NONE, request->token, bytes, sizeof bytes, &response);
    if (!cg_coap_is_barred(no_response_of(request), response.code)) cg_coap_peer_answer(peer, &response);
}

static int send_one(struct call *call, const struct cg_coap_message *response, enum cg_type type) {
    struct cg_coap_desk_counts *counts = &call->desk->counts;
    int err = cg_coap_peer_send(call->peer, response, type);
    counts->sent += err == CG_OK;
    counts->unsent += err < 0 && err != CG_E_TOO_BIG; /* a smaller one goes instead */
    return err;
}

/* Its request's answer while that can be given, later a message of its own. */
static void respond(struct call *call, const struct cg_coap_message *response) {
    if (cg_coap_is_barred(call->no_response, response->code)) return;
    if (call->desk->current == call) {
        cg_coap_peer_answer(call->peer, response);
    } else {
        (void)send_one(call, response, call->type); /* it is over, whether or not that goes */
    }
}

static void tell_problem(struct call *call, const struct cg_problem *problem) {
    uint8_t bytes[CG_COAP_MESSAGE_MAX];
    struct cg_coap_message response;
    cg_to_coap_problem(numbers_of(call->desk), problem, CG_SLICE_NONE, cg_coap_token_slice(&call->live.key.token),
                       bytes, sizeof bytes, &response);
    respond(call, &response);
}

/* ---- Calls ---- */

static struct call *new_call(struct cg_coap_desk *desk, struct cg_coap_peer *peer,
                             const struct cg_coap_request *request) {
    struct place *place = make_place(peer);
    struct call *call = place == NULL ? NULL : calloc(1, sizeof *call);
    if (call == NULL) return NULL;
    *call = (struct call){
        .desk = desk, .peer = peer, .type = request->type, .no_response = no_response_of(&request->message)};
    cg_request_mark(&call->mark, &request->message);
    if (!cg_live_add(&desk->lives, &place->lives, &call->live, peer, request->message.token)) {
        free(call);
        return NULL;
    }
    cg_coap_peer_hold_for(peer, request->message.token);
    desk->running++;
    return call;
}

static struct call *call_of(struct cg_live *live) { return CG_CONTAINER(live, struct call, live); }

/* The token is free again. */
static void leave_peer(struct call *call) {
    cg_live_remove(&call->desk->lives, &place_of(call->peer)->lives, &call->live);
    call->peer = NULL;
}

static void free_desk_if_done(struct cg_coap_desk *desk) {
    if (!desk->closed || desk->running > 0) return;
    cg_coap_blocks_fini(&desk->blocks);
    free(desk);
}

static void free_call(struct call *call) {
    struct cg_coap_desk *desk = call->desk;
    struct cg_coap_peer *peer = call->peer;
    if (peer != NULL) {
        leave_peer(call);
        cg_coap_peer_release_for(peer, cg_coap_token_slice(&call->live.key.token));
    }
    if (desk->current == call) desk->current = NULL;
    free(call);
    desk->running--;
    free_desk_if_done(desk);
}

/* Nobody waits for it any more: the sink's end frees it, if there is a sink. */
static void leave(struct call *call) {
    leave_peer(call);
    cg_gateway_abandon(call->desk->gateway, call->ticket);
    if (call->listing.listings == NULL) return;
    cg_listings_drop(&call->listing);
    call->desk->listed--;
    free_call(call);
}

/* The client wants no more of it. */
static void abandon(struct call *call) {
    struct cg_coap_peer *peer = call->peer;
    const struct cg_coap_token token = call->live.key.token; /* the call may be freed */
    leave(call);
    cg_coap_peer_release_for(peer, cg_coap_token_slice(&token));
}

/* ---- What the sink says ---- */

static int on_respond(void *ctx, const struct cg_coap_message *response, enum cg_type type) {
    struct call *call = ctx;
    return call->peer == NULL ? CG_OK : send_one(call, response, type);
}

static void on_over(void *ctx, const struct cg_problem *problem) {
    struct call *call = ctx;
    if (call->peer != NULL && problem->err < 0) tell_problem(call, problem);
    free_call(call);
}

static void on_single(void *ctx) { ((struct call *)ctx)->is_single = true; }

static void on_keep(void *ctx, const struct cg_view *view, const struct cg_answer *answer, struct cg_slice options,
                    struct cg_slice etag) {
    struct call *call = ctx;
    cg_coap_blocks_keep(&call->desk->blocks, view, answer, options, etag);
}

static const struct cg_separate_ops separate_ops = {
    .respond = on_respond, .keep = on_keep, .single = on_single, .over = on_over};

/* ---- Requests ---- */

static unsigned status_of(const struct cg_problem *problem) {
    return cg_coap_status(cg_err_info(problem->err)->coap_code);
}

static void refuse(struct call *call, const struct cg_problem *problem) {
    cg_gateway_refuse(call->desk->gateway, call->ticket, problem, status_of(problem));
    tell_problem(call, problem);
    free_call(call);
}

/* It is answered, and no exchange comes of it. */
static void end_unasked(struct call *call) {
    cg_gateway_abandon(call->desk->gateway, call->ticket);
    free_call(call);
}

static void answer_now(struct call *call, const struct cg_coap_message *response) {
    respond(call, response);
    end_unasked(call);
}

/* Whatever No-Response says, as the client could not go on without. */
static void answer_block(struct call *call, const struct cg_coap_message *response) {
    cg_coap_peer_answer(call->peer, response);
    end_unasked(call);
}

/* ---- /.well-known/core ---- */

/* No exchange comes of it. Frees the links. */
static int tell_links(struct call *call, struct cg_links *links, struct cg_problem *problem) {
    const struct cg_coap_serve serve = {.numbers = numbers_of(call->desk),
                                        .block2 = call->has_block2 ? &call->block2 : NULL,
                                        .room = cg_coap_peer_room(call->peer),
                                        .token = cg_coap_token_slice(&call->live.key.token)};
    uint8_t bytes[CG_COAP_OPTIONS_MAX];
    struct cg_coap_message response;
    struct cg_buf text;
    cg_buf_init(&text, 0);
    int err = cg_links_end(links, &text, problem);
    if (err == CG_OK) err = cg_coap_discovery_response(cg_buf_slice(&text), &serve, bytes, &response, problem);
    if (err == CG_OK) answer_now(call, &response);
    cg_buf_fini(&text);
    return err;
}

static void on_listed(struct cg_listing *listing) {
    struct call *call = CG_CONTAINER(listing, struct call, listing);
    struct cg_problem problem = {0};
    call->desk->listed--;
    if (tell_links(call, listing->links, &problem) < 0) refuse(call, &problem);
}

/* Whatever its client may run, a list takes an exchange's place and memory that nobody has counted. */
static int too_many_lists(struct cg_links *links, struct cg_problem *problem) {
    cg_links_free(links);
    problem->retry_after = 1;
    return cg_problem_set(problem, CG_E_OVERLOAD, "too many ask for links at once");
}

static int discover(struct call *call, const struct cg_from_coap *from, const struct cg_coap_extras *extras) {
    struct cg_listings *listings = call->desk->listings;
    struct cg_links *links = cg_links_begin(from->config, from->request, from->problem);
    if (links == NULL) return from->problem->err;
    call->has_block2 = extras->has_block2;
    call->block2 = extras->block2;
    if (!cg_links_go_on(links, listings == NULL ? SIZE_MAX : CG_LISTED_A_TURN))
        return tell_links(call, links, from->problem);
    if (call->desk->listed >= LISTED_MAX) return too_many_lists(links, from->problem);
    call->listing = (struct cg_listing){.links = links, .done = on_listed};
    call->desk->listed++;
    cg_listings_add(listings, &call->listing);
    return CG_OK;
}

static struct cg_sink *new_separate(struct call *call, const struct cg_block *block1, const struct cg_block *block2) {
    const struct cg_separate_to to = {.ops = &separate_ops,
                                      .ctx = call,
                                      .outbox = place_of(call->peer)->outbox,
                                      .type = call->type,
                                      .token = cg_coap_token_slice(&call->live.key.token),
                                      .block1 = block1,
                                      .block2 = block2,
                                      .room = cg_coap_peer_room(call->peer),
                                      .now_us = now_us(call->desk)};
    return cg_separate_new(&to);
}

static struct cg_sink *new_aggregate(struct call *call, const struct cg_block *block1, const struct cg_block *block2) {
    struct cg_coap_desk *desk = call->desk;
    const struct cg_aggregate_to to = {.encoder = desk->aggregate,
                                       .ops = &separate_ops,
                                       .ctx = call,
                                       .token = cg_coap_token_slice(&call->live.key.token),
                                       .type = call->type,
                                       .block1 = block1,
                                       .block2 = block2,
                                       .room = cg_coap_peer_room(call->peer),
                                       .bodies = &desk->blocks.bodies,
                                       .quota = cg_gateway_quota(desk->gateway),
                                       .port = cg_gateway_port(desk->gateway)};
    return cg_aggregate_new(&to);
}

static int start(struct call *call, const struct cg_coap_extras *extras, bool aggregates, struct cg_problem *problem) {
    struct cg_coap_desk *desk = call->desk;
    struct cg_gateway *gateway = desk->gateway;
    const struct cg_block *block1 = extras->has_block1 ? &extras->block1 : NULL;
    const struct cg_block *block2 = extras->has_block2 ? &extras->block2 : NULL;
    struct cg_sink *sink = (aggregates ? new_aggregate : new_separate)(call, block1, block2);
    if (sink == NULL) return cg_problem_no_memory(problem);
    struct cg_ticket ticket = call->ticket;
    if (!aggregates) call->sink = sink;
    cg_gateway_start(gateway, ticket, sink, now_us(call->desk));
    cg_gateway_advance(gateway, ticket); /* what is refused is told in the acknowledgement; `call` may be gone */
    if (desk->current == call && call->is_single) cg_coap_peer_expect(call->peer);
    return CG_OK;
}

static int receive(struct call *call, const struct cg_coap_message *message, struct cg_problem *problem) {
    struct cg_coap_desk *desk = call->desk;
    struct cg_coap_block_answer answer = {.aggregates = false};
    struct cg_coap_extras extras = {0};
    const struct cg_from_coap from = {.config = cg_gateway_exchange_config(desk->gateway, call->ticket),
                                      .message = message,
                                      .arena = cg_gateway_arena(desk->gateway, call->ticket),
                                      .request = cg_gateway_request(desk->gateway, call->ticket),
                                      .problem = problem,
                                      .is_by_stream = cg_coap_peer_is_stream(call->peer),
                                      .room = cg_coap_peer_room(call->peer)};
    int err = cg_coap_intake(&from, call->peer, &extras);
    if (err == CG_OK && extras.meant == CG_COAP_DISCOVERY) return discover(call, &from, &extras);
    if (err == CG_OK) err = cg_coap_blocks_take(&desk->blocks, &from, &extras, now_us(desk), &answer);
    if (err == CG_PENDING) answer_block(call, &answer.message);
    if (err == CG_OK && answer.aggregates)
        from.request->observes = false; /* there is one response, when all have answered */
    return err == CG_OK ? start(call, &extras, answer.aggregates, problem) : err;
}

static void take_up(struct cg_coap_desk *desk, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct cg_problem problem = {0};
    struct cg_ticket ticket;
    if (cg_gateway_new_exchange(desk->gateway, &ticket, &problem) < 0) {
        answer_problem(desk, peer, &request->message, &problem);
        return;
    }
    struct call *call = new_call(desk, peer, request);
    if (call == NULL) {
        cg_problem_no_memory(&problem);
        cg_gateway_refuse(desk->gateway, ticket, &problem, status_of(&problem));
        answer_problem(desk, peer, &request->message, &problem);
        return;
    }
    call->ticket = ticket;
    desk->current = call;
    if (receive(call, &request->message, &problem) < 0) refuse(call, &problem);
    desk->current = NULL;
}

/* ---- Tokens in use ---- */

static void refuse_reuse(struct cg_coap_desk *desk, struct cg_coap_peer *peer, const struct cg_coap_message *message) {
    struct cg_problem problem = {0};
    cg_problem_set(&problem, CG_E_BAD_REQUEST,
                   "this is a reverse proxy's resource, and its last request with this token was still running: it has "
                   "ended, and this one went nowhere; use a new token for each request");
    answer_problem(desk, peer, message, &problem);
}

/* Not where there was no room for it, or nothing to observe. */
static bool observes(const struct call *call) { return call->sink != NULL && cg_separate_observes(call->sink); }

/* As it stands in this message: what the client has protected is another one each time. */
static int renew(struct call *call, const struct cg_coap_message *message, enum cg_renewal renewal,
                 struct cg_problem *problem) {
    struct cg_gateway *gateway = call->desk->gateway;
    struct cg_request request = {.reached = *cg_coap_peer_local(call->peer)};
    struct cg_coap_extras extras;
    struct cg_arena arena;
    const struct cg_from_coap from = {.config = cg_gateway_config(gateway),
                                      .message = message,
                                      .arena = &arena,
                                      .request = &request,
                                      .problem = problem,
                                      .is_by_stream = cg_coap_peer_is_stream(call->peer),
                                      .room = cg_coap_peer_room(call->peer)};
    cg_arena_init(&arena, from.config->limits.exchange_memory, cg_gateway_quota(gateway));
    int err = cg_from_coap_head(&from, &extras);
    if (err == CG_OK) err = cg_from_coap_rest(&from, &extras);
    if (err == CG_OK) cg_gateway_renew(gateway, call->ticket, renewal, request.options, request.payload);
    cg_arena_fini(&arena);
    return err;
}

static bool renew_or_refuse(struct call *call, const struct cg_coap_message *message, enum cg_renewal renewal) {
    struct cg_problem problem = {0};
    if (renew(call, message, renewal, &problem) == CG_OK) return true;
    answer_problem(call->desk, call->peer, message, &problem);
    return false;
}

/* One that asks a single member hears what that one has said last; one that asks a group has let go of its token, where
 * its members need not hear that from the client itself. */
static void cancel(struct call *call, const struct cg_coap_request *request) {
    struct cg_gateway *gateway = call->desk->gateway;
    struct cg_ticket ticket = call->ticket;
    if (!observes(call) || (!call->is_single && !call->mark.is_protected)) {
        abandon(call);
        return;
    }
    if (!renew_or_refuse(call, &request->message, CG_CANCELS)) return;
    cg_separate_cancel(call->sink, request->type);
    if (!call->mark.is_protected) cg_coap_peer_expect(call->peer);
    cg_gateway_advance(gateway, ticket); /* `call` may be gone */
}

/* What is not answered is acknowledged. */
static void take_again(struct call *call, const struct cg_coap_request *request) {
    struct cg_coap_desk *desk = call->desk;
    struct cg_coap_peer *peer = call->peer;
    const struct cg_coap_message *message = &request->message;
    struct cg_request_mark now;
    cg_request_mark(&now, message);
    enum cg_reuse reuse = cg_reuse_of(&call->mark, &now, cg_is_early_stop(message, numbers_of(desk)));
    desk->counts.reused[reuse]++;
    switch (reuse) {
    case CG_REUSE_STOPS: abandon(call); break;
    case CG_REUSE_CANCELS: cancel(call, request); break;
    case CG_REUSE_RENEWS:
        cg_outbox_heard(place_of(peer)->outbox);
        if (observes(call)) (void)renew_or_refuse(call, message, CG_RENEWS);
        break;
    case CG_REUSE_CONTINUES: break;
    case CG_REUSE_COLLIDES:
        abandon(call);
        refuse_reuse(desk, peer, message);
        break;
    }
}

static void take_proven(struct cg_coap_desk *desk, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct cg_live *live = cg_live_find(&desk->lives, peer, request->message.token);
    if (live != NULL) {
        take_again(call_of(live), request);
    } else if (cg_is_early_stop(&request->message, numbers_of(desk))) {
        desk->counts.stopped_nothing++;
    } else {
        take_up(desk, peer, request);
    }
}

/* ---- What the desk hears ---- */

static void on_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct cg_coap_desk *desk = ctx;
    if (request->reached == CG_COAP_BY_MULTICAST) return;
    if (cg_coap_gate_lets_in(&desk->gate, peer, &request->message, now_us(desk))) {
        take_proven(desk, peer, request);
    } else {
        cg_coap_gate_challenge(&desk->gate, peer, request, now_us(desk));
    }
}

/* Whatever became of that message, others may go now. */
static void settle(struct cg_coap_desk *desk, struct cg_coap_peer *peer, struct cg_slice token) {
    const struct place *place = place_of(peer);
    if (place != NULL) cg_outbox_settled(place->outbox, token, now_us(desk));
}

static void on_lost(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    struct cg_coap_desk *desk = ctx;
    struct cg_live *live = cg_live_find(&desk->lives, peer, token);
    if (live != NULL) {
        desk->counts.lost++;
        abandon(call_of(live));
    }
    settle(desk, peer, token);
}

static void on_acknowledged(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) { settle(ctx, peer, token); }

static void on_gone(void *ctx, struct cg_coap_peer *peer) {
    struct cg_coap_desk *desk = ctx;
    struct place *place = place_of(peer);
    if (place == NULL) return;
    while (place->lives != NULL) {
        struct call *call = call_of(place->lives);
        desk->counts.gone++;
        leave(call);
    }
    *cg_coap_peer_place(peer) = NULL;
    cg_outbox_unref(place->outbox);
    free(place);
}

const struct cg_coap_peer_ops cg_coap_desk_ops = {
    .request = on_request, .lost = on_lost, .acknowledged = on_acknowledged, .gone = on_gone};

/* ---- Opening and closing ---- */

struct cg_coap_desk *cg_coap_desk_new(struct cg_gateway *gateway, struct cg_coap_clock clock,
                                      const struct cg_encoder_list *encoders) {
    struct cg_coap_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL) return NULL;
    *desk = (struct cg_coap_desk){.gateway = gateway, .clock = clock, .gate.echo.port = cg_gateway_port(gateway)};
    desk->aggregate = cg_aggregate_encoder(encoders);
    CG_CHECK(desk->aggregate != NULL); /* it is built in */
    cg_coap_blocks_init(&desk->blocks, cg_gateway_quota(gateway));
    return desk;
}

void cg_coap_desk_set_listings(struct cg_coap_desk *desk, struct cg_listings *listings) { desk->listings = listings; }

size_t cg_coap_desk_running(const struct cg_coap_desk *desk) { return desk->running; }

const struct cg_coap_desk_counts *cg_coap_desk_counts(const struct cg_coap_desk *desk) { return &desk->counts; }

const struct cg_coap_gate *cg_coap_desk_gate(const struct cg_coap_desk *desk) { return &desk->gate; }

void cg_coap_desk_tidy(struct cg_coap_desk *desk) { cg_coap_blocks_expire(&desk->blocks, now_us(desk)); }

void cg_coap_desk_free(struct cg_coap_desk *desk) {
    if (desk == NULL) return;
    desk->closed = true;
    free_desk_if_done(desk);
}
