/* Looking at all that runs, a part in each turn. What observes may go on for months, so it ends where its mapping says
 * something else now, and its client asks anew; other requests end by themselves. The hard thing: exchanges begin and
 * end meanwhile, and their table grows. But what begins later has the settings in use, so only the places count that
 * there were. */
#include "exchange/withdraw.h"

#include "exchange/exchange.h"
#include "model/mapping.h"
#include "model/same.h"
#include "model/withdrawal.h"

enum {
    PLACES_A_TURN = 512,
    MEMBERS_A_PLACE = 64, /* compared in the time of looking at so many places */
};

/* The latest comparison of a turn: exchanges that observe are many and their mappings few. */
struct comparison {
    const struct cg_mapping *before;
    bool is_same;
};

void cg_withdraw_begin(struct cg_gateway *gateway) {
    gateway->unseen = gateway->exchanges.cap;
    gateway->expiry_s = CG_PASS_FOR_EVER;
    gateway->engine.port->wake(gateway->engine.port->ctx);
}

/* Whether it may; then it is noted when. */
static bool may_expire(struct cg_gateway *gateway, const struct cg_request *request) {
    int64_t expires_s = request->pass == NULL ? CG_PASS_FOR_EVER : request->pass->expires_s;
    if (expires_s < gateway->expiry_s) gateway->expiry_s = expires_s;
    return expires_s != CG_PASS_FOR_EVER;
}

int cg_withdraw_check(struct cg_exchange *exchange) {
    struct cg_gateway *gateway = exchange->gateway;
    bool expires = may_expire(gateway, &exchange->request);
    if (exchange->config == gateway->config && !expires) return CG_OK;
    return cg_withdrawal_check(gateway->config, exchange->mapping, &exchange->request, gateway->wall_s,
                               &exchange->problem);
}

static bool is_same_mapping(const struct cg_exchange *exchange) {
    const struct cg_mapping *now = cg_mapping_by_name(exchange->gateway->config, exchange->mapping->name);
    return now != NULL && cg_mapping_goes_on(exchange->mapping, now);
}

static bool is_outdated(const struct cg_exchange *exchange, struct comparison *latest, size_t *taken) {
    const struct cg_mapping *mapping = exchange->mapping;
    if (!exchange->request.observes || exchange->config == exchange->gateway->config) return false;
    if (latest->before == mapping) return !latest->is_same;
    *taken += mapping->member_count / MEMBERS_A_PLACE;
    *latest = (struct comparison){.before = mapping, .is_same = is_same_mapping(exchange)};
    return !latest->is_same;
}

bool cg_withdraw_is_outdated(const struct cg_exchange *exchange) {
    struct comparison none = {0};
    size_t ignored = 0;
    return is_outdated(exchange, &none, &ignored);
}

static void lose(struct cg_exchange *exchange) {
    if (exchange->waiter.round != NULL) cg_problem_add(&exchange->problem, "; members may have acted on the request");
    exchange->lost = true;
    cg_gateway_wake(exchange);
}

/* One that has a mapping has been admitted; others are looked at when they are. */
static void look_at(struct cg_exchange *exchange, struct comparison *latest, size_t *taken) {
    if (exchange->mapping == NULL || exchange->problem.err < 0) return;
    if (cg_withdraw_check(exchange) < 0) {
        lose(exchange);
    } else if (is_outdated(exchange, latest, taken)) {
        exchange->hurried = true;
        cg_gateway_wake(exchange);
    }
}

bool cg_withdraw_turn(struct cg_gateway *gateway) {
    struct comparison latest = {0};
    for (size_t taken = 0; taken < PLACES_A_TURN && gateway->unseen > 0; taken++) {
        struct cg_exchange *exchange = gateway->exchanges.slots[--gateway->unseen].item;
        if (exchange != NULL) look_at(exchange, &latest, &taken);
    }
    return gateway->unseen > 0;
}
