/* Group requests. The hard thing: whose turn it is depends on all requests to the same group, so the end or the first
 * answer of one may send another, whoever they belong to. */
#include "legs/cast.h"

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "legs/tap.h"

#include <stdlib.h>
#include <utlist.h>

static struct cg_cast *cast_of(struct cg_leg *leg) { return CG_CONTAINER(leg, struct cg_cast, leg); }

static void pump(struct cg_engine *engine, struct cg_pace *pace);

static struct cg_pace_key key_of(const struct cg_engine *engine, const struct cg_target *target) {
    const struct cg_addr group = cg_target_group(target);
    return (struct cg_pace_key){group, cg_send_link(engine, target->interface, &group)};
}

/* The queue of those that wait for their group's turn. */

static struct cg_cast *first_waiting(const struct cg_pace *pace) {
    struct cg_place *place = cg_queue_first(&pace->waiting);
    return place == NULL ? NULL : CG_CONTAINER(place, struct cg_cast, place);
}

bool cg_cast_is_waited_for(const struct cg_engine *engine, const struct cg_target *target) {
    const struct cg_pace_key key = key_of(engine, target);
    const struct cg_pace *pace = cg_pace_find(&engine->paces, &key);
    return pace != NULL && pace->waiting.lines != NULL;
}

uint64_t cg_target_changes(const struct cg_engine *engine, const struct cg_target *target) {
    const struct cg_pace_key key = key_of(engine, target);
    const struct cg_pace *pace = cg_pace_find(&engine->paces, &key);
    return pace == NULL ? 0 : pace->changes;
}

/* Ends. */

static void expect_no_more(struct cg_engine *engine, struct cg_cast *cast) {
    cast->outstanding = false;
    cg_engine_clear_timer(engine, &cast->leisure);
    cg_pace_settled(cast->pace, engine->now_us - cast->outstanding_us);
}

static void settle(struct cg_engine *engine, struct cg_cast *cast) {
    if (!cast->outstanding) return;
    expect_no_more(engine, cast);
    pump(engine, cast->pace);
}

static void leave_queue(struct cg_engine *engine, struct cg_cast *cast) {
    if (cast->state == CG_CAST_WAITING) cg_queue_leave(&cast->pace->waiting, &cast->place);
    if (cast->pace->waiting.count == 0) cg_room_return(engine, &cast->pace->room);
}

void cg_cast_end(struct cg_engine *engine, struct cg_cast *cast) {
    leave_queue(engine, cast);
    cg_engine_clear_timer(engine, &cast->leg.timer);
    settle(engine, cast);
    cast->pace->casts--;
    cg_leg_fini(engine, &cast->leg);
    free(cast);
}

/* What was to be renewed goes on as it was. */
static void give_renewal_up(struct cg_engine *engine, struct cg_cast *cast, const struct cg_problem *problem) {
    leave_queue(engine, cast);
    cast->state = CG_CAST_SENT;
    cast->renews = false;
    cg_leg_take_back(engine, &cast->leg);
    cg_leg_tell_unsent(engine, &cast->leg, problem);
}

static void fail(struct cg_engine *engine, struct cg_cast *cast, const struct cg_problem *problem) {
    if (cast->renews) {
        give_renewal_up(engine, cast, problem);
        return;
    }
    cg_leg_tell_ended(engine, &cast->leg, problem);
    cg_cast_end(engine, cast);
}

/* The way out. */

/* R44: a request that a 6LoWPAN must fragment is lost more often. Said once a mapping, not with every request. */
static void warn_of_size(const struct cg_engine *engine, const struct cg_cast *cast) {
    uint32_t most = engine->config->group.frame_size;
    size_t len = cast->leg.sending.datagram.len;
    const struct cg_mapping *mapping = cast->leg.mapping;
    if (most == 0 || len <= most || mapping->stats->warned_of_size) return;
    mapping->stats->warned_of_size = true;
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_WARNING, "large-request");
    cg_log_str(&line, "mapping", mapping->name);
    cg_log_u64(&line, "bytes", len);
    cg_log_u64(&line, "frame_size", most);
    cg_log_end(&line);
}

static bool is_safe(const struct cg_cast *cast) {
    return (CG_METHOD_BIT(cast->leg.request->method) & CG_METHODS_SAFE) != 0;
}

/* Members may have heard of it. */
static bool is_out(const struct cg_cast *cast) { return cast->state == CG_CAST_SENT || cast->renews; }

bool cg_cast_is_outdated(const struct cg_cast *cast) { return is_out(cast) && cast->changes != cast->pace->changes; }

/* Members that have heard it have answered by then (RFC 7252 §8.2). */
static void hold_turn_for_leisure(struct cg_engine *engine, struct cg_cast *cast) {
    uint64_t leisure_us = cg_mapping_leisure_us(cast->leg.mapping);
    if (cast->outstanding) cg_engine_set_timer(engine, &cast->leisure, engine->now_us + leisure_us);
}

static void leisure_due(struct cg_engine *engine, struct cg_timer *timer) {
    settle(engine, CG_CONTAINER(timer, struct cg_cast, leisure));
}

static void sent(struct cg_engine *engine, struct cg_cast *cast) {
    struct cg_pace *pace = cast->pace;
    struct cg_leg *leg = &cast->leg;
    cg_room_use(engine, &pace->room); /* first: what is told may send more */
    warn_of_size(engine, cast);
    if (!is_safe(cast)) pace->changes++;
    cast->changes = pace->changes;
    cast->state = CG_CAST_SENT;
    cast->renews = cast->answered = false;
    if (cast->outstanding) expect_no_more(engine, cast); /* for the one before */
    cast->outstanding = leg->request->expects_answers;
    cast->outstanding_us = engine->now_us;
    cg_pace_sent(pace, leg->sending.datagram.len, leg->request->expects_answers);
    hold_turn_for_leisure(engine, cast);
    cg_leg_drop_earlier(engine, leg);
    leg->mapping->stats->sent++;
    cg_leg_tell_sent(engine, leg);
    cg_buf_fini(&leg->sending.datagram); /* whoever was told has seen it */
}

static void emit(struct cg_engine *engine, struct cg_cast *cast) {
    const struct cg_target *target = cast->leg.target;
    struct cg_route route = {.to = cast->leg.sending.to, .interface = target->interface, .hops = target->hops};
    struct cg_problem problem = {0};
    cg_engine_clear_timer(engine, &cast->leg.timer);
    if (cg_leg_emit(engine, &cast->leg, &route, &problem) < 0) {
        fail(engine, cast, &problem);
    } else {
        sent(engine, cast);
    }
}

static void seal(struct cg_engine *engine, struct cg_cast *cast) {
    cg_engine_set_timer(engine, &cast->leg.timer, cast->give_up_us);
    cg_leg_seal(engine, &cast->leg, cast->leg.request->options, CG_SLICE_NONE);
}

/* The group was rekeyed while the request waited for its turn. */
static void seal_again(struct cg_engine *engine, struct cg_cast *cast) {
    cg_leg_drop_sending(engine, &cast->leg);
    seal(engine, cast);
}

/* Lets go whoever's turn it is; the first that must wait gets a timer for when to look again. */
static void pump(struct cg_engine *engine, struct cg_pace *pace) {
    const struct cg_group_settings *settings = &engine->config->group;
    struct cg_cast *cast;
    while ((cast = first_waiting(pace)) != NULL && !engine->closing) {
        struct cg_leg *leg = &cast->leg;
        uint64_t when = cg_pace_when(pace, settings, leg->sending.datagram.len, engine->now_us);
        if (when != 0) {
            cg_room_return(engine, &pace->room); /* others can use it; who had it asked for is gone */
            cg_engine_set_timer(engine, &leg->timer, when < cast->give_up_us ? when : cast->give_up_us);
            return;
        }
        if (!cg_room_take(engine, &pace->room, pace->key.link)) return;
        cg_queue_serve(&pace->waiting, &cast->place);
        cast->state = CG_CAST_SEALING; /* out of the queue */
        if (!leg->ops->is_wanted(leg)) {
            fail(engine, cast, &(struct cg_problem){.err = CG_E_EMIT}); /* nobody hears it */
        } else if (cg_leg_is_stale(leg)) {
            seal_again(engine, cast);
        } else {
            emit(engine, cast);
        }
    }
    if (pace->waiting.count == 0) cg_room_return(engine, &pace->room);
}

static void room_granted(struct cg_engine *engine, struct cg_room *room) {
    pump(engine, CG_CONTAINER(room, struct cg_pace, room));
}

void cg_cast_wait_until(struct cg_cast *cast, uint64_t give_up_us) {
    if (give_up_us > cast->give_up_us) cast->give_up_us = give_up_us;
}

/* Refusals. */

#define NSTART  "requests to it are outstanding (group.nstart: RFC 10020 3.6)"
#define PROBING "it does not answer, and is sent no more than group.probing_rate (RFC 10020 3.6)"

/* What keeps the group's next request, and for how long it will, as far as is known. */
static const char *why_it_waits(struct cg_engine *engine, struct cg_cast *cast, uint64_t *wait_us) {
    struct cg_pace *pace = cast->pace;
    const struct cg_group_settings *settings = &engine->config->group;
    uint64_t when = cg_pace_when(pace, settings, cast->leg.sending.datagram.len, engine->now_us);
    *wait_us = pace->turn_us;
    if (when == UINT64_MAX) return NSTART;
    bool lacks_room = pace->room.state == CG_ROOM_WAITS;
    if (lacks_room) when = cg_room_when_again(engine, &pace->room);
    *wait_us = when > engine->now_us ? when - engine->now_us : 0;
    return lacks_room ? CG_BUDGET_SPENT : PROBING;
}

static uint32_t seconds(uint64_t us) {
    uint64_t seconds = us / 1000000 + 1;
    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

static void refuse(struct cg_engine *engine, struct cg_cast *cast, const char *what, const char *by,
                   uint64_t again_us) {
    struct cg_problem problem = {.retry_after = seconds(again_us)};
    cg_problem_set(&problem, CG_E_RATE, "%s: %s", what, by);
    fail(engine, cast, &problem);
}

static void give_up(struct cg_engine *engine, struct cg_cast *cast) {
    uint64_t wait_us;
    if (cast->state == CG_CAST_SEALING) {
        struct cg_problem problem = {.retry_after = 1};
        cg_problem_set(&problem, CG_E_OVERLOAD,
                       "the request could not be protected in time (a store that hangs, or too many signatures)");
        fail(engine, cast, &problem);
        return;
    }
    const char *why = why_it_waits(engine, cast, &wait_us);
    refuse(engine, cast, "the group's turn did not come in time", why, wait_us);
}

/* Turns may become shorter than they were: it takes more than a doubt to refuse a request before it has waited. */
static bool lasts_too_long(const struct cg_engine *engine, const struct cg_cast *cast, uint64_t *wait_us) {
    const struct cg_pace *pace = cast->pace;
    uint32_t nstart = engine->config->group.nstart;
    if (pace->outstanding < nstart) return false;
    *wait_us = (cg_queue_ahead(&pace->waiting, cast->leg.request->account) / nstart + 1) * pace->turn_us;
    return engine->now_us + *wait_us / 2 > cast->give_up_us;
}

static bool finds_no_room(struct cg_engine *engine, const struct cg_cast *cast, uint64_t *wait_us) {
    uint64_t at_us = cg_room_when(engine, CG_LANE_GROUPS, cast->pace->key.link);
    *wait_us = at_us > engine->now_us ? at_us - engine->now_us : 0;
    return at_us > cast->give_up_us;
}

/* Who would wait in vain is told at once, before anything is spent on it. True: it was, and the cast is gone. */
static bool refuse_early(struct cg_engine *engine, struct cg_cast *cast) {
    static const char what[] = "the group's turn would not come in time";
    const char *account = cast->leg.request->account;
    uint64_t wait_us = 0;
    if (account == NULL) return false;
    if (cg_queue_of(&cast->pace->waiting, account) >= CG_QUEUE_OF_CLIENT) {
        const char *why = why_it_waits(engine, cast, &wait_us);
        refuse(engine, cast, "as many of the client's requests as may wait for the group's turn", why, wait_us);
    } else if (lasts_too_long(engine, cast, &wait_us)) {
        refuse(engine, cast, what, NSTART, wait_us);
    } else if (finds_no_room(engine, cast, &wait_us)) {
        refuse(engine, cast, what, CG_BUDGET_SPENT, wait_us);
    } else {
        return false;
    }
    return true;
}

static void cast_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_cast *cast = cast_of(CG_CONTAINER(timer, struct cg_leg, timer));
    struct cg_pace *pace = cast->pace;
    if (engine->now_us >= cast->give_up_us) {
        give_up(engine, cast);
    } else { /* a patient client has joined; or only its turn was looked at */
        cg_engine_set_timer(engine, &cast->leg.timer, cast->give_up_us);
    }
    pump(engine, pace);
}

/* It goes at once, but for what the interface may send. */
static bool is_next(const struct cg_engine *engine, const struct cg_cast *cast) {
    struct cg_pace *pace = cast->pace;
    size_t len = cast->leg.sending.datagram.len;
    return pace->waiting.count == 1 && cg_pace_when(pace, &engine->config->group, len, engine->now_us) == 0;
}

static void cast_sealed(struct cg_engine *engine, struct cg_leg *leg, int err, const struct cg_problem *problem) {
    struct cg_cast *cast = cast_of(leg);
    if (err < 0) {
        fail(engine, cast, problem);
        return;
    }
    if (!cg_queue_enter(&cast->pace->waiting, &cast->place, leg->request->account)) {
        struct cg_problem none_left = {.retry_after = 1};
        cg_problem_no_memory(&none_left);
        fail(engine, cast, &none_left);
        return;
    }
    cast->state = CG_CAST_WAITING;
    cg_engine_set_timer(engine, &leg->timer, cast->give_up_us);
    leg->mapping->stats->queued += !is_next(engine, cast);
    pump(engine, cast->pace);
}

/* The way in. */

/* RFC 7252 §4.2, §4.3: an acknowledgement is of a Confirmable message, so a group request has none; but common small
 * devices send their answers so. */
static int cast_fits(const struct cg_leg *leg, const struct cg_sending *sending, const struct cg_datagram *datagram,
                     const struct cg_msg *msg) {
    (void)datagram;
    if (msg->type != CG_ACK) return CG_OK;
    if (msg->mid != sending->mid) return CG_E_MID;
    return leg->config->http.strict ? CG_E_ACK : CG_OK;
}

/* Notifications are answers for as long as they come. */
void cg_cast_heard(struct cg_engine *engine, struct cg_cast *cast) {
    bool was_heard = cast->answered && !cast->leg.request->observes;
    if (was_heard || !is_out(cast)) return;
    cast->answered = true;
    cg_pace_answered(cast->pace, &engine->config->group);
    settle(engine, cast);
    pump(engine, cast->pace); /* leisure may have settled it before: now the group is not silent any more */
}

static void cast_opened(struct cg_engine *engine, struct cg_leg *leg, const struct cg_sending *sending,
                        const struct cg_arrival *arrival) {
    (void)sending;
    if (arrival->opened->echo.len > 0) {
        cg_account_say(engine, CG_FATE_CHALLENGE);
        cg_leg_tell_challenge(engine, leg, arrival);
    } else {
        cg_leg_tell_answer(engine, leg, arrival);
    }
    cg_cast_heard(engine, cast_of(leg));
}

static const struct cg_leg_kind cast_kind = {
    .type = CG_NON, /* R29 */
    .via = CASTGATE_VIA_MULTICAST,
    .fits = cast_fits,
    .may_acknowledge = cg_reach_may_hear,
    .sealed = cast_sealed,
    .opened = cast_opened,
    .due = cast_due,
};

/* Beginning. */

/* R50 */
static bool has_group(const struct cg_target *target, struct cg_problem *problem) {
    if (cg_target_group(target).family != CG_FAMILY_NONE) return true;
    cg_problem_set(problem, CG_E_EMIT, "%.*s is no group at the moment: %s", (int)target->host.len,
                   (const char *)target->host.data, target->resolved->why);
    return false;
}

static bool begin_message(struct cg_engine *engine, struct cg_leg *leg) {
    if (!cg_leg_take_token(engine, leg)) return false;
    leg->sending.mid = engine->next_mid++ & (uint16_t)~CG_MID_UNICAST;
    return true;
}

/* False: no memory for all of it. */
static bool init(struct cg_engine *engine, struct cg_cast *cast, const struct cg_leg_order *order) {
    struct cg_leg *leg = &cast->leg;
    const struct cg_pace_key key = key_of(engine, order->target);
    cast->pace = cg_pace_get(&engine->paces, &engine->config->group, &key, engine->now_us);
    leg->sending.to = key.group;
    if (cast->pace == NULL || !cg_leg_init(engine, leg, &cast_kind, order)) return false;
    cast->pace->room.granted = room_granted;
    if (!begin_message(engine, leg)) {
        cg_leg_fini(engine, leg);
        return false;
    }
    cast->leisure.due = leisure_due;
    cast->pace->casts++;
    return true;
}

struct cg_cast *cg_cast_new(struct cg_engine *engine, const struct cg_leg_order *order, uint64_t give_up_us,
                            struct cg_problem *problem) {
    if (!has_group(order->target, problem)) return NULL;
    struct cg_cast *cast = calloc(1, sizeof *cast);
    if (cast == NULL || !init(engine, cast, order)) {
        free(cast);
        problem->retry_after = 1;
        cg_problem_set(problem, CG_E_OVERLOAD, "the system has no memory left");
        return NULL;
    }
    cast->give_up_us = give_up_us;
    return cast;
}

void cg_cast_go(struct cg_engine *engine, struct cg_cast *cast) {
    if (!refuse_early(engine, cast)) seal(engine, cast);
}

/* Renewing. */

bool cg_cast_is_renewing(const struct cg_cast *cast) { return cast->renews; }

/* Beside the latest message, which is the observation's until the new one is out. False: no memory. */
static bool begin_renewal(struct cg_engine *engine, struct cg_cast *cast) {
    struct cg_leg *leg = &cast->leg;
    uint64_t sent_us = leg->sending.sent_us;
    if (!cg_leg_begin_another(engine, leg)) return false;
    leg->sending.sent_us = sent_us; /* of the latest that went out, for who asks meanwhile */
    if (begin_message(engine, leg)) return true;
    cg_leg_take_back(engine, leg);
    return false;
}

void cg_cast_renew(struct cg_engine *engine, struct cg_cast *cast, const struct cg_leg_request *request,
                   uint64_t give_up_us) {
    struct cg_problem none_left = {.retry_after = 1};
    CG_CHECK(cast->state == CG_CAST_SENT && cast->leg.request->observes && request->observes);
    cast->leg.request = request;
    if (!begin_renewal(engine, cast)) {
        cg_problem_no_memory(&none_left);
        cg_leg_tell_unsent(engine, &cast->leg, &none_left);
        return;
    }
    cast->state = CG_CAST_SEALING;
    cast->renews = true;
    cast->give_up_us = give_up_us;
    cg_cast_go(engine, cast);
}
