/* Looking at all that runs, a part in each turn. The hard thing: exchanges begin and end meanwhile, and their table
 * grows. But what begins later has the settings in use, so only the places count that there were. */
#include "exchange/withdraw.h"

#include "exchange/exchange.h"
#include "model/withdrawal.h"

enum { PLACES_A_TURN = 512 };

void cg_withdraw_begin(struct cg_gateway *gateway) {
    gateway->unseen = gateway->exchanges.cap;
    gateway->engine.port->wake(gateway->engine.port->ctx);
}

int cg_withdraw_check(struct cg_exchange *exchange) {
    const struct cg_config *now = exchange->gateway->config;
    if (exchange->config == now) return CG_OK;
    return cg_withdrawal_check(now, exchange->mapping, &exchange->request, &exchange->problem);
}

/* One that has a mapping has been admitted; others are looked at when they are. */
static void look_at(struct cg_exchange *exchange) {
    if (exchange->mapping == NULL || exchange->problem.err < 0 || cg_withdraw_check(exchange) == CG_OK) return;
    if (exchange->waiter.round != NULL) cg_problem_add(&exchange->problem, "; members may have acted on the request");
    exchange->lost = true;
    cg_gateway_wake(exchange);
}

bool cg_withdraw_turn(struct cg_gateway *gateway) {
    for (unsigned i = 0; i < PLACES_A_TURN && gateway->unseen > 0; i++) {
        struct cg_exchange *exchange = gateway->exchanges.slots[--gateway->unseen].item;
        if (exchange != NULL) look_at(exchange);
    }
    return gateway->unseen > 0;
}
