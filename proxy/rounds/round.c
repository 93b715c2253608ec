/* Rounds: closed and ended. The hard thing: many wait for one and each has its own time, so what ends a waiter's
 * collecting and what ends the round are told apart: the round ends for all when a finish rule is met that all of them
 * go by, or it has a problem, and otherwise when the last of those who collect has had enough. */
#include "rounds/round_inside.h"

#include "base/container.h"
#include "rounds/again.h"
#include "rounds/asks.h"
#include "rounds/burst.h"
#include "rounds/cached.h"
#include "rounds/cancel.h"
#include "rounds/casts.h"
#include "rounds/hops.h"
#include "rounds/intake.h"
#include "rounds/large.h"
#include "rounds/probe.h"
#include "rounds/served.h"
#include "rounds/silence.h"
#include "rounds/wake.h"
#include "rounds/watch.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    VERIFY_GRACE_US = 500000, /* past the deadline, for answers received before it and still being verified */
    WITHDRAWN_A_TURN = 256,
};

/* Ends. */

void cg_round_close_door(struct cg_round *round) {
    if (!round->is_open) return;
    round->is_open = false;
    HASH_DEL(round->rounds->open, round);
}

/* Answers of who has answered may still come, to the second group request or to both ways of asking: they tell nothing
 * of who takes too long. */
static void settle(struct cg_round *round) {
    struct cg_ask *ask;
    if (round->tally.expected == 0 || cg_tally_missing(&round->tally) > 0) return;
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_part *part = &round->parts[i];
        if (part->cast != NULL) part->cast->leg.settled = true;
        if (part->again != NULL) part->again->leg.settled = true;
    }
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) ask->leg.settled = true;
}

static void end_legs(struct cg_round *round) {
    cg_asks_end(round);
    cg_hops_end(round);
    cg_casts_end(round);
}

/* It collects nothing more. What is incomplete is refused, so that it is said before anybody counts. */
void cg_round_close(struct cg_round *round) {
    if (round->closed) return;
    round->closed = true;
    cg_round_close_door(round);
    cg_cached_end(round);
    cg_burst_over(round);
    cg_engine_clear_timer(cg_round_engine(round), &round->held);
    cg_round_give_up_partials(round);
    settle(round);
    cg_silence_end(round);
    cg_probe_end(round);
    cg_again_end(round);
    cg_large_end(round);
    if (cg_cancel_begin(round)) {
        cg_asks_end_unregistered(round);
        cg_hops_end_unregistered(round);
    } else {
        end_legs(round);
    }
}

void cg_round_free(struct cg_round *round) {
    cg_round_close(round);
    cg_watch_fini(round);
    end_legs(round);
    cg_large_fini(round);
    cg_shelf_clear(&round->shelf);
    cg_tally_fini(&round->tally);
    cg_cached_fini(round);
    cg_shares_fini(&round->repair.shares);
    cg_buf_fini(&round->shape);
    cg_arena_fini(&round->arena);
    cg_config_unref(round->config);
    free(round);
}

/* Looking. */

enum cg_round_state cg_round_look(const struct cg_waiter *waiter) {
    waiter->round->roused = false;
    return waiter->round->state;
}

static void wake_reader(struct cg_reader *reader) {
    struct cg_waiter *waiter = CG_CONTAINER(reader, struct cg_waiter, reader);
    waiter->wake(waiter);
}

void cg_round_follow(struct cg_waiter *waiter, enum cg_following following) {
    waiter->reader.wake = wake_reader;
    waiter->reader.hears_refusals = following == CG_FOLLOW_REFUSALS;
    waiter->reader.hears_beginnings = following == CG_FOLLOW_BEGINNINGS;
    cg_feed_read(&waiter->round->feed, &waiter->reader);
    cg_cached_follow(waiter);
}

/* What was verified until now was a member's answer to a member; where there is none, nobody knows what members did. */
static void end_withdrawn(struct cg_round *round) {
    round->ended_by = "limit";
    if (round->tally.answered > 0) return;
    cg_problem_set(&round->problem, CG_E_PROTECT,
                   "the security group was removed from the settings; members may have acted on the request");
}

/* For all who wait. */
static void close_if_over(struct cg_round *round) {
    const char *rule = NULL;
    if (round->closed) return;
    if (cg_round_has_lost_its_group(round)) {
        end_withdrawn(round);
    } else if (round->problem.err < 0) {
        round->ended_by = "limit";
    } else if (cg_round_is_finished(round, &rule)) {
        round->ended_by = rule;
    } else if (round->gave_up && !cg_round_is_opening(round)) {
        round->ended_by = "deadline";
    } else if (cg_round_is_exhausted(round)) {
        round->ended_by = cg_tally_missing(&round->tally) > 0 ? "deadline" : "all";
    } else {
        return;
    }
    cg_round_close(round);
}

/* No member was ever asked, so nobody may say that it was silent. */
static void miss_turn(const struct cg_round *round, enum cg_waiter_patience patience, struct cg_problem *problem) {
    if (patience == CG_WAITER_HURRIED) {
        cg_problem_set(problem, CG_E_STOPPING, "the gateway is stopping; try another or later");
        return;
    }
    if (round->only_is_stranger) {
        cg_asks_say_unproven(round, problem);
        return;
    }
    const struct cg_ask *ask = round->is_large ? cg_large_ask(round) : round->repair.asks;
    if (ask != NULL) {
        cg_ask_say_unsent(cg_round_engine(round), ask, problem);
        return;
    }
    problem->retry_after = 1;
    cg_problem_set(problem, CG_E_OVERLOAD, "no member could be asked in time");
}

static uint64_t end_of(const struct cg_waiter *waiter) {
    struct cg_round *round = waiter->round;
    bool is_due = cg_round_engine(round)->now_us >= waiter->deadline_us;
    bool is_verifying = is_due && cg_round_is_opening(round);
    round->verifying |= is_verifying;
    return waiter->deadline_us + (is_verifying ? VERIFY_GRACE_US : 0);
}

static bool collects(struct cg_waiter *waiter, enum cg_waiter_patience patience, uint64_t *again_us,
                     const char **ended_by, struct cg_problem *problem) {
    struct cg_round *round = waiter->round;
    *problem = (struct cg_problem){0};
    close_if_over(round);
    if (round->closed) {
        *ended_by = round->ended_by;
        *problem = round->problem;
        return false;
    }
    if (waiter->cancelled) {
        *ended_by = "client";
        return false;
    }
    if (waiter->finishing == CG_FINISH_AS_MAPPING && cg_tally_is_finished(&round->tally, ended_by)) return false;
    if (waiter->timeout_us > 0 && !round->parts[0].request->expects_answers) {
        *ended_by = "all"; /* nobody will answer (R33) */
        return false;
    }
    *again_us = end_of(waiter);
    bool is_early = cg_round_engine(round)->now_us < *again_us;
    if (is_early && patience == CG_WAITER_PATIENT) return true;
    bool goes_on = cg_watch_goes_on(round);
    if (goes_on && patience == CG_WAITER_PATIENT) {
        *again_us = UINT64_MAX;
        return true;
    }
    if (round->by_unicast && !round->asked) miss_turn(round, patience, problem);
    if (!is_early && !goes_on) cg_hops_conclude(round, problem);
    *ended_by = is_early || goes_on || round->tally.limited ? "limit" : "deadline";
    return false;
}

bool cg_round_collects(struct cg_waiter *waiter, enum cg_waiter_patience patience, uint64_t *again_us,
                       const char **ended_by, struct cg_problem *problem) {
    bool goes_on = collects(waiter, patience, again_us, ended_by, problem);
    if (!goes_on && problem->err == 0 && !waiter->cancelled) cg_cached_fill(waiter->round);
    return goes_on;
}

/* Leaving. */

void cg_round_forsake(struct cg_waiter *waiter) {
    if (waiter->round == NULL || !waiter->collects || waiter->forsaken) return;
    waiter->forsaken = true;
    waiter->round->forsaken++;
}

void cg_round_stop(struct cg_waiter *waiter) {
    struct cg_round *round = waiter->round;
    if (round == NULL || !waiter->collects) return;
    waiter->collects = false;
    waiter->drops = (uint32_t)(cg_round_count_drops(round) - waiter->drops_before);
    cg_reader_stop(&waiter->reader);
    round->collecting--;
    round->by_time -= waiter->finishing == CG_FINISH_BY_TIME;
    round->forsaken -= waiter->forsaken;
    if (round->collecting == 0) cg_round_close(round);
}

void cg_round_leave(struct cg_waiter *waiter) {
    struct cg_round *round = waiter->round;
    if (round == NULL) return;
    cg_round_stop(waiter);
    waiter->round = NULL;
    DL_DELETE2(round->waiters, waiter, previous, next);
    cg_reader_leave(&waiter->reader);
    bool has_more_to_say = round->watch.phase == CG_WATCH_CANCELS || round->watch.phase == CG_WATCH_LINGERS;
    if (round->cached.kept_as != NULL) {
        cg_served_weigh(round);
    } else if (!has_more_to_say) {
        cg_round_bury(round);
    }
}

void cg_round_bury(struct cg_round *round) {
    if (round->waiters != NULL) return;
    if (round->rounds->unseen == round) round->rounds->unseen = round->next;
    DL_DELETE2(round->rounds->all, round, previous, next);
    cg_round_free(round);
}

void cg_rounds_fini(struct cg_rounds *rounds) {
    cg_served_fini(rounds);
    while (rounds->all != NULL) cg_round_bury(rounds->all);
}

void cg_round_begin_again(struct cg_waiter *waiter) { cg_reader_begin_again(&waiter->reader); }

/* Groups that are left. */

static void withdraw(struct cg_round *round) {
    struct cg_problem problem = {0};
    cg_problem_set(&problem, CG_E_PROTECT, "the security group was removed from the settings");
    cg_casts_give_up(round, &problem);
    cg_round_wake_all(round);
}

void cg_rounds_withdraw(struct cg_rounds *rounds) {
    rounds->unseen = rounds->all;
    rounds->engine->port->wake(rounds->engine->port->ctx);
}

bool cg_rounds_withdraw_turn(struct cg_rounds *rounds) {
    for (unsigned i = 0; i < WITHDRAWN_A_TURN && rounds->unseen != NULL; i++) {
        struct cg_round *round = rounds->unseen;
        rounds->unseen = round->next;
        if (cg_round_has_lost_its_group(round)) withdraw(round);
    }
    return rounds->unseen != NULL;
}
