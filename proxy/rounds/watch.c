/* Watching. The hard thing: members are many and say little, so who is stale is looked for in slices, and not before
 * somebody can be; and a round that nobody waits for any more still has something to say. */
#include "rounds/watch.h"

#include "base/container.h"
#include "rounds/asks.h"
#include "rounds/challenge.h"
#include "rounds/silence.h"
#include "rounds/wake.h"

#include <utlist.h>

#define SECOND_US UINT64_C(1000000)
#define LOOK_US   (5 * SECOND_US)  /* keys are looked at so often */
#define GRACE_US  (5 * SECOND_US)  /* RFC 7641 §3.3.1: 5 to 15 seconds */
#define RETRY_US  (10 * SECOND_US) /* of a registration that could not go out; doubled each time */
#define WAIT_US   (60 * SECOND_US) /* for the group's turn */
#define LINGER_US (60 * SECOND_US) /* for who has missed the cancellation */

enum {
    GRACE_MORE_US = 10000000,
    LOOKS_A_TURN = 512, /* members */
    PAUSE_US = 1000,
    DOUBLINGS = 12,
    QUIET_DOUBLINGS = 3, /* of the patience with who speaks only when it is asked */
};

static const double tell_burst = 32, tell_rate = 10; /* notifications of a member that are told; a second */

static uint64_t now_of(const struct cg_round *round) { return cg_round_engine(round)->now_us; }

static uint64_t earlier(uint64_t one, uint64_t other) { return one < other ? one : other; }

static uint64_t leisure_of(const struct cg_round *round) { return cg_mapping_leisure_us(round->mapping); }

static uint64_t period_of(const struct cg_round *round) {
    return cg_round_engine(round)->config->group.observe_renewal_s * SECOND_US;
}

static uint64_t random_below(const struct cg_round *round, uint64_t most) {
    const struct cg_port *port = cg_round_engine(round)->port;
    uint16_t random;
    port->random(port->ctx, &random, sizeof random);
    return most * random / UINT16_MAX;
}

static void look_at(struct cg_round *round, uint64_t when_us) {
    cg_engine_set_timer(cg_round_engine(round), &round->watch.timer, when_us);
}

static void look_now(struct cg_round *round) { look_at(round, now_of(round)); }

/* Who is observed */

bool cg_watch_goes_on(const struct cg_round *round) {
    if (!cg_round_observes(round) || round->watch.is_called_off) return false;
    return round->watch.observed > 0 || round->repair.running > 0;
}

/* Whoever waits beyond its time waits for nothing any more. */
static void settle(struct cg_round *round) {
    if (!cg_watch_goes_on(round)) cg_round_wake_all(round);
}

void cg_watch_note_end(struct cg_round *round) {
    if (cg_round_observes(round)) settle(round);
}

/* What it says is the first since it was registered once more. */
static bool was_asked(const struct cg_round *round, const struct cg_held_answer *held) {
    uint64_t heard_us = held->watched.heard_us;
    return heard_us != 0 && (heard_us < round->tally.registered_us || heard_us < held->registered_us);
}

/* Many never speak before their Max-Age is over unless something changes: a group of these is not to be asked every
 * minute for months, and what was lost is not to go unnoticed for long. */
static uint64_t patience_with(const struct cg_round *round, const struct cg_held_answer *held) {
    uint64_t age_us = held->notification.max_age_s * SECOND_US;
    if (age_us >= period_of(round)) return age_us;
    uint64_t longer_us = (age_us > GRACE_US ? age_us : GRACE_US) << held->watched.quiet;
    return held->watched.quiet == 0 ? age_us : earlier(longer_us, period_of(round));
}

static void note_freshness(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_watched *watched = &held->watched;
    if (watched->heard_us == held->notified_us) return;
    watched->quiet = !was_asked(round, held) ? 0 : (uint8_t)(watched->quiet + (watched->quiet < QUIET_DOUBLINGS));
    watched->heard_us = held->notified_us;
    watched->stale_us = held->notified_us + patience_with(round, held) + GRACE_US;
    watched->grace_us = (uint32_t)random_below(round, GRACE_MORE_US);
    watched->misses = 0;
    round->watch.sweep_us = earlier(round->watch.sweep_us, watched->stale_us + watched->grace_us);
}

void cg_watch_hear(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_watched *watched = &held->watched;
    if (!cg_round_observes(round)) return;
    bool was_observed = watched->is_observed;
    watched->is_observed = held->answer.is_notification;
    round->watch.observed += (watched->is_observed ? 1u : 0u) - (was_observed ? 1u : 0u);
    round->watch.was_observed |= watched->is_observed;
    if (watched->is_observed) note_freshness(round, held);
    if (was_observed && !watched->is_observed) settle(round);
}

/* Who sends without end */

static bool take_allowance(const struct cg_round *round, struct cg_watched *watched) {
    cg_allowance_fill(&watched->allowance, tell_burst, tell_rate, now_of(round));
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
    look_at(round, now_of(round) + cg_allowance_wait_us(&watched->allowance, 1, tell_rate));
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

static bool may_renew(const struct cg_round *round) { return round->mapping->security != CG_SECURITY_RELAY; }

static bool is_out(const struct cg_part *part) {
    return part->cast != NULL && part->state == CG_PART_SENT && !cg_cast_is_renewing(part->cast);
}

/* Of an ask that has a token of its own. */
static bool is_registered(const struct cg_ask *ask) { return ask->observed && ask->leg.shares == NULL; }

static void renew_casts(struct cg_round *round, uint64_t give_up_us) {
    struct cg_engine *engine = cg_round_engine(round);
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_part *part = &round->parts[i];
        if (is_out(part)) cg_cast_renew(engine, part->cast, part->request, give_up_us);
    }
}

static void renew_asks(struct cg_round *round) {
    struct cg_engine *engine = cg_round_engine(round);
    struct cg_ask *ask, *next;
    DL_FOREACH_SAFE2(round->repair.asks, ask, next, next_of_owner) {
        if (is_registered(ask)) cg_ask_renew(engine, ask, ask->leg.request);
    }
}

/* Members outside multicast's reach: what goes to the group they never hear. */

static const struct cg_member *far_one(const struct cg_round *round, const struct cg_answer *answer) {
    const struct cg_held_answer *held = CG_CONTAINER(answer, const struct cg_held_answer, answer);
    const struct cg_member *member = answer->member;
    bool is_far = held->watched.is_observed && member != NULL && cg_silence_is_out_of_reach(round, member);
    return is_far ? member : NULL;
}

/* As many as may be asked at once, others the next time; what is cancelled beyond, Resets tell. */
static void for_far_ones(struct cg_round *round, void (*tell)(struct cg_round *round, const struct cg_member *member)) {
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
    return earlier(RETRY_US << round->watch.failures, period_of(round));
}

static void renew_all(struct cg_round *round, enum cg_renewal_kind kind) {
    struct cg_watch *watch = &round->watch;
    watch->is_registering = true;
    watch->renew_us = now_of(round) + WAIT_US + retry_us(round); /* unless it is known sooner what became of it */
    round->mapping->stats->renewals[kind]++;
    renew_casts(round, now_of(round) + WAIT_US);
    renew_asks(round);
    for_far_ones(round, register_far);
}

void cg_watch_register(struct cg_round *round, uint64_t give_up_us) {
    round->mapping->stats->renewals[CG_RENEWAL_SILENCE]++;
    round->watch.is_registering = true;
    renew_casts(round, give_up_us);
}

/* Silence plans what comes after its registration of the group. */
static void tell_silence(struct cg_round *round) {
    if (round->silent.phase != CG_SILENT_WAITING) return;
    cg_engine_set_timer(cg_round_engine(round), &round->repair.timer, now_of(round));
}

/* Whoever lets a whole registration pass has gone, once that was half a period ago. */
static void note_gone(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (now_of(round) - watch->registered_us < period_of(round) / 2) return;
    round->tally.gone_us = watch->registered_us;
    watch->registered_us = now_of(round);
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
    round->watch.renew_us = now_of(round) + period_of(round);
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
        look_now(round);
    }
}

void cg_watch_unsent(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (watch->phase == CG_WATCH_ON) {
        watch->failures += watch->failures < DOUBLINGS;
        watch->renew_us = now_of(round) + retry_us(round);
        tell_silence(round);
    } else if (watch->phase == CG_WATCH_CANCELS) {
        look_now(round);
    }
}

/* Keys */

static bool has_stale_keys(const struct cg_round *round) {
    const struct cg_ask *ask;
    for (size_t i = 0; i < round->part_count; i++) {
        if (is_out(&round->parts[i]) && cg_leg_is_stale(&round->parts[i].cast->leg)) return true;
    }
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (is_registered(ask) && !ask->renews && cg_leg_is_stale(&ask->leg)) return true;
    }
    return false;
}

static void look_at_keys(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (watch->has_other_keys || !has_stale_keys(round)) return;
    watch->has_other_keys = true;
    watch->renew_us = earlier(watch->renew_us, now_of(round) + random_below(round, leisure_of(round)));
}

/* Staleness */

/* The registration at that time was for it, and it has said nothing since. */
static void back_off(const struct cg_round *round, struct cg_watched *watched) {
    uint64_t wait_us = (leisure_of(round) + GRACE_US) << watched->misses;
    watched->misses += watched->misses < DOUBLINGS;
    watched->stale_us = round->watch.chased_us + earlier(wait_us, period_of(round));
    watched->grace_us = (uint32_t)random_below(round, GRACE_MORE_US);
}

static void look_at_one(struct cg_round *round, struct cg_held_answer *held) {
    struct cg_watch *watch = &round->watch;
    struct cg_watched *watched = &held->watched;
    if (!watched->is_observed) return;
    if (watched->stale_us <= watch->chased_us) back_off(round, watched);
    uint64_t due_us = watched->stale_us + watched->grace_us;
    watch->soonest_us = earlier(watch->soonest_us, due_us);
    if (watched->stale_us > now_of(round)) return;
    watch->stale++;
    watch->stale_one = held;
    watch->is_due |= due_us <= now_of(round);
}

static void chase(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    struct cg_held_answer *one = watch->stale_one;
    const struct cg_member *member = one->answer.member;
    bool is_alone = watch->stale == 1 && member != NULL && (round->mapping->repair_unicast || round->by_unicast);
    watch->chased_us = now_of(round);
    watch->soonest_us = now_of(round) + leisure_of(round) + GRACE_US;
    if (is_alone && cg_asks_register(round, member)) {
        one->registered_us = now_of(round);
        round->mapping->stats->renewals[CG_RENEWAL_MEMBER]++;
    } else {
        renew_all(round, CG_RENEWAL_STALE);
    }
}

static void end_sweep(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (watch->is_due) chase(round);
    uint64_t soon_us = now_of(round) + SECOND_US;
    watch->sweep_us = watch->soonest_us > soon_us ? watch->soonest_us : soon_us;
}

static void sweep(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    struct cg_answer *at = watch->next;
    if (at == NULL) {
        at = round->tally.answers;
        watch->stale = 0;
        watch->is_due = false;
        watch->soonest_us = UINT64_MAX;
    }
    for (size_t i = 0; at != NULL && i < LOOKS_A_TURN; i++, at = at->next) {
        look_at_one(round, CG_CONTAINER(at, struct cg_held_answer, answer));
    }
    watch->next = at;
    if (at == NULL) {
        end_sweep(round);
    } else {
        watch->sweep_us = now_of(round) + PAUSE_US;
    }
}

/* While somebody waits for it */

static void keep_registered(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    if (watch->renew_us == 0) watch->renew_us = now_of(round) + period_of(round);
    look_at_keys(round);
    if (now_of(round) >= watch->renew_us) {
        renew_all(round, watch->has_other_keys ? CG_RENEWAL_REKEY : CG_RENEWAL_PERIOD);
    } else if (now_of(round) >= watch->sweep_us) {
        sweep(round);
    }
}

static void watch_on(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    bool is_watching = cg_round_is_wanted(round) && round->state == CG_ROUND_GATHERS && may_renew(round);
    uint64_t next_us = now_of(round) + LOOK_US;
    tell_held_back(round);
    if (is_watching) {
        keep_registered(round);
        next_us = earlier(next_us, earlier(watch->sweep_us, watch->renew_us));
    }
    if (watch->held_back != NULL) next_us = earlier(next_us, now_of(round) + SECOND_US / 10);
    look_at(round, next_us > now_of(round) ? next_us : now_of(round) + PAUSE_US);
}

/* Cancelling */

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
        if (!is_out(part) || part->cast->leg.request == cancels) continue;
        cg_cast_renew(cg_round_engine(round), part->cast, cancels, round->watch.until_us);
    }
}

static void cancel_asks(struct cg_round *round) {
    struct cg_ask *ask, *next;
    DL_FOREACH_SAFE2(round->repair.asks, ask, next, next_of_owner) {
        const struct cg_leg_request *cancels = cancellation(round, ask->leg.owner);
        if (!is_registered(ask) || ask->leg.request == cancels) continue;
        cg_ask_renew(cg_round_engine(round), ask, cancels);
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
        const struct cg_cast *cast = round->parts[i].cast;
        if (cast != NULL && cg_cast_is_renewing(cast)) return true;
    }
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (is_to_go_out(ask)) return true;
    }
    return false;
}

static void begin_cancelling(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    watch->phase = CG_WATCH_CANCELS;
    watch->until_us = now_of(round) + WAIT_US;
    round->rounds->cancelling++;
    look_now(round);
}

static bool has_registered(const struct cg_round *round) {
    const struct cg_ask *ask;
    for (size_t i = 0; i < round->part_count; i++) {
        if (round->parts[i].cast != NULL && round->parts[i].state == CG_PART_SENT) return true;
    }
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (is_registered(ask)) return true;
    }
    return false;
}

bool cg_watch_cancel(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    const struct cg_engine *engine = cg_round_engine(round);
    bool has_group = round->mapping->protector->departure <= round->departures;
    bool may = watch->was_observed && may_renew(round) && has_group && !engine->closing && has_registered(round);
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
    watch->since_us = now_of(round);
    round->rounds->cancelling--;
    look_at(round, now_of(round) + (may_linger(round) ? leisure_of(round) + LINGER_US : 0));
}

static void cancel_far_ones(struct cg_round *round) {
    if (round->watch.has_told_far) return;
    round->watch.has_told_far = true;
    for_far_ones(round, cancel_far);
}

static void go_on_cancelling(struct cg_round *round) {
    cancel_casts(round);
    cancel_asks(round);
    cancel_far_ones(round);
    if (!is_cancelling(round) || now_of(round) >= round->watch.until_us) {
        linger(round);
    } else {
        look_at(round, round->watch.until_us);
    }
}

/* What was under way when the cancellation went out has come when leisure is over. */
void cg_watch_stray(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    bool is_early = now_of(round) < watch->since_us + leisure_of(round);
    if (watch->phase != CG_WATCH_LINGERS || watch->is_repeated || is_early) return;
    watch->is_repeated = true;
    begin_cancelling(round);
}

static void watch_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, watch.timer);
    (void)engine;
    switch (round->watch.phase) {
    case CG_WATCH_ON: watch_on(round); break;
    case CG_WATCH_CANCELS: go_on_cancelling(round); break;
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
        if (round->parts[i].cast != NULL && !is_out(&round->parts[i])) return true;
    }
    return false;
}

void cg_watch_relay(struct cg_round *round, const struct cg_wish *wish, bool cancels) {
    struct cg_engine *engine = cg_round_engine(round);
    if (round->watch.phase != CG_WATCH_ON || waits_to_go(round)) return;
    round->watch.is_registering = true;
    forget_before(round);
    struct cg_arena *arena = &round->watch.relayed[round->watch.relayed_next];
    struct cg_leg_request *requests = cg_arena_alloc(arena, 2 * round->part_count * sizeof *requests);
    if (requests == NULL || cg_shape_requests(wish, arena, requests) < 0) return;
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_leg_request *cancel = &requests[round->part_count + i];
        if (cancels && !cg_shape_cancel(&requests[i], arena, cancel)) return;
        if (is_out(&round->parts[i])) {
            cg_cast_renew(engine, round->parts[i].cast, cancels ? cancel : &requests[i],
                          now_of(round) + cg_longest_wait(wish->timeout_us));
        }
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
    look_at(round, now_of(round) + LOOK_US);
}

void cg_watch_fini(struct cg_round *round) {
    struct cg_watch *watch = &round->watch;
    cg_engine_clear_timer(cg_round_engine(round), &watch->timer);
    if (watch->phase == CG_WATCH_CANCELS) round->rounds->cancelling--;
    watch->phase = watch->phase == CG_WATCH_OFF ? CG_WATCH_OFF : CG_WATCH_OVER;
    cg_arena_fini(&watch->relayed[0]);
    cg_arena_fini(&watch->relayed[1]);
}
