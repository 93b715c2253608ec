/* Entering. The hard thing: whatever is equal shares a round, but what has begun is joined only while members may still
 * be deciding on their answers, and what is kept is given before anything of that is looked at. */
#include "rounds/make.h"
#include "rounds/round_inside.h"

#include "base/container.h"
#include "legs/tap.h"
#include "model/same.h"
#include "rounds/burst.h"
#include "rounds/cached.h"
#include "rounds/casts.h"
#include "rounds/large.h"
#include "rounds/only.h"
#include "rounds/served.h"
#include "rounds/shape.h"
#include "rounds/silence.h"
#include "rounds/wake.h"
#include "rounds/watch.h"

#include <utlist.h>

/* Beginning. */

static void add_waiter(struct cg_round *round, struct cg_waiter *waiter) {
    waiter->round = round;
    waiter->drops_before = cg_round_count_drops(round);
    waiter->collects = true;
    round->collecting++;
    round->by_time += waiter->finishing == CG_FINISH_BY_TIME;
    DL_APPEND2(round->waiters, waiter, previous, next);
}

/* Where nothing is cast: the first turn of a member is waited for, so that one is asked at all; then its time begins.
 */
static void begin_asking(struct cg_round *round, struct cg_waiter *waiter) {
    round->state = CG_ROUND_GATHERS;
    round->sent_us = cg_round_engine(round)->now_us;
    cg_round_set_deadline(waiter, round->sent_us, cg_longest_wait(waiter->timeout_us));
    if (round->is_large) {
        cg_large_plan(round);
    } else if (round->only != NULL) {
        cg_only_plan(round);
    } else {
        cg_silence_plan_all(round);
    }
}

/* Where there is no memory to be found by, nobody joins. */
static void open_door(struct cg_round *round) {
    HASH_ADD_KEYPTR(hh, round->rounds->open, round->shape.data, round->shape.len, round);
    round->is_open = CG_HASH_HAS(hh, round);
}

/* The most patient of its waiters says how long its turn is waited for. */
static uint64_t longest_timeout(const struct cg_round *round) {
    const struct cg_waiter *waiter;
    uint64_t longest_us = 0;
    DL_FOREACH(round->waiters, waiter) {
        if (waiter->timeout_us > longest_us) longest_us = waiter->timeout_us;
    }
    return longest_us;
}

static void cast(struct cg_round *round) {
    if (round->burst_key != 0) cg_burst_cast(round);
    cg_casts_begin(round, longest_timeout(round));
}

/* Nobody may hear it any more, or what it waited for has failed. */
static void held_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, held);
    (void)engine;
    if (round->state == CG_ROUND_CASTS && cg_round_is_wanted(round)) cast(round);
}

static void hold(struct cg_round *round, uint64_t until_us) {
    round->held.due = held_due;
    cg_engine_set_timer(cg_round_engine(round), &round->held, until_us);
}

static void begin_casting(struct cg_round *round) {
    uint64_t until_us = round->burst_key == 0 ? 0 : cg_burst_until(round);
    if (until_us > cg_round_engine(round)->now_us) {
        hold(round, until_us);
    } else {
        cast(round);
    }
}

static void begin(struct cg_round *round, struct cg_waiter *waiter) {
    DL_APPEND2(round->rounds->all, round, previous, next);
    add_waiter(round, waiter);
    cg_cached_begin(round);
    cg_watch_begin(round);
    if (round->by_unicast) {
        begin_asking(round, waiter);
    } else {
        begin_casting(round);
    }
}

/* Where all is known already there is nothing to wait for. */
static void begin_served(struct cg_round *round, struct cg_waiter *waiter) {
    DL_APPEND2(round->rounds->all, round, previous, next);
    add_waiter(round, waiter);
    round->state = CG_ROUND_GATHERS;
    round->sent_us = cg_round_engine(round)->now_us;
    round->asked = true;
    round->ended_by = "all";
    cg_round_set_deadline(waiter, round->sent_us, waiter->timeout_us);
    cg_round_close(round);
}

/* The same, by one that was served to somebody else. */
static void join_served(struct cg_round *round, struct cg_waiter *waiter) {
    add_waiter(round, waiter);
    round->mapping->stats->cache_hits++;
    cg_round_set_deadline(waiter, cg_round_engine(round)->now_us, waiter->timeout_us);
}

/* Joining. */

/* Relayed requests are their clients' own; what is not safe is done as often as it is asked for. */
static bool may_be_shared(const struct cg_round *round) {
    bool is_safe = (CG_METHOD_BIT(round->method) & CG_METHODS_SAFE) != 0;
    bool is_wide = !round->by_unicast || cg_round_observes(round);
    return is_safe && is_wide && round->mapping->security != CG_SECURITY_RELAY && !round->shape.failed;
}

static bool is_held(const struct cg_round *round) { return round->held.deadline.is_set; }

static bool may_join_part(const struct cg_round *round, const struct cg_part *part) {
    const struct cg_cast *cast = part->cast;
    if (is_held(round)) return part->state == CG_PART_WAITS;
    if (cast == NULL || cast->answered || cg_cast_is_outdated(cast)) return false;
    return part->state == CG_PART_WAITS ||
           cg_round_engine(round)->now_us - cast->leg.sending.sent_us < CG_JOIN_WINDOW_US;
}

/* What forbids it once forbids it for good. Who observes is told what there is, however long ago it was registered. */
static bool may_join(const struct cg_round *round) {
    bool may = !round->closed && !cg_round_has_lost_its_group(round) && round->problem.err == 0;
    if (cg_round_observes(round)) return may && !round->gave_up && round->state != CG_ROUND_FAILED;
    for (size_t i = 0; may && i < round->part_count; i++) may = may_join_part(round, &round->parts[i]);
    return may;
}

/* Answers may be older than the request that joins, which the reply says. */
static void note_age(struct cg_waiter *waiter, const struct cg_cast *cast) {
    const struct cg_sending *sending = &cast->leg.sending;
    if (sending->request == 0) return;
    uint64_t age_us = cg_round_engine(waiter->round)->now_us - sending->sent_us + 1; /* never 0 */
    if (age_us > waiter->joined_us) waiter->joined_us = age_us;
}

static void join_casts(struct cg_waiter *waiter) {
    struct cg_round *round = waiter->round;
    uint64_t give_up_us = cg_round_engine(round)->now_us + cg_longest_wait(waiter->timeout_us);
    for (size_t i = 0; i < round->part_count && !is_held(round); i++) {
        struct cg_cast *cast = round->parts[i].cast;
        if (cast == NULL) continue;
        cg_cast_wait_until(cast, give_up_us);
        if (!cg_round_observes(round)) note_age(waiter, cast);
    }
}

static void join(struct cg_round *round, struct cg_waiter *waiter) {
    uint64_t now_us = cg_round_engine(round)->now_us;
    bool waits_for_turn = round->by_unicast && !round->asked;
    add_waiter(round, waiter);
    round->mapping->stats->joined++;
    cg_burst_joined(round);
    join_casts(waiter);
    if (round->state != CG_ROUND_GATHERS) return;
    cg_round_set_deadline(waiter, now_us, waits_for_turn ? cg_longest_wait(waiter->timeout_us) : waiter->timeout_us);
    cg_silence_hasten(round, waiter->timeout_us);
}

/* What observes outlives its settings, and may be joined under others that say the same. */
static bool is_of_same_mapping(const struct cg_round *one, const struct cg_round *other) {
    return one->mapping == other->mapping || cg_mapping_is_same(one->mapping, other->mapping);
}

/* An equal round that may be joined; NULL: none. */
static struct cg_round *find_open(const struct cg_round *candidate) {
    const struct cg_buf *shape = &candidate->shape;
    struct cg_round *round;
    HASH_FIND(hh, candidate->rounds->open, shape->data, shape->len, round);
    if (round == NULL || (may_join(round) && is_of_same_mapping(round, candidate))) return round;
    cg_round_close_door(round);
    return NULL;
}

int cg_round_enter(struct cg_rounds *rounds, const struct cg_wish *wish, struct cg_waiter *waiter,
                   struct cg_problem *problem) {
    struct cg_round *served = cg_served_find(rounds, wish), *round, *equal = NULL;
    if (served != NULL) {
        join_served(served, waiter);
        return CG_OK;
    }
    round = cg_round_make(rounds, wish, problem);
    if (round != NULL && cg_cached_serve(round, wish)) { /* legs have no part in it */
        begin_served(round, waiter);
        cg_served_keep(round, wish);
        return CG_OK;
    }
    CG_TAP(rounds->engine, admitted, wish);
    if (round == NULL) return problem->err;
    bool is_shared = may_be_shared(round);
    if (is_shared) equal = find_open(round);
    if (equal != NULL) {
        cg_round_free(round);
        join(equal, waiter);
        return CG_OK;
    }
    if (is_shared) {
        if (!cg_round_observes(round)) round->burst_key = cg_shape_hash(&round->shape);
        open_door(round);
    }
    begin(round, waiter);
    return CG_OK;
}
