/* Next hops that are observed. The hard thing: one word of a next hop is about all who are behind it, who may be many,
 * so it is known of each where it is, and of each next hop how many these are. */
#include "rounds/hop_watch.h"

#include "legs/ask.h"
#include "rounds/hops.h"
#include "rounds/watch.h"
#include "rounds/watching.h"

#define RETRY_US (10 * CG_SECOND_US) /* doubled each time */

/* Who is behind it */

void cg_hop_watch_hear(struct cg_part *part, bool was_observed, bool is_observed) {
    struct cg_hop_watch *watch = &part->hop_watch;
    if (is_observed && watch->is_lost) part->round->watch.observed += watch->observed;
    if (is_observed) watch->is_lost = false;
    if (is_observed) watch->failures = 0;
    const uint32_t change = (is_observed ? 1u : 0u) - (was_observed ? 1u : 0u);
    watch->observed += change;
    if (!watch->is_lost) part->round->watch.observed += change;
}

bool cg_hop_watch_is_on(const struct cg_part *part) { return part->hop_watch.observed > 0 || part->hop_watch.is_lost; }

bool cg_hop_watch_lose(struct cg_part *part) {
    struct cg_hop_watch *watch = &part->hop_watch;
    struct cg_round *round = part->round;
    bool is_new = !watch->is_lost;
    if (is_new) round->watch.observed -= watch->observed;
    watch->is_lost = true;
    watch->failures += watch->failures < CG_WATCH_DOUBLINGS;
    watch->due_us = cg_watching_now(round) + cg_earlier(RETRY_US << watch->failures, cg_watching_period(round));
    cg_watch_settle(round);
    return is_new;
}

/* Registering once more */

bool cg_hop_watch_is_registered(const struct cg_part *part) {
    return part->hop != NULL && part->hop->observed && !part->hop_watch.is_lost;
}

/* On its token; one that is lost, anew. */
static void renew(struct cg_part *part) {
    part->hop_watch.is_stale = false;
    part->hop_watch.due_us = 0;
    if (cg_hop_watch_is_registered(part)) {
        bool is_under_way = !part->hop->rests;
        if (!is_under_way) cg_ask_renew(cg_round_engine(part->round), part->hop, part->request);
    } else if (part->hop_watch.is_lost) {
        cg_hops_ask_anew(part);
    }
}

void cg_hop_watch_renew_all(struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) renew(&round->parts[i]);
}

void cg_hop_watch_renew_stale(struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) {
        if (!round->parts[i].hop_watch.is_stale) continue;
        round->mapping->stats->renewals[CG_RENEWAL_STALE]++;
        renew(&round->parts[i]);
    }
}

uint64_t cg_hop_watch_go_on(struct cg_round *round) {
    uint64_t next_us = UINT64_MAX;
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_hop_watch *watch = &round->parts[i].hop_watch;
        if (watch->due_us != 0 && watch->due_us <= cg_watching_now(round)) renew(&round->parts[i]);
        if (watch->due_us != 0) next_us = cg_earlier(next_us, watch->due_us);
    }
    return next_us;
}
