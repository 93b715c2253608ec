/* Casts. The hard thing: a cast may go out, or fail, in the call that begins it or that ends another one, so the round
 * is settled in one place, whatever told it, and never after it has ended. */
#include "rounds/casts.h"

#include "rounds/cached.h"
#include "rounds/cancel.h"
#include "rounds/challenge.h"
#include "rounds/evidence.h"
#include "rounds/hops.h"
#include "rounds/intake.h"
#include "rounds/probe.h"
#include "rounds/silence.h"
#include "rounds/wake.h"
#include "rounds/watch.h"

#include <utlist.h>

/* When all of them are out. */

static uint64_t latest_sending(const struct cg_round *round) {
    uint64_t sent_us = 0;
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_part *part = &round->parts[i];
        if (part->cast != NULL && part->cast->leg.sending.sent_us > sent_us) sent_us = part->cast->leg.sending.sent_us;
        if (part->hop != NULL) return cg_round_engine(round)->now_us; /* whether it takes the request yet, or not */
    }
    return sent_us;
}

static uint64_t shortest_timeout(const struct cg_round *round) {
    const struct cg_waiter *waiter;
    uint64_t shortest_us = UINT64_MAX;
    DL_FOREACH(round->waiters, waiter) {
        if (waiter->timeout_us < shortest_us) shortest_us = waiter->timeout_us;
    }
    return shortest_us;
}

static void refuse_failed(struct cg_round *round) {
    const char *reason = cg_err_info(round->problem.err)->slug;
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_part *part = &round->parts[i];
        if (part->state != CG_PART_FAILED) continue;
        struct cg_addr group = cg_target_group(part->target);
        cg_tally_refuse(&round->tally, &group, &(struct cg_opened){0}, reason);
        round->mapping->stats->rejected++;
    }
    round->problem = (struct cg_problem){0};
}

static void begin_gathering(struct cg_round *round) {
    round->state = CG_ROUND_GATHERS;
    cg_round_start_clock(round, latest_sending(round));
    if (cg_mapping_has_hop(round->mapping)) return; /* members may be where only a next hop reaches them */
    cg_silence_plan(round, shortest_timeout(round));
    cg_probe_plan(round, shortest_timeout(round));
}

static size_t parts_in(const struct cg_round *round, enum cg_part_state state) {
    size_t count = 0;
    for (size_t i = 0; i < round->part_count; i++) count += round->parts[i].state == state;
    return count;
}

/* A request is out, or never will be. One that ends with its round begins nothing any more. */
static void settle(struct cg_round *round) {
    if (round->closed || round->state != CG_ROUND_CASTS || parts_in(round, CG_PART_WAITS) > 0) return;
    size_t failed = parts_in(round, CG_PART_FAILED);
    if (failed == round->part_count) {
        round->state = CG_ROUND_FAILED;
        cg_round_wake_all(round);
        return;
    }
    if (failed > 0) refuse_failed(round);
    begin_gathering(round);
}

void cg_casts_fail(struct cg_part *part, const struct cg_problem *problem) {
    part->cast = NULL;
    part->state = CG_PART_FAILED;
    part->round->problem = *problem;
    settle(part->round);
}

void cg_casts_note_sent(struct cg_part *part) {
    part->state = CG_PART_SENT;
    settle(part->round);
}

/* What casts tell. */

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_part *part = leg->owner;
    cg_cached_note_sent(part->round);
    if (part->state == CG_PART_SENT) {
        part->round->tally.registered_us = engine->now_us;
        cg_watch_sent(part->round);
        return;
    }
    cg_casts_note_sent(part);
}

static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    const struct cg_arrival timed = cg_arrival_after(arrival, leg->sending.sent_us);
    (void)engine;
    cg_round_take(leg->owner, &timed);
}

void cg_casts_challenged(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct cg_part *part = leg->owner;
    (void)engine;
    cg_evidence_note_challenge(part->round, arrival);
    cg_challenge_take(part, arrival);
    cg_round_reconsider(part->round);
}

void cg_casts_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                      const struct cg_opened *opened, const char *reason) {
    (void)engine;
    cg_round_refuse(((struct cg_part *)leg->owner)->round, from, opened, reason);
}

static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    (void)engine;
    cg_casts_fail(leg->owner, problem);
}

static void on_unsent(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    const struct cg_part *part = leg->owner;
    (void)engine, (void)problem;
    cg_watch_unsent(part->round);
}

static void on_stray(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from) {
    const struct cg_part *part = leg->owner;
    (void)engine, (void)from;
    cg_cancel_hear_stray(part->round);
}

static bool is_wanted(const struct cg_leg *leg) {
    return leg->request->cancels || cg_round_is_wanted(((const struct cg_part *)leg->owner)->round);
}

static const struct cg_leg_ops cast_ops = {
    .sent = on_sent,
    .answer = on_answer,
    .challenge = cg_casts_challenged,
    .refused = cg_casts_refused,
    .ended = on_ended,
    .unsent = on_unsent,
    .stray = on_stray,
    .is_wanted = is_wanted,
};

static void cast(struct cg_part *part, uint64_t give_up_us) {
    struct cg_engine *engine = cg_round_engine(part->round);
    struct cg_leg_order order = cg_part_order(part);
    struct cg_problem problem = {0};
    order.ops = &cast_ops;
    if (part->revalidates != NULL) order.request = part->revalidates;
    part->cast = cg_cast_new(engine, &order, give_up_us, &problem);
    if (part->cast == NULL) {
        cg_casts_fail(part, &problem);
    } else {
        cg_cast_go(engine, part->cast);
    }
}

void cg_casts_begin(struct cg_round *round, uint64_t timeout_us) {
    uint64_t give_up_us = cg_round_engine(round)->now_us + cg_longest_wait(timeout_us);
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_part *part = &round->parts[i];
        if (cg_target_is_hop(part->target)) {
            cg_hops_begin(part, timeout_us);
        } else {
            cast(part, give_up_us);
        }
    }
    settle(round);
}

void cg_casts_give_up(struct cg_round *round, const struct cg_problem *problem) {
    for (size_t i = 0; i < round->part_count && round->state == CG_ROUND_CASTS; i++) {
        struct cg_part *part = &round->parts[i];
        struct cg_cast *cast = part->cast;
        if (part->state != CG_PART_WAITS) continue;
        part->cast = NULL; /* first: its end may make it somebody's turn */
        if (cast != NULL) cg_cast_end(cg_round_engine(round), cast);
        cg_hops_end_one(part);
        cg_casts_fail(part, problem);
    }
}

void cg_casts_end(struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_cast *cast = round->parts[i].cast;
        round->parts[i].cast = NULL;
        if (cast != NULL) cg_cast_end(cg_round_engine(round), cast);
    }
}
