/* Rounds: begun or joined, cast, gathered, ended. The hard thing: many wait for one and each has its own time, so what
 * ends a waiter's collecting and what ends the round are told apart: the round ends for all when a finish rule is met
 * that all of them go by, or it has a problem, and otherwise when the last of those who collect has had enough. */
#include "rounds/round.h"

#include "base/container.h"
#include "legs/tap.h"
#include "model/same.h"
#include "rounds/again.h"
#include "rounds/asks.h"
#include "rounds/burst.h"
#include "rounds/cached.h"
#include "rounds/cancel.h"
#include "rounds/casts.h"
#include "rounds/hops.h"
#include "rounds/intake.h"
#include "rounds/large.h"
#include "rounds/only.h"
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

/* Whoever is woken before it was told that sees it by the numbers. */
static bool has_lost_its_group(const struct cg_round *round) {
    return round->mapping->protector->departure > round->departures;
}

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
static void close_round(struct cg_round *round) {
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

static void free_round(struct cg_round *round) {
    close_round(round);
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

/* Beginning. */

static int make_parts(struct cg_round *round, const struct cg_wish *wish) {
    const struct cg_mapping *mapping = wish->mapping;
    struct cg_leg_request *requests = cg_arena_alloc(&round->arena, mapping->target_count * sizeof *requests);
    struct cg_part *parts = cg_arena_zalloc(&round->arena, mapping->target_count * sizeof *parts);
    if (requests == NULL || parts == NULL) return CG_E_NO_MEMORY;
    int err = cg_shape_requests(wish, &round->arena, requests);
    if (err < 0) return err;
    for (size_t i = 0; i < mapping->target_count; i++) {
        parts[i] = (struct cg_part){.round = round, .target = &mapping->targets[i], .request = &requests[i]};
    }
    round->parts = parts;
    round->part_count = mapping->target_count;
    cg_shape_emit(&round->shape, mapping, &requests[0]);
    if (cg_mapping_has_hop(mapping)) cg_buf_put(&round->shape, &wish->timeout_us, sizeof wish->timeout_us);
    if (wish->member != NULL) cg_shape_emit_member(&round->shape, wish);
    if (!cg_cached_init(round, wish)) return CG_E_NO_MEMORY;
    cg_cached_emit_shape(&round->shape, round, wish);
    return CG_OK;
}

/* R6: fewer than two members can be reached by a group request, and all can be asked by unicast. */
static bool has_nobody_to_cast_to(const struct cg_wish *wish) {
    const struct cg_mapping *mapping = wish->mapping;
    bool is_known = mapping->complete && mapping->member_count > 0 && mapping->target_count == 1;
    size_t reachable = 0;
    if (!is_known || !wish->expects_answers || cg_mapping_has_hop(mapping)) return false;
    for (size_t i = 0; i < mapping->member_count && reachable < 2; i++) {
        const struct cg_member *member = &mapping->members[i];
        if (member->addr.family == CG_FAMILY_NONE) return false;
        reachable += !member->is_unicast_only;
    }
    return reachable < 2;
}

static const struct cg_member *only_member(const struct cg_wish *wish) {
    if (wish->member != NULL) return wish->member;
    bool is_only = wish->mapping->member_count == 1 && has_nobody_to_cast_to(wish);
    return is_only ? &wish->mapping->members[0] : NULL;
}

/* Of before a restart. Only who verifies what comes may ask there: an address may be somebody else's by now. */
static bool find_remembered(const struct cg_round *round, struct cg_addr *at) {
    const struct cg_member *only = round->only;
    const struct cg_known *known = NULL;
    if (only->identity.len > 0 && round->rounds->knowns != NULL)
        known = cg_known_find(round->rounds->knowns, round->mapping, only);
    if (known != NULL) *at = *cg_known_addr(known);
    return known != NULL;
}

/* Where the client says that it is; else where it is configured to be, or where its credential has verified last. */
static int find_only(struct cg_round *round, const struct cg_wish *wish, struct cg_problem *problem) {
    const struct cg_member *only = round->only;
    round->only_at = wish->at;
    if (only == NULL || wish->at.family != CG_FAMILY_NONE) return CG_OK;
    if (cg_protector_find(round->mapping->protector, only, &round->only_at)) return CG_OK;
    if (find_remembered(round, &round->only_at)) return CG_OK;
    return cg_problem_set(problem, CG_E_EMIT,
                          "where member %s is is not known: no \"address\" is configured, and it has answered nothing "
                          "since the gateway started",
                          only->name);
}

/* Those who follow and have not taken it yet take it as it is. */
static void release(struct cg_tally *tally, struct cg_held_answer *held, enum cg_replacement by) {
    struct cg_feed *feed = &CG_CONTAINER(tally, struct cg_round, tally)->feed;
    if (by == CG_REPLACED_BY_NOTIFICATION) {
        cg_feed_supersede(feed, &held->news);
    } else {
        cg_feed_release(feed, &held->news);
    }
}

static int fill(struct cg_round *round, const struct cg_wish *wish, struct cg_problem *problem) {
    if (!cg_tally_init(&round->tally, &round->arena, round->mapping)) return cg_problem_memory_full(problem);
    round->tally.replacing = release;
    if (wish->member != NULL) cg_tally_expect_one(&round->tally);
    if (cg_large_check(wish, round->only, problem) < 0) return problem->err;
    if (wish->member == NULL && cg_hops_check(wish, problem) < 0) return problem->err;
    if (find_only(round, wish, problem) < 0) return problem->err;
    int err = make_parts(round, wish);
    if (round->parts != NULL && round->parts[0].request->observes) cg_tally_observe(&round->tally);
    if (err == CG_OK) return CG_OK;
    if (err == CG_E_NO_MEMORY) return cg_problem_memory_full(problem);
    return cg_problem_set(problem, err, "the path or query cannot be put into CoAP options");
}

/* Who is in no settings is its client's, which may leave before others do. NULL: no memory. */
static const struct cg_member *keep_stranger(struct cg_round *round, const struct cg_member *stranger) {
    struct cg_member *kept = cg_arena_alloc(&round->arena, sizeof *kept);
    struct cg_slice name = cg_arena_copy(&round->arena, cg_slice_of(stranger->name, strlen(stranger->name) + 1));
    if (kept == NULL || name.data == NULL) return NULL;
    *kept = *stranger;
    kept->name = (const char *)name.data;
    return kept;
}

/* Nothing of it is anywhere yet. NULL, with *problem. */
static struct cg_round *new_round(struct cg_rounds *rounds, const struct cg_wish *wish, struct cg_problem *problem) {
    struct cg_round *round = calloc(1, sizeof *round);
    if (round == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    round->rounds = rounds;
    round->departures = rounds->engine->departures;
    round->config = cg_config_ref(wish->config);
    round->mapping = wish->mapping;
    round->method = wish->request->method;
    round->only_is_stranger = wish->is_stranger;
    round->is_large = cg_shape_is_large(wish->mapping, wish->request->payload);
    cg_arena_init(&round->arena, wish->config->limits.exchange_memory, rounds->quota);
    round->only = wish->is_stranger ? keep_stranger(round, wish->member) : only_member(wish);
    round->by_unicast = round->only != NULL || round->is_large || has_nobody_to_cast_to(wish);
    round->feed = (struct cg_feed){.arena = &round->arena, .copied_max = wish->config->limits.stream_queue};
    cg_buf_init(&round->shape, 0);
    if (wish->is_stranger && round->only == NULL) {
        cg_problem_memory_full(problem);
    } else if (fill(round, wish, problem) == CG_OK) {
        return round;
    }
    free_round(round);
    return NULL;
}

/* Each look is a system call, and tells of nothing where nobody is asked. */
static uint64_t count_drops(const struct cg_round *round) {
    const struct cg_port *port = cg_round_engine(round)->port;
    return round->cached.is_served ? 0 : port->kernel_drops(port->ctx);
}

static void add_waiter(struct cg_round *round, struct cg_waiter *waiter) {
    waiter->round = round;
    waiter->drops_before = count_drops(round);
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
    close_round(round);
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
    bool may = !round->closed && !has_lost_its_group(round) && round->problem.err == 0;
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
    round = new_round(rounds, wish, problem);
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
        free_round(round);
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
    if (has_lost_its_group(round)) {
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
    close_round(round);
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
    waiter->drops = (uint32_t)(count_drops(round) - waiter->drops_before);
    cg_reader_stop(&waiter->reader);
    round->collecting--;
    round->by_time -= waiter->finishing == CG_FINISH_BY_TIME;
    round->forsaken -= waiter->forsaken;
    if (round->collecting == 0) close_round(round);
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
    free_round(round);
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
        if (has_lost_its_group(round)) withdraw(round);
    }
    return rounds->unseen != NULL;
}
