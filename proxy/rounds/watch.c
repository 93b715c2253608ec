/* Watching. */
#include "rounds/watch.h"

#include "rounds/wake.h"

bool cg_watch_goes_on(const struct cg_round *round) {
    return cg_round_observes(round) && (round->watch.observed > 0 || round->repair.running > 0);
}

/* Whoever waits beyond its time waits for nothing any more. */
static void settle(struct cg_round *round) {
    if (!cg_watch_goes_on(round)) cg_round_wake_all(round);
}

void cg_watch_hear(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_watched *watched = &held->watched;
    if (!cg_round_observes(round)) return;
    bool was_observed = watched->is_observed;
    watched->is_observed = held->answer.is_notification;
    round->watch.observed += (watched->is_observed ? 1u : 0u) - (was_observed ? 1u : 0u);
    if (was_observed && !watched->is_observed) settle(round);
}

void cg_watch_note_end(struct cg_round *round) {
    if (cg_round_observes(round)) settle(round);
}
