/* Waking. The hard thing: whatever happens may be of interest to thousands, most of whom it does not concern: an answer
 * wakes those who follow (feed.h), and others only where it may end their collecting. */
#include "rounds/wake.h"

#include "rounds/watch.h"

#include <utlist.h>

enum {
    LAST_ANSWERS = 16,       /* whoever lacks no more than these waits for each of them */
    LAST_ANSWERS_US = 50000, /* and so long it is worth a millisecond that they are not held back */
};

void cg_round_wake_all(struct cg_round *round) {
    struct cg_waiter *waiter;
    if (round->roused) return;
    round->roused = true;
    DL_FOREACH(round->waiters, waiter) waiter->wake(waiter);
}

void cg_round_set_deadline(struct cg_waiter *waiter, uint64_t from_us, uint64_t wait_us) {
    struct cg_round *round = waiter->round;
    waiter->sent_us = from_us;
    waiter->deadline_us = from_us + wait_us;
    if (waiter->deadline_us > round->deadline_us) round->deadline_us = waiter->deadline_us;
}

void cg_round_start_clock(struct cg_round *round, uint64_t sent_us) {
    struct cg_waiter *waiter;
    round->sent_us = sent_us;
    round->deadline_us = 0;
    DL_FOREACH(round->waiters, waiter) cg_round_set_deadline(waiter, sent_us, waiter->timeout_us);
    cg_round_wake_all(round);
    cg_round_hurry(round);
}

/* Looks. */

bool cg_round_is_finished(const struct cg_round *round, const char **ended_by) {
    return round->by_time == 0 && cg_tally_is_finished(&round->tally, ended_by);
}

bool cg_round_is_wanted(const struct cg_round *round) { return !round->closed && round->collecting > round->forsaken; }

static bool has_more_large(const struct cg_round *round) {
    return round->large.begun && round->large.next < round->mapping->member_count;
}

bool cg_round_is_exhausted(const struct cg_round *round) {
    return round->large.begun && !has_more_large(round) && round->repair.running == 0 && round->partials == NULL;
}

bool cg_round_is_busy(const struct cg_round *round) {
    bool has_silent = round->silent.phase != CG_SILENT_NONE && round->silent.phase != CG_SILENT_DONE;
    return has_silent || round->repair.running > 0 || round->partials != NULL || cg_round_is_opening(round);
}

static bool is_opening(const struct cg_ask *ask) { return ask != NULL && ask->leg.opening > 0; }

bool cg_round_is_opening(const struct cg_round *round) {
    const struct cg_ask *ask;
    const struct cg_partial *partial;
    const struct cg_transfer *transfer;
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_cast *cast = round->parts[i].cast;
        const struct cg_cast *again = round->parts[i].again;
        if (cast != NULL && cast->leg.opening > 0) return true;
        if (again != NULL && again->leg.opening > 0) return true;
        if (is_opening(round->parts[i].hop)) return true;
    }
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (is_opening(ask)) return true;
    }
    DL_FOREACH(round->partials, partial) {
        if (is_opening(partial->blocks.ask)) return true;
    }
    DL_FOREACH(round->large.transfers, transfer) {
        if (is_opening(transfer->upload.ask)) return true;
    }
    return false;
}

void cg_round_hurry(const struct cg_round *round) {
    const struct cg_engine *engine = cg_round_engine(round);
    const struct cg_port *port = engine->port;
    if (port->hurry == NULL || cg_tally_lacks(&round->tally) > LAST_ANSWERS) return;
    port->hurry(port->ctx, engine->now_us + LAST_ANSWERS_US);
}

void cg_round_reconsider(struct cg_round *round) {
    const char *rule;
    bool is_verified = round->verifying && !cg_round_is_opening(round);
    bool ends_for_some = round->by_time < round->collecting && cg_tally_is_finished(&round->tally, &rule);
    if (is_verified || ends_for_some || cg_round_is_exhausted(round)) cg_round_wake_all(round);
}

void cg_round_request_ended(struct cg_round *round) {
    struct cg_engine *engine = cg_round_engine(round);
    round->repair.running--;
    if (round->waiting != NULL && !round->closed) cg_engine_set_timer(engine, &round->repair.fetch, engine->now_us);
    bool has_more = round->silent.is_stuck || has_more_large(round);
    if (has_more && !round->closed) cg_engine_set_timer(engine, &round->repair.timer, engine->now_us);
    round->silent.is_stuck = false;
    cg_watch_note_end(round);
    cg_round_reconsider(round);
}
