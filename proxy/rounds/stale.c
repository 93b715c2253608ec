/* Staleness. The hard thing: members are many and say little, so who is stale is looked for in slices, and not before
 * somebody can be. */
#include "rounds/stale.h"

#include "base/container.h"
#include "rounds/asks.h"
#include "rounds/hop_watch.h"
#include "rounds/watching.h"

enum {
    GRACE_MORE_US = 10000000,
    LOOKS_A_TURN = 512,  /* members */
    QUIET_DOUBLINGS = 3, /* of the patience with who speaks only when it is asked */
};

static uint64_t age_of(const struct cg_held_answer *held) { return held->notification.max_age_s * CG_SECOND_US; }

/* What it says is the first since it was registered once more; or behind a next hop, so late that this has asked it. */
static bool was_asked(const struct cg_round *round, const struct cg_held_answer *held) {
    uint64_t heard_us = held->watched.heard_us;
    if (heard_us != 0 && held->watched.hop != NULL)
        return held->notified_us - heard_us > age_of(held) + CG_WATCH_GRACE_US;
    return heard_us != 0 && (heard_us < round->tally.registered_us || heard_us < held->registered_us);
}

/* Many never speak before their Max-Age is over unless something changes: a group of these is not to be asked every
 * minute for months, and what was lost is not to go unnoticed for long. */
static uint64_t patience_with(const struct cg_round *round, const struct cg_held_answer *held) {
    uint64_t age_us = age_of(held);
    if (age_us >= cg_watching_period(round)) return age_us;
    uint64_t longer_us = (age_us > CG_WATCH_GRACE_US ? age_us : CG_WATCH_GRACE_US) << held->watched.quiet;
    return held->watched.quiet == 0 ? age_us : cg_earlier(longer_us, cg_watching_period(round));
}

/* A next hop that is there asks it first. */
static uint64_t patience_with_hop(const struct cg_round *round, const struct cg_part *hop) {
    if (hop == NULL) return 0;
    return CG_WATCH_GRACE_US + GRACE_MORE_US + cg_watching_leisure(round) +
           hop->target->next_hop.round_trip_s * CG_SECOND_US;
}

void cg_stale_note(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_watched *watched = &held->watched;
    if (watched->heard_us == held->notified_us) return;
    watched->quiet = !was_asked(round, held) ? 0 : (uint8_t)(watched->quiet + (watched->quiet < QUIET_DOUBLINGS));
    watched->heard_us = held->notified_us;
    watched->stale_us =
        held->notified_us + patience_with(round, held) + patience_with_hop(round, watched->hop) + CG_WATCH_GRACE_US;
    watched->grace_us = (uint32_t)cg_watching_random(round, GRACE_MORE_US);
    watched->misses = 0;
    round->watch.sweep_us = cg_earlier(round->watch.sweep_us, watched->stale_us + watched->grace_us);
}

/* The registration at that time was for it, and it has said nothing since. */
static void back_off(const struct cg_round *round, struct cg_watched *watched) {
    uint64_t wait_us = (cg_watching_leisure(round) + CG_WATCH_GRACE_US) << watched->misses;
    watched->misses += watched->misses < CG_WATCH_DOUBLINGS;
    watched->stale_us = round->watch.chased_us + cg_earlier(wait_us, cg_watching_period(round));
    watched->grace_us = (uint32_t)cg_watching_random(round, GRACE_MORE_US);
}

static void look_at_one(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_watch *watch = &round->watch;
    struct cg_watched *watched = &held->watched;
    if (!watched->is_observed || (watched->hop != NULL && watched->hop->hop_watch.is_lost)) return;
    if (watched->stale_us <= watch->chased_us) back_off(round, watched);
    uint64_t due_us = watched->stale_us + watched->grace_us;
    watch->soonest_us = cg_earlier(watch->soonest_us, due_us);
    if (watched->stale_us > cg_watching_now(round)) return;
    watch->is_due |= due_us <= cg_watching_now(round);
    if (watched->hop != NULL) {
        watched->hop->hop_watch.is_stale = true;
        return;
    }
    watch->stale++;
    watch->stale_one = held;
}

/* Those that are not behind next hops. */
static void chase_near(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    struct cg_held_answer *one = watch->stale_one;
    const struct cg_member *member = one->answer.member;
    bool is_alone = watch->stale == 1 && member != NULL && (round->mapping->repair_unicast || round->by_unicast);
    if (is_alone && cg_asks_register(round, member)) {
        one->registered_us = cg_watching_now(round);
        round->mapping->stats->renewals[CG_RENEWAL_MEMBER]++;
    } else {
        cg_watching_renew_all(round, CG_RENEWAL_STALE);
    }
}

static void chase(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    watch->chased_us = cg_watching_now(round);
    watch->soonest_us = cg_watching_now(round) + cg_watching_leisure(round) + CG_WATCH_GRACE_US;
    cg_hop_watch_renew_stale(round);
    if (watch->stale > 0) chase_near(round);
}

static void begin_sweep(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    watch->stale = 0;
    watch->is_due = false;
    watch->soonest_us = UINT64_MAX;
    for (size_t i = 0; i < round->part_count; i++) round->parts[i].hop_watch.is_stale = false;
}

static void end_sweep(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (watch->is_due) chase(round);
    uint64_t soon_us = cg_watching_now(round) + CG_SECOND_US;
    watch->sweep_us = watch->soonest_us > soon_us ? watch->soonest_us : soon_us;
}

void cg_stale_sweep(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    struct cg_answer *at = watch->next;
    if (at == NULL) {
        at = round->tally.answers;
        begin_sweep(round);
    }
    for (size_t i = 0; at != NULL && i < LOOKS_A_TURN; i++, at = at->next) {
        look_at_one(round, CG_CONTAINER(at, struct cg_held_answer, answer));
    }
    watch->next = at;
    if (at == NULL) {
        end_sweep(round);
    } else {
        watch->sweep_us = cg_watching_now(round) + CG_WATCH_PAUSE_US;
    }
}
