/* Repair. The hard thing: what is asked again may be done again, so whom a request may be repeated to, and how often,
 * depends on what is proven about the member (RFC 10021 §7). */
#include "rounds/repair.h"

#include "base/container.h"
#include "rounds/intake.h"
#include "rounds/wake.h"

#include <utlist.h>

enum {
    ASKS_AT_ONCE = 32, /* silent members */
    ECHOES_MAX = 1024, /* of a round at once */
};

static bool may_repeat(const struct cg_round *round) { return cg_may_repeat(round->mapping, round->method); }

/* What asks tell. */

static struct cg_round *round_of(const struct cg_leg *leg) { return ((struct cg_part *)leg->owner)->round; }

static void forget(struct cg_round *round, struct cg_ask *ask) {
    DL_DELETE2(round->repair.asks, ask, previous_of_owner, next_of_owner);
    cg_round_request_ended(round);
}

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_round *round = round_of(leg);
    if (round->only == NULL || round->asked) return;
    round->asked = true;
    cg_round_start_clock(round, engine->now_us);
}

/* An answer by unicast is one of the group's as well. */
static void hear_of_group(struct cg_engine *engine, const struct cg_leg *leg) {
    const struct cg_part *part = leg->owner;
    if (part->cast != NULL) cg_cast_heard(engine, part->cast);
}

static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct cg_part *part = leg->owner;
    struct cg_round *round = part->round;
    const struct cg_arrival timed = cg_arrival_after(arrival, round->sent_us);
    hear_of_group(engine, leg);
    forget(round, cg_ask_of(leg));
    cg_ask_end(engine, cg_ask_of(leg));
    cg_round_take(part, &timed);
}

static void on_challenge(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    hear_of_group(engine, leg);
    cg_ask_answer_challenge(engine, cg_ask_of(leg), arrival->opened);
}

/* The member may have told that it does not have the keys which it was asked under. */
static void retry_under_other_keys(struct cg_engine *engine, struct cg_leg *leg) {
    bool is_out = leg->sending.request != 0;
    if (is_out && may_repeat(round_of(leg)) && cg_leg_is_stale(leg)) cg_ask_go_on(engine, cg_ask_of(leg));
}

static void on_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    cg_round_refuse(round_of(leg), from, opened, reason);
    retry_under_other_keys(engine, leg);
}

void cg_round_say_unproven(const struct cg_round *round, struct cg_problem *problem) {
    cg_problem_set(problem, CG_E_NO_ANSWER,
                   "nobody at %s has answered a ping, which comes first where no setting names an address and nothing "
                   "verifies it",
                   round->only->name);
}

/* Where nobody else is asked, a request that did not go out is the round's end; among others it is one silent member
 * more. */
static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    struct cg_round *round = round_of(leg);
    bool is_unproven = problem == NULL && round->only_is_stranger && !round->asked;
    (void)engine;
    if (round->only != NULL && problem != NULL) round->problem = *problem;
    if (is_unproven) cg_round_say_unproven(round, &round->problem);
    round->gave_up = round->tally.expects_one;
    if (round->gave_up || (round->only != NULL && round->problem.err < 0)) cg_round_wake_all(round);
    forget(round, cg_ask_of(leg));
}

static bool is_wanted(const struct cg_leg *leg) { return cg_round_is_wanted(round_of(leg)); }

static const struct cg_leg_ops ask_ops = {
    .sent = on_sent,
    .answer = on_answer,
    .challenge = on_challenge,
    .refused = on_refused,
    .ended = on_ended,
    .is_wanted = is_wanted,
};

/* NULL, with *problem: it cannot be asked. */
static struct cg_ask *new_ask(struct cg_part *part, const struct cg_addr *to, struct cg_slice identity,
                              struct cg_problem *problem) {
    struct cg_round *round = part->round;
    struct cg_leg_order order = cg_part_order(part);
    order.ops = &ask_ops;
    struct cg_ask *ask = cg_ask_new(cg_round_engine(round), &order, to, identity, problem);
    if (ask == NULL) return NULL;
    DL_APPEND2(round->repair.asks, ask, previous_of_owner, next_of_owner);
    round->repair.running++;
    return ask;
}

/* Members that are known. */

static struct cg_addr with_zone(const struct cg_engine *engine, const struct cg_addr *addr,
                                const struct cg_target *target) {
    struct cg_addr to = *addr;
    bool misses_zone = cg_addr_is_link_local(addr) && addr->scope == 0 && engine->port->zone != NULL;
    if (misses_zone) to.scope = engine->port->zone(engine->port->ctx, target->interface);
    return to;
}

static void ask_member(struct cg_round *round, const struct cg_member *member, const struct cg_addr *at,
                       struct cg_problem *problem) {
    struct cg_engine *engine = cg_round_engine(round);
    struct cg_part *part = &round->parts[0];
    struct cg_addr to = with_zone(engine, at, part->target);
    struct cg_ask *ask = new_ask(part, &to, member->identity, problem);
    if (ask == NULL) return;
    ask->turn.is_stranger = round->only_is_stranger;
    cg_ask_go(engine, ask);
}

static void only_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, repair.timer);
    struct cg_problem problem = {.retry_after = 1};
    (void)engine;
    ask_member(round, round->only, &round->only_at, &problem);
    if (problem.err == 0) return;
    round->problem = problem;
    cg_round_wake_all(round);
}

void cg_repair_plan_only(struct cg_round *round) {
    struct cg_engine *engine = cg_round_engine(round);
    round->repair.timer.due = only_due;
    cg_engine_set_timer(engine, &round->repair.timer, engine->now_us);
}

/* Silent members. */

static bool is_silent(const struct cg_round *round, const struct cg_member *member) {
    return member->addr.family != CG_FAMILY_NONE && cg_tally_is_silent(&round->tally, member);
}

static void ask_silent(struct cg_round *round) {
    const struct cg_mapping *mapping = round->mapping;
    struct cg_repair *repair = &round->repair;
    struct cg_problem ignored = {0}; /* it is one silent member more */
    while (repair->next_silent < mapping->member_count && repair->running < ASKS_AT_ONCE) {
        const struct cg_member *member = &mapping->members[repair->next_silent++];
        if (is_silent(round, member)) ask_member(round, member, &member->addr, &ignored);
    }
}

static void repair_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, repair.timer);
    const char *rule;
    (void)engine;
    round->repair.begun = true;
    bool is_needed = cg_round_is_wanted(round) && !cg_round_is_finished(round, &rule);
    if (is_needed) ask_silent(round);
}

/* When the members' leisure is over, whoever is silent did not hear the request; half of the time is left for asking
 * them at least. */
void cg_repair_plan(struct cg_round *round, uint64_t shortest_us) {
    if (!round->mapping->repair_unicast || !may_repeat(round)) return;
    uint64_t leisure_us = (uint64_t)(round->mapping->leisure * 1e6), half_us = shortest_us / 2;
    round->repair.shortest_us = shortest_us;
    round->repair.timer.due = repair_due;
    cg_engine_set_timer(cg_round_engine(round), &round->repair.timer,
                        round->sent_us + (leisure_us < half_us ? leisure_us : half_us));
}

void cg_repair_hasten(struct cg_round *round, uint64_t timeout_us) {
    if (!round->repair.begun && timeout_us < round->repair.shortest_us) cg_repair_plan(round, timeout_us);
}

/* Challenges. */

static bool is_retrying(const struct cg_round *round, const struct cg_addr *to) {
    const struct cg_ask *ask;
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (ask->echo_len > 0 && cg_addr_equal(&ask->leg.sending.to, to)) return true;
    }
    return false;
}

static bool was_challenged_by(const struct cg_round *round, const struct cg_member *member) {
    return round->repair.challenged != NULL && cg_member_set_has(round->repair.challenged, member);
}

/* False: out of memory. */
static bool note_challenge(struct cg_round *round, const struct cg_member *member) {
    uint8_t **set = &round->repair.challenged;
    if (*set == NULL) *set = cg_arena_zalloc(&round->arena, cg_member_set_size(round->mapping));
    if (*set == NULL) return false;
    cg_member_set_put(*set, member, true);
    return true;
}

static bool take_share(struct cg_round *round, struct cg_slice who) {
    struct cg_share *share = cg_share_of(&round->repair.shares, &round->arena, who, round->config->limits.answer);
    if (share == NULL || share->echoes_left == 0) return false;
    share->echoes_left--;
    return true;
}

/* A member that has come since the round began is in no list of it; what must not be done twice is then not done. */
static bool may_retry(struct cg_round *round, const struct cg_addr *to, struct cg_slice identity) {
    const struct cg_member *member = cg_who_of_identity(round->mapping, identity);
    if (round->repair.running >= ECHOES_MAX || is_retrying(round, to)) return false;
    if (!take_share(round, identity)) return false;
    if (member == NULL) return may_repeat(round);
    return !was_challenged_by(round, member) && note_challenge(round, member);
}

void cg_repair_retry(struct cg_part *part, const struct cg_arrival *challenge) {
    struct cg_round *round = part->round;
    struct cg_problem ignored = {0}; /* it is one silent member more */
    if (!may_retry(round, &challenge->from, challenge->opened->identity)) return;
    struct cg_ask *ask = new_ask(part, &challenge->from, CG_SLICE_NONE, &ignored);
    if (ask == NULL) return;
    if (cg_ask_take_challenge(ask, challenge->opened)) {
        cg_ask_go(cg_round_engine(round), ask);
    } else {
        cg_ask_give_up(cg_round_engine(round), ask);
    }
}

void cg_repair_end(struct cg_round *round) {
    struct cg_engine *engine = cg_round_engine(round);
    cg_engine_clear_timer(engine, &round->repair.timer);
    while (round->repair.asks != NULL) {
        struct cg_ask *ask = round->repair.asks;
        forget(round, ask);
        cg_ask_end(engine, ask);
    }
}
