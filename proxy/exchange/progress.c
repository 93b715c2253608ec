/* What others may know of exchanges. The hard thing: what a mapping hides of its members is hidden here, since it is
 * kept and shown to others than the client. */
#include "exchange/progress.h"

#include "exchange/exchange.h"

static struct cg_ticket origin_of(const struct cg_round *round) {
    return round == NULL ? (struct cg_ticket){0} : round->parts[0].request->origin;
}

static void look(const struct cg_exchange *exchange, struct cg_progress *progress) {
    *progress = (struct cg_progress){
        .ticket = exchange->ticket,
        .origin = origin_of(exchange->waiter.round),
        .problem = &exchange->problem,
        .missing = exchange->missing,
        .path_shown = cg_exchange_shown_path(exchange),
        .started_us = exchange->started_us,
        .now_us = exchange->gateway->engine.now_us,
        .sent_us = exchange->waiter.sent_us,
        .deadline_us = exchange->waiter.deadline_us,
        .hides_members = cg_exchange_hides_members(exchange),
        .has_left = exchange->abandoned,
        .is_cut = exchange->cut,
    };
    cg_tell_look(exchange, &progress->view);
}

void cg_exchange_say_over(const struct cg_exchange *exchange, unsigned status) {
    struct cg_exchange_hearer *hearer = exchange->gateway->hearers;
    cg_exchange_log(exchange, status);
    if (hearer == NULL) return;
    struct cg_progress progress;
    look(exchange, &progress);
    progress.status = status;
    progress.is_over = true;
    for (; hearer != NULL; hearer = hearer->next) hearer->over(hearer, &progress);
}

void cg_gateway_add_exchange_hearer(struct cg_gateway *gateway, struct cg_exchange_hearer *hearer) {
    hearer->next = gateway->hearers;
    gateway->hearers = hearer;
}

bool cg_gateway_next_running(struct cg_gateway *gateway, uint32_t *place, struct cg_progress *progress) {
    while (*place < gateway->exchanges.cap) {
        const struct cg_exchange *exchange = gateway->exchanges.slots[(*place)++].item;
        if (exchange == NULL || !exchange->started) continue;
        look(exchange, progress);
        return true;
    }
    return false;
}
