/* Unicast requests of a round. The hard thing: each of them is one of the group's as well, so what it hears is heard of
 * the group, and where it was the only one its end is the round's. */
#include "rounds/asks.h"

#include "rounds/cached.h"
#include "rounds/cancel.h"
#include "rounds/evidence.h"
#include "rounds/hearsay.h"
#include "rounds/intake.h"
#include "rounds/probe.h"
#include "rounds/revalidate.h"
#include "rounds/silence.h"
#include "rounds/wake.h"
#include "rounds/watch.h"

#include <utlist.h>

/* What they tell. */

static struct cg_round *round_of(const struct cg_leg *leg) { return ((struct cg_part *)leg->owner)->round; }

/* Places: those that rest have none. */

static void take_place(struct cg_round *round, struct cg_ask *ask) {
    round->repair.running += !ask->holds_place;
    ask->holds_place = true;
}

static void give_place_back(struct cg_round *round, struct cg_ask *ask) {
    if (!ask->holds_place) return;
    ask->holds_place = false;
    cg_round_request_ended(round);
}

static void on_rests(struct cg_engine *engine, struct cg_leg *leg) {
    (void)engine;
    if (!leg->settled) cg_silence_note_vain(round_of(leg), cg_ask_of(leg));
    give_place_back(round_of(leg), cg_ask_of(leg));
}

static void forget(struct cg_round *round, struct cg_ask *ask) {
    DL_DELETE2(round->repair.asks, ask, previous_of_owner, next_of_owner);
    give_place_back(round, ask);
    cg_round_reconsider(round);
}

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_round *round = round_of(leg);
    cg_cached_note_sent(round);
    cg_signs_note_asked(engine, &leg->sending.to);
    if (cg_ask_of(leg)->observed || leg->request->cancels) cg_watch_sent(round);
    if (round->by_unicast) round->tally.registered_us = engine->now_us;
    if (!round->by_unicast || round->asked) return;
    round->asked = true;
    cg_round_start_clock(round, engine->now_us);
    cg_probe_plan(round, round->deadline_us - round->sent_us);
}

/* An answer by unicast is one of the group's as well. */
static void hear_of_group(struct cg_engine *engine, const struct cg_leg *leg) {
    const struct cg_part *part = leg->owner;
    if (part->cast != NULL) cg_cast_heard(engine, part->cast);
    if (part->again != NULL) cg_cast_heard(engine, part->again);
}

static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct cg_part *part = leg->owner;
    struct cg_round *round = part->round;
    const struct cg_arrival timed = cg_arrival_after(arrival, round->sent_us);
    if (round->closed) return; /* an answer to its cancellation */
    hear_of_group(engine, leg);
    leg->settled = true;
    if (leg->request->observes && leg->shares == NULL) { /* notifications come to it */
        give_place_back(round, cg_ask_of(leg));
    } else {
        forget(round, cg_ask_of(leg));
        cg_ask_end(engine, cg_ask_of(leg));
    }
    cg_round_take(part, &timed);
}

static void on_challenge(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    hear_of_group(engine, leg);
    take_place(round_of(leg), cg_ask_of(leg));
    cg_evidence_note_challenge(round_of(leg), arrival);
    cg_ask_answer_challenge(engine, cg_ask_of(leg), arrival->opened);
}

/* The member may have told that it does not have the keys which it was asked under. */
static void retry_under_other_keys(struct cg_engine *engine, struct cg_leg *leg) {
    bool is_out = leg->sending.request != 0;
    if (!is_out || !cg_round_may_repeat(round_of(leg)) || !cg_leg_is_stale(leg)) return;
    take_place(round_of(leg), cg_ask_of(leg));
    cg_ask_go_on(engine, cg_ask_of(leg));
}

static void on_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    cg_hearsay_refuse(round_of(leg), leg, from, opened, reason);
    retry_under_other_keys(engine, leg);
}

void cg_asks_say_unproven(const struct cg_round *round, struct cg_problem *problem) {
    cg_problem_set(problem, CG_E_NO_ANSWER,
                   "nobody at %s has answered a ping, which comes first where no setting names an address and nothing "
                   "verifies it",
                   round->only->name);
}

void cg_asks_settle(struct cg_round *round) {
    bool is_out = !round->by_unicast || round->asked;
    if (is_out || round->silent.phase != CG_SILENT_DONE || round->repair.running > 0) return;
    round->problem = round->repair.failed;
    cg_round_wake_all(round);
}

/* Where nobody else is asked, a request that did not go out is the round's end; among others it is one silent member
 * more. */
void cg_asks_note_end(struct cg_round *round, const struct cg_problem *problem) {
    bool is_unproven = problem == NULL && round->only_is_stranger && !round->asked;
    if (round->only != NULL && problem != NULL) round->problem = *problem;
    if (!round->asked && problem != NULL) round->repair.failed = *problem;
    if (is_unproven) cg_asks_say_unproven(round, &round->problem);
    round->gave_up = round->tally.expects_one;
    if (round->gave_up || (round->only != NULL && round->problem.err < 0)) cg_round_wake_all(round);
}

static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    struct cg_round *round = round_of(leg);
    (void)engine;
    bool cancels = leg->request->cancels;
    cg_asks_note_end(round, problem);
    if (problem == NULL) cg_silence_note_vain(round, cg_ask_of(leg));
    forget(round, cg_ask_of(leg));
    cg_asks_settle(round);
    if (cancels) cg_watch_unsent(round);
}

static void on_unsent(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    (void)engine, (void)problem;
    cg_watch_unsent(round_of(leg));
}

static void on_stray(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from) {
    (void)engine, (void)from;
    cg_cancel_hear_stray(round_of(leg));
}

static bool is_wanted(const struct cg_leg *leg) { return leg->request->cancels || cg_round_is_wanted(round_of(leg)); }

static const struct cg_leg_ops ask_ops = {
    .sent = on_sent,
    .answer = on_answer,
    .challenge = on_challenge,
    .refused = on_refused,
    .ended = on_ended,
    .rests = on_rests,
    .unsent = on_unsent,
    .stray = on_stray,
    .is_wanted = is_wanted,
};

/* Beginning and end. */

static struct cg_ask *new_ask(struct cg_part *part, const struct cg_leg_request *request, const struct cg_addr *to,
                              struct cg_slice identity, struct cg_problem *problem) {
    struct cg_round *round = part->round;
    struct cg_leg_order order = cg_part_order(part);
    order.ops = &ask_ops;
    order.request = request;
    bool shares = request->observes && part->cast != NULL;
    if (shares) order.shares = &part->cast->leg;
    struct cg_ask *ask = cg_ask_new(cg_round_engine(round), &order, to, identity, problem);
    if (ask == NULL) return NULL;
    ask->begun_us = cg_round_engine(round)->now_us;
    ask->patience = round->tally.expects_one ? CG_ASK_HEARS_A_WHILE : CG_ASK_HEARS_ON;
    if (shares) ask->patience = CG_ASK_GIVES_UP; /* what comes later comes to the cast */
    DL_APPEND2(round->repair.asks, ask, previous_of_owner, next_of_owner);
    take_place(round, ask);
    return ask;
}

struct cg_ask *cg_asks_new(struct cg_part *part, const struct cg_addr *to, struct cg_slice identity,
                           struct cg_problem *problem) {
    return new_ask(part, part->request, to, identity, problem);
}

struct cg_addr cg_asks_at(const struct cg_round *round, const struct cg_addr *addr) {
    return cg_port_addr(cg_round_engine(round)->port, round->parts[0].target->interface, addr);
}

/* One that observes is registered where its token is in use, if there is such a part. */
struct cg_part *cg_asks_part(struct cg_round *round) {
    size_t i = 0;
    if (!cg_round_observes(round)) return &round->parts[0];
    while (i < round->part_count && round->parts[i].cast == NULL) i++;
    return &round->parts[i < round->part_count ? i : 0];
}

void cg_asks_member(struct cg_round *round, const struct cg_member *member, const struct cg_addr *at, unsigned earlier,
                    struct cg_problem *problem) {
    struct cg_engine *engine = cg_round_engine(round);
    struct cg_part *part = cg_asks_part(round);
    struct cg_addr to = cg_asks_at(round, at);
    struct cg_ask *ask = new_ask(part, cg_revalidate_request(part, member), &to, member->identity, problem);
    if (ask == NULL) return;
    ask->turn.is_stranger = round->only_is_stranger;
    ask->earlier = earlier;
    cg_ask_go(engine, ask);
}

void cg_asks_end_one(struct cg_round *round, struct cg_ask *ask) {
    forget(round, ask);
    cg_ask_end(cg_round_engine(round), ask);
}

static bool is_of(const struct cg_round *round, const struct cg_ask *ask, const struct cg_who *who) {
    struct cg_who asked;
    cg_who_decide(&asked, round->mapping, &ask->leg.sending.to, ask->identity);
    return cg_slice_equal(asked.key, who->key);
}

static bool is_out(const struct cg_ask *ask) {
    const struct cg_sending *latest = &ask->leg.sending;
    return latest->request != 0 || latest->next != NULL;
}

/* What it is answered may still be the later word. */
void cg_asks_hush(struct cg_round *round, struct cg_ask *ask) {
    if (is_out(ask)) {
        cg_ask_rest(cg_round_engine(round), ask);
    } else {
        cg_asks_end_one(round, ask);
    }
}

void cg_asks_note_answer(struct cg_round *round, const struct cg_arrival *arrival) {
    struct cg_who who;
    struct cg_ask *ask, *next;
    if (round->repair.asks == NULL) return;
    cg_who_decide(&who, round->mapping, &arrival->from, arrival->opened->identity);
    DL_FOREACH_SAFE2(round->repair.asks, ask, next, next_of_owner) {
        if (is_of(round, ask, &who)) cg_asks_hush(round, ask);
    }
}

static struct cg_ask *ask_to(const struct cg_round *round, const struct cg_addr *to) {
    struct cg_ask *ask = round->repair.asks;
    while (ask != NULL && !cg_addr_equal(&ask->leg.sending.to, to)) ask = ask->next_of_owner;
    return ask;
}

bool cg_asks_register(struct cg_round *round, const struct cg_member *member) {
    struct cg_problem problem = {0};
    struct cg_addr at;
    if (!cg_protector_find(round->mapping->protector, member, &at)) return false;
    const struct cg_addr to = cg_asks_at(round, &at);
    struct cg_ask *before = ask_to(round, &to);
    if (before != NULL && before->observed && before->leg.shares == NULL) {
        cg_ask_renew(cg_round_engine(round), before, before->leg.request);
        return true;
    }
    if (before != NULL && !before->rests) return true; /* it is being asked */
    if (before != NULL) cg_asks_end_one(round, before);
    cg_asks_member(round, member, &at, 0, &problem);
    return problem.err == 0;
}

void cg_asks_cancel(struct cg_round *round, const struct cg_member *member, const struct cg_leg_request *cancels) {
    struct cg_problem ignored = {0}; /* whoever notifies on is sent Resets */
    struct cg_addr at;
    if (!cg_protector_find(round->mapping->protector, member, &at)) return;
    const struct cg_addr to = cg_asks_at(round, &at);
    if (ask_to(round, &to) != NULL) return;
    struct cg_ask *ask = new_ask(cg_asks_part(round), cancels, &to, member->identity, &ignored);
    if (ask != NULL) cg_ask_go(cg_round_engine(round), ask);
}

void cg_asks_end_unregistered(struct cg_round *round) {
    struct cg_ask *ask, *next;
    DL_FOREACH_SAFE2(round->repair.asks, ask, next, next_of_owner) {
        if (!ask->observed || ask->leg.shares != NULL) cg_asks_end_one(round, ask);
    }
}

void cg_asks_end(struct cg_round *round) {
    while (round->repair.asks != NULL) cg_asks_end_one(round, round->repair.asks);
}
