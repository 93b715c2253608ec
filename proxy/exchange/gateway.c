/* The gateway object: tables, time, what protectors promised, and the queue of exchanges whose step is to run. The hard
 * thing: nothing recurses. Whatever happens only wakes an exchange; cg_gateway_run is the one place where steps run. */
#include "legs/ping.h"
#include "legs/reach.h"
#include "base/check.h"
#include "base/container.h"
#include "base/log.h"

#include <stdlib.h>
#include <utlist.h>

enum { PURGE_INTERVAL_US = 60 * 1000000 };

int cg_gateway_prepare(struct cg_gateway *gateway, struct cg_config *config) {
    for (size_t i = 0; i < config->mapping_count; i++) {
        struct cg_mapping *mapping = &config->mappings[i];
        mapping->stats = cg_stats_get(&gateway->stats, mapping->name);
        if (mapping->stats == NULL) return CG_E_NO_MEMORY;
    }
    return CG_OK;
}

static void check_protectors(const struct cg_config *config) {
    for (size_t i = 0; i < config->mapping_count; i++) CG_CHECK(config->mappings[i].protector != NULL);
}

static void take_limits(struct cg_gateway *gateway) { gateway->quota.max = gateway->config->limits.total_memory; }

struct cg_gateway *cg_gateway_new(struct cg_config *config, const struct cg_port *port) {
    struct cg_gateway *gateway = calloc(1, sizeof *gateway);
    if (gateway == NULL) return NULL;
    gateway->port = port;
    gateway->config = cg_config_ref(config);
    cg_heap_init(&gateway->deadlines);
    cg_slots_init(&gateway->exchanges);
    cg_slots_init(&gateway->casts);
    cg_slots_init(&gateway->asks);
    cg_slots_init(&gateway->jobs);
    port->random(port->ctx, &gateway->next_mid, sizeof gateway->next_mid);
    cg_tokens_init(gateway);
    cg_endpoints_init(gateway);
    cg_pings_init(gateway);
    cg_reach_init(gateway);
    take_limits(gateway);
    if (cg_gateway_prepare(gateway, config) < 0) {
        cg_gateway_free(gateway);
        return NULL;
    }
    check_protectors(config);
    return gateway;
}

static void free_exchanges(struct cg_gateway *gateway) {
    for (uint32_t i = 0; i < gateway->exchanges.cap; i++) {
        struct cg_exchange *exchange = gateway->exchanges.slots[i].item;
        if (exchange != NULL) cg_exchange_free(gateway, exchange);
    }
}

static void free_jobs(struct cg_gateway *gateway) {
    for (uint32_t i = 0; i < gateway->jobs.cap; i++) free(gateway->jobs.slots[i].item);
}

void cg_gateway_free(struct cg_gateway *gateway) {
    if (gateway == NULL) return;
    gateway->closing = true;
    free_exchanges(gateway);
    free_jobs(gateway);
    cg_tokens_fini(gateway);
    cg_endpoints_fini(gateway);
    cg_pings_fini(gateway);
    cg_pace_fini(&gateway->paces);
    cg_budgets_fini(&gateway->budgets);
    cg_stats_fini(&gateway->stats);
    cg_slots_fini(&gateway->exchanges);
    cg_slots_fini(&gateway->casts);
    cg_slots_fini(&gateway->asks);
    cg_slots_fini(&gateway->jobs);
    cg_heap_fini(&gateway->deadlines);
    cg_config_unref(gateway->config);
    free(gateway);
}

void cg_gateway_adopt(struct cg_gateway *gateway, struct cg_config *config) {
    CG_CHECK(cg_gateway_prepare(gateway, config) == CG_OK); /* all counters are there already */
    check_protectors(config);
    struct cg_config *old = gateway->config;
    gateway->config = cg_config_ref(config);
    cg_config_unref(old);
    cg_reach_init(gateway);
    take_limits(gateway);
}

struct cg_config *cg_gateway_config(const struct cg_gateway *gateway) {
    return gateway->config;
}

/* Exchanges, as fronts see them. */

static int may_enter(const struct cg_gateway *gateway, struct cg_problem *problem) {
    if (gateway->stopping) {
        return cg_problem_set(problem, CG_E_STOPPING, "the gateway is stopping; try another or later");
    }
    problem->retry_after = 1;
    if (gateway->exchanges.used >= gateway->config->limits.exchanges) {
        return cg_problem_set(problem, CG_E_OVERLOAD, "%u exchanges are running (limits.exchanges)",
                              gateway->exchanges.used);
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
    gateway->port->random(gateway->port->ctx, bytes, sizeof bytes);
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

static void exchange_due(struct cg_gateway *gateway, struct cg_timer *timer) {
    cg_gateway_wake(gateway, CG_CONTAINER(timer, struct cg_exchange, timer));
}

int cg_gateway_new_exchange(struct cg_gateway *gateway, struct cg_ticket *ticket, struct cg_problem *problem) {
    int err = may_enter(gateway, problem);
    if (err < 0) return refuse_exchange(gateway, err);
    struct cg_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL || !cg_slots_add(&gateway->exchanges, exchange, ticket)) {
        free(exchange);
        return refuse_exchange(gateway, cg_problem_no_memory(problem));
    }
    exchange->ticket = *ticket;
    exchange->gateway = gateway;
    exchange->timer.due = exchange_due;
    exchange->config = cg_config_ref(gateway->config);
    exchange->drops_before = gateway->port->kernel_drops(gateway->port->ctx);
    make_id(gateway, exchange->id);
    cg_arena_init(&exchange->arena, exchange->config->limits.exchange_memory, &gateway->quota);
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

const char *cg_gateway_exchange_id(struct cg_gateway *gateway, struct cg_ticket ticket) {
    return fresh_exchange_of(gateway, ticket)->id;
}

static void wake_by_ticket(struct cg_gateway *gateway, struct cg_ticket ticket) {
    struct cg_exchange *exchange = exchange_of(gateway, ticket);
    if (exchange != NULL) cg_gateway_wake(gateway, exchange);
}

void cg_gateway_start(struct cg_gateway *gateway, struct cg_ticket ticket, struct cg_sink *sink, uint64_t now_us) {
    struct cg_exchange *exchange = fresh_exchange_of(gateway, ticket);
    sink->gateway = gateway;
    sink->ticket = ticket;
    sink->wake = wake_by_ticket;
    exchange->sink = sink;
    exchange->started = true;
    exchange->started_us = now_us;
    cg_gateway_wake(gateway, exchange);
}

void cg_gateway_refuse(struct cg_gateway *gateway, struct cg_ticket ticket, const struct cg_problem *problem,
                       unsigned status) {
    struct cg_exchange *exchange = fresh_exchange_of(gateway, ticket);
    exchange->problem = *problem;
    exchange->started_us = gateway->now_us;
    cg_exchange_refuse_request(gateway, exchange, status);
}

void cg_gateway_abandon(struct cg_gateway *gateway, struct cg_ticket ticket) {
    struct cg_exchange *exchange = exchange_of(gateway, ticket);
    if (exchange == NULL) return;
    exchange->abandoned = true;
    cg_gateway_wake(gateway, exchange);
}

/* What protectors promised. */

uint64_t cg_gateway_spare_job(struct cg_gateway *gateway) {
    if (gateway->spare_job != NULL) return gateway->spare_number;
    struct cg_job *job = calloc(1, sizeof *job);
    struct cg_ticket ticket;
    if (job == NULL || !cg_slots_add(&gateway->jobs, job, &ticket)) {
        free(job);
        return 0;
    }
    gateway->spare_job = job;
    gateway->spare_number = cg_ticket_number(ticket);
    return gateway->spare_number;
}

void cg_gateway_use_job(struct cg_gateway *gateway, const struct cg_job *job) {
    if (job->opens) cg_account_postpone(gateway);
    *gateway->spare_job = *job;
    gateway->spare_job = NULL;
}

/* False: stale. */
static bool end_job(struct cg_gateway *gateway, uint64_t number, struct cg_job *job) {
    struct cg_ticket ticket = cg_ticket_from_number(number);
    struct cg_job *found = cg_slots_get(&gateway->jobs, ticket);
    if (found == NULL || found == gateway->spare_job) return false;
    *job = *found;
    cg_slots_remove(&gateway->jobs, ticket);
    free(found);
    return true;
}

/* NULL: it has ended, or has gone on to its next request (a further block). */
static struct cg_ask *ask_of(const struct cg_gateway *gateway, const struct cg_job *job) {
    struct cg_ask *ask = cg_slots_get(&gateway->asks, job->ask);
    return ask != NULL && ask->flies && ask->mid == job->mid ? ask : NULL;
}

void cg_gateway_sealed(struct cg_gateway *gateway, uint64_t number, int err, struct cg_slice datagram,
                       const struct cg_problem *problem) {
    struct cg_job job;
    if (!end_job(gateway, number, &job)) return;
    struct cg_cast *cast = cg_slots_get(&gateway->casts, job.cast);
    struct cg_ask *ask = ask_of(gateway, &job);
    if (cast != NULL) {
        cg_buf_put_slice(&cast->datagram, datagram);
        cg_cast_sealed(gateway, cast, err, problem);
    } else if (ask != NULL) {
        cg_buf_put_slice(&ask->datagram, datagram);
        cg_ask_sealed(gateway, ask, err, problem);
    }
}

static void hand_on(struct cg_gateway *gateway, const struct cg_job *job, int err, const struct cg_opened *opened) {
    struct cg_cast *cast = cg_slots_get(&gateway->casts, job->cast);
    struct cg_ask *ask = ask_of(gateway, job);
    if (cast != NULL) {
        cast->opening--;
        cg_cast_acknowledge(gateway, job, err, opened);
        cg_cast_opened(gateway, cast, &job->from, job->arrival_us, err, opened);
    } else if (ask != NULL) {
        ask->opening--;
        cg_ask_opened(gateway, ask, job->arrival_us, err, opened);
    }
}

void cg_gateway_opened(struct cg_gateway *gateway, uint64_t number, int err, const struct cg_opened *opened) {
    struct cg_job job;
    if (!end_job(gateway, number, &job)) return;
    struct cg_account other = gateway->account; /* protectors deliver what they have when they are released, too */
    cg_account_begin(gateway, CG_FATE_LATE);
    hand_on(gateway, &job, err, opened);
    cg_account_end(gateway);
    gateway->account = other;
}

void cg_gateway_left(struct cg_gateway *gateway, const struct cg_protector *protector) {
    for (uint32_t i = 0; i < gateway->exchanges.cap; i++) {
        struct cg_exchange *exchange = gateway->exchanges.slots[i].item;
        if (exchange == NULL || exchange->mapping == NULL || exchange->mapping->protector != protector) continue;
        exchange->withdrawn = true;
        cg_gateway_wake(gateway, exchange);
    }
}

/* Time and the queue. */

void cg_gateway_set_timer(struct cg_gateway *gateway, struct cg_timer *timer, uint64_t at_us) {
    bool first = cg_heap_first(&gateway->deadlines) == NULL || at_us < cg_heap_first(&gateway->deadlines)->at_us;
    cg_heap_set(&gateway->deadlines, &timer->deadline, at_us);
    if (first) gateway->port->wake(gateway->port->ctx);
}

void cg_gateway_clear_timer(struct cg_gateway *gateway, struct cg_timer *timer) {
    cg_heap_remove(&gateway->deadlines, &timer->deadline);
}

void cg_gateway_wake(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (exchange->awake) return;
    exchange->awake = true;
    DL_APPEND2(gateway->awake, exchange, previous_awake, next_awake);
    gateway->port->wake(gateway->port->ctx);
}

void cg_gateway_calm(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (!exchange->awake) return;
    exchange->awake = false;
    DL_DELETE2(gateway->awake, exchange, previous_awake, next_awake);
}

static void fire_due(struct cg_gateway *gateway) {
    struct cg_deadline *first;
    while ((first = cg_heap_first(&gateway->deadlines)) != NULL && first->at_us <= gateway->now_us) {
        cg_heap_remove(&gateway->deadlines, first);
        struct cg_timer *timer = CG_CONTAINER(first, struct cg_timer, deadline);
        timer->due(gateway, timer);
    }
}

static void purge(struct cg_gateway *gateway) {
    if (gateway->now_us < gateway->purge_us) return;
    gateway->purge_us = gateway->now_us + PURGE_INTERVAL_US;
    cg_endpoints_purge(gateway);
    cg_pings_purge(gateway);
    cg_pace_purge(&gateway->paces, &gateway->config->group, gateway->now_us);
    cg_budgets_purge(&gateway->budgets, gateway->now_us);
}

uint64_t cg_gateway_now(const struct cg_gateway *gateway) { return gateway->now_us; }

static void run_awake(struct cg_gateway *gateway) {
    while (gateway->awake != NULL) {
        struct cg_exchange *exchange = gateway->awake;
        cg_gateway_calm(gateway, exchange);
        cg_exchange_run(gateway, exchange);
    }
}

uint64_t cg_gateway_run(struct cg_gateway *gateway, uint64_t now_us) {
    if (now_us > gateway->now_us) gateway->now_us = now_us;
    purge(gateway);
    fire_due(gateway);
    do {
        run_awake(gateway);
    } while (cg_endpoints_turn(gateway));
    struct cg_deadline *first = cg_heap_first(&gateway->deadlines);
    return first == NULL ? UINT64_MAX : first->at_us;
}

void cg_gateway_stop(struct cg_gateway *gateway) { gateway->stopping = true; }

void cg_gateway_finish_all(struct cg_gateway *gateway) {
    gateway->closing = true;
    for (uint32_t i = 0; i < gateway->exchanges.cap; i++) {
        struct cg_exchange *exchange = gateway->exchanges.slots[i].item;
        if (exchange == NULL) continue;
        exchange->hurried = true;
        cg_gateway_wake(gateway, exchange);
    }
}

void cg_gateway_note_turn(struct cg_gateway *gateway, uint64_t cpu_ns) {
    double seconds = (double)cpu_ns / 1e9;
    cg_histogram_add(&gateway->totals.turns_s, cg_turn_bounds, seconds);
    if (seconds > gateway->totals.longest_turn_s) gateway->totals.longest_turn_s = seconds;
}

size_t cg_gateway_running(const struct cg_gateway *gateway) { return gateway->exchanges.used; }

bool cg_gateway_is_stopping(const struct cg_gateway *gateway) { return gateway->stopping; }

const struct cg_totals *cg_gateway_totals(const struct cg_gateway *gateway) { return &gateway->totals; }

struct cg_stats_table *cg_gateway_stats(struct cg_gateway *gateway) {
    return &gateway->stats;
}

struct cg_quota *cg_gateway_quota(struct cg_gateway *gateway) {
    return &gateway->quota;
}

const struct cg_port *cg_gateway_port(const struct cg_gateway *gateway) { return gateway->port; }
