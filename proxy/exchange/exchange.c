/* clang-format off */
/* One client request, from ADMIT to REPLY.
 *
 * | step   | does                                                                    | leaves by                       |
 * |--------|-------------------------------------------------------------------------|---------------------------------|
 * | ADMIT  | which mapping, who is the client, may it (GCP REQ1, REQ2), its budget   | 400 401 403 404 405 429         |
 * | LOOK   | an equal cast in flight: subscribe; else start one per target           |                                 |
 * | CAST   | (the casts) seal the request, the group's turn, one datagram each       | 502 503                         |
 * | GATHER | each answer: tally per member                                           | all, quorum, count, deadline    |
 * | REPAIR | asks for silent members                                                 | the same                        |
 * | DRAIN  | the sink takes what collecting left behind                              | all taken, closed               |
 * | REPLY  | the end of the sink; a client that left is no error                     |                                 |
 *
 * A step looks at the state, not at what woke it. Its verdict: GO to another step, STAY, or GONE. The hard thing: REPLY
 * is the only way out and frees the exchange, so nothing may touch it after GONE. */
/* clang-format on */
#include "exchange/state.h"
#include "base/check.h"
#include "base/log.h"
#include "model/access.h"
#include "model/forward.h"
#include "legs/forwardable.h"
#include "model/mapping.h"
#include "legs/share.h"

#include <stdlib.h>

enum {
    LAST_ANSWERS = 16,        /* whoever lacks no more than these waits for each of them */
    LAST_ANSWERS_US = 50000,  /* and so long it is worth a millisecond that they are not held back */
    VERIFY_GRACE_US = 500000, /* past the deadline, for answers received before it and still being verified */
    ASKS_AT_ONCE = 32,
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
    X(REPAIR, step_repair)                                                                                             \
    X(DRAIN, step_drain)                                                                                               \
    X(REPLY, step_reply)

#define PROTOTYPE(name, function) static enum cg_verdict function(struct cg_gateway *, struct cg_exchange *);
STEPS(PROTOTYPE)

#define ROW(name, function) [CG_STEP_##name] = function,
static enum cg_verdict (*const steps[])(struct cg_gateway *, struct cg_exchange *) = {STEPS(ROW)};

/* The end of an exchange. */

static void stop_collecting(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (exchange->ended_us == 0) exchange->ended_us = gateway->now_us;
    while (exchange->asks != NULL) {
        struct cg_ask *ask = exchange->asks;
        if (ask->purpose == CG_ASK_BLOCKS) cg_blocks_give_up(ask);
        cg_ask_end(gateway, ask);
    }
    for (size_t i = 0; i < exchange->subscription_count; i++) cg_cast_leave(gateway, &exchange->subscriptions[i]);
    cg_gateway_clear_timer(gateway, &exchange->timer);
}

void cg_exchange_free(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    stop_collecting(gateway, exchange);
    cg_gateway_calm(gateway, exchange);
    cg_tell_nobody(exchange);
    if (exchange->tallying) cg_tally_fini(&exchange->tally);
    cg_shares_fini(exchange);
    cg_budget_leave(&gateway->budgets, exchange->usage);
    cg_slots_remove(&gateway->exchanges, exchange->ticket);
    cg_arena_fini(&exchange->arena);
    cg_config_unref(exchange->config);
    free(exchange);
}

static void log_exchange(const struct cg_gateway *gateway, const struct cg_exchange *exchange, unsigned status) {
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, "exchange");
    cg_log_str(&line, "id", exchange->id);
    if (exchange->mapping != NULL) cg_log_str(&line, "mapping", exchange->mapping->name);
    cg_log_str(&line, "client", exchange->request.client == NULL ? "" : exchange->request.client->name);
    const char *method = cg_method_name(exchange->request.method);
    cg_log_str(&line, "method", method == NULL ? "?" : method);
    if (status != 0) cg_log_u64(&line, "status", status);
    if (exchange->problem.err < 0) {
        cg_log_str(&line, "error", cg_err_info(exchange->problem.err)->slug);
        cg_log_str(&line, "detail", exchange->problem.detail);
    }
    if (exchange->tallying) {
        const struct cg_tally *tally = &exchange->tally;
        cg_log_u64(&line, "answered", tally->answered);
        cg_log_u64(&line, "failed", tally->failed);
        cg_log_u64(&line, "missing", cg_tally_missing(tally));
        cg_log_u64(&line, "duplicates", tally->duplicates);
        cg_log_u64(&line, "rejected", tally->rejected);
    }
    if (exchange->ended_by != NULL) cg_log_str(&line, "ended_by", exchange->ended_by);
    if (exchange->cut) cg_log_str(&line, "stream", "cut");
    cg_log_u64(&line, "ms", (gateway->now_us - exchange->started_us) / 1000);
    if (exchange->request.traceparent.len > 0) cg_log_slice(&line, "traceparent", exchange->request.traceparent);
    cg_log_end(&line);
}

static void count_error(struct cg_gateway *gateway, struct cg_exchange *exchange, int err) {
    if (exchange->mapping != NULL) {
        exchange->mapping->stats->errors[-1 - err]++;
    } else {
        gateway->totals.requests_refused++;
        gateway->totals.errors[-1 - err]++;
    }
}

/* The client is gone; what it was told until now counts. */
static void leave(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (exchange->telling) {
        exchange->mapping->stats->answered += exchange->tally.answered;
        exchange->mapping->stats->failed += exchange->tally.failed;
    }
    exchange->ended_by = "client";
    if (exchange->started) log_exchange(gateway, exchange, 0);
    cg_exchange_free(gateway, exchange);
}

void cg_exchange_run(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (exchange->abandoned) {
        leave(gateway, exchange);
        return;
    }
    if (!exchange->started) return;
    while (steps[exchange->step](gateway, exchange) == CG_GO) continue;
}

/* ADMIT */

static int find_forward_mapping(struct cg_exchange *exchange) {
    exchange->mapping = cg_forward_find(exchange->config, exchange->request.path, &exchange->rest);
    if (exchange->mapping != NULL) return CG_OK;
    return cg_problem_set(&exchange->problem, CG_E_FORBIDDEN,
                          "the target URI lies below no group URI of a mapping with \"forward\": true");
}

static int find_mapping(struct cg_exchange *exchange) {
    const struct cg_request *request = &exchange->request;
    if (request->forward) return find_forward_mapping(exchange);
    exchange->mapping = cg_mapping_find(exchange->config, request->host, request->path, &exchange->rest);
    if (exchange->mapping != NULL) return CG_OK;
    return cg_problem_set(&exchange->problem, CG_E_NOT_FOUND,
                          "no mapping has this path; GET /.well-known/core or the settings' mappings tell which exist");
}

static int choose_timeout(struct cg_exchange *exchange) {
    const struct cg_mapping *mapping = exchange->mapping;
    const struct cg_request *request = &exchange->request;
    struct cg_problem *problem = &exchange->problem;
    if (!request->has_timeout) {
        exchange->timeout_us = mapping->timeout_us;
        if (mapping->has_timeout && !exchange->config->http.strict && !request->forward) return CG_OK;
        problem->ask_timeout = true;
        return cg_problem_set(
            problem, CG_E_NO_TIMEOUT, "say how long to collect answers: Multicast-Timeout: SECONDS%s%s",
            request->forward ? "" : ", or a timeout of mapping ", request->forward ? "" : mapping->name);
    }
    exchange->timeout_us = (uint64_t)request->timeout_s * 1000000;
    if (exchange->timeout_us <= mapping->max_timeout_us) return CG_OK;
    return cg_problem_set(problem, CG_E_NO_TIMEOUT, "Multicast-Timeout is above the mapping's max_timeout of %llu s",
                          (unsigned long long)(mapping->max_timeout_us / 1000000));
}

static int take_budget(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    const struct cg_client *client = exchange->request.client;
    struct cg_problem *problem = &exchange->problem;
    uint32_t most = exchange->config->limits.exchanges_per_client;
    int err = cg_budget_enter(&gateway->budgets, client, most, &exchange->usage);
    if (err < 0) {
        problem->retry_after = 1;
        return cg_problem_set(problem, err, "%u of this client's exchanges are running (limits.exchanges_per_client)",
                              most);
    }
    err = cg_budget_take(&gateway->budgets, exchange->mapping, client, gateway->now_us, &problem->retry_after);
    if (err < 0) {
        return cg_problem_set(problem, err, "over the budget of %u requests per minute",
                              exchange->mapping->requests_per_minute);
    }
    return CG_OK;
}

static int begin_tally(struct cg_exchange *exchange) {
    exchange->tallying = cg_tally_init(&exchange->tally, &exchange->arena, exchange->mapping);
    if (exchange->tallying) return CG_OK;
    return cg_problem_memory_full(&exchange->problem);
}

static int admit(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    int err = find_mapping(exchange);
    if (err == CG_OK) err = cg_access_check(exchange->mapping, &exchange->request, &exchange->problem);
    if (err == CG_OK) err = choose_timeout(exchange);
    if (err == CG_OK) err = take_budget(gateway, exchange);
    if (err == CG_OK) err = begin_tally(exchange);
    return err;
}

static enum cg_verdict step_admit(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (admit(gateway, exchange) < 0) return go(exchange, CG_STEP_REPLY);
    exchange->mapping->stats->requests++;
    return go(exchange, CG_STEP_LOOK);
}

/* LOOK and CAST */

int cg_exchange_options(struct cg_exchange *exchange, const struct cg_target *target, struct cg_opts *options) {
    struct cg_opts uri = {0};
    /* The group's name, where it has one (RFC 7252 §6.4 step 5); no protection covers it (RFC 8613 §4.1.3.2). */
    struct cg_opt host = {.number = CG_OPT_URI_HOST, .value = target->host};
    size_t host_count = target->host.len > 0;
    struct cg_arena *arena = &exchange->arena;
    if (exchange->mapping->security != CG_SECURITY_RELAY) { /* where the client protects, it has them inside */
        int err = cg_uri_decompose(&uri, arena, target->path, exchange->rest, target->query, exchange->request.query);
        if (err < 0) return err;
    }
    const struct cg_opts *own = &exchange->request.options;
    options->count = host_count + uri.count + own->count;
    options->list = cg_arena_alloc(arena, (options->count + 1) * sizeof *options->list);
    if (options->list == NULL) return CG_E_NO_MEMORY;
    size_t h = 0, i = 0, j = 0;
    for (size_t at = 0; at < options->count; at++) {
        uint32_t next_own = j == own->count ? UINT32_MAX : own->list[j].number;
        if (h < host_count && host.number <= next_own) {
            options->list[at] = host;
            h++;
        } else if (i < uri.count && uri.list[i].number <= next_own) {
            options->list[at] = uri.list[i++];
        } else {
            options->list[at] = own->list[j++];
        }
    }
    return CG_OK;
}

static bool suppresses_all(const struct cg_exchange *exchange) {
    return (exchange->request.no_response & NO_RESPONSE_ALL) == NO_RESPONSE_ALL;
}

static void subscribe(struct cg_gateway *gateway, struct cg_exchange *exchange, size_t index) {
    struct cg_subscription *subscription = &exchange->subscriptions[index];
    subscription->exchange = exchange;
    const struct cg_request *request = &exchange->request;
    struct cg_group_request group_request = {
        .target = &exchange->mapping->targets[index],
        .method = request->method,
        .payload = request->payload,
        .expects_answers = exchange->timeout_us > 0 && !suppresses_all(exchange),
    };
    int err = cg_exchange_options(exchange, group_request.target, &group_request.options);
    if (err < 0) {
        cg_problem_set(&exchange->problem, err, "the path or query cannot be put into CoAP options");
        subscription->state = CG_SUBSCRIPTION_FAILED;
    } else if (!cg_cast_join(gateway, subscription, &group_request)) {
        cg_cast_start(gateway, subscription, &group_request);
    }
}

struct cg_slice cg_exchange_client(const struct cg_exchange *exchange) {
    const struct cg_client *client = exchange->request.client;
    return client == NULL ? CG_SLICE_NONE : cg_slice_str(client->name);
}

/* R6: a single known member is asked by unicast. */
static bool has_only_member(const struct cg_mapping *mapping) {
    return mapping->complete && mapping->member_count == 1 && mapping->target_count == 1 &&
           mapping->members[0].addr.family != CG_FAMILY_NONE;
}

void cg_exchange_asked(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (exchange->asked) return;
    exchange->asked = true;
    exchange->sent_us = gateway->now_us;
    exchange->deadline_us = gateway->now_us + exchange->timeout_us;
    cg_gateway_wake(gateway, exchange);
}

/* When the members' leisure is over, whoever is silent did not hear the request; half of the time is left for asking
 * them at least. */
static uint64_t repair_time(const struct cg_exchange *exchange, uint64_t sent_us) {
    if (!exchange->mapping->repair_unicast || !cg_ask_may_repeat(exchange)) return UINT64_MAX;
    uint64_t leisure_us = (uint64_t)(exchange->mapping->leisure * 1e6);
    uint64_t half_us = exchange->timeout_us / 2;
    return sent_us + (leisure_us < half_us ? leisure_us : half_us);
}

static void hurry_last_answers(const struct cg_gateway *gateway, const struct cg_exchange *exchange) {
    const struct cg_port *port = gateway->port;
    if (port->hurry == NULL || cg_tally_lacks(&exchange->tally) > LAST_ANSWERS) return;
    port->hurry(port->ctx, gateway->now_us + LAST_ANSWERS_US);
}

/* From `sent_us` on, when the last of the requests went out. */
static enum cg_verdict start_gathering(struct cg_gateway *gateway, struct cg_exchange *exchange, uint64_t sent_us) {
    exchange->sent_us = sent_us;
    if (!cg_tell_begin(gateway, exchange)) return go(exchange, CG_STEP_REPLY);
    exchange->deadline_us = sent_us + exchange->timeout_us;
    exchange->repair_us = repair_time(exchange, sent_us);
    hurry_last_answers(gateway, exchange);
    return go(exchange, CG_STEP_GATHER);
}

static enum cg_verdict step_look(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    const struct cg_mapping *mapping = exchange->mapping;
    if (has_only_member(mapping) && exchange->timeout_us > 0 && !suppresses_all(exchange)) {
        exchange->unicast = true;
        enum cg_verdict verdict = start_gathering(gateway, exchange, gateway->now_us);
        exchange->deadline_us = gateway->now_us + cg_longest_wait(exchange->timeout_us); /* to be asked at all */
        if (exchange->step == CG_STEP_GATHER) cg_ask_member(gateway, exchange, &mapping->members[0]);
        return verdict;
    }
    exchange->subscriptions =
        cg_arena_zalloc(&exchange->arena, mapping->target_count * sizeof *exchange->subscriptions);
    if (exchange->subscriptions == NULL) {
        cg_problem_memory_full(&exchange->problem);
        return go(exchange, CG_STEP_REPLY);
    }
    exchange->subscription_count = mapping->target_count;
    for (size_t i = 0; i < mapping->target_count; i++) subscribe(gateway, exchange, i);
    return go(exchange, CG_STEP_CAST);
}

static void refuse_target(struct cg_exchange *exchange, size_t index) {
    const char *reason = cg_err_info(exchange->problem.err)->slug;
    struct cg_addr group = cg_target_group(&exchange->mapping->targets[index]);
    cg_tally_refuse(&exchange->tally, &group, &(struct cg_opened){0}, reason);
    exchange->mapping->stats->rejected++;
}

/* The gateway has left the group. What was verified until now was a member's answer to a member; where there is none,
 * nobody knows what members did. */
static bool ends_withdrawn(struct cg_exchange *exchange) {
    if (!exchange->withdrawn) return false;
    exchange->ended_by = "limit";
    if (exchange->tally.answered > 0) return true;
    cg_problem_set(&exchange->problem, CG_E_PROTECT,
                   "the security group was removed from the settings; members may have acted on the request");
    return true;
}

/* It will not go out any more. */
static void give_up_waiting(struct cg_gateway *gateway, struct cg_subscription *subscription) {
    struct cg_exchange *exchange = subscription->exchange;
    cg_cast_leave(gateway, subscription);
    subscription->state = CG_SUBSCRIPTION_FAILED;
    if (exchange->withdrawn) {
        cg_problem_set(&exchange->problem, CG_E_PROTECT, "the security group was removed from the settings");
    } else {
        cg_problem_set(&exchange->problem, CG_E_STOPPING, "the gateway is stopping; try another or later");
    }
}

static enum cg_verdict step_cast(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    size_t failed = 0;
    uint64_t sent_us = 0;
    if (ends_withdrawn(exchange) && exchange->problem.err < 0) return go(exchange, CG_STEP_REPLY);
    for (size_t i = 0; i < exchange->subscription_count; i++) {
        struct cg_subscription *subscription = &exchange->subscriptions[i];
        if (subscription->state == CG_SUBSCRIPTION_WAITS) {
            if (!exchange->hurried && !exchange->withdrawn) return CG_STAY;
            give_up_waiting(gateway, subscription);
        }
        failed += subscription->state == CG_SUBSCRIPTION_FAILED;
        if (subscription->sent_us > sent_us) sent_us = subscription->sent_us;
    }
    if (failed == exchange->subscription_count) return go(exchange, CG_STEP_REPLY);
    for (size_t i = 0; i < exchange->subscription_count; i++) {
        if (exchange->subscriptions[i].state == CG_SUBSCRIPTION_FAILED) refuse_target(exchange, i);
    }
    exchange->problem = (struct cg_problem){0};
    return start_gathering(gateway, exchange, sent_us);
}

/* GATHER and REPAIR */

static enum cg_fate fate_of(enum cg_tally_result result) {
    switch (result) {
    case CG_TALLY_NEW:
    case CG_TALLY_NEWER:
    case CG_TALLY_AWAITED: return CG_FATE_ANSWER;
    case CG_TALLY_AGAIN: return CG_FATE_DUPLICATE;
    case CG_TALLY_OVER_CAP:
    case CG_TALLY_NO_MEMORY: break;
    }
    return CG_FATE_REJECTED;
}

static void count(struct cg_gateway *gateway, struct cg_exchange *exchange, enum cg_tally_result result) {
    struct cg_stats *stats = exchange->mapping->stats;
    bool is_again = result == CG_TALLY_AGAIN || result == CG_TALLY_NEWER;
    bool is_dropped = result == CG_TALLY_OVER_CAP || result == CG_TALLY_NO_MEMORY;
    stats->duplicate += is_again;
    stats->over_cap += is_dropped;
    stats->rejected += is_dropped;
    if (result != CG_TALLY_NO_MEMORY) return;
    cg_problem_memory_full(&exchange->problem);
    cg_gateway_wake(gateway, exchange);
}

enum cg_tally_result cg_exchange_add(struct cg_gateway *gateway, struct cg_exchange *exchange,
                                     const struct cg_arrival *arrival) {
    struct cg_held_answer *held = NULL;
    const char *ended_by;
    enum cg_tally_result result = cg_tally_add(&exchange->tally, arrival, &held);
    count(gateway, exchange, result);
    bool is_news = result == CG_TALLY_NEW || result == CG_TALLY_NEWER;
    if (is_news && exchange->telling) cg_tell_answer(gateway, exchange, held);
    if (result == CG_TALLY_NEW && cg_tally_is_finished(&exchange->tally, &ended_by)) {
        cg_gateway_wake(gateway, exchange);
    }
    hurry_last_answers(gateway, exchange);
    return result;
}

static enum cg_tally_result begin_blocks(struct cg_gateway *gateway, struct cg_exchange *exchange,
                                         const struct cg_target *target, const struct cg_arrival *first) {
    enum cg_tally_result result = cg_blocks_begin(gateway, exchange, target, first);
    count(gateway, exchange, result);
    return result;
}

void cg_exchange_answer(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                        const struct cg_arrival *arrival, uint64_t arrival_us) {
    if (exchange->deadline_us != 0 && arrival_us > exchange->deadline_us) {
        exchange->tally.late++;
        exchange->mapping->stats->late++;
        cg_account_say(gateway, CG_FATE_LATE);
        return;
    }
    if (arrival->opened->payload.len > exchange->config->limits.answer) {
        cg_exchange_refuse(exchange, &arrival->from, arrival->opened, "too-large");
        return;
    }
    if (!cg_forwardable(arrival->opened->options, exchange->mapping->security, &exchange->config->options)) {
        cg_exchange_refuse(exchange, &arrival->from, arrival->opened, cg_err_info(CG_E_BAD_OPTION)->slug);
        return;
    }
    const char *refusal = cg_blocks_refusal(exchange, arrival->opened);
    if (refusal != NULL) {
        cg_exchange_refuse(exchange, &arrival->from, arrival->opened, refusal);
        return;
    }
    enum cg_tally_result result = cg_blocks_follow(arrival->opened) ? begin_blocks(gateway, exchange, target, arrival)
                                                                    : cg_exchange_add(gateway, exchange, arrival);
    cg_account_say(gateway, fate_of(result));
}

void cg_exchange_refuse(struct cg_exchange *exchange, const struct cg_addr *from, const struct cg_opened *opened,
                        const char *reason) {
    cg_tally_refuse(&exchange->tally, from, opened, reason);
    exchange->mapping->stats->rejected++;
    cg_account_say(exchange->gateway, CG_FATE_REJECTED);
}

static bool is_opening(const struct cg_exchange *exchange) {
    for (size_t i = 0; i < exchange->subscription_count; i++) {
        const struct cg_cast *cast = exchange->subscriptions[i].cast;
        if (cast != NULL && cast->opening > 0) return true;
    }
    const struct cg_ask *ask = exchange->asks;
    while (ask != NULL && ask->opening == 0) ask = ask->next;
    return ask != NULL;
}

bool cg_exchange_is_due(const struct cg_gateway *gateway, const struct cg_exchange *exchange) {
    return exchange->deadline_us != 0 && gateway->now_us >= exchange->deadline_us;
}

/* The only member was never asked, so nobody may say that it was silent. */
static void miss_turn(struct cg_exchange *exchange) {
    if (exchange->hurried) {
        cg_problem_set(&exchange->problem, CG_E_STOPPING, "the gateway is stopping; try another or later");
        return;
    }
    exchange->problem.retry_after = 1;
    cg_problem_set(&exchange->problem, CG_E_OVERLOAD,
                   "the member's turn did not come in time (group.nstart: RFC 7252 4.7)");
}

/* The end of collecting, with ended_by set; else the timer stands for when to look again. */
static bool is_over(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (ends_withdrawn(exchange)) return true;
    uint64_t sink_us = exchange->telling ? cg_tell_turn(gateway, exchange) : UINT64_MAX;
    if (exchange->problem.err < 0 || exchange->cut) {
        exchange->ended_by = "limit";
        return true;
    }
    const char *rule;
    if (cg_tally_is_finished(&exchange->tally, &rule)) {
        exchange->ended_by = rule;
        return true;
    }
    if (exchange->timeout_us > 0 && suppresses_all(exchange)) {
        exchange->ended_by = "all"; /* nobody will answer (R33) */
        return true;
    }
    uint64_t end_us = exchange->deadline_us;
    if (gateway->now_us >= end_us && is_opening(exchange)) end_us += VERIFY_GRACE_US;
    if (gateway->now_us >= end_us || exchange->hurried) {
        if (exchange->unicast && !exchange->asked) miss_turn(exchange);
        exchange->ended_by = exchange->tally.limited ? "limit" : "deadline";
        return true;
    }
    if (exchange->step == CG_STEP_GATHER && exchange->repair_us < end_us) end_us = exchange->repair_us;
    cg_gateway_set_timer(gateway, &exchange->timer, sink_us < end_us ? sink_us : end_us);
    return false;
}

static enum cg_verdict step_gather(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (is_over(gateway, exchange)) return go(exchange, exchange->telling ? CG_STEP_DRAIN : CG_STEP_REPLY);
    return gateway->now_us >= exchange->repair_us ? go(exchange, CG_STEP_REPAIR) : CG_STAY;
}

static enum cg_verdict step_repair(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (is_over(gateway, exchange)) return go(exchange, exchange->telling ? CG_STEP_DRAIN : CG_STEP_REPLY);
    const struct cg_mapping *mapping = exchange->mapping;
    while (!exchange->unicast && exchange->next_silent < mapping->member_count &&
           exchange->asks_running < ASKS_AT_ONCE) {
        const struct cg_member *member = &mapping->members[exchange->next_silent++];
        bool reachable = member->addr.family != CG_FAMILY_NONE;
        if (reachable && cg_tally_is_silent(&exchange->tally, member)) cg_ask_member(gateway, exchange, member);
    }
    return CG_STAY;
}

/* DRAIN */

static enum cg_verdict step_drain(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (exchange->drain_us == 0) {
        stop_collecting(gateway, exchange);
        exchange->drain_us = gateway->now_us + DRAIN_US;
    }
    uint64_t next_us = cg_tell_turn(gateway, exchange);
    if (exchange->cut || cg_tell_is_done(exchange)) return go(exchange, CG_STEP_REPLY);
    if (gateway->now_us >= exchange->drain_us) {
        cg_tell_cut(exchange);
        return go(exchange, CG_STEP_REPLY);
    }
    cg_gateway_set_timer(gateway, &exchange->timer, next_us < exchange->drain_us ? next_us : exchange->drain_us);
    return CG_STAY;
}

/* REPLY */

static void count_reply(struct cg_exchange *exchange, const struct castgate_summary *summary) {
    struct cg_stats *stats = exchange->mapping->stats;
    stats->answered += summary->answered;
    stats->failed += summary->failed;
    stats->missing += summary->missing;
    stats->kernel_drops += summary->kernel_drops;
    cg_histogram_add(&stats->latency_s, cg_latency_bounds, (double)(exchange->ended_us - exchange->started_us) / 1e6);
    cg_histogram_add(&stats->answers, cg_answers_bounds, summary->answered);
}

static enum cg_verdict step_reply(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    struct castgate_summary summary;
    stop_collecting(gateway, exchange); /* what is still incomplete is taken back before counting */
    unsigned status = cg_tell_end(gateway, exchange, &summary);
    bool failed = exchange->problem.err < 0;
    if (exchange->telling || !failed) count_reply(exchange, &summary);
    if (failed) count_error(gateway, exchange, exchange->problem.err);
    log_exchange(gateway, exchange, status);
    cg_exchange_free(gateway, exchange);
    return CG_GONE;
}

void cg_exchange_refuse_request(struct cg_gateway *gateway, struct cg_exchange *exchange, unsigned status) {
    count_error(gateway, exchange, exchange->problem.err);
    log_exchange(gateway, exchange, status);
    cg_exchange_free(gateway, exchange);
}
