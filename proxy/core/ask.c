/* One unicast Confirmable request to a member: a silent one that is to be repaired, one that challenged, or the next
 * block of a large answer (blocks.c). The hard thing: an answer may come on the ACK, or separately after an empty ACK,
 * and must come from the endpoint that was asked. */
#include "core/ask.h"
#include "base/check.h"

#include <stdlib.h>

/* RFC 7252 §4.8 */
enum { ACK_TIMEOUT_US = 2000000, MAX_RETRANSMIT = 4, DATAGRAM_MAX = 65507, ASKS_MAX = 1024 };

/* Beginning and end. */

static void unlink_from_exchange(struct cg_ask *ask) {
    struct cg_ask **link = &ask->exchange->asks;
    while (*link != ask) link = &(*link)->next;
    *link = ask->next;
}

static void release(struct cg_ask *ask) {
    struct cg_protector *protector = ask->exchange->mapping->protector;
    protector->ops->release(protector, ask->binding);
    ask->binding = NULL;
}

void cg_ask_end(struct cg_gateway *gateway, struct cg_ask *ask) {
    unlink_from_exchange(ask);
    ask->exchange->asks_running--;
    cg_gateway_clear_timer(gateway, &ask->timer);
    if (CG_HASH_HAS(hh, ask)) HASH_DELETE(hh, gateway->asks_by_mid, ask);
    cg_token_spend(gateway, ask->token);
    cg_slots_remove(&gateway->asks, ask->ticket); /* what the protector still delivers finds nothing */
    release(ask);
    cg_buf_fini(&ask->datagram);
    cg_buf_fini(&ask->body);
    free(ask);
}

void cg_ask_give_up(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_exchange *exchange = ask->exchange;
    if (ask->purpose == CG_ASK_BLOCKS) {
        exchange->tally.incomplete--;
        cg_tally_withdraw(&exchange->tally, ask->held, "blocks-incomplete");
        exchange->mapping->stats->rejected++;
    }
    cg_ask_end(gateway, ask);
    cg_gateway_wake(gateway, exchange);
}

/* It did not even go out. Where nobody else is asked, that is the exchange's end; among others it is one silent member
 * more. */
static void fail(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_problem *problem) {
    if (ask->exchange->unicast && ask->purpose == CG_ASK_MEMBER) ask->exchange->problem = *problem;
    cg_ask_give_up(gateway, ask);
}

static void transmit(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_route route = {.to = ask->to};
    struct cg_problem problem = {0};
    int err = gateway->port->emit(gateway->port->ctx, &route, cg_buf_slice(&ask->datagram), &problem);
    if (err < 0) {
        fail(gateway, ask, &problem);
        return;
    }
    cg_gateway_set_timer(gateway, &ask->timer, gateway->now_us + ask->timeout_us);
}

static void ask_due(struct cg_gateway *gateway, struct cg_timer *timer) {
    struct cg_ask *ask = (struct cg_ask *)timer;
    if (ask->attempts++ == MAX_RETRANSMIT) {
        cg_ask_give_up(gateway, ask);
        return;
    }
    ask->timeout_us *= 2;
    transmit(gateway, ask);
}

void cg_ask_sealed(struct cg_gateway *gateway, struct cg_ask *ask, int err, const struct cg_problem *problem) {
    if (err < 0) {
        fail(gateway, ask, problem);
        return;
    }
    if (ask->datagram.failed) {
        struct cg_problem too_big = {0};
        cg_problem_set(&too_big, CG_E_TOO_BIG, "the request does not fit into one datagram");
        fail(gateway, ask, &too_big);
        return;
    }
    ask->exchange->mapping->stats->asked++;
    transmit(gateway, ask);
}

bool cg_ask_renew(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_token_entry *token = cg_token_make(gateway, ask->exchange->mapping->stats);
    if (token == NULL) return false;
    ask->mid = gateway->next_mid++; /* first: what the protector delivers as it releases is of the earlier request */
    if (ask->token != NULL) {
        HASH_DELETE(hh, gateway->asks_by_mid, ask);
        cg_token_spend(gateway, ask->token);
        release(ask);
    }
    ask->token = token;
    token->ask = ask;
    ask->key = (struct cg_ask_key){.to = ask->to, .mid = ask->mid};
    HASH_ADD(hh, gateway->asks_by_mid, key, sizeof ask->key, ask);
    if (!CG_HASH_HAS(hh, ask)) return false;
    ask->acknowledged = false;
    ask->attempts = 0;
    uint16_t random;
    gateway->port->random(gateway->port->ctx, &random, sizeof random);
    ask->timeout_us = ACK_TIMEOUT_US + (uint64_t)random * (ACK_TIMEOUT_US / 2) / UINT16_MAX; /* ACK_RANDOM_FACTOR 1.5 */
    cg_buf_clear(&ask->datagram);
    return true;
}

struct cg_ask *cg_ask_new(struct cg_gateway *gateway, struct cg_exchange *exchange, enum cg_ask_purpose purpose,
                          const struct cg_addr *to, const struct cg_target *target) {
    struct cg_ask *ask = calloc(1, sizeof *ask);
    if (ask == NULL) return NULL;
    if (!cg_slots_add(&gateway->asks, ask, &ask->ticket)) {
        free(ask);
        return NULL;
    }
    ask->timer.due = ask_due;
    ask->exchange = exchange;
    ask->purpose = purpose;
    ask->to = *to;
    ask->target = target;
    cg_buf_init(&ask->datagram, DATAGRAM_MAX);
    cg_buf_init(&ask->body, exchange->config->limits.answer);
    if (!cg_ask_renew(gateway, ask)) {
        if (ask->token != NULL) cg_token_spend(gateway, ask->token);
        cg_slots_remove(&gateway->asks, ask->ticket);
        free(ask);
        return NULL;
    }
    ask->next = exchange->asks;
    exchange->asks = ask;
    exchange->asks_running++;
    return ask;
}

void cg_ask_seal(struct cg_gateway *gateway, struct cg_ask *ask, struct cg_opts options) {
    struct cg_exchange *exchange = ask->exchange;
    struct cg_sealing sealing = {
        .mapping = exchange->mapping,
        .target = ask->target,
        .type = CG_CON,
        .method = exchange->request.method,
        .mid = ask->mid,
        .token = cg_token_of(ask->token),
        .options = options,
        .payload = exchange->request.payload,
        .identity = ask->identity,
    };
    struct cg_problem problem = {0};
    struct cg_protector *protector = exchange->mapping->protector;
    uint64_t job = cg_gateway_spare_job(gateway);
    int err = job == 0 ? cg_problem_set(&problem, CG_E_NO_MEMORY, "the system has no memory left")
                       : protector->ops->seal(protector, &sealing, job, &ask->datagram, &ask->binding, &problem);
    if (err == CG_PENDING) {
        cg_gateway_use_job(gateway, &(struct cg_job){.ask = ask->ticket, .mid = ask->mid});
    } else {
        cg_ask_sealed(gateway, ask, err, &problem);
    }
}

bool cg_ask_with_option(struct cg_opts *options, struct cg_opt *list, const struct cg_opts *plain, struct cg_opt more) {
    if (plain->count + 1 > CG_ASK_OPTIONS_MAX) return false;
    size_t at = 0;
    for (size_t i = 0; i < plain->count && plain->list[i].number <= more.number; i++) list[at++] = plain->list[i];
    size_t before = at;
    list[at++] = more;
    for (size_t i = before; i < plain->count; i++) list[at++] = plain->list[i];
    *options = (struct cg_opts){.list = list, .count = at};
    return true;
}

/* The request to the only member could not be made. */
static void refuse_only(struct cg_gateway *gateway, struct cg_exchange *exchange, int err) {
    if (err < 0) {
        cg_problem_set(&exchange->problem, err, "the path or query cannot be put into CoAP options");
    } else {
        cg_problem_set(&exchange->problem, CG_E_OVERLOAD, "the system has no memory left");
    }
    cg_gateway_wake(gateway, exchange);
}

static struct cg_addr with_zone(const struct cg_gateway *gateway, const struct cg_addr *addr,
                                const struct cg_target *target) {
    struct cg_addr to = *addr;
    bool misses_zone = cg_addr_is_link_local(addr) && addr->scope == 0 && gateway->port->zone != NULL;
    if (misses_zone) to.scope = gateway->port->zone(gateway->port->ctx, target->interface);
    return to;
}

void cg_ask_member(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_member *member) {
    struct cg_opts options;
    const struct cg_target *target = &exchange->mapping->targets[0];
    int err = cg_exchange_options(exchange, target, &options);
    struct cg_addr to = with_zone(gateway, &member->addr, target);
    struct cg_ask *ask = err < 0 ? NULL : cg_ask_new(gateway, exchange, CG_ASK_MEMBER, &to, target);
    if (ask == NULL) {
        if (exchange->unicast) refuse_only(gateway, exchange, err);
        return;
    }
    ask->identity = member->identity;
    cg_ask_seal(gateway, ask, options);
}

static bool is_asked(const struct cg_exchange *exchange, const struct cg_addr *to, enum cg_ask_purpose purpose) {
    for (const struct cg_ask *it = exchange->asks; it != NULL; it = it->next) {
        if (it->purpose == purpose && cg_addr_equal(&it->to, to)) return true;
    }
    return false;
}

void cg_ask_echo(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                 const struct cg_addr *to, const struct cg_opened *challenge) {
    struct cg_opts plain, options;
    struct cg_opt list[CG_ASK_OPTIONS_MAX];
    struct cg_opt echo = {.number = CG_OPT_ECHO, .value = challenge->echo};
    if (exchange->asks_running >= ASKS_MAX || is_asked(exchange, to, CG_ASK_ECHO)) return;
    if (cg_exchange_options(exchange, target, &plain) < 0 || !cg_ask_with_option(&options, list, &plain, echo)) return;
    struct cg_slice identity = cg_arena_copy(&exchange->arena, challenge->identity);
    struct cg_ask *ask = cg_ask_new(gateway, exchange, CG_ASK_ECHO, to, target);
    if (ask == NULL) return;
    ask->identity = identity;
    cg_ask_seal(gateway, ask, options);
}

/* What comes back. */

/* A member that challenges a unicast request is asked once more; one that challenges the Echo itself is given up. */
static void answer_challenge(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_opened *challenge) {
    if (ask->purpose != CG_ASK_MEMBER) {
        cg_ask_give_up(gateway, ask);
        return;
    }
    struct cg_exchange *exchange = ask->exchange;
    const struct cg_target *target = ask->target;
    struct cg_addr to = ask->to;
    cg_ask_end(gateway, ask);
    cg_ask_echo(gateway, exchange, target, &to, challenge);
}

void cg_ask_opened(struct cg_gateway *gateway, struct cg_ask *ask, uint64_t arrival_us, int err,
                   const struct cg_opened *opened) {
    struct cg_exchange *exchange = ask->exchange;
    bool is_anothers = err == CG_OK && ask->identity.len > 0 && !cg_slice_equal(opened->identity, ask->identity);
    if (is_anothers) err = CG_E_SENDER;
    if (err < 0) { /* whoever sent that, the member may not have: it is asked on */
        cg_exchange_refuse(exchange, &ask->to, opened, cg_err_info(err)->slug);
        if (!ask->acknowledged) cg_gateway_set_timer(gateway, &ask->timer, gateway->now_us + ask->timeout_us);
        return;
    }
    if (opened->echo.len > 0) {
        answer_challenge(gateway, ask, opened);
        return;
    }
    if (ask->purpose == CG_ASK_BLOCKS) {
        cg_blocks_take(gateway, ask, opened);
        return;
    }
    uint64_t after_us = arrival_us > exchange->sent_us ? arrival_us - exchange->sent_us : 0;
    struct cg_arrival arrival = {
        .from = ask->to, .opened = opened, .ms = (uint32_t)(after_us / 1000), .via = CASTGATE_VIA_UNICAST};
    const struct cg_target *target = ask->target;
    cg_ask_end(gateway, ask);
    cg_exchange_answer(gateway, exchange, target, &arrival, arrival_us);
    cg_gateway_wake(gateway, exchange);
}

void cg_ask_receive(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_datagram *datagram,
                    const struct cg_msg *msg) {
    if (msg->type == CG_ACK && msg->mid != ask->mid) return; /* of an earlier request to this member */
    if (msg->type == CG_CON) cg_gateway_send_empty(gateway, &datagram->from, CG_ACK, msg->mid);
    cg_gateway_clear_timer(gateway, &ask->timer);
    struct cg_opening opening = {
        .binding = ask->binding, .from = datagram->from, .msg = msg, .datagram = datagram->bytes};
    struct cg_opened opened = {0};
    struct cg_protector *protector = ask->exchange->mapping->protector;
    uint64_t job = cg_gateway_spare_job(gateway);
    int err = job == 0 ? CG_E_NO_MEMORY : protector->ops->open(protector, &opening, job, &opened);
    if (err == CG_PENDING) {
        cg_gateway_use_job(gateway, &(struct cg_job){.ask = ask->ticket,
                                                     .mid = ask->mid,
                                                     .opens = true,
                                                     .from = datagram->from,
                                                     .arrival_us = datagram->arrival_us});
    } else {
        cg_ask_opened(gateway, ask, datagram->arrival_us, err, &opened);
    }
}

void cg_ask_on_empty(struct cg_gateway *gateway, const struct cg_addr *from, uint16_t mid, enum cg_type type) {
    struct cg_ask_key key = {.to = *from, .mid = mid};
    struct cg_ask *ask;
    HASH_FIND(hh, gateway->asks_by_mid, &key, sizeof key, ask);
    if (ask == NULL) return;
    if (type == CG_RST) {
        cg_ask_give_up(gateway, ask);
        return;
    }
    ask->acknowledged = true;
    cg_gateway_clear_timer(gateway, &ask->timer); /* the answer follows; the exchange's deadline bounds the wait */
}
