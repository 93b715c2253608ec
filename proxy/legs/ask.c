/* Unicast requests, from beginning to end. The hard thing: between two things to ask for the ask waits for its turn
 * again, holding nothing; and one that observes stays whatever comes of its renewals. */
#include "legs/ask_inside.h"

#include "base/check.h"
#include "legs/tap.h"

#include <stdlib.h>

enum {
    ASKS_MAX = 1 << 16, /* of all; group requests have no such limit, so asks cannot keep them from anything */
    HEADERS = 256,      /* of a request, roughly, beside its payload */
};

struct cg_ask *cg_ask_of(struct cg_leg *leg) {
    return CG_CONTAINER(leg, struct cg_ask, leg);
}

bool cg_may_repeat(const struct cg_mapping *mapping, uint8_t method) {
    bool idempotent = (CG_METHOD_BIT(method) & CG_METHODS_IDEMPOTENT) != 0;
    return idempotent || mapping->security == CG_SECURITY_RELAY;
}

/* Ends. */

void cg_ask_end(struct cg_engine *engine, struct cg_ask *ask) {
    cg_room_return(engine, &ask->room);
    cg_endpoint_leave(engine, &ask->turn);
    engine->asks--;
    cg_leg_fini(engine, &ask->leg);
    free(ask);
}

static void give_renewal_up(struct cg_engine *engine, struct cg_ask *ask, const struct cg_problem *problem);

/* It did not even go out. */
void cg_ask_fail(struct cg_engine *engine, struct cg_ask *ask, const struct cg_problem *problem) {
    if (ask->renews) {
        give_renewal_up(engine, ask, problem);
        return;
    }
    cg_leg_tell_ended(engine, &ask->leg, problem);
    cg_ask_end(engine, ask);
}

void cg_ask_give_up(struct cg_engine *engine, struct cg_ask *ask) { cg_ask_fail(engine, ask, NULL); }

bool cg_ask_is_proven(const struct cg_ask *ask) {
    return !ask->turn.is_stranger || (ask->turn.endpoint != NULL && ask->turn.endpoint->genuine);
}

/* What it observes is gone as well (RFC 8323 §7.4). */
static void lose(struct cg_engine *engine, struct cg_turn *turn, const struct cg_problem *problem) {
    struct cg_ask *ask = cg_ask_of_turn(turn);
    cg_leg_tell_ended(engine, &ask->leg, problem);
    cg_ask_end(engine, ask);
}

/* Observing. */

/* The message before is the latest again, if there is one. */
void cg_ask_take_back(struct cg_engine *engine, struct cg_ask *ask) {
    struct cg_leg *leg = &ask->leg;
    if (leg->sending.request == 0 && leg->sending.next != NULL) cg_leg_take_back(engine, leg);
}

static void give_renewal_up(struct cg_engine *engine, struct cg_ask *ask, const struct cg_problem *problem) {
    struct cg_problem nobody = {0};
    if (problem == NULL) {
        cg_problem_set(&nobody, CG_E_NO_ANSWER, "the member could not be asked again");
        problem = &nobody;
    }
    ask->renews = false;
    cg_ask_take_back(engine, ask);
    cg_ask_fall_silent(engine, ask);
    cg_leg_tell_unsent(engine, &ask->leg, problem);
}

void cg_ask_renew(struct cg_engine *engine, struct cg_ask *ask, const struct cg_leg_request *request) {
    CG_CHECK(ask->observed && request->observes);
    struct cg_leg *leg = &ask->leg;
    bool waits = !ask->turn.flies; /* an earlier renewal has not gone out: it is this one */
    bool is_out = leg->sending.request != 0;
    leg->request = request;
    if (is_out && !cg_leg_begin_another(engine, leg)) {
        struct cg_problem none_left = {.retry_after = 1};
        cg_problem_no_memory(&none_left);
        cg_leg_tell_unsent(engine, leg, &none_left);
        return;
    }
    ask->renews = true;
    if (!waits) cg_ask_go_on(engine, ask);
}

/* Its place in its address's queue. */

/* It waits unsealed where its interface has no room, and holds its place at the address. */
static void launch(struct cg_engine *engine, struct cg_turn *turn) {
    struct cg_ask *ask = cg_ask_of_turn(turn);
    if (cg_room_take(engine, &ask->room, turn->link)) cg_ask_make_request(engine, ask);
}

/* A request is made that waited for that, or repeated, if it still may be. */
static void room_granted(struct cg_engine *engine, struct cg_room *room) {
    struct cg_ask *ask = CG_CONTAINER(room, struct cg_ask, room);
    if (!ask->leg.ops->is_wanted(&ask->leg)) {
        cg_room_return(engine, room); /* it is ended soon */
    } else if (ask->leg.sending.token == NULL) {
        cg_ask_make_request(engine, ask);
    } else {
        cg_ask_due(engine, &ask->leg.timer);
    }
}

static void refuse(struct cg_engine *engine, struct cg_turn *turn) { cg_ask_give_up(engine, cg_ask_of_turn(turn)); }

static void say_whose_turn_is_missed(struct cg_problem *problem, const char *by, uint64_t wait_us) {
    problem->retry_after = (uint32_t)(wait_us / 1000000 + 1);
    cg_problem_set(problem, CG_E_RATE, "the member's turn did not come in time: %s", by);
}

static bool lacks_place(const struct cg_engine *engine, const struct cg_ask *ask) {
    const struct cg_endpoint *endpoint = ask->turn.endpoint;
    return endpoint != NULL && !ask->turn.flies && endpoint->outstanding >= engine->config->group.nstart;
}

void cg_ask_say_unsent(struct cg_engine *engine, const struct cg_ask *ask, struct cg_problem *problem) {
    if (ask->room.state == CG_ROOM_WAITS) {
        uint64_t at_us = cg_room_when_again(engine, &ask->room);
        say_whose_turn_is_missed(problem, CG_BUDGET_SPENT, at_us > engine->now_us ? at_us - engine->now_us : 0);
    } else if (lacks_place(engine, ask)) {
        say_whose_turn_is_missed(problem, "requests to it are outstanding (group.nstart: RFC 7252 4.7)",
                                 cg_endpoint_timeout_us(engine, ask->turn.endpoint));
    } else {
        problem->retry_after = 1;
        cg_problem_set(problem, CG_E_OVERLOAD,
                       "the request could not be made in time (a store that hangs, too many signatures, or too many "
                       "requests to members)");
    }
}

static struct cg_leg *hears(struct cg_turn *turn, const struct cg_token_entry *token) {
    struct cg_ask *ask = cg_ask_of_turn(turn);
    return ask->leg.token == token ? &ask->leg : NULL;
}

static bool is_wanted(const struct cg_turn *turn) {
    const struct cg_ask *ask = CG_CONTAINER(turn, struct cg_ask, turn);
    return ask->leg.ops->is_wanted(&ask->leg);
}

static const struct cg_turn_ops turn_ops = {.launch = launch,
                                            .refuse = refuse,
                                            .is_about = cg_ask_is_about,
                                            .hear = cg_ask_hear,
                                            .lose = lose,
                                            .reach = cg_ask_reach,
                                            .is_among = cg_ask_is_among,
                                            .hears = hears,
                                            .is_wanted = is_wanted};

/* Beginning. */

/* It is who was asked. */
static bool may_acknowledge(struct cg_engine *engine, const struct cg_addr *to) {
    (void)engine;
    (void)to;
    return true;
}

static const struct cg_leg_kind ask_kind = {
    .type = CG_CON,
    .via = CASTGATE_VIA_UNICAST,
    .fits = cg_ask_fits,
    .may_acknowledge = may_acknowledge,
    .sealed = cg_ask_sealed,
    .opened = cg_ask_opened,
    .due = cg_ask_due,
};

struct cg_ask *cg_ask_new(struct cg_engine *engine, const struct cg_leg_order *order, const struct cg_addr *to,
                          struct cg_slice identity, struct cg_problem *problem) {
    struct cg_ask *ask = engine->asks >= ASKS_MAX ? NULL : calloc(1, sizeof *ask);
    if (ask != NULL) ask->leg.sending.to = *to; /* first: who listens in hears of it as it begins */
    if (ask == NULL || !cg_leg_init(engine, &ask->leg, &ask_kind, order)) {
        free(ask);
        cg_problem_no_memory(problem);
        return NULL;
    }
    engine->asks++;
    ask->turn = (struct cg_turn){.ops = &turn_ops,
                                 .size = order->request->payload.len + HEADERS,
                                 .link = cg_send_link(engine, order->target->interface, to)};
    ask->room = (struct cg_room){.granted = room_granted, .lane = CG_LANE_MEMBERS};
    ask->arena = order->arena;
    ask->identity = identity;
    ask->challenges_left = 1;
    return ask;
}
