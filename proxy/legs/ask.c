/* Unicast requests. The hard thing: an answer may come on the ACK, or separately after an empty ACK, and must come from
 * the endpoint that was asked; and between two requests the ask waits for its turn again, holding nothing. */
#include "legs/ask.h"

#include "base/check.h"
#include "base/container.h"
#include "legs/tap.h"
#include "wire/transmission.h"

#include <stdlib.h>

enum {
    ASKS_MAX = 1 << 16,  /* of all; group requests have no such limit, so asks cannot keep them from anything */
    OPENING_US = 500000, /* longer than that no answer is being verified */
    HEADERS = 256,       /* of a request, roughly, beside its payload */
    MORE_OPTIONS = 2,    /* beside the request's own: Echo, Block2 */
};

static struct cg_ask *of_turn(struct cg_turn *turn) { return CG_CONTAINER(turn, struct cg_ask, turn); }

struct cg_ask *cg_ask_of(struct cg_leg *leg) {
    return CG_CONTAINER(leg, struct cg_ask, leg);
}

bool cg_may_repeat(const struct cg_mapping *mapping, uint8_t method) {
    bool idempotent = (CG_METHOD_BIT(method) & CG_METHODS_IDEMPOTENT) != 0;
    return idempotent || mapping->security == CG_SECURITY_RELAY;
}

/* Ends. */

static void drop_request(struct cg_engine *engine, struct cg_ask *ask) {
    ask->turn.mid = 0; /* as none has */
    if (ask->leg.token != NULL) cg_token_spend(engine, ask->leg.token);
    ask->leg.token = NULL;
    cg_room_return(engine, &ask->room);
    cg_leg_drop_sending(engine, &ask->leg);
}

void cg_ask_end(struct cg_engine *engine, struct cg_ask *ask) {
    cg_room_return(engine, &ask->room);
    cg_endpoint_leave(engine, &ask->turn);
    engine->asks--;
    cg_leg_fini(engine, &ask->leg);
    free(ask);
}

/* It did not even go out. */
static void fail(struct cg_engine *engine, struct cg_ask *ask, const struct cg_problem *problem) {
    cg_leg_tell_ended(engine, &ask->leg, problem);
    cg_ask_end(engine, ask);
}

void cg_ask_give_up(struct cg_engine *engine, struct cg_ask *ask) { fail(engine, ask, NULL); }

bool cg_ask_is_proven(const struct cg_ask *ask) {
    return !ask->turn.is_stranger || (ask->turn.endpoint != NULL && ask->turn.endpoint->genuine);
}

/* Transmission (RFC 7252 §4.2). */

/* What must not be done twice is not said again, but may still be answered; others need not wait for that. */
static void fall_silent(struct cg_engine *engine, struct cg_ask *ask) {
    cg_room_return(engine, &ask->room);
    cg_buf_fini(&ask->leg.sending.datagram);
    cg_endpoint_expect_no_more(engine, &ask->turn);
}

static void transmit(struct cg_engine *engine, struct cg_ask *ask) {
    struct cg_route route = {.to = ask->leg.sending.to};
    struct cg_problem problem = {0};
    bool is_first = ask->leg.sending.request == 0;
    if (cg_leg_emit(engine, &ask->leg, &route, &problem) < 0) {
        fail(engine, ask, &problem);
        return;
    }
    cg_room_use(engine, &ask->room);
    cg_engine_set_timer(engine, &ask->leg.timer, engine->now_us + ask->timeout_us);
    if (is_first) cg_leg_tell_sent(engine, &ask->leg);
}

static void ask_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_leg *leg = CG_CONTAINER(timer, struct cg_leg, timer);
    struct cg_ask *ask = cg_ask_of(leg);
    bool is_last = ask->attempts == CG_MAX_RETRANSMIT, stale = cg_leg_is_stale(leg);
    if (leg->opening > 0 && (is_last || stale)) { /* what has come may be the answer */
        cg_engine_set_timer(engine, timer, engine->now_us + OPENING_US);
    } else if (is_last) {
        if (!ask->acknowledged) cg_ask_give_up(engine, ask);
    } else if (stale && cg_may_repeat(leg->mapping, leg->request->method)) {
        cg_ask_go_on(engine, ask); /* under the new keys: who was evicted could read it under the old ones (R55) */
    } else if (stale) {
        fall_silent(engine, ask);
    } else if (cg_room_take(engine, &ask->room, ask->turn.link)) {
        ask->attempts++;
        ask->timeout_us *= 2;
        transmit(engine, ask);
    }
}

static void ask_sealed(struct cg_engine *engine, struct cg_leg *leg, int err, const struct cg_problem *problem) {
    if (err < 0) {
        fail(engine, cg_ask_of(leg), problem);
        return;
    }
    leg->mapping->stats->asked++;
    transmit(engine, cg_ask_of(leg));
}

/* The request. */

/* A fresh token and MID each time, as every block is an exchange of its own (RFC 7959 §2.4). */
static bool begin_request(struct cg_engine *engine, struct cg_ask *ask) {
    struct cg_leg *leg = &ask->leg;
    leg->token = cg_token_make(engine, leg->mapping->stats);
    if (leg->token == NULL) return false;
    leg->token->leg = leg;
    cg_endpoint_take_mid(engine, &ask->turn);
    leg->sending.mid = ask->turn.mid;
    ask->acknowledged = false;
    ask->attempts = 0;
    uint16_t random;
    engine->port->random(engine->port->ctx, &random, sizeof random);
    ask->timeout_us =
        CG_ACK_TIMEOUT_US + (uint64_t)random * (CG_ACK_TIMEOUT_US / 2) / UINT16_MAX; /* ACK_RANDOM_FACTOR 1.5 */
    return true;
}

/* Puts one more option where its number belongs; the list has room for it. */
static void insert(struct cg_opts *options, struct cg_opt more) {
    struct cg_opt *list = options->list;
    size_t at = options->count++;
    for (; at > 0 && list[at - 1].number > more.number; at--) list[at] = list[at - 1];
    list[at] = more;
}

static void put(struct cg_opts *options, struct cg_opt opt) {
    for (size_t i = 0; i < options->count; i++) {
        if (options->list[i].number != opt.number) continue;
        options->list[i].value = opt.value; /* the request for the first block may have said how large */
        return;
    }
    insert(options, opt);
}

/* With Echo and Block2 where they belong. False: no memory. */
static bool seal(struct cg_engine *engine, struct cg_ask *ask) {
    const struct cg_opts *own = &ask->leg.request->options;
    struct cg_opts options = {.list = calloc(own->count + MORE_OPTIONS, sizeof *own->list), .count = own->count};
    if (options.list == NULL) return false;
    if (own->count > 0) memcpy(options.list, own->list, own->count * sizeof *own->list);
    if (ask->has_block) {
        put(&options, (struct cg_opt){.number = CG_OPT_BLOCK2, .value = cg_slice_of(ask->block, ask->block_len)});
    }
    if (ask->echo_len > 0) {
        insert(&options, (struct cg_opt){.number = CG_OPT_ECHO, .value = cg_slice_of(ask->echo, ask->echo_len)});
    }
    struct cg_opt *list = options.list; /* the ask may end meanwhile */
    cg_leg_seal(engine, &ask->leg, options, ask->identity);
    free(list);
    return true;
}

static void fail_for_memory(struct cg_engine *engine, struct cg_ask *ask) {
    struct cg_problem problem = {.retry_after = 1};
    cg_problem_no_memory(&problem);
    fail(engine, ask, &problem);
}

void cg_ask_go(struct cg_engine *engine, struct cg_ask *ask) {
    if (!cg_endpoint_queue(engine, &ask->turn, &ask->leg.sending.to)) fail_for_memory(engine, ask);
}

static void request_again(struct cg_engine *engine, struct cg_ask *ask) {
    drop_request(engine, ask);
    cg_endpoint_queue_again(engine, &ask->turn);
}

void cg_ask_go_on(struct cg_engine *engine, struct cg_ask *ask) {
    ask->echo_len = 0; /* it was for that request */
    request_again(engine, ask);
}

/* Its place in its address's queue. */

static bool take_share(struct cg_ask *ask) {
    if (ask->left == NULL) return true;
    if (*ask->left == 0) return false;
    --*ask->left;
    return true;
}

static void make_request(struct cg_engine *engine, struct cg_ask *ask) {
    if (!take_share(ask)) {
        cg_ask_give_up(engine, ask);
        return;
    }
    if (!begin_request(engine, ask) || !seal(engine, ask)) fail_for_memory(engine, ask);
}

/* It waits unsealed where its interface has no room, and holds its place at the address. */
static void launch(struct cg_engine *engine, struct cg_turn *turn) {
    struct cg_ask *ask = of_turn(turn);
    if (cg_room_take(engine, &ask->room, turn->link)) make_request(engine, ask);
}

/* A request is made that waited for that, or repeated, if it still may be. */
static void room_granted(struct cg_engine *engine, struct cg_room *room) {
    struct cg_ask *ask = CG_CONTAINER(room, struct cg_ask, room);
    if (!ask->leg.ops->is_wanted(&ask->leg)) {
        cg_room_return(engine, room); /* it is ended soon */
    } else if (ask->leg.token == NULL) {
        make_request(engine, ask);
    } else {
        ask_due(engine, &ask->leg.timer);
    }
}

static void refuse(struct cg_engine *engine, struct cg_turn *turn) { cg_ask_give_up(engine, of_turn(turn)); }

static bool is_to_be_repeated(const struct cg_ask *ask) {
    return ask->leg.timer.deadline.is_set || (ask->leg.token != NULL && ask->room.state == CG_ROOM_WAITS);
}

/* Where answers are verified nobody is believed who only knows a MID: a Reset changes nothing, and an acknowledgement
 * puts the next retransmission off, once. Elsewhere both are what RFC 7252 §4.2 says. */
static void hear(struct cg_engine *engine, struct cg_turn *turn, enum cg_type type) {
    struct cg_ask *ask = of_turn(turn);
    struct cg_timer *timer = &ask->leg.timer;
    bool verifies = ask->leg.mapping->security == CG_SECURITY_GROUP;
    if (type == CG_RST) {
        if (!verifies) cg_ask_give_up(engine, ask);
    } else if (!ask->acknowledged && is_to_be_repeated(ask)) {
        ask->acknowledged = true;
        cg_room_return(engine, &ask->room);
        cg_engine_clear_timer(engine, timer); /* the answer follows; the owner's deadline bounds the wait */
        if (verifies) cg_engine_set_timer(engine, timer, engine->now_us + 2 * ask->timeout_us);
    }
}

static bool is_wanted(const struct cg_turn *turn) {
    const struct cg_ask *ask = CG_CONTAINER(turn, struct cg_ask, turn);
    return ask->leg.ops->is_wanted(&ask->leg);
}

static const struct cg_turn_ops turn_ops = {.launch = launch, .refuse = refuse, .hear = hear, .is_wanted = is_wanted};

/* What comes back. */

bool cg_ask_take_challenge(struct cg_ask *ask, const struct cg_opened *challenge) {
    CG_CHECK(challenge->echo.len <= sizeof ask->echo);
    memcpy(ask->echo, challenge->echo.data, challenge->echo.len);
    ask->echo_len = (uint8_t)challenge->echo.len;
    if (ask->identity.len == 0) ask->identity = cg_arena_copy(ask->arena, challenge->identity);
    return ask->identity.len == challenge->identity.len;
}

/* The member did not act on the request, which is therefore made again, whether it was for all or for a block (RFC 9175
 * §2.3). One that challenges the Echo itself is given up. */
void cg_ask_answer_challenge(struct cg_engine *engine, struct cg_ask *ask, const struct cg_opened *challenge) {
    bool again = ask->echo_len > 0;
    if (!again && cg_ask_take_challenge(ask, challenge)) {
        request_again(engine, ask);
    } else {
        cg_ask_give_up(engine, ask);
    }
}

static void ask_opened(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct cg_ask *ask = cg_ask_of(leg);
    const struct cg_opened *opened = arrival->opened;
    if (ask->identity.len > 0 && !cg_slice_equal(opened->identity, ask->identity)) {
        cg_leg_tell_refused(engine, leg, &arrival->from, opened, cg_err_info(CG_E_SENDER)->slug);
        return; /* whoever sent that, the member may not have: it is asked on */
    }
    cg_endpoint_prove(engine, ask->turn.endpoint);
    if (opened->echo.len > 0) {
        cg_account_say(engine, CG_FATE_CHALLENGE);
        cg_leg_tell_challenge(engine, leg, arrival);
    } else {
        cg_leg_tell_answer(engine, leg, arrival);
    }
}

/* RFC 7252 §5.3.2: from the endpoint that was asked. */
static int ask_fits(const struct cg_leg *leg, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    if (!cg_addr_equal(&datagram->from, &leg->sending.to)) return CG_E_SOURCE;
    return msg->type != CG_ACK || msg->mid == leg->sending.mid ? CG_OK : CG_E_MID;
}

/* It is who was asked. */
static bool may_acknowledge(struct cg_engine *engine, const struct cg_addr *to) {
    (void)engine;
    (void)to;
    return true;
}

static const struct cg_leg_kind ask_kind = {
    .type = CG_CON,
    .via = CASTGATE_VIA_UNICAST,
    .fits = ask_fits,
    .may_acknowledge = may_acknowledge,
    .sealed = ask_sealed,
    .opened = ask_opened,
    .due = ask_due,
};

/* Beginning. */

struct cg_ask *cg_ask_new(struct cg_engine *engine, const struct cg_leg_order *order, const struct cg_addr *to,
                          struct cg_slice identity, struct cg_problem *problem) {
    struct cg_ask *ask = engine->asks >= ASKS_MAX ? NULL : calloc(1, sizeof *ask);
    if (ask == NULL || !cg_leg_init(engine, &ask->leg, &ask_kind, order)) {
        free(ask);
        cg_problem_no_memory(problem);
        return NULL;
    }
    engine->asks++;
    ask->leg.sending.to = *to;
    ask->turn = (struct cg_turn){.ops = &turn_ops,
                                 .size = order->request->payload.len + HEADERS,
                                 .link = cg_send_link(engine, order->target->interface, to)};
    ask->room = (struct cg_room){.granted = room_granted, .lane = CG_LANE_MEMBERS};
    ask->arena = order->arena;
    ask->identity = identity;
    return ask;
}
