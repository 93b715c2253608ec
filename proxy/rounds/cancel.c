/* Cancelling. The hard thing: nobody waits for the round any more, and it still has something to say, which must wait
 * for its group's turn as all that goes out. */
#include "rounds/cancel.h"

#include "rounds/asks.h"
#include "rounds/hop_watch.h"
#include "rounds/shape.h"
#include "rounds/watching.h"

#include <utlist.h>

#define LINGER_US (60 * CG_SECOND_US) /* for who has missed the cancellation */

/* False: no memory. */
static bool make_cancellations(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    size_t count = 2 * round->part_count;
    watch->cancels = cg_arena_alloc(&round->arena, count * sizeof *watch->cancels);
    for (size_t i = 0; watch->cancels != NULL && i < count; i++) {
        const struct cg_leg_request *request = round->parts[i % round->part_count].request;
        if (!cg_shape_cancel(request, &round->arena, &watch->cancels[i])) return false;
    }
    return watch->cancels != NULL;
}

static const struct cg_leg_request *cancellation(const struct cg_round *round, const struct cg_part *part) {
    return &round->watch.cancels[(round->watch.is_repeated ? round->part_count : 0) + (size_t)(part - round->parts)];
}

static void cancel_casts(struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_part *part = &round->parts[i];
        const struct cg_leg_request *cancels = cancellation(round, part);
        if (!cg_watching_is_out(part) || part->cast->leg.request == cancels) continue;
        cg_cast_renew(cg_round_engine(round), part->cast, cancels, round->watch.until_us);
    }
}

static void cancel_asks(struct cg_round *round) {
    struct cg_ask *ask, *next;
    DL_FOREACH_SAFE2(round->repair.asks, ask, next, next_of_owner) {
        const struct cg_leg_request *cancels = cancellation(round, ask->leg.owner);
        if (!cg_watching_is_registered(ask) || ask->leg.request == cancels) continue;
        cg_ask_renew(cg_round_engine(round), ask, cancels);
    }
}

static void cancel_hops(struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_part *part = &round->parts[i];
        const struct cg_leg_request *cancels = &round->watch.cancels[i]; /* Confirmable: the ask repeats it */
        if (!cg_hop_watch_is_registered(part) || part->hop->leg.request == cancels) continue;
        cg_ask_renew(cg_round_engine(round), part->hop, cancels);
    }
}

static void cancel_far(struct cg_round *round, const struct cg_member *member) {
    cg_asks_cancel(round, member, &round->watch.cancels[cg_asks_part(round) - round->parts]);
}

static bool is_to_go_out(const struct cg_ask *ask) {
    return ask->renews || (ask->leg.request->cancels && ask->leg.sending.request == 0);
}

static bool is_cancelling(const struct cg_round *round) {
    const struct cg_ask *ask;
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_part *part = &round->parts[i];
        if (part->cast != NULL && cg_cast_is_renewing(part->cast)) return true;
        if (part->hop != NULL && is_to_go_out(part->hop)) return true;
    }
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (is_to_go_out(ask)) return true;
    }
    return false;
}

static void begin_cancelling(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    watch->phase = CG_WATCH_CANCELS;
    watch->until_us = cg_watching_now(round) + CG_WATCH_WAIT_US;
    round->rounds->cancelling++;
    cg_watching_look_at(round, cg_watching_now(round));
}

static bool has_registered(const struct cg_round *round) {
    const struct cg_ask *ask;
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_part *part = &round->parts[i];
        if (part->cast != NULL && part->state == CG_PART_SENT) return true;
        if (cg_hop_watch_is_registered(part)) return true;
    }
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (cg_watching_is_registered(ask)) return true;
    }
    return false;
}

bool cg_cancel_begin(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    const struct cg_engine *engine = cg_round_engine(round);
    bool has_group = round->mapping->protector->departure <= round->departures;
    bool may =
        watch->was_observed && cg_watching_may_renew(round) && has_group && !engine->closing && has_registered(round);
    if (watch->phase != CG_WATCH_ON) return false;
    round->rounds->observations--;
    watch->phase = CG_WATCH_OVER;
    cg_engine_clear_timer(cg_round_engine(round), &watch->timer);
    if (!may || !make_cancellations(round)) return false;
    begin_cancelling(round);
    return true;
}

/* It keeps all that its members have said, only to repeat one datagram: not where others may need the memory, as where
 * clients come and go. Who notifies all the same gets Resets either way. */
static bool may_linger(const struct cg_round *round) {
    const struct cg_quota *quota = round->rounds->quota;
    return quota == NULL || quota->used < quota->max / 2;
}

static void linger(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    watch->phase = CG_WATCH_LINGERS;
    watch->since_us = cg_watching_now(round);
    round->rounds->cancelling--;
    cg_watching_look_at(round,
                        cg_watching_now(round) + (may_linger(round) ? cg_watching_leisure(round) + LINGER_US : 0));
}

static void cancel_far_ones(struct cg_round *round) {
    if (round->watch.has_told_far) return;
    round->watch.has_told_far = true;
    cg_watching_far(round, cancel_far);
}

void cg_cancel_go_on(struct cg_round *round) {
    cancel_casts(round);
    cancel_asks(round);
    cancel_hops(round);
    cancel_far_ones(round);
    if (!is_cancelling(round) || cg_watching_now(round) >= round->watch.until_us) {
        linger(round);
    } else {
        cg_watching_look_at(round, round->watch.until_us);
    }
}

/* What was under way when the cancellation went out has come when leisure is over. */
void cg_cancel_hear_stray(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    bool is_early = cg_watching_now(round) < watch->since_us + cg_watching_leisure(round);
    if (watch->phase != CG_WATCH_LINGERS || watch->is_repeated || is_early) return;
    watch->is_repeated = true;
    begin_cancelling(round);
}
