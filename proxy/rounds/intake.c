/* Answers on their way to the tally. The hard thing: an answer in blocks is nobody's before it is whole; until then it
 * takes nobody's place, and no finish rule is met. */
#include "rounds/intake.h"

#include "base/container.h"
#include "legs/forwardable.h"
#include "rounds/asks.h"
#include "rounds/cached.h"
#include "rounds/evidence.h"
#include "rounds/hearsay.h"
#include "rounds/hop_blocks.h"
#include "rounds/remember.h"
#include "rounds/revalidate.h"
#include "rounds/told.h"
#include "rounds/wake.h"
#include "rounds/watch.h"

#include <stdlib.h>
#include <utlist.h>

/* Figures. */

static enum cg_fate fate_of(enum cg_tally_result result) {
    switch (result) {
    case CG_TALLY_NEW:
    case CG_TALLY_NEWER:
    case CG_TALLY_NOTIFIED:
    case CG_TALLY_AWAITED: return CG_FATE_ANSWER;
    case CG_TALLY_SAME:
    case CG_TALLY_BESIDE:
    case CG_TALLY_AGAIN: return CG_FATE_DUPLICATE;
    case CG_TALLY_OVER_CAP:
    case CG_TALLY_NO_MEMORY: break;
    }
    return CG_FATE_REJECTED;
}

/* What was made of the tally is no longer what it says. */
static void count(struct cg_round *round, enum cg_tally_result result) {
    struct cg_stats *stats = round->mapping->stats;
    bool is_again =
        result == CG_TALLY_AGAIN || result == CG_TALLY_NEWER || result == CG_TALLY_SAME || result == CG_TALLY_BESIDE;
    bool is_dropped = result == CG_TALLY_OVER_CAP || result == CG_TALLY_NO_MEMORY;
    cg_shelf_clear(&round->shelf);
    stats->duplicate += is_again;
    stats->notifications += result == CG_TALLY_NOTIFIED;
    stats->over_cap += is_dropped;
    stats->rejected += is_dropped;
    if (result != CG_TALLY_NO_MEMORY) return;
    cg_problem_memory_full(&round->problem);
    cg_round_wake_all(round);
}

static void refuse(struct cg_round *round, const struct cg_addr *from, const struct cg_opened *opened,
                   const char *reason) {
    cg_shelf_clear(&round->shelf);
    cg_tally_refuse(&round->tally, from, opened, reason);
    cg_evidence_note_refusal(round, from, opened, reason);
    round->mapping->stats->rejected++;
}

void cg_round_refuse(struct cg_round *round, const struct cg_addr *from, const struct cg_opened *opened,
                     const char *reason) {
    refuse(round, from, opened, reason);
    cg_account_say(cg_round_engine(round), CG_FATE_REJECTED);
    cg_round_reconsider(round);
}

/* Those who follow. */

/* As it arrived; nobody holds it. */
static struct cg_answer answer_of(const struct cg_arrival *arrival, const struct cg_member *member) {
    const struct cg_opened *opened = arrival->opened;
    return (struct cg_answer){
        .member = member,
        .from = arrival->from,
        .options = opened->options,
        .payload = opened->payload,
        .kid = opened->kid,
        .ms = arrival->ms,
        .code = opened->code,
        .verified = opened->verified,
        .via = arrival->via,
        .has_kid = opened->has_kid,
    };
}

static void tell_beside(struct cg_round *round, const struct cg_answer *held, const struct cg_arrival *arrival) {
    struct cg_answer beside = answer_of(arrival, held->member);
    beside.number = held->number;
    cg_feed_append_copy(&round->feed, &beside, NULL);
}

static void tell_beginning(struct cg_round *round, const struct cg_partial *partial, const struct cg_arrival *first) {
    const struct cg_answer beginning = answer_of(first, partial->awaited.who.member);
    cg_feed_append_beginning(&round->feed, &beginning);
}

/* What observes goes on for months: there each member's latest is bound by a rate of its own, by which it may be told
 * later, too. */
static bool is_counted(const struct cg_round *round, enum cg_tally_result result) {
    bool is_latest = result == CG_TALLY_SAME || result == CG_TALLY_NEWER;
    return result == CG_TALLY_BESIDE || (is_latest && !cg_round_observes(round));
}

/* As they come (GCP §3.4.1), also several of one member; but whoever sends without end is not passed on without end. */
static void tell(struct cg_round *round, enum cg_tally_result result, struct cg_held_answer *held,
                 const struct cg_arrival *arrival) {
    if (is_counted(round, result) && round->tally.duplicates > round->mapping->max_answers) {
        round->tally.limited = true;
        return;
    }
    switch (result) {
    case CG_TALLY_SAME: cg_feed_release(&round->feed, &held->news); /* fall through */
    case CG_TALLY_NEWER:
    case CG_TALLY_NOTIFIED:
        if (!cg_watch_may_tell(round, held)) break; /* fall through */
    case CG_TALLY_NEW: cg_feed_append(&round->feed, &held->news); break;
    case CG_TALLY_BESIDE: tell_beside(round, &held->answer, arrival); break;
    case CG_TALLY_AGAIN:
    case CG_TALLY_AWAITED:
    case CG_TALLY_OVER_CAP:
    case CG_TALLY_NO_MEMORY: break;
    }
}

static bool may_be_passed_on(const char *reason) { return reason != cg_err_info(CG_E_BAD_OPTION)->slug; }

/* Of an answer with an option that is unsafe to forward, those hear who want to say so to their clients. */
static void tell_refusal(struct cg_round *round, const struct cg_arrival *arrival, const char *reason) {
    struct cg_who who;
    if (may_be_passed_on(reason) || round->tally.rejected > round->mapping->max_answers) return;
    cg_who_decide(&who, round->mapping, &arrival->from, arrival->opened->identity);
    const struct cg_answer nothing = {.member = who.member, .from = arrival->from, .code = arrival->opened->code};
    cg_feed_append_copy(&round->feed, &nothing, reason);
}

/* Whole answers. */

/* What its member says now. */
static bool is_the_latest(enum cg_tally_result result) {
    return result == CG_TALLY_NEW || result == CG_TALLY_NEWER || result == CG_TALLY_NOTIFIED || result == CG_TALLY_SAME;
}

static enum cg_tally_result add(struct cg_part *part, const struct cg_arrival *arrival) {
    struct cg_round *round = part->round;
    struct cg_held_answer *held = NULL;
    enum cg_tally_result result = cg_tally_add(&round->tally, arrival, &held);
    count(round, result);
    tell(round, result, held, arrival);
    if (result == CG_TALLY_NEW) cg_asks_note_answer(round, arrival);
    if (held != NULL && result != CG_TALLY_NOTIFIED) cg_round_remember(round, held->answer.member, arrival);
    if (held != NULL) cg_watch_hear(part, held);
    if (is_the_latest(result)) cg_cached_keep(round, held, arrival);
    cg_signs_forget(cg_round_engine(round), &arrival->from);
    if (held != NULL) cg_hearsay_forget(round, arrival->opened->identity);
    cg_told_let_go(round);
    cg_round_hurry(round);
    return result;
}

/* Answers in blocks. */

static struct cg_partial *partial_of(struct cg_blocks *blocks) {
    return CG_CONTAINER(blocks, struct cg_partial, blocks);
}

static void free_partial(struct cg_partial *partial) {
    struct cg_round *round = partial->round;
    bool waits = partial->waits, is_apart = partial->is_apart;
    DL_DELETE2(round->partials, partial, previous, next);
    cg_blocks_fini(cg_round_engine(round), &partial->blocks);
    free(partial->by_hop);
    free(partial);
    if (waits) return;
    *(is_apart ? &round->repair.apart : &round->repair.fetching) -= 1;
    cg_round_request_ended(round);
}

static void give_up(struct cg_partial *partial, const char *reason) {
    struct cg_round *round = partial->round;
    const struct cg_opened *first = &partial->blocks.opened;
    struct cg_opened shown = {.kid = first->kid, .has_kid = first->has_kid, .identity = first->identity};
    cg_tally_forgo(&round->tally, &partial->awaited);
    refuse(round, &partial->blocks.arrival.from, &shown, reason);
    tell_refusal(round, &partial->blocks.arrival, reason);
    free_partial(partial);
}

void cg_round_give_up_partials(struct cg_round *round) {
    cg_engine_clear_timer(cg_round_engine(round), &round->repair.fetch);
    round->waiting = NULL;
    while (round->partials != NULL) give_up(round->partials, cg_blocks_reason(&round->partials->blocks));
}

static void take_from_queue(struct cg_partial *partial) {
    struct cg_round *round = partial->round;
    struct cg_partial **at = &round->waiting;
    while (*at != partial) at = &(*at)->next_waiting;
    *at = partial->next_waiting;
    if (round->last_waiting == &partial->next_waiting) round->last_waiting = at;
}

static void end_outdated(struct cg_round *round, const struct cg_arrival *newer) {
    struct cg_awaited *awaited = cg_tally_outdated(&round->tally, newer);
    if (awaited == NULL) return;
    struct cg_partial *partial = CG_CONTAINER(awaited, struct cg_partial, awaited);
    cg_tally_forgo(&round->tally, awaited);
    if (partial->waits) take_from_queue(partial);
    free_partial(partial);
}

static void on_whole(struct cg_engine *engine, struct cg_blocks *blocks) {
    struct cg_partial *partial = partial_of(blocks);
    (void)engine;
    cg_tally_forgo(&partial->round->tally, &partial->awaited);
    add(partial->part, &blocks->arrival);
    free_partial(partial);
}

static void on_incomplete(struct cg_engine *engine, struct cg_blocks *blocks, const char *reason) {
    (void)engine;
    give_up(partial_of(blocks), reason);
}

static void on_refused(struct cg_engine *engine, struct cg_blocks *blocks, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    (void)engine;
    cg_hearsay_refuse(partial_of(blocks)->round, &blocks->ask->leg, from, opened, reason);
}

static bool is_wanted(const struct cg_blocks *blocks) {
    const struct cg_partial *partial = CG_CONTAINER(blocks, struct cg_partial, blocks);
    return cg_round_is_wanted(partial->round);
}

static const struct cg_blocks_ops blocks_ops = {
    .whole = on_whole, .incomplete = on_incomplete, .refused = on_refused, .is_wanted = is_wanted};

/* False: nobody there can be asked. */
static bool plan_by_hop(struct cg_partial *partial, struct cg_blocks_plan *plan) {
    const struct cg_part *part = partial->part;
    if (part->hop == NULL) return true;
    partial->by_hop = cg_hop_blocks_new(part, partial->blocks.opened.options);
    if (partial->by_hop == NULL) return false;
    plan->order.request = &partial->by_hop->request;
    plan->by = &part->hop_addr;
    return true;
}

static const char *fetch(struct cg_partial *partial) {
    struct cg_round *round = partial->round;
    const struct cg_who *who = &partial->awaited.who;
    struct cg_share *share = cg_share_of(&round->repair.shares, &round->arena, who->key, round->config->limits.answer);
    if (share == NULL) return "blocks-incomplete";
    if (cg_round_observes(round)) cg_share_grow(share, round->config->limits.answer, cg_round_engine(round)->now_us);
    struct cg_blocks_plan plan = {
        .order = cg_part_order(partial->part),
        .is_known_host = who->member != NULL,
        .left = &share->blocks_left,
        .strangers = &round->repair.strangers,
    };
    if (!plan_by_hop(partial, &plan)) return "blocks-incomplete";
    return cg_blocks_fetch(cg_round_engine(round), &partial->blocks, &plan);
}

static void go_on(struct cg_partial *partial) {
    struct cg_round *round = partial->round;
    round->repair.running++;
    *(partial->is_apart ? &round->repair.apart : &round->repair.fetching) += 1;
    const char *refusal = fetch(partial);
    if (refusal != NULL) give_up(partial, refusal);
}

static void fetch_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, repair.fetch);
    (void)engine;
    while (round->waiting != NULL && cg_round_has_room(round)) {
        struct cg_partial *partial = round->waiting;
        round->waiting = partial->next_waiting;
        partial->waits = false;
        go_on(partial);
    }
}

/* Its other blocks are asked for at once, or when it is its turn. */
static void go_on_in_turn(struct cg_partial *partial) {
    struct cg_round *round = partial->round;
    bool is_by_hop = partial->part->hop != NULL;
    partial->is_apart = !is_by_hop && cg_blocks_are_strange(&partial->blocks, round->mapping);
    partial->waits = !partial->is_apart && (round->waiting != NULL || !cg_round_has_room(round));
    if (!partial->waits) {
        go_on(partial);
        return;
    }
    round->repair.fetch.due = fetch_due;
    *(round->waiting == NULL ? &round->waiting : round->last_waiting) = partial;
    round->last_waiting = &partial->next_waiting;
}

/* NULL: out of memory. */
static struct cg_partial *new_partial(struct cg_part *part, const struct cg_arrival *first) {
    struct cg_round *round = part->round;
    struct cg_partial *partial = calloc(1, sizeof *partial);
    if (partial == NULL) return NULL;
    partial->round = round;
    partial->part = part;
    if (cg_blocks_init(&partial->blocks, &blocks_ops, first, &round->arena, round->config->limits.answer)) {
        return partial;
    }
    free(partial);
    return NULL;
}

static enum cg_tally_result await(struct cg_part *part, const struct cg_arrival *first) {
    struct cg_round *round = part->round;
    struct cg_partial *partial = new_partial(part, first);
    if (partial == NULL) return cg_tally_drop_for_memory(&round->tally, first);
    enum cg_tally_result result = cg_tally_await(&round->tally, &partial->blocks.arrival, &partial->awaited);
    if (result != CG_TALLY_AWAITED) {
        cg_blocks_fini(cg_round_engine(round), &partial->blocks);
        free(partial);
        return result;
    }
    DL_APPEND2(round->partials, partial, previous, next);
    round->in_blocks = true;
    tell_beginning(round, partial, first);
    cg_asks_note_answer(round, first); /* their places at its address are free for its blocks */
    go_on_in_turn(partial);
    return CG_TALLY_AWAITED;
}

static enum cg_tally_result begin_blocks(struct cg_part *part, const struct cg_arrival *first) {
    enum cg_tally_result result = await(part, first);
    count(part->round, result);
    return result;
}

/* All answers. */

static void note_late(struct cg_round *round, const struct cg_arrival *arrival) {
    struct cg_who who;
    cg_who_decide(&who, round->mapping, &arrival->from, arrival->opened->identity);
    cg_evidence_note(round, round->only != NULL ? round->only : who.member, CG_SIGN_LATE);
    cg_engine_sign(cg_round_engine(round), &arrival->from, CG_SIGN_LATE);
}

static bool is_late(struct cg_round *round, const struct cg_arrival *arrival) {
    bool is_in_time = round->deadline_us == 0 || arrival->arrival_us <= round->deadline_us;
    if (is_in_time || cg_round_observes(round)) return false;
    cg_shelf_clear(&round->shelf);
    round->tally.late++;
    note_late(round, arrival);
    round->mapping->stats->late++;
    return true;
}

/* *reason: where it is refused. */
static enum cg_blocks_kind sort(const struct cg_round *round, const struct cg_opened *opened, const char **reason) {
    const struct cg_config *config = round->config;
    if (opened->payload.len > config->limits.answer) {
        *reason = "too-large";
        return CG_BLOCKS_REFUSED;
    }
    if (!cg_forwardable(opened->options, round->mapping->security, &config->options)) {
        *reason = cg_err_info(CG_E_BAD_OPTION)->slug;
        return CG_BLOCKS_REFUSED;
    }
    return cg_blocks_sort(round->method, opened, reason);
}

static enum cg_fate take_as_it_is(struct cg_part *part, const struct cg_arrival *arrival) {
    struct cg_round *round = part->round;
    const char *reason;
    enum cg_blocks_kind kind = sort(round, arrival->opened, &reason);
    if (kind != CG_BLOCKS_REFUSED) end_outdated(round, arrival);
    switch (kind) {
    case CG_BLOCKS_NONE: return fate_of(add(part, arrival));
    case CG_BLOCKS_FOLLOW: return fate_of(begin_blocks(part, arrival));
    case CG_BLOCKS_REFUSED: break;
    }
    refuse(round, &arrival->from, arrival->opened, reason);
    tell_refusal(round, arrival, reason);
    return CG_FATE_REJECTED;
}

/* What becomes of an answer that is in time. */
static enum cg_fate take(struct cg_part *part, const struct cg_arrival *arrival) {
    struct cg_valid valid;
    switch (cg_revalidate_hear(part, arrival, &valid)) {
    case CG_REVALIDATED_NOT: break;
    case CG_REVALIDATED: return take_as_it_is(part, &valid.arrival);
    case CG_REVALIDATED_OTHER: return CG_FATE_CHALLENGE;
    }
    return take_as_it_is(part, arrival);
}

void cg_round_take(struct cg_part *part, const struct cg_arrival *arrival) {
    struct cg_round *round = part->round;
    if (round->closed) return; /* an answer to its cancellation */
    enum cg_fate fate = is_late(round, arrival) ? CG_FATE_LATE : take(part, arrival);
    cg_account_say(cg_round_engine(round), fate);
    cg_round_reconsider(round);
}
