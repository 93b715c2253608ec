/* Watching. The hard thing: one timer stands for all that is to come of a round, and what is due first differs from one
 * look to the next: members that are stale (stale.h), keys, a period, who is told later, a cancellation (cancel.h). */
#include "rounds/watch.h"

#include "base/container.h"
#include "rounds/asks.h"
#include "rounds/cancel.h"
#include "rounds/challenge.h"
#include "rounds/hop_watch.h"
#include "rounds/silence.h"
#include "rounds/stale.h"
#include "rounds/wake.h"
#include "rounds/watching.h"

#include <utlist.h>

#define LOOK_US  (5 * CG_SECOND_US)  /* keys are looked at so often */
#define RETRY_US (10 * CG_SECOND_US) /* of a registration that could not go out; doubled each time */

static const double tell_burst = 32, tell_rate = 10; /* notifications of a member that are told; a second */

/* Who is observed */

bool cg_watch_goes_on(const struct cg_round *round) {
    if (!cg_round_observes(round) || round->watch.is_called_off) return false;
    return round->watch.observed > 0 || round->repair.running > 0;
}

void cg_watch_settle(struct cg_round *round) {
    if (!cg_watch_goes_on(round)) cg_round_wake_all(round);
}

void cg_watch_note_end(struct cg_round *round) {
    if (cg_round_observes(round)) cg_watch_settle(round);
}

static void count(struct cg_round *round, struct cg_part *hop, bool was_observed, bool is_observed) {
    if (hop != NULL) {
        cg_hop_watch_hear(hop, was_observed, is_observed);
    } else {
        round->watch.observed += (is_observed ? 1u : 0u) - (was_observed ? 1u : 0u);
    }
}

/* Where one that is gone has left its entry, that one may have been elsewhere. */
static void count_held(struct cg_part *part, struct cg_watched *watched, bool is_observed) {
    struct cg_part *hop = cg_target_is_hop(part->target) ? part : NULL;
    bool was_here = watched->hop == hop && watched->is_observed;
    if (watched->is_observed && !was_here) count(part->round, watched->hop, true, false);
    count(part->round, hop, was_here, is_observed);
    watched->hop = hop;
    watched->is_observed = is_observed;
}

void cg_watch_hear(struct cg_part *part, struct cg_held_answer *held) {
    struct cg_watched *watched = &held->watched;
    struct cg_round *round = part->round;
    if (!cg_round_observes(round)) return;
    bool was_observed = watched->is_observed;
    count_held(part, watched, held->answer.is_notification);
    round->watch.was_observed |= watched->is_observed;
    if (watched->is_observed) cg_stale_note(round, held);
    if (was_observed && !watched->is_observed) cg_watch_settle(round);
}

/* Who sends without end */

static bool take_allowance(const struct cg_round *round, struct cg_watched *watched) {
    cg_allowance_fill(&watched->allowance, tell_burst, tell_rate, cg_watching_now(round));
    if (watched->allowance.left < 1) return false;
    watched->allowance.left -= 1;
    return true;
}

bool cg_watch_may_tell(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_watched *watched = &held->watched;
    if (!cg_round_observes(round) || take_allowance(round, watched)) return true;
    round->mapping->stats->held_back++;
    if (watched->is_held_back) return false;
    watched->is_held_back = true;
    watched->next_held_back = round->watch.held_back;
    round->watch.held_back = held;
    cg_watching_look_at(round, cg_watching_now(round) + cg_allowance_wait_us(&watched->allowance, 1, tell_rate));
    return false;
}

static void tell_held_back(struct cg_round *round) {
    struct cg_held_answer **at = &round->watch.held_back;
    while (*at != NULL) {
        struct cg_held_answer *held = *at;
        bool was_told = held->news.number != 0; /* by something else that it said */
        if (!was_told && !take_allowance(round, &held->watched)) {
            at = &held->watched.next_held_back;
            continue;
        }
        *at = held->watched.next_held_back;
        held->watched.is_held_back = false;
        if (!was_told) cg_feed_append(&round->feed, &held->news);
    }
}

/* Registering once more */

static void renew_casts(struct cg_round *round, uint64_t give_up_us) {
    struct cg_engine *engine = cg_round_engine(round);
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_part *part = &round->parts[i];
        if (cg_watching_is_out(part)) cg_cast_renew(engine, part->cast, part->request, give_up_us);
    }
}

static void renew_asks(struct cg_round *round) {
    struct cg_engine *engine = cg_round_engine(round);
    struct cg_ask *ask, *next;
    DL_FOREACH_SAFE2(round->repair.asks, ask, next, next_of_owner) {
        if (cg_watching_is_registered(ask)) cg_ask_renew(engine, ask, ask->leg.request);
    }
}

/* Members outside multicast's reach: what goes to the group they never hear. */

static const struct cg_member *far_one(const struct cg_round *round, const struct cg_answer *answer) {
    const struct cg_held_answer *held = CG_CONTAINER(answer, const struct cg_held_answer, answer);
    const struct cg_member *member = answer->member;
    bool is_near = held->watched.hop == NULL; /* else it is the next hop's to reach */
    bool is_far = is_near && held->watched.is_observed && member != NULL && cg_silence_is_out_of_reach(round, member);
    return is_far ? member : NULL;
}

/* As many as may be asked at once, others the next time; what is cancelled beyond, Resets tell. */
void cg_watching_far(struct cg_round *round, void (*tell)(struct cg_round *round, const struct cg_member *member)) {
    struct cg_watch *watch = &round->watch;
    size_t count = round->by_unicast ? 0 : round->tally.answered;
    for (size_t i = 0; i < count && cg_round_has_room(round); i++) {
        struct cg_answer *answer = watch->far != NULL ? watch->far : round->tally.answers;
        watch->far = answer->next;
        const struct cg_member *member = far_one(round, answer);
        if (member != NULL) tell(round, member);
    }
}

static void register_far(struct cg_round *round, const struct cg_member *member) {
    (void)cg_asks_register(round, member);
}

static uint64_t retry_us(const struct cg_round *round) {
    return cg_earlier(RETRY_US << round->watch.failures, cg_watching_period(round));
}

void cg_watching_renew_all(struct cg_round *round, enum cg_renewal_kind kind) {
    struct cg_watch *watch = &round->watch;
    watch->is_registering = true;
    watch->renew_us =
        cg_watching_now(round) + CG_WATCH_WAIT_US + retry_us(round); /* unless it is known sooner what became of it */
    round->mapping->stats->renewals[kind]++;
    renew_casts(round, cg_watching_now(round) + CG_WATCH_WAIT_US);
    renew_asks(round);
    cg_watching_far(round, register_far);
}

void cg_watch_register(struct cg_round *round, uint64_t give_up_us) {
    round->mapping->stats->renewals[CG_RENEWAL_SILENCE]++;
    round->watch.is_registering = true;
    renew_casts(round, give_up_us);
}

/* Silence plans what comes after its registration of the group. */
static void tell_silence(struct cg_round *round) {
    if (round->silent.phase != CG_SILENT_WAITING) return;
    cg_engine_set_timer(cg_round_engine(round), &round->repair.timer, cg_watching_now(round));
}

/* Whoever lets a whole registration pass has gone, once that was half a period ago. */
static void note_gone(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (cg_watching_now(round) - watch->registered_us < cg_watching_period(round) / 2) return;
    round->tally.gone_us = watch->registered_us;
    watch->registered_us = cg_watching_now(round);
}

/* What each member may have us do counts anew. */
static void begin_anew(struct cg_round *round) {
    cg_shares_refill(round->repair.shares, round->config->limits.answer);
    cg_challenge_forget(round); /* whoever has started again has to be fresh once more */
    note_gone(round);
}

/* Not where one member alone was registered. */
static void begin_period(struct cg_round *round) {
    round->watch.is_registering = false;
    round->watch.renew_us = cg_watching_now(round) + cg_watching_period(round);
    begin_anew(round);
}

void cg_watch_sent(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (watch->phase == CG_WATCH_ON) {
        watch->failures = 0;
        watch->has_other_keys = false;
        if (watch->is_registering) begin_period(round);
        tell_silence(round);
    } else if (watch->phase == CG_WATCH_CANCELS) {
        cg_watching_look_at(round, cg_watching_now(round));
    }
}

void cg_watch_unsent(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (watch->phase == CG_WATCH_ON) {
        watch->failures += watch->failures < CG_WATCH_DOUBLINGS;
        watch->renew_us = cg_watching_now(round) + retry_us(round);
        tell_silence(round);
    } else if (watch->phase == CG_WATCH_CANCELS) {
        cg_watching_look_at(round, cg_watching_now(round));
    }
}

/* Keys */

static bool has_stale_keys(const struct cg_round *round) {
    const struct cg_ask *ask;
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_part *part = &round->parts[i];
        if (cg_watching_is_out(part) && cg_leg_is_stale(&part->cast->leg)) return true;
        if (cg_hop_watch_is_registered(part) && !part->hop->renews && cg_leg_is_stale(&part->hop->leg)) return true;
    }
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (cg_watching_is_registered(ask) && !ask->renews && cg_leg_is_stale(&ask->leg)) return true;
    }
    return false;
}

static void look_at_keys(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (watch->has_other_keys || !has_stale_keys(round)) return;
    watch->has_other_keys = true;
    watch->renew_us =
        cg_earlier(watch->renew_us, cg_watching_now(round) + cg_watching_random(round, cg_watching_leisure(round)));
}

/* While somebody waits for it */

static void keep_registered(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (watch->renew_us == 0) watch->renew_us = cg_watching_now(round) + cg_watching_period(round);
    look_at_keys(round);
    if (cg_watching_now(round) >= watch->renew_us) {
        cg_watching_renew_all(round, watch->has_other_keys ? CG_RENEWAL_REKEY : CG_RENEWAL_PERIOD);
        cg_hop_watch_renew_all(round);
    } else if (cg_watching_now(round) >= watch->sweep_us) {
        cg_stale_sweep(round);
    }
}

static void watch_on(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    bool is_watching = cg_round_is_wanted(round) && round->state == CG_ROUND_GATHERS && cg_watching_may_renew(round);
    uint64_t next_us = cg_watching_now(round) + LOOK_US;
    tell_held_back(round);
    if (is_watching) {
        keep_registered(round);
        next_us =
            cg_earlier(cg_earlier(next_us, cg_hop_watch_go_on(round)), cg_earlier(watch->sweep_us, watch->renew_us));
    }
    if (watch->held_back != NULL) next_us = cg_earlier(next_us, cg_watching_now(round) + CG_SECOND_US / 10);
    cg_watching_look_at(round, next_us > cg_watching_now(round) ? next_us : cg_watching_now(round) + CG_WATCH_PAUSE_US);
}

static void watch_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, watch.timer);
    (void)engine;
    switch (round->watch.phase) {
    case CG_WATCH_ON: watch_on(round); break;
    case CG_WATCH_CANCELS: cg_cancel_go_on(round); break;
    case CG_WATCH_LINGERS:
        cg_watch_fini(round);
        cg_round_bury(round);
        break;
    case CG_WATCH_OFF:
    case CG_WATCH_OVER: break;
    }
}

/* Relayed */

static void forget_before(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    watch->relayed_next ^= 1;
    struct cg_arena *arena = &watch->relayed[watch->relayed_next];
    cg_arena_fini(arena);
    cg_arena_init(arena, round->arena.max, round->arena.quota);
}

static bool waits_to_go(const struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_part *part = &round->parts[i];
        if (part->cast != NULL && !cg_watching_is_out(part)) return true;
        if (part->hop != NULL && (!cg_hop_watch_is_registered(part) || part->hop->renews)) return true;
    }
    return false;
}

static void relay(const struct cg_part *part, const struct cg_leg_request *request, uint64_t give_up_us) {
    struct cg_engine *engine = cg_round_engine(part->round);
    if (cg_watching_is_out(part)) cg_cast_renew(engine, part->cast, request, give_up_us);
    if (cg_hop_watch_is_registered(part)) cg_ask_renew(engine, part->hop, request);
}

void cg_watch_relay(struct cg_round *round, const struct cg_wish *wish, enum cg_relayed what) {
    bool cancels = what == CG_RELAYED_CANCELLATION;
    if (round->watch.phase != CG_WATCH_ON || waits_to_go(round)) return;
    round->watch.is_registering = true;
    forget_before(round);
    struct cg_arena *arena = &round->watch.relayed[round->watch.relayed_next];
    struct cg_leg_request *requests = cg_arena_alloc(arena, 2 * round->part_count * sizeof *requests);
    if (requests == NULL || cg_shape_requests(wish, arena, requests) < 0) return;
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_leg_request *cancel = &requests[round->part_count + i];
        if (cancels && !cg_shape_cancel(&requests[i], arena, cancel)) return;
        relay(&round->parts[i], cancels ? cancel : &requests[i],
              cg_watching_now(round) + cg_longest_wait(wish->timeout_us));
    }
    round->watch.is_called_off = cancels;
}

/* Beginning and end */

void cg_watch_begin(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (!cg_round_observes(round)) return;
    watch->phase = CG_WATCH_ON;
    watch->sweep_us = UINT64_MAX;
    watch->timer.due = watch_due;
    round->rounds->observations++;
    cg_watching_look_at(round, cg_watching_now(round) + LOOK_US);
}

void cg_watch_fini(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    cg_engine_clear_timer(cg_round_engine(round), &watch->timer);
    if (watch->phase == CG_WATCH_CANCELS) round->rounds->cancelling--;
    watch->phase = watch->phase == CG_WATCH_OFF ? CG_WATCH_OFF : CG_WATCH_OVER;
    cg_arena_fini(&watch->relayed[0]);
    cg_arena_fini(&watch->relayed[1]);
}
