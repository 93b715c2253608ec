/* Waking. The hard thing: an answer costs what those who follow cost, not those who wait; and one that changes while
 * some have taken it and others have not must reach all of them. So answers stand in one list in the order in which
 * they became what they are, a follower is a place in it, and one that changes after somebody took it goes to the end.
 */
#include "rounds/wake.h"

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

/* News. */

static void append(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_waiter *waiter;
    held->news = ++round->news_count;
    held->previous_news = round->last_news;
    held->next_news = NULL;
    *(round->last_news != NULL ? &round->last_news->next_news : &round->news) = held;
    round->last_news = held;
    DL_FOREACH2(round->followers, waiter, next_follower) {
        if (waiter->untold == NULL) waiter->untold = held;
    }
}

static void take_out(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_waiter *waiter;
    DL_FOREACH2(round->followers, waiter, next_follower) {
        if (waiter->untold == held) waiter->untold = held->next_news;
    }
    *(held->previous_news != NULL ? &held->previous_news->next_news : &round->news) = held->next_news;
    *(held->next_news != NULL ? &held->next_news->previous_news : &round->last_news) = held->previous_news;
}

static bool has_taken(const struct cg_waiter *follower, const struct cg_held_answer *held) {
    return follower->untold == NULL || held->news < follower->untold->news;
}

static bool has_anybody_taken(const struct cg_round *round, const struct cg_held_answer *held) {
    const struct cg_waiter *waiter = round->followers;
    while (waiter != NULL && !has_taken(waiter, held)) waiter = waiter->next_follower;
    return waiter != NULL;
}

void cg_round_tell(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_waiter *waiter;
    bool is_new = held->news == 0;
    if (!is_new && !has_anybody_taken(round, held)) return; /* what it says now is what will be told */
    if (!is_new) take_out(round, held);
    append(round, held);
    DL_FOREACH2(round->followers, waiter, next_follower) waiter->wake(waiter);
}

/* Looks. */

bool cg_round_is_finished(const struct cg_round *round, const char **ended_by) {
    return round->by_time == 0 && cg_tally_is_finished(&round->tally, ended_by);
}

bool cg_round_is_wanted(const struct cg_round *round) { return !round->closed && round->collecting > round->forsaken; }

bool cg_round_is_opening(const struct cg_round *round) {
    const struct cg_ask *ask;
    const struct cg_partial *partial;
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_cast *cast = round->parts[i].cast;
        if (cast != NULL && cast->leg.opening > 0) return true;
    }
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (ask->leg.opening > 0) return true;
    }
    DL_FOREACH(round->partials, partial) {
        if (partial->blocks.ask != NULL && partial->blocks.ask->leg.opening > 0) return true;
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
    if (is_verified || ends_for_some) cg_round_wake_all(round);
}

void cg_round_request_ended(struct cg_round *round) {
    struct cg_engine *engine = cg_round_engine(round);
    round->repair.running--;
    bool has_more = round->repair.begun && round->repair.next_silent < round->mapping->member_count;
    if (has_more && !round->closed) cg_engine_set_timer(engine, &round->repair.timer, engine->now_us);
    cg_round_reconsider(round);
}
