/* clang-format off */
/* One client request, from ADMIT to REPLY.
 *
 * | step   | does                                                                    | leaves by                       |
 * |--------|-------------------------------------------------------------------------|---------------------------------|
 * | ADMIT  | which mapping, who is the client, may it (GCP REQ1, REQ2), its budget   | 400 401 403 404 405 429         |
 * | LOOK   | an equal round: join it; else begin one (rounds/round.h)                | 400 503                         |
 * | CAST   | (the round) seal the request, the group's turn, one datagram a target   | 502 503                         |
 * | GATHER | (the round) tally each answer, ask for silent members and blocks        | all, quorum, count, deadline    |
 * | DRAIN  | the sink takes what collecting left behind                              | all taken, closed               |
 * | REPLY  | the end of the sink; a client that left is no error                     |                                 |
 *
 * A step looks at the state, not at what woke it. Its verdict: GO to another step, STAY, or GONE. The hard thing: REPLY
 * is the only way out and frees the exchange, so nothing may touch it after GONE. */
/* clang-format on */
#include "exchange/exchange.h"
#include "exchange/observers.h"
#include "exchange/withdraw.h"

#include "base/container.h"
#include "model/access.h"
#include "model/follow.h"
#include "model/listeners.h"
#include "model/route.h"
#include "model/stand_in.h"
#include "model/who.h"
#include "rounds/cache_editions.h"
#include "rounds/casts.h"
#include "wire/transmission.h"

#include <stdlib.h>

enum {
    NO_RESPONSE_ALL = 26, /* RFC 7967 §2: 2.xx, 4.xx and 5.xx suppressed */
    DRAIN_US = 60000000,  /* for the sink, from the end of collecting */
};

/* What a step leaves behind. */
enum cg_verdict {
    CG_GO,   /* the exchange, with its next step set */
    CG_STAY, /* the exchange, which waits to be woken */
    CG_GONE, /* nothing: it is freed */
};

static enum cg_verdict go(struct cg_exchange *exchange, enum cg_step step) {
    exchange->step = step;
    return CG_GO;
}

#define STEPS(X)                                                                                                       \
    X(ADMIT, step_admit)                                                                                               \
    X(LOOK, step_look)                                                                                                 \
    X(CAST, step_cast)                                                                                                 \
    X(GATHER, step_gather)                                                                                             \
    X(DRAIN, step_drain)                                                                                               \
    X(REPLY, step_reply)

#define PROTOTYPE(name, function) static enum cg_verdict function(struct cg_exchange *);
STEPS(PROTOTYPE)

#define ROW(name, function) [CG_STEP_##name] = function,
static enum cg_verdict (*const steps[])(struct cg_exchange *) = {STEPS(ROW)};

/* The end of an exchange. */

static void stop_collecting(struct cg_exchange *exchange) {
    struct cg_engine *engine = &exchange->gateway->engine;
    if (exchange->ended_us == 0) exchange->ended_us = engine->now_us;
    cg_round_stop(&exchange->waiter);
    cg_engine_clear_timer(engine, &exchange->timer);
}

void cg_exchange_free(struct cg_exchange *exchange) {
    struct cg_gateway *gateway = exchange->gateway;
    stop_collecting(exchange);
    cg_gateway_calm(exchange);
    cg_tell_nobody(exchange);
    cg_round_leave(&exchange->waiter);
    cg_observers_leave(exchange);
    cg_slots_remove(&gateway->exchanges, exchange->ticket);
    gateway->reserved -= exchange->is_reserved;
    cg_arena_fini(&exchange->arena);
    cg_config_unref(exchange->config);
    free(exchange);
}

static void count_error(struct cg_exchange *exchange, int err) {
    struct cg_totals *totals = &exchange->gateway->totals;
    if (exchange->mapping != NULL) {
        exchange->mapping->stats->errors[-1 - err]++;
    } else {
        totals->requests_refused++;
        totals->errors[-1 - err]++;
    }
}

/* The client is gone; what it was told until now counts. */
static void leave(struct cg_exchange *exchange) {
    if (exchange->telling) {
        const struct cg_tally *tally = &exchange->waiter.round->tally;
        exchange->mapping->stats->answered += tally->answered;
        exchange->mapping->stats->failed += tally->failed;
    }
    exchange->ended_by = "client";
    if (exchange->started) cg_exchange_say_over(exchange, 0);
    cg_exchange_free(exchange);
}

static void due(struct cg_engine *engine, struct cg_timer *timer) {
    (void)engine;
    cg_gateway_wake(CG_CONTAINER(timer, struct cg_exchange, timer));
}

static void on_round(struct cg_waiter *waiter) { cg_gateway_wake(CG_CONTAINER(waiter, struct cg_exchange, waiter)); }

void cg_exchange_init(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    exchange->gateway = gateway;
    exchange->timer.due = due;
    exchange->waiter.wake = on_round;
    exchange->config = cg_config_ref(gateway->config);
    cg_arena_init(&exchange->arena, exchange->config->limits.exchange_memory, &gateway->quota);
}

/* What other settings took from it ends it, whatever it waits for. */
static void lose(struct cg_exchange *exchange) {
    exchange->ended_by = "limit";
    exchange->step = CG_STEP_REPLY;
}

void cg_exchange_run(struct cg_exchange *exchange) {
    if (exchange->abandoned) {
        leave(exchange);
        return;
    }
    if (!exchange->started) return;
    if (exchange->lost) lose(exchange);
    while (steps[exchange->step](exchange) == CG_GO) continue;
}

/* ADMIT */

static int find_mapping(struct cg_exchange *exchange) {
    return cg_route(exchange->config, &exchange->request, &exchange->mapping, &exchange->rest, &exchange->problem);
}

/* What is in no settings leaves no name behind. */
static const char *counters_of(const struct cg_mapping *mapping) {
    return mapping->is_unsaved ? ".unsaved" : mapping->name;
}

/* Made with a mapping's first request: most of a hundred thousand mappings may never have one. */
static int open_counters(struct cg_exchange *exchange) {
    struct cg_mapping *mapping = cg_config_mapping(exchange->config, exchange->mapping->number);
    if (mapping->stats == NULL) mapping->stats = cg_stats_get(&exchange->gateway->stats, counters_of(mapping));
    if (mapping->stats == NULL) {
        exchange->mapping = NULL; /* it counts as refused before its mapping was known */
        return cg_problem_no_memory(&exchange->problem);
    }
    if (mapping->edition == 0) mapping->edition = cg_cache_edition(&exchange->gateway->cache, mapping);
    return CG_OK;
}

/* A listener on all addresses is on this host's own. */
static bool is_listener_of_ours(const struct cg_exchange *exchange, const struct cg_addr *addr) {
    return cg_listeners_have(exchange->config, addr, cg_port_is_own(exchange->gateway->engine.port, addr));
}

/* Where answers may come from that are not forged: a member's host, the group's link, or a range of the settings. */
static bool is_within_reach(const struct cg_exchange *exchange, const struct cg_addr *addr) {
    const struct cg_mapping *mapping = exchange->mapping;
    const struct cg_group_settings *settings = &exchange->config->group;
    struct cg_who who;
    cg_who_decide(&who, mapping, addr, CG_SLICE_NONE);
    return who.member != NULL || cg_reach_near(&exchange->gateway->engine, settings, &mapping->targets[0], addr);
}

/* It goes by its address: nobody has given it a name. */
static int take_stranger(struct cg_exchange *exchange) {
    if (!is_within_reach(exchange, &exchange->member_at)) return cg_route_refuse(&exchange->problem);
    struct cg_member *stranger = cg_arena_zalloc(&exchange->arena, sizeof *stranger);
    char *name = cg_arena_alloc(&exchange->arena, CG_ADDR_TEXT_MAX);
    if (stranger == NULL || name == NULL) return cg_problem_memory_full(&exchange->problem);
    cg_addr_emit(&exchange->member_at, name);
    stranger->name = name;
    stranger->addr = exchange->member_at;
    exchange->member = stranger;
    exchange->member_is_stranger = true;
    return CG_OK;
}

/* A target URI is the group's own, whatever its segments are called, or names one member by its address. */
static int find_followed(struct cg_exchange *exchange) {
    struct cg_slice uri = exchange->request.path;
    struct cg_followed followed;
    if (!cg_follow_is_meant(uri)) return CG_OK;
    bool is_member = cg_follow_member(exchange->config, exchange->mapping, uri, &followed);
    if (!is_member || is_listener_of_ours(exchange, &followed.at)) return cg_route_refuse(&exchange->problem);
    exchange->member = followed.member;
    exchange->member_at = followed.at;
    return followed.member != NULL ? CG_OK : take_stranger(exchange);
}

static int find_named(struct cg_exchange *exchange) {
    const struct cg_mapping *mapping = exchange->mapping;
    struct cg_problem *problem = &exchange->problem;
    struct cg_slice name;
    if (!cg_stand_in_split(&exchange->rest, &name)) return CG_OK;
    if (mapping->stand_in != CG_STAND_IN_MEMBERS) {
        return cg_problem_set(problem, CG_E_NOT_FOUND,
                              "mapping %s stands in for its group only; with \"stand_in\": \"members\" single members "
                              "are reached here",
                              mapping->name);
    }
    exchange->member = cg_stand_in_find(mapping, name);
    if (exchange->member != NULL) return CG_OK;
    return cg_problem_set(problem, CG_E_NOT_FOUND,
                          "mapping %s has no member of this name; the path is %s/" CG_STAND_IN_MARKER
                          "/NAME, with a name as replies give it",
                          mapping->name, mapping->path);
}

/* One of our own jobs says whom it asks: who is configured there, or a stranger, who proves first to be there. */
static int find_asked(struct cg_exchange *exchange) {
    const struct cg_mapping *mapping = exchange->mapping;
    const struct cg_addr *at = &exchange->request.asks;
    struct cg_who who;
    if (is_listener_of_ours(exchange, at)) return cg_route_refuse(&exchange->problem);
    exchange->member_at = *at;
    if (!cg_who_is_configured(mapping, at)) return take_stranger(exchange);
    cg_who_decide(&who, mapping, at, CG_SLICE_NONE);
    exchange->member = who.member;
    return CG_OK;
}

static int find_member(struct cg_exchange *exchange) {
    if (exchange->request.asks.family != CG_FAMILY_NONE) return find_asked(exchange);
    return exchange->request.forward ? find_followed(exchange) : find_named(exchange);
}

static int demand_timeout(const struct cg_exchange *exchange, struct cg_problem *problem) {
    const char *mapping = exchange->mapping->name;
    problem->ask_timeout = true;
    if (exchange->request.needs_timeout) {
        return cg_problem_set(problem, CG_E_NO_TIMEOUT,
                              "say how long to collect answers, by the option Multicast-Timeout: mapping %s stands for "
                              "a group, and each of its members answers for itself",
                              mapping);
    }
    if (exchange->request.forward) {
        return cg_problem_set(problem, CG_E_NO_TIMEOUT,
                              "say how long to collect answers: Multicast-Timeout: SECONDS, always through the forward "
                              "proxy; the timeout of mapping %s is for requests to its own path",
                              mapping);
    }
    return cg_problem_set(problem, CG_E_NO_TIMEOUT,
                          "say how long to collect answers: Multicast-Timeout: SECONDS, or a timeout of mapping %s",
                          mapping);
}

/* A member that was asked alone has not answered: by then it never will (RFC 7252 §4.8.2). */
static uint64_t longest_wait_for_one(const struct cg_mapping *mapping) {
    return mapping->max_timeout_us < CG_MAX_TRANSMIT_WAIT_US ? mapping->max_timeout_us : CG_MAX_TRANSMIT_WAIT_US;
}

static int choose_timeout(struct cg_exchange *exchange) {
    const struct cg_mapping *mapping = exchange->mapping;
    const struct cg_request *request = &exchange->request;
    struct cg_problem *problem = &exchange->problem;
    if (!request->has_timeout) {
        exchange->waiter.timeout_us = mapping->timeout_us;
        bool has_own =
            mapping->has_timeout && !request->needs_timeout && !exchange->config->http.strict && !request->forward;
        if (has_own) return CG_OK;
        if (exchange->member == NULL) return demand_timeout(exchange, problem);
        exchange->waiter.timeout_us = longest_wait_for_one(mapping);
        return CG_OK;
    }
    if (exchange->member != NULL && request->timeout_s == 0) {
        return cg_problem_set(problem, CG_E_NO_TIMEOUT,
                              "a single member is asked for its answer: say how long to wait, or leave "
                              "Multicast-Timeout out");
    }
    exchange->waiter.timeout_us = (uint64_t)request->timeout_s * 1000000;
    if (exchange->waiter.timeout_us <= mapping->max_timeout_us) return CG_OK;
    return cg_problem_set(problem, CG_E_NO_TIMEOUT, "Multicast-Timeout is above the mapping's max_timeout of %llu s",
                          (unsigned long long)(mapping->max_timeout_us / 1000000));
}

int cg_exchange_take_budget(struct cg_exchange *exchange) {
    struct cg_gateway *gateway = exchange->gateway;
    struct cg_problem *problem = &exchange->problem;
    char account[CG_ACCOUNT_MAX];
    if (exchange->mapping->requests_per_minute == 0) return CG_OK;
    cg_request_account(&exchange->request, account);
    int err =
        cg_budget_take(&gateway->budgets, exchange->mapping, account, gateway->engine.now_us, &problem->retry_after);
    if (err == CG_OK) return CG_OK;
    return cg_problem_set(problem, err, "over the budget of %u requests per minute",
                          exchange->mapping->requests_per_minute);
}

static int admit(struct cg_exchange *exchange) {
    int err = find_mapping(exchange);
    if (err == CG_OK) err = open_counters(exchange);
    if (err == CG_OK) err = cg_access_check(exchange->mapping, &exchange->request, &exchange->problem);
    if (err == CG_OK) err = cg_withdraw_check(exchange);
    if (err == CG_OK) err = find_member(exchange);
    if (err == CG_OK) err = choose_timeout(exchange);
    if (err == CG_OK) cg_observers_sort(exchange);
    if (err == CG_OK) err = cg_observers_enter(exchange);
    if (err == CG_OK) err = cg_exchange_take_budget(exchange);
    return err;
}

static enum cg_verdict step_admit(struct cg_exchange *exchange) {
    if (admit(exchange) < 0) return go(exchange, CG_STEP_REPLY);
    exchange->hurried |= cg_withdraw_is_outdated(exchange);
    exchange->mapping->stats->requests++;
    return go(exchange, CG_STEP_LOOK);
}

/* LOOK */

static bool suppresses_all(const struct cg_request *request) {
    return (request->no_response & NO_RESPONSE_ALL) == NO_RESPONSE_ALL;
}

static enum cg_verdict step_look(struct cg_exchange *exchange) {
    const struct cg_request *request = &exchange->request;
    uint64_t timeout_us = exchange->waiter.timeout_us;
    if (exchange->member == NULL) exchange->waiter.finishing = request->finishing;
    const struct cg_wish wish = {
        .config = exchange->config,
        .mapping = exchange->mapping,
        .request = request,
        .rest = exchange->rest,
        .member = exchange->member,
        .at = exchange->member_at,
        .is_stranger = exchange->member_is_stranger,
        .timeout_us = timeout_us,
        .expects_answers = timeout_us > 0 && (exchange->member != NULL || !suppresses_all(request)),
        .origin = exchange->ticket,
    };
    int err = cg_round_enter(&exchange->gateway->rounds, &wish, &exchange->waiter, &exchange->problem);
    return go(exchange, err < 0 ? CG_STEP_REPLY : CG_STEP_CAST);
}

/* CAST */

static enum cg_waiter_patience patience_of(const struct cg_exchange *exchange) {
    return exchange->hurried ? CG_WAITER_HURRIED : CG_WAITER_PATIENT;
}

static void give_up_waiting(struct cg_exchange *exchange) {
    struct cg_problem problem = {0};
    cg_problem_set(&problem, CG_E_STOPPING, "%s",
                   exchange->gateway->stopping ? "the gateway is stopping; try another or later"
                                               : "it was ended before the request's turn came");
    cg_casts_give_up(exchange->waiter.round, &problem);
}

/* Whether the round has ended already, and has no answers for anybody. */
static bool has_failed(struct cg_exchange *exchange) {
    uint64_t again_us;
    const char *ended_by;
    bool goes_on =
        cg_round_collects(&exchange->waiter, patience_of(exchange), &again_us, &ended_by, &exchange->problem);
    return !goes_on && exchange->problem.err < 0;
}

static enum cg_verdict step_cast(struct cg_exchange *exchange) {
    if (exchange->hurried) give_up_waiting(exchange);
    if (cg_round_look(&exchange->waiter) == CG_ROUND_CASTS) return CG_STAY;
    bool goes_on = !has_failed(exchange) && cg_tell_begin(exchange);
    return go(exchange, goes_on ? CG_STEP_GATHER : CG_STEP_REPLY);
}

/* GATHER */

/* The end of collecting, with ended_by set; else the timer stands for when to look again. */
static bool is_over(struct cg_exchange *exchange) {
    uint64_t sink_us = exchange->telling ? cg_tell_turn(exchange) : UINT64_MAX, end_us;
    if (exchange->cut) {
        exchange->ended_by = "limit";
        return true;
    }
    bool goes_on =
        cg_round_collects(&exchange->waiter, patience_of(exchange), &end_us, &exchange->ended_by, &exchange->problem);
    if (!goes_on) return true;
    cg_engine_set_timer(&exchange->gateway->engine, &exchange->timer, sink_us < end_us ? sink_us : end_us);
    return false;
}

static enum cg_verdict step_gather(struct cg_exchange *exchange) {
    cg_round_look(&exchange->waiter);
    if (!is_over(exchange)) return CG_STAY;
    return go(exchange, exchange->telling ? CG_STEP_DRAIN : CG_STEP_REPLY);
}

/* DRAIN */

static enum cg_verdict step_drain(struct cg_exchange *exchange) {
    struct cg_engine *engine = &exchange->gateway->engine;
    if (exchange->drain_us == 0) {
        stop_collecting(exchange);
        exchange->drain_us = engine->now_us + DRAIN_US;
    }
    uint64_t next_us = cg_tell_turn(exchange);
    if (exchange->cut || cg_tell_is_done(exchange)) return go(exchange, CG_STEP_REPLY);
    if (engine->now_us >= exchange->drain_us) {
        cg_tell_cut(exchange);
        return go(exchange, CG_STEP_REPLY);
    }
    cg_engine_set_timer(engine, &exchange->timer, next_us < exchange->drain_us ? next_us : exchange->drain_us);
    return CG_STAY;
}

/* REPLY */

static void count_reply(struct cg_exchange *exchange, const struct castgate_summary *summary) {
    struct cg_stats *stats = exchange->mapping->stats;
    stats->answered += summary->answered;
    stats->failed += summary->failed;
    for (size_t i = 0; i < CG_CAUSE_COUNT; i++) stats->missing[i] += exchange->missing[i];
    stats->kernel_drops += summary->kernel_drops;
    cg_histogram_add(&stats->latency_s, cg_latency_bounds, (double)(exchange->ended_us - exchange->started_us) / 1e6);
    cg_histogram_add(&stats->answers, cg_answers_bounds, summary->answered);
}

static enum cg_verdict step_reply(struct cg_exchange *exchange) {
    struct castgate_summary summary;
    stop_collecting(exchange); /* what is still incomplete is taken back before counting */
    unsigned status = cg_tell_end(exchange, &summary);
    bool failed = exchange->problem.err < 0;
    bool silent = exchange->problem.err == CG_E_NO_ANSWER; /* its figures were told all the same */
    if (exchange->telling || silent || !failed) count_reply(exchange, &summary);
    if (failed) count_error(exchange, exchange->problem.err);
    cg_exchange_say_over(exchange, status);
    cg_exchange_free(exchange);
    return CG_GONE;
}

void cg_exchange_refuse(struct cg_exchange *exchange, unsigned status) {
    count_error(exchange, exchange->problem.err);
    cg_exchange_say_over(exchange, status);
    cg_exchange_free(exchange);
}
