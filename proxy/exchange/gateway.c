/* The gateway object: what fronts see of exchanges, and the queue of those whose step is to run. The hard thing:
 * nothing recurses. Whatever happens only wakes an exchange; steps run in cg_gateway_run, a few at a time, so that one
 * answer for thousands of clients holds nobody else up, and for a new request in cg_gateway_advance. */
#include "exchange/exchange.h"

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "exchange/withdraw.h"
#include "rounds/wake.h"
#include "rounds/watch.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    STEPS_A_TURN = 64,
    PURGE_INTERVAL_US = 60 * 1000000,
    PURGE_ROWS = 2000, /* looked at in a turn: half a millisecond or so */
    PURGE_PAUSE_US = 1000,
};

static void take_limits(struct cg_gateway *gateway) {
    gateway->quota.max = gateway->config->limits.total_memory;
    gateway->cache.max = gateway->config->limits.cache;
}

static void on_left(struct cg_engine *engine) {
    cg_rounds_withdraw(&CG_CONTAINER(engine, struct cg_gateway, engine)->rounds);
}

struct cg_gateway *cg_gateway_new(struct cg_config *config, const struct cg_port *port) {
    struct cg_gateway *gateway = calloc(1, sizeof *gateway);
    struct cg_knowns *knowns = cg_knowns_new(CG_KNOWN_KEEP_US, CG_KNOWN_MOST);
    if (gateway == NULL || knowns == NULL) {
        cg_knowns_free(knowns);
        free(gateway);
        return NULL;
    }
    gateway->knowns = knowns;
    gateway->config = cg_config_ref(config);
    cg_slots_init(&gateway->exchanges);
    cg_engine_init(&gateway->engine, config, port, &gateway->totals);
    gateway->engine.left = on_left;
    cg_cache_init(&gateway->cache, &gateway->totals, port);
    gateway->rounds = (struct cg_rounds){.engine = &gateway->engine,
                                         .quota = &gateway->quota,
                                         .heards = &gateway->heards,
                                         .knowns = knowns,
                                         .cache = &gateway->cache};
    config->heards = &gateway->heards;
    take_limits(gateway);
    return gateway;
}

static void free_exchanges(struct cg_gateway *gateway) {
    for (uint32_t i = 0; i < gateway->exchanges.cap; i++) {
        struct cg_exchange *exchange = gateway->exchanges.slots[i].item;
        if (exchange != NULL) cg_exchange_free(exchange);
    }
}

void cg_gateway_free(struct cg_gateway *gateway) {
    if (gateway == NULL) return;
    gateway->engine.closing = true;
    free_exchanges(gateway);
    cg_rounds_fini(&gateway->rounds);
    cg_cache_fini(&gateway->cache);
    cg_engine_clear_timer(&gateway->engine, &gateway->purge);
    cg_engine_fini(&gateway->engine);
    cg_budgets_fini(&gateway->budgets);
    cg_heard_fini(&gateway->heards);
    cg_knowns_free(gateway->knowns);
    cg_stats_fini(&gateway->stats);
    cg_slots_fini(&gateway->exchanges);
    gateway->config->heards = NULL;
    cg_config_unref(gateway->config);
    free(gateway);
}

void cg_gateway_adopt(struct cg_gateway *gateway, struct cg_config *config) {
    struct cg_config *old = gateway->config;
    gateway->config = cg_config_ref(config);
    config->heards = &gateway->heards;
    cg_config_unref(old);
    cg_engine_adopt(&gateway->engine, config);
    take_limits(gateway);
    cg_withdraw_begin(gateway);
}

void cg_gateway_expire(struct cg_gateway *gateway, int64_t now_s) {
    gateway->wall_s = now_s;
    if (now_s >= gateway->expiry_s) cg_withdraw_begin(gateway);
}

struct cg_config *cg_gateway_config(const struct cg_gateway *gateway) {
    return gateway->config;
}

/* Exchanges, as fronts see them. */

static int check_stopping(const struct cg_gateway *gateway, struct cg_problem *problem) {
    return gateway->stopping ? cg_problem_set(problem, CG_E_STOPPING, "the gateway is stopping; try another or later")
                             : CG_OK;
}

static int may_enter(const struct cg_gateway *gateway, struct cg_problem *problem) {
    if (check_stopping(gateway, problem) < 0) return problem->err;
    problem->retry_after = 1;
    uint32_t running = gateway->exchanges.used - gateway->reserved - gateway->observers;
    if (running >= gateway->config->limits.exchanges) {
        return cg_problem_set(problem, CG_E_OVERLOAD, "%u exchanges are running (limits.exchanges)", running);
    }
    if (gateway->quota.used >= gateway->quota.max) {
        return cg_problem_memory_full(problem);
    }
    problem->retry_after = 0;
    return CG_OK;
}

static void make_id(struct cg_gateway *gateway, char id[CG_EXCHANGE_ID_MAX]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[8];
    gateway->engine.port->random(gateway->engine.port->ctx, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        id[2 * i] = digits[bytes[i] >> 4];
        id[2 * i + 1] = digits[bytes[i] & 15];
    }
    id[CG_EXCHANGE_ID_MAX - 1] = 0;
}

static int refuse_exchange(struct cg_gateway *gateway, int err) {
    gateway->totals.requests_refused++;
    gateway->totals.errors[-1 - err]++;
    return err;
}

/* NULL: no memory, which is counted. */
static struct cg_exchange *add_exchange(struct cg_gateway *gateway, struct cg_ticket *ticket,
                                        struct cg_problem *problem) {
    struct cg_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL || !cg_slots_add(&gateway->exchanges, exchange, ticket)) {
        free(exchange);
        refuse_exchange(gateway, cg_problem_no_memory(problem));
        return NULL;
    }
    exchange->ticket = *ticket;
    make_id(gateway, exchange->id);
    cg_exchange_init(gateway, exchange);
    return exchange;
}

int cg_gateway_new_exchange(struct cg_gateway *gateway, struct cg_ticket *ticket, struct cg_problem *problem) {
    int err = may_enter(gateway, problem);
    if (err < 0) return refuse_exchange(gateway, err);
    return add_exchange(gateway, ticket, problem) != NULL ? CG_OK : problem->err;
}

int cg_gateway_new_reserved(struct cg_gateway *gateway, struct cg_ticket *ticket, struct cg_problem *problem) {
    if (gateway->reserved >= CG_RESERVED_EXCHANGES) return cg_gateway_new_exchange(gateway, ticket, problem);
    int err = check_stopping(gateway, problem);
    if (err < 0) return refuse_exchange(gateway, err);
    struct cg_exchange *exchange = add_exchange(gateway, ticket, problem);
    if (exchange == NULL) return problem->err;
    exchange->is_reserved = true;
    gateway->reserved++;
    return CG_OK;
}

static struct cg_exchange *exchange_of(const struct cg_gateway *gateway, struct cg_ticket ticket) {
    return cg_slots_get(&gateway->exchanges, ticket);
}

static struct cg_exchange *fresh_exchange_of(const struct cg_gateway *gateway, struct cg_ticket ticket) {
    struct cg_exchange *exchange = exchange_of(gateway, ticket);
    CG_CHECK(exchange != NULL && !exchange->started);
    return exchange;
}

struct cg_request *cg_gateway_request(struct cg_gateway *gateway, struct cg_ticket ticket) {
    return &fresh_exchange_of(gateway, ticket)->request;
}

struct cg_arena *cg_gateway_arena(struct cg_gateway *gateway, struct cg_ticket ticket) {
    return &fresh_exchange_of(gateway, ticket)->arena;
}

struct cg_config *cg_gateway_exchange_config(struct cg_gateway *gateway, struct cg_ticket ticket) {
    return fresh_exchange_of(gateway, ticket)->config;
}

void cg_gateway_use_config(struct cg_gateway *gateway, struct cg_ticket ticket, struct cg_config *config) {
    struct cg_exchange *exchange = fresh_exchange_of(gateway, ticket);
    struct cg_config *former = exchange->config;
    exchange->config = cg_config_ref(config);
    config->heards = &gateway->heards;
    cg_config_unref(former);
}

const char *cg_gateway_exchange_id(struct cg_gateway *gateway, struct cg_ticket ticket) {
    return fresh_exchange_of(gateway, ticket)->id;
}

static void wake_by_ticket(struct cg_gateway *gateway, struct cg_ticket ticket) {
    struct cg_exchange *exchange = exchange_of(gateway, ticket);
    if (exchange != NULL) cg_gateway_wake(exchange);
}

void cg_gateway_start(struct cg_gateway *gateway, struct cg_ticket ticket, struct cg_sink *sink, uint64_t now_us) {
    struct cg_exchange *exchange = fresh_exchange_of(gateway, ticket);
    sink->gateway = gateway;
    sink->ticket = ticket;
    sink->wake = wake_by_ticket;
    exchange->sink = sink;
    exchange->started = true;
    exchange->started_us = now_us;
    cg_gateway_wake(exchange);
}

void cg_gateway_advance(struct cg_gateway *gateway, struct cg_ticket ticket) {
    struct cg_exchange *exchange = exchange_of(gateway, ticket);
    if (exchange == NULL || !exchange->awake) return;
    if (exchange->started_us > gateway->engine.now_us) gateway->engine.now_us = exchange->started_us;
    cg_gateway_calm(exchange);
    cg_exchange_run(exchange);
}

void cg_gateway_refuse(struct cg_gateway *gateway, struct cg_ticket ticket, const struct cg_problem *problem,
                       unsigned status) {
    struct cg_exchange *exchange = fresh_exchange_of(gateway, ticket);
    exchange->problem = *problem;
    exchange->started_us = gateway->engine.now_us;
    cg_exchange_refuse(exchange, status);
}

void cg_gateway_abandon(struct cg_gateway *gateway, struct cg_ticket ticket) {
    struct cg_exchange *exchange = exchange_of(gateway, ticket);
    if (exchange == NULL) return;
    exchange->abandoned = true;
    cg_round_forsake(&exchange->waiter);
    cg_gateway_wake(exchange);
}

/* Renewing. */

/* It is one more group request of its client's. False: beyond the budget, which ends the observation, since the client
 * is told so on its token. */
static bool may_renew(struct cg_exchange *exchange) {
    exchange->lost = cg_exchange_take_budget(exchange) < 0;
    return !exchange->lost;
}

static void relay_renewal(struct cg_exchange *exchange, enum cg_renewal renewal, struct cg_opts options,
                          struct cg_slice payload) {
    if (renewal == CG_RENEWS && !may_renew(exchange)) return;
    struct cg_request request = exchange->request;
    request.options = options;
    request.payload = payload;
    const struct cg_wish wish = {.config = exchange->config,
                                 .mapping = exchange->mapping,
                                 .request = &request,
                                 .rest = exchange->rest,
                                 .member = exchange->member,
                                 .at = exchange->member_at,
                                 .timeout_us = exchange->waiter.timeout_us,
                                 .expects_answers = true,
                                 .origin = exchange->ticket};
    cg_watch_relay(exchange->waiter.round, &wish, renewal == CG_CANCELS ? CG_RELAYED_CANCELLATION : CG_RELAYED_RENEWAL);
    if (renewal == CG_CANCELS)
        cg_round_set_deadline(&exchange->waiter, exchange->gateway->engine.now_us, exchange->waiter.timeout_us);
}

void cg_gateway_renew(struct cg_gateway *gateway, struct cg_ticket ticket, enum cg_renewal renewal,
                      struct cg_opts options, struct cg_slice payload) {
    struct cg_exchange *exchange = exchange_of(gateway, ticket);
    if (exchange == NULL || exchange->waiter.round == NULL) return;
    if (exchange->mapping->security == CG_SECURITY_RELAY) {
        relay_renewal(exchange, renewal, options, payload);
    } else if (renewal == CG_CANCELS) {
        exchange->waiter.cancelled = true;
    } else {
        cg_round_begin_again(&exchange->waiter);
    }
    cg_gateway_wake(exchange);
}

/* Time and the queue. */

void cg_gateway_wake(struct cg_exchange *exchange) {
    struct cg_gateway *gateway = exchange->gateway;
    if (exchange->awake) return;
    exchange->awake = true;
    DL_APPEND2(gateway->awake, exchange, previous_awake, next_awake);
    gateway->engine.port->wake(gateway->engine.port->ctx);
}

void cg_gateway_calm(struct cg_exchange *exchange) {
    if (!exchange->awake) return;
    exchange->awake = false;
    DL_DELETE2(exchange->gateway->awake, exchange, previous_awake, next_awake);
}

/* As far as a turn may last. */
static void go_on_purging(struct cg_gateway *gateway) {
    size_t rows = PURGE_ROWS;
    uint64_t now_us = cg_engine_now(&gateway->engine);
    bool more =
        cg_engine_purge(&gateway->engine, &rows) || rows == 0 || cg_budgets_purge(&gateway->budgets, now_us, &rows) ||
        rows == 0 || cg_heard_purge(&gateway->heards, now_us, &rows) || rows == 0 ||
        cg_known_purge(gateway->knowns, now_us, &rows) || rows == 0 || cg_cache_purge(&gateway->cache, now_us, &rows);
    if (more) cg_engine_set_timer(&gateway->engine, &gateway->purge, now_us + PURGE_PAUSE_US);
}

static void purge_due(struct cg_engine *engine, struct cg_timer *timer) {
    (void)engine;
    go_on_purging(CG_CONTAINER(timer, struct cg_gateway, purge));
}

static void purge(struct cg_gateway *gateway) {
    uint64_t now_us = cg_engine_now(&gateway->engine);
    if (now_us < gateway->purge_us || gateway->purge.deadline.is_set) return;
    gateway->purge_us = now_us + PURGE_INTERVAL_US;
    gateway->purge.due = purge_due;
    cg_engine_begin_purge(&gateway->engine);
    go_on_purging(gateway);
}

uint64_t cg_gateway_now(const struct cg_gateway *gateway) { return gateway->engine.now_us; }

struct cg_engine *cg_gateway_engine(struct cg_gateway *gateway) {
    return &gateway->engine;
}

void cg_gateway_receive(struct cg_gateway *gateway, const struct cg_datagram *datagram) {
    cg_engine_receive(&gateway->engine, datagram);
}

static void run_awake(struct cg_gateway *gateway, unsigned *steps_left) {
    for (; gateway->awake != NULL && *steps_left > 0; --*steps_left) {
        struct cg_exchange *exchange = gateway->awake;
        cg_gateway_calm(exchange);
        cg_exchange_run(exchange);
    }
}

uint64_t cg_gateway_run(struct cg_gateway *gateway, uint64_t now_us) {
    struct cg_engine *engine = &gateway->engine;
    unsigned steps_left = STEPS_A_TURN;
    bool has_more;
    if (now_us > engine->now_us) engine->now_us = now_us;
    purge(gateway);
    bool withdraws = cg_rounds_withdraw_turn(&gateway->rounds);
    withdraws |= cg_withdraw_turn(gateway);
    do {
        cg_engine_fire(engine, now_us);
        run_awake(gateway, &steps_left);
        has_more = cg_endpoints_turn(engine) || cg_engine_next_us(engine) <= engine->now_us;
    } while (has_more && steps_left > 0);
    return gateway->awake != NULL || has_more || withdraws ? engine->now_us : cg_engine_next_us(engine);
}

static void hurry(struct cg_exchange *exchange) {
    if (exchange == NULL) return;
    exchange->hurried = true;
    cg_gateway_wake(exchange);
}

/* What is observed has no end of its own, and is to be cancelled while that can go out. */
void cg_gateway_stop(struct cg_gateway *gateway) {
    gateway->stopping = true;
    for (uint32_t i = 0; i < gateway->exchanges.cap; i++) {
        struct cg_exchange *exchange = gateway->exchanges.slots[i].item;
        if (exchange != NULL && exchange->started && exchange->request.observes) hurry(exchange);
    }
}

bool cg_gateway_is_cancelling(const struct cg_gateway *gateway) { return gateway->rounds.cancelling > 0; }

void cg_gateway_finish(struct cg_gateway *gateway, struct cg_ticket ticket) { hurry(exchange_of(gateway, ticket)); }

void cg_gateway_finish_all(struct cg_gateway *gateway) {
    gateway->engine.closing = true;
    for (uint32_t i = 0; i < gateway->exchanges.cap; i++) hurry(gateway->exchanges.slots[i].item);
}

void cg_gateway_note_turn(struct cg_gateway *gateway, uint64_t cpu_ns) {
    double seconds = (double)cpu_ns / 1e9;
    cg_histogram_add(&gateway->totals.turns_s, cg_turn_bounds, seconds);
    if (seconds > gateway->totals.longest_turn_s) gateway->totals.longest_turn_s = seconds;
}

size_t cg_gateway_running(const struct cg_gateway *gateway) { return gateway->exchanges.used; }

size_t cg_gateway_observations(const struct cg_gateway *gateway) { return gateway->rounds.observations; }

size_t cg_gateway_observers(const struct cg_gateway *gateway) { return gateway->observers; }

bool cg_gateway_is_stopping(const struct cg_gateway *gateway) { return gateway->stopping; }

const struct cg_totals *cg_gateway_totals(const struct cg_gateway *gateway) { return &gateway->totals; }

struct cg_knowns *cg_gateway_knowns(struct cg_gateway *gateway) {
    return gateway->knowns;
}

struct cg_stats_table *cg_gateway_stats(struct cg_gateway *gateway) {
    return &gateway->stats;
}

struct cg_quota *cg_gateway_quota(struct cg_gateway *gateway) {
    return &gateway->quota;
}

const struct cg_port *cg_gateway_port(const struct cg_gateway *gateway) { return gateway->engine.port; }
