/* Places. The hard thing: whether there is one decides what the request is, so it is looked for before any is taken. */
#include "exchange/observers.h"

#include "rounds/shape.h"

static bool may_observe(const struct cg_exchange *exchange) {
    const struct cg_request *request = &exchange->request;
    bool is_safe = (CG_METHOD_BIT(request->method) & CG_METHODS_SAFE) != 0;
    bool is_large = cg_shape_is_large(exchange->mapping, request->payload);
    return is_safe && !is_large && exchange->waiter.timeout_us > 0 && exchange->sink->ops->begin != NULL;
}

static uint32_t most_of_client(const struct cg_exchange *exchange) {
    uint32_t half = exchange->config->limits.observers / 2;
    return half > 0 ? half : 1;
}

static bool is_crowded(const struct cg_exchange *exchange) {
    struct cg_gateway *gateway = exchange->gateway;
    char account[CG_ACCOUNT_MAX];
    cg_request_account(&exchange->request, account);
    return gateway->observers >= exchange->config->limits.observers ||
           cg_budget_running(&gateway->budgets, account, CG_PLACE_OBSERVER) >= most_of_client(exchange);
}

void cg_observers_sort(struct cg_exchange *exchange) {
    struct cg_request *request = &exchange->request;
    bool is_served_once = request->crowding == CG_CROWDING_SERVES_ONCE;
    if (!request->observes) return;
    if (!may_observe(exchange) || (is_served_once && is_crowded(exchange))) request->observes = false;
}

static enum cg_place_kind kind_of(const struct cg_exchange *exchange) {
    return exchange->request.observes ? CG_PLACE_OBSERVER : CG_PLACE_EXCHANGE;
}

static int refuse_observer(struct cg_exchange *exchange) {
    exchange->problem.retry_after = 1;
    return cg_problem_set(&exchange->problem, CG_E_OVERLOAD,
                          "%u clients observe, or half as many are this one's (limits.observers)",
                          exchange->config->limits.observers);
}

static int refuse_exchange(struct cg_exchange *exchange) {
    exchange->problem.retry_after = 1;
    return cg_problem_set(&exchange->problem, CG_E_RATE,
                          "%u of this client's exchanges are running (limits.exchanges_per_client)",
                          exchange->config->limits.exchanges_per_client);
}

static int enter(struct cg_exchange *exchange, uint32_t most) {
    char account[CG_ACCOUNT_MAX];
    cg_request_account(&exchange->request, account);
    return cg_budget_enter(&exchange->gateway->budgets, account, kind_of(exchange), most, &exchange->usage);
}

int cg_observers_enter(struct cg_exchange *exchange) {
    bool observes = exchange->request.observes;
    if (observes && is_crowded(exchange)) return refuse_observer(exchange);
    int err = enter(exchange, observes ? most_of_client(exchange) : exchange->config->limits.exchanges_per_client);
    if (err == CG_E_RATE) return refuse_exchange(exchange);
    if (err < 0) return cg_problem_no_memory(&exchange->problem);
    exchange->gateway->observers += observes;
    return CG_OK;
}

void cg_observers_leave(struct cg_exchange *exchange) {
    if (exchange->usage == NULL) return;
    exchange->gateway->observers -= exchange->request.observes;
    cg_budget_leave(&exchange->gateway->budgets, exchange->usage, kind_of(exchange));
    exchange->usage = NULL;
}
