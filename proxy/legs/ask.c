/* Unicast requests. The hard thing: an answer may come on the ACK, or separately after an empty ACK, to any of the
 * requests that went out for the same, and must come from the endpoint that was asked; and between two things to ask
 * for the ask waits for its turn again, holding nothing. */
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
    OVERTAKEN_BY = 16,   /* requests of ours: half of a member's replay window (RFC 8613 §3.2.2) */
};

static struct cg_ask *of_turn(struct cg_turn *turn) { return CG_CONTAINER(turn, struct cg_ask, turn); }

struct cg_ask *cg_ask_of(struct cg_leg *leg) {
    return CG_CONTAINER(leg, struct cg_ask, leg);
}

bool cg_may_repeat(const struct cg_mapping *mapping, uint8_t method) {
    bool idempotent = (CG_METHOD_BIT(method) & CG_METHODS_IDEMPOTENT) != 0;
    return idempotent || mapping->security == CG_SECURITY_RELAY;
}

static bool hears_many(const struct cg_ask *ask) { return ask->patience == CG_ASK_HEARS_MANY; }

/* Its first answer does not end it. */
static bool stays(const struct cg_ask *ask) { return ask->leg.request->observes || hears_many(ask); }

static bool may_repeat(const struct cg_leg *leg) {
    return leg->request->is_part || cg_may_repeat(leg->mapping, leg->request->method);
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
static void fail(struct cg_engine *engine, struct cg_ask *ask, const struct cg_problem *problem) {
    if (ask->renews) {
        give_renewal_up(engine, ask, problem);
        return;
    }
    cg_leg_tell_ended(engine, &ask->leg, problem);
    cg_ask_end(engine, ask);
}

void cg_ask_give_up(struct cg_engine *engine, struct cg_ask *ask) { fail(engine, ask, NULL); }

bool cg_ask_is_proven(const struct cg_ask *ask) {
    return !ask->turn.is_stranger || (ask->turn.endpoint != NULL && ask->turn.endpoint->genuine);
}

/* Transmission (RFC 7252 §4.2). */

static void fall_silent(struct cg_engine *engine, struct cg_ask *ask) {
    ask->rests = true;
    cg_room_return(engine, &ask->room);
    cg_engine_clear_timer(engine, &ask->leg.timer);
    cg_buf_fini(&ask->leg.sending.datagram);
    cg_endpoint_expect_no_more(engine, &ask->turn);
}

/* It may still be answered; others need not wait for that. */
void cg_ask_rest(struct cg_engine *engine, struct cg_ask *ask) {
    if (ask->rests) return;
    fall_silent(engine, ask);
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
        fail(engine, ask, &problem);
        return;
    }
    cg_room_use(engine, &ask->room);
    if (cg_addr_is_by_stream(&leg->sending.to)) {
        fall_silent(engine, ask); /* it arrives, or the connection is lost */
    } else {
        wait_for_answer(engine, ask);
    }
    if (!is_new || err < 0) return;
    ask->renews = false;
    cg_leg_tell_sent(engine, leg);
}

static void request_beside(struct cg_engine *engine, struct cg_ask *ask);

/* What a client has protected nobody makes anew. */
static bool may_be_renewed(struct cg_engine *engine, const struct cg_ask *ask) {
    const struct cg_leg *leg = &ask->leg;
    return may_repeat(leg) && leg->mapping->security != CG_SECURITY_RELAY && !hears_many(ask) &&
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
static void say_again(struct cg_engine *engine, struct cg_ask *ask) {
    cg_engine_clear_timer(engine, &ask->leg.timer);
    if (!cg_room_take(engine, &ask->room, ask->turn.link)) return;
    bool is_to_be_new = ask->is_doubted || ask->leg.sending.emissions >= 2 || is_overtaken(engine, ask);
    ask->timeout_us = ask->is_prompted ? ask->first_us : 2 * ask->timeout_us;
    ask->is_prompted = false;
    ask->repeats++;
    if (is_to_be_new && may_be_renewed(engine, ask)) {
        request_beside(engine, ask);
    } else {
        transmit(engine, ask);
    }
}

static bool hears_on(const struct cg_engine *engine, const struct cg_ask *ask) {
    if (ask->acknowledged || ask->observed || ask->patience == CG_ASK_HEARS_ON || hears_many(ask)) return true;
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

static void ask_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_ask *ask = cg_ask_of(CG_CONTAINER(timer, struct cg_leg, timer));
    if (ask->rests || ask->repeats == CG_MAX_RETRANSMIT) {
        run_out(engine, ask);
    } else if (cg_leg_is_stale(&ask->leg)) {
        leave_old_keys(engine, ask);
    } else {
        say_again(engine, ask);
    }
}

/* One that was to come beside others cannot be made: these are waited for. */
static void wait_out(struct cg_engine *engine, struct cg_ask *ask) {
    ask->repeats = CG_MAX_RETRANSMIT;
    cg_room_return(engine, &ask->room);
    wait_for_answer(engine, ask);
}

static void ask_sealed(struct cg_engine *engine, struct cg_leg *leg, int err, const struct cg_problem *problem) {
    struct cg_ask *ask = cg_ask_of(leg);
    if (ask->rests) {
        cg_buf_fini(&leg->sending.datagram);
    } else if (err == CG_OK) {
        leg->mapping->stats->asked++;
        transmit(engine, ask);
    } else if (ask->repeats > 0) {
        wait_out(engine, ask);
    } else {
        fail(engine, ask, problem);
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
    fail(engine, ask, &problem);
}

void cg_ask_go(struct cg_engine *engine, struct cg_ask *ask) {
    if (!cg_endpoint_queue(engine, &ask->turn, &ask->leg.sending.to)) fail_for_memory(engine, ask);
}

/* For the same as the one before, which may still be answered. Where there is no memory that one is waited for. */
static void request_beside(struct cg_engine *engine, struct cg_ask *ask) {
    bool is_begun = cg_leg_begin_another(engine, &ask->leg) && begin_request(engine, ask);
    if (!is_begun || !seal(engine, ask)) wait_out(engine, ask);
}

static void request_again(struct cg_engine *engine, struct cg_ask *ask) {
    ask->rests = false;
    cg_room_return(engine, &ask->room);
    cg_leg_start_over(engine, &ask->leg);
    cg_endpoint_queue_again(engine, &ask->turn);
}

void cg_ask_go_on(struct cg_engine *engine, struct cg_ask *ask) {
    ask->echo_len = 0; /* it was for that request, and this one may be challenged as well */
    if (ask->challenges_left == 0) ask->challenges_left = 1;
    request_again(engine, ask);
}

/* Observing. */

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

/* The message before is the latest again, if there is one. */
static void take_back(struct cg_engine *engine, struct cg_ask *ask) {
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
    take_back(engine, ask);
    fall_silent(engine, ask);
    cg_leg_tell_unsent(engine, &ask->leg, problem);
}

/* Who answers for many tells of others on the token while a renewal is under way: that is acknowledged by itself. */
static bool is_of_earlier(const struct cg_ask *ask, const struct cg_sending *sending,
                          const struct cg_arrival *arrival) {
    return hears_many(ask) && ask->observed && arrival->mid != sending->mid;
}

/* What is not out yet is not what was answered. */
static void be_answered(struct cg_engine *engine, struct cg_ask *ask) {
    if (!stays(ask) || ask->renews || !ask->turn.flies) return;
    ask->answered = ask->observed = true;
    take_back(engine, ask);
    cg_leg_drop_earlier(engine, &ask->leg);
    fall_silent(engine, ask);
}

/* It was to be answered, and will not be. */
static void expect_no_answer(struct cg_engine *engine, struct cg_ask *ask) {
    if (ask->observed) {
        cg_ask_rest(engine, ask);
    } else {
        cg_ask_give_up(engine, ask);
    }
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
    if (!begin_request(engine, ask)) {
        fail_for_memory(engine, ask);
        return;
    }
    begin_waiting(engine, ask);
    if (!seal(engine, ask)) fail_for_memory(engine, ask);
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
    } else if (ask->leg.sending.token == NULL) {
        make_request(engine, ask);
    } else {
        ask_due(engine, &ask->leg.timer);
    }
}

static void refuse(struct cg_engine *engine, struct cg_turn *turn) { cg_ask_give_up(engine, of_turn(turn)); }

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

static bool is_to_be_repeated(const struct cg_ask *ask) {
    bool is_out = ask->leg.sending.request != 0;
    return ask->leg.timer.deadline.is_set || (is_out && ask->room.state == CG_ROOM_WAITS);
}

/* Measuring. */

/* Of what was repeated only the first request tells anything: later ones wait long between their datagrams. */
static void measure(struct cg_engine *engine, const struct cg_ask *ask, const struct cg_sending *sending,
                    uint64_t arrival_us) {
    enum cg_rtt_sample kind = sending->emissions == 1 ? CG_RTT_CLEAR : CG_RTT_AT_MOST;
    bool is_first = sending->next == NULL, is_before = arrival_us < sending->sent_us; /* by clocks of two threads */
    if (is_before || (kind == CG_RTT_AT_MOST && !is_first)) return;
    cg_rtt_note(&ask->turn.endpoint->rtt, kind, arrival_us - sending->sent_us, engine->now_us);
}

/* What comes after an acknowledgement has taken the time that the member worked for it, not that of the way. */
static void measure_answer(struct cg_engine *engine, const struct cg_ask *ask, const struct cg_sending *sending,
                           const struct cg_arrival *arrival) {
    bool is_piggybacked = arrival->mid == sending->mid;
    if (ask->acknowledged || (stays(ask) && (ask->answered || !is_piggybacked))) return; /* a later one may be it */
    measure(engine, ask, sending, arrival->arrival_us);
}

/* Empty messages. */

static const struct cg_sending *sending_with(const struct cg_turn *turn, uint16_t mid) {
    const struct cg_ask *ask = CG_CONTAINER(turn, struct cg_ask, turn);
    const struct cg_sending *sending = ask->answered ? NULL : &ask->leg.sending; /* its MIDs may come again */
    while (sending != NULL && (sending->token == NULL || sending->mid != mid)) sending = sending->next;
    return sending;
}

static bool is_about(const struct cg_turn *turn, uint16_t mid) {
    const struct cg_sending *sending = sending_with(turn, mid);
    return sending != NULL && sending->request != 0;
}

/* By who answers for many: what is observed is registered there. */
static void be_taken(struct cg_engine *engine, struct cg_ask *ask) {
    ask->observed = ask->leg.request->observes;
    cg_leg_drop_earlier(engine, &ask->leg);
}

/* The answer follows; the owner's deadline bounds the wait. */
static void be_acknowledged(struct cg_engine *engine, struct cg_ask *ask, uint16_t mid) {
    bool verifies = ask->leg.mapping->security == CG_SECURITY_GROUP;
    if (ask->acknowledged || !is_to_be_repeated(ask)) return;
    ask->acknowledged = true;
    cg_room_return(engine, &ask->room);
    cg_engine_clear_timer(engine, &ask->leg.timer);
    if (hears_many(ask)) {
        measure(engine, ask, sending_with(&ask->turn, mid), engine->now_us);
        be_taken(engine, ask);
        fall_silent(engine, ask);
        cg_leg_tell_acknowledged(engine, &ask->leg);
    } else if (verifies) {
        cg_engine_set_timer(engine, &ask->leg.timer, engine->now_us + 2 * ask->timeout_us);
    } else {
        measure(engine, ask, sending_with(&ask->turn, mid), engine->now_us);
    }
}

/* Where answers are verified nobody is believed who only knows a MID: a Reset changes nothing, and an acknowledgement
 * puts the next datagram off, once, and measures nothing. Elsewhere both are what RFC 7252 §4.2 says. */
static void hear(struct cg_engine *engine, struct cg_turn *turn, uint16_t mid, enum cg_type type) {
    struct cg_ask *ask = of_turn(turn);
    bool verifies = ask->leg.mapping->security == CG_SECURITY_GROUP;
    if (type == CG_ACK) {
        be_acknowledged(engine, ask, mid);
    } else if (!verifies) {
        expect_no_answer(engine, ask);
    }
}

static struct cg_leg *hears(struct cg_turn *turn, const struct cg_token_entry *token) {
    struct cg_ask *ask = of_turn(turn);
    return ask->leg.token == token ? &ask->leg : NULL;
}

static bool is_wanted(const struct cg_turn *turn) {
    const struct cg_ask *ask = CG_CONTAINER(turn, struct cg_ask, turn);
    return ask->leg.ops->is_wanted(&ask->leg);
}

/* Connections. */

static bool is_among(const struct cg_turn *turn, uint64_t requests) {
    const struct cg_sending *sending = &CG_CONTAINER(turn, struct cg_ask, turn)->leg.sending;
    return sending->request != 0 && sending->request <= requests;
}

/* What it observes is gone as well (RFC 8323 §7.4). */
static void lose(struct cg_engine *engine, struct cg_turn *turn, const struct cg_problem *problem) {
    struct cg_ask *ask = of_turn(turn);
    cg_leg_tell_ended(engine, &ask->leg, problem);
    cg_ask_end(engine, ask);
}

static void reach(struct cg_engine *engine, struct cg_turn *turn, uint64_t requests) {
    struct cg_ask *ask = of_turn(turn);
    if (ask->acknowledged || ask->answered || !is_among(turn, requests)) return;
    ask->acknowledged = true;
    if (!hears_many(ask)) return;
    be_taken(engine, ask);
    cg_leg_tell_acknowledged(engine, &ask->leg);
}

static const struct cg_turn_ops turn_ops = {.launch = launch,
                                            .refuse = refuse,
                                            .is_about = is_about,
                                            .hear = hear,
                                            .lose = lose,
                                            .reach = reach,
                                            .is_among = is_among,
                                            .hears = hears,
                                            .is_wanted = is_wanted};

/* What comes back. */

bool cg_ask_take_challenge(struct cg_ask *ask, const struct cg_opened *challenge) {
    CG_CHECK(challenge->echo.len <= sizeof ask->echo);
    if (ask->challenges_left == 0) return false;
    ask->challenges_left--;
    memcpy(ask->echo, challenge->echo.data, challenge->echo.len);
    ask->echo_len = (uint8_t)challenge->echo.len;
    if (ask->identity.len == 0) ask->identity = cg_arena_copy(ask->arena, challenge->identity);
    return ask->identity.len == challenge->identity.len;
}

/* The member did not act on the request, which is therefore made again, whether it was for all or for a block (RFC 9175
 * §2.3). One that challenges the Echo itself may have acted on that request; it is given up, unless nothing can come of
 * it. */
void cg_ask_answer_challenge(struct cg_engine *engine, struct cg_ask *ask, const struct cg_opened *challenge) {
    if (cg_ask_take_challenge(ask, challenge)) {
        request_again(engine, ask);
    } else {
        expect_no_answer(engine, ask);
    }
}

static void ask_opened(struct cg_engine *engine, struct cg_leg *leg, const struct cg_sending *sending,
                       const struct cg_arrival *arrival) {
    struct cg_ask *ask = cg_ask_of(leg);
    const struct cg_opened *opened = arrival->opened;
    if (ask->identity.len > 0 && !cg_slice_equal(opened->identity, ask->identity)) {
        cg_leg_tell_refused(engine, leg, &arrival->from, opened, cg_err_info(CG_E_SENDER)->slug);
        return; /* whoever sent that, the member may not have: it is asked on */
    }
    measure_answer(engine, ask, sending, arrival);
    cg_endpoint_prove(engine, ask->turn.endpoint);
    if (opened->echo.len > 0) {
        cg_account_say(engine, CG_FATE_CHALLENGE);
        cg_leg_tell_challenge(engine, leg, arrival);
    } else {
        if (!is_of_earlier(ask, sending, arrival)) be_answered(engine, ask);
        cg_leg_tell_answer(engine, leg, arrival);
    }
}

/* Hints: what the member, or anybody, says unprotected. */

bool cg_ask_is_hint(const struct cg_leg *leg, const struct cg_opened *opened, const char *reason) {
    bool says_why = opened->code == CG_CODE(4, 0) || opened->code == CG_CODE(4, 1) || opened->code == CG_CODE(4, 2);
    return says_why && leg->mapping->security == CG_SECURITY_GROUP && reason == cg_err_info(CG_E_UNPROTECTED)->slug;
}

bool cg_ask_follow_hint(struct cg_engine *engine, struct cg_ask *ask) {
    bool is_on_its_way = ask->leg.sending.request == 0; /* the next is being made */
    bool has_said_all = ask->rests || ask->repeats == CG_MAX_RETRANSMIT;
    if (is_on_its_way || has_said_all || !may_be_renewed(engine, ask)) return false;
    ask->is_doubted = ask->is_prompted = true;
    say_again(engine, ask);
    return true;
}

/* RFC 7252 §5.3.2: from the endpoint that was asked. */
static int ask_fits(const struct cg_leg *leg, const struct cg_sending *sending, const struct cg_datagram *datagram,
                    const struct cg_msg *msg) {
    (void)leg;
    if (!cg_addr_equal(&datagram->from, &sending->to)) return CG_E_SOURCE;
    return msg->type != CG_ACK || msg->mid == sending->mid ? CG_OK : CG_E_MID;
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
