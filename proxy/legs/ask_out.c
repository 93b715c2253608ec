/* What asks send (RFC 7252 §4.2). The hard thing: what goes out once more is the same bytes or a new request, and which
 * of them it may be depends on what the member may have done meanwhile, and on who has protected it. */
#include "legs/ask_inside.h"

#include "legs/tap.h"
#include "wire/transmission.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPENING_US = 500000, /* longer than that no answer is being verified */
    MORE_OPTIONS = 2,    /* beside the request's own: Echo, Block2 */
    OVERTAKEN_BY = 16,   /* requests of ours: half of a member's replay window (RFC 8613 §3.2.2) */
};

static bool may_repeat(const struct cg_leg *leg) {
    return leg->request->is_part || cg_may_repeat(leg->mapping, leg->request->method);
}

/* Transmission. */

void cg_ask_fall_silent(struct cg_engine *engine, struct cg_ask *ask) {
    ask->rests = true;
    cg_room_return(engine, &ask->room);
    cg_engine_clear_timer(engine, &ask->leg.timer);
    cg_buf_fini(&ask->leg.sending.datagram);
    cg_endpoint_expect_no_more(engine, &ask->turn);
}

/* It may still be answered; others need not wait for that. */
void cg_ask_rest(struct cg_engine *engine, struct cg_ask *ask) {
    if (ask->rests) return;
    cg_ask_fall_silent(engine, ask);
    cg_leg_tell_rests(engine, &ask->leg);
}

static void wait_for_answer(struct cg_engine *engine, struct cg_ask *ask) {
    cg_engine_set_timer(engine, &ask->leg.timer, engine->now_us + ask->timeout_us);
}

/* One that cannot go out when others have is as one that was lost. */
static void transmit(struct cg_engine *engine, struct cg_ask *ask) {
    struct cg_leg *leg = &ask->leg;
    struct cg_route route = {.to = leg->sending.to};
    struct cg_problem problem = {0};
    bool is_new = leg->sending.request == 0;
    int err = cg_leg_emit(engine, leg, &route, &problem);
    if (err < 0 && ask->repeats == 0) {
        cg_ask_fail(engine, ask, &problem);
        return;
    }
    cg_room_use(engine, &ask->room);
    if (cg_addr_is_by_stream(&leg->sending.to)) {
        cg_ask_fall_silent(engine, ask); /* it arrives, or the connection is lost */
    } else {
        wait_for_answer(engine, ask);
    }
    if (!is_new || err < 0) return;
    ask->renews = false;
    cg_leg_tell_sent(engine, leg);
}

static void request_beside(struct cg_engine *engine, struct cg_ask *ask);

/* What a client has protected nobody makes anew. */
bool cg_ask_may_be_renewed(struct cg_engine *engine, const struct cg_ask *ask) {
    const struct cg_leg *leg = &ask->leg;
    return may_repeat(leg) && leg->mapping->security != CG_SECURITY_RELAY && !cg_ask_hears_many(ask) &&
           cg_endpoint_has_mid(engine, ask->turn.endpoint);
}

/* By so many that whoever has had them takes the same bytes for a replay, and answers nothing. Those to others count,
 * too: they may be of the same security group. */
static bool is_overtaken(const struct cg_engine *engine, const struct cg_ask *ask) {
    const struct cg_leg *leg = &ask->leg;
    bool is_numbered = leg->mapping->security == CG_SECURITY_GROUP;
    return is_numbered && engine->requests - leg->sending.request >= OVERTAKEN_BY;
}

/* When its interface has room. */
void cg_ask_say_again(struct cg_engine *engine, struct cg_ask *ask) {
    cg_engine_clear_timer(engine, &ask->leg.timer);
    if (!cg_room_take(engine, &ask->room, ask->turn.link)) return;
    bool is_to_be_new = ask->is_doubted || ask->leg.sending.emissions >= 2 || is_overtaken(engine, ask);
    ask->timeout_us = ask->is_prompted ? ask->first_us : 2 * ask->timeout_us;
    ask->is_prompted = false;
    ask->repeats++;
    if (is_to_be_new && cg_ask_may_be_renewed(engine, ask)) {
        request_beside(engine, ask);
    } else {
        transmit(engine, ask);
    }
}

static bool hears_on(const struct cg_engine *engine, const struct cg_ask *ask) {
    if (ask->acknowledged || ask->observed || ask->patience == CG_ASK_HEARS_ON || cg_ask_hears_many(ask)) return true;
    return ask->patience == CG_ASK_HEARS_A_WHILE && engine->now_us < ask->hears_until_us;
}

static void hear_on(struct cg_engine *engine, struct cg_ask *ask) {
    bool is_for_a_while = ask->patience == CG_ASK_HEARS_A_WHILE && !ask->acknowledged && !ask->observed;
    cg_ask_rest(engine, ask);
    if (is_for_a_while) cg_engine_set_timer(engine, &ask->leg.timer, ask->hears_until_us);
}

/* The last datagram has had its time. */
static void run_out(struct cg_engine *engine, struct cg_ask *ask) {
    if (ask->leg.opening > 0) { /* what has come may be the answer */
        cg_engine_set_timer(engine, &ask->leg.timer, engine->now_us + OPENING_US);
    } else if (hears_on(engine, ask)) {
        hear_on(engine, ask);
    } else {
        cg_ask_give_up(engine, ask);
    }
}

/* Under new keys: who was evicted could read it under the old ones (R55). */
static void leave_old_keys(struct cg_engine *engine, struct cg_ask *ask) {
    struct cg_leg *leg = &ask->leg;
    cg_room_return(engine, &ask->room);
    if (leg->opening > 0) {
        cg_engine_set_timer(engine, &leg->timer, engine->now_us + OPENING_US);
    } else if (may_repeat(leg)) {
        cg_ask_go_on(engine, ask);
    } else {
        cg_ask_rest(engine, ask);
    }
}

void cg_ask_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_ask *ask = cg_ask_of(CG_CONTAINER(timer, struct cg_leg, timer));
    if (ask->rests || ask->repeats == CG_MAX_RETRANSMIT) {
        run_out(engine, ask);
    } else if (cg_leg_is_stale(&ask->leg)) {
        leave_old_keys(engine, ask);
    } else {
        cg_ask_say_again(engine, ask);
    }
}

/* One that was to come beside others cannot be made: these are waited for. */
static void wait_out(struct cg_engine *engine, struct cg_ask *ask) {
    ask->repeats = CG_MAX_RETRANSMIT;
    cg_room_return(engine, &ask->room);
    wait_for_answer(engine, ask);
}

void cg_ask_sealed(struct cg_engine *engine, struct cg_leg *leg, int err, const struct cg_problem *problem) {
    struct cg_ask *ask = cg_ask_of(leg);
    if (ask->rests) {
        cg_buf_fini(&leg->sending.datagram);
    } else if (err == CG_OK) {
        leg->mapping->stats->asked++;
        transmit(engine, ask);
    } else if (ask->repeats > 0) {
        wait_out(engine, ask);
    } else {
        cg_ask_fail(engine, ask, problem);
    }
}

/* The request. */

/* A fresh MID each time, and a token, as every block is an exchange of its own (RFC 7959 §2.4), unless it observes. */
static bool begin_request(struct cg_engine *engine, struct cg_ask *ask) {
    if (!cg_leg_take_token(engine, &ask->leg)) return false;
    ask->leg.sending.mid = cg_endpoint_take_mid(engine, ask->turn.endpoint);
    return true;
}

/* Backed off as often as earlier ones have doubled it (RFC 6298 §5.7). */
static uint64_t least_timeout(const struct cg_engine *engine, const struct cg_ask *ask) {
    uint64_t timeout_us = cg_endpoint_timeout_us(engine, ask->turn.endpoint);
    unsigned doubled = ask->earlier * CG_MAX_RETRANSMIT;
    while (doubled-- > 0 && timeout_us < CG_RTT_CEILING_US) timeout_us *= 2;
    return timeout_us;
}

/* ACK_RANDOM_FACTOR 1.5 */
static uint64_t lengthened(uint64_t least_us, uint16_t random) {
    return least_us + (uint64_t)random * (least_us / 2) / UINT16_MAX;
}

static void begin_waiting(struct cg_engine *engine, struct cg_ask *ask) {
    uint16_t random;
    engine->port->random(engine->port->ctx, &random, sizeof random);
    uint64_t start_us = lengthened(engine->config->group.ack_timeout_us, random);
    ask->first_us = ask->timeout_us = lengthened(least_timeout(engine, ask), random);
    ask->hears_until_us = engine->now_us + start_us * ((1u << (CG_MAX_RETRANSMIT + 1)) - 1); /* MAX_TRANSMIT_WAIT */
    ask->acknowledged = ask->is_doubted = ask->is_prompted = ask->answered = false;
    ask->repeats = 0;
}

/* In the place of the request's own, which may have said how large the first is. */
static void put_block(struct cg_opts *options, struct cg_slice block) {
    for (size_t i = 0; i < options->count; i++) {
        if (options->list[i].number != CG_OPT_BLOCK2) continue;
        options->list[i].value = block;
        return;
    }
    cg_opts_insert(options, CG_OPT_BLOCK2, block);
}

/* With Echo and Block2 where they belong. False: no memory. */
static bool seal(struct cg_engine *engine, struct cg_ask *ask) {
    const struct cg_opts *own = &ask->leg.request->options;
    struct cg_opts options = {.list = calloc(own->count + MORE_OPTIONS, sizeof *own->list), .count = own->count};
    if (options.list == NULL) return false;
    if (own->count > 0) memcpy(options.list, own->list, own->count * sizeof *own->list);
    if (ask->has_block) put_block(&options, cg_slice_of(ask->block, ask->block_len));
    if (ask->echo_len > 0) cg_opts_insert(&options, CG_OPT_ECHO, cg_slice_of(ask->echo, ask->echo_len));
    struct cg_opt *list = options.list; /* the ask may end meanwhile */
    cg_leg_seal(engine, &ask->leg, options, ask->identity);
    free(list);
    return true;
}

static void fail_for_memory(struct cg_engine *engine, struct cg_ask *ask) {
    struct cg_problem problem = {.retry_after = 1};
    cg_problem_no_memory(&problem);
    cg_ask_fail(engine, ask, &problem);
}

void cg_ask_go(struct cg_engine *engine, struct cg_ask *ask) {
    if (!cg_endpoint_queue(engine, &ask->turn, &ask->leg.sending.to)) fail_for_memory(engine, ask);
}

/* For the same as the one before, which may still be answered. Where there is no memory that one is waited for. */
static void request_beside(struct cg_engine *engine, struct cg_ask *ask) {
    bool is_begun = cg_leg_begin_another(engine, &ask->leg) && begin_request(engine, ask);
    if (!is_begun || !seal(engine, ask)) wait_out(engine, ask);
}

void cg_ask_request_again(struct cg_engine *engine, struct cg_ask *ask) {
    ask->rests = false;
    cg_room_return(engine, &ask->room);
    cg_leg_start_over(engine, &ask->leg);
    cg_endpoint_queue_again(engine, &ask->turn);
}

void cg_ask_go_on(struct cg_engine *engine, struct cg_ask *ask) {
    ask->echo_len = 0; /* it was for that request, and this one may be challenged as well */
    if (ask->challenges_left == 0) ask->challenges_left = 1;
    cg_ask_request_again(engine, ask);
}

static bool take_share(struct cg_ask *ask) {
    if (ask->left == NULL) return true;
    if (*ask->left == 0) return false;
    --*ask->left;
    return true;
}

void cg_ask_make_request(struct cg_engine *engine, struct cg_ask *ask) {
    if (!take_share(ask)) {
        cg_ask_give_up(engine, ask);
        return;
    }
    if (!begin_request(engine, ask)) {
        fail_for_memory(engine, ask);
        return;
    }
    begin_waiting(engine, ask);
    if (!seal(engine, ask)) fail_for_memory(engine, ask);
}
