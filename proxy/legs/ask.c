/* One unicast Confirmable request to a member: a silent one that is to be repaired, one that challenged, or the next
 * block of a large answer (blocks.c). The hard thing: an answer may come on the ACK, or separately after an empty ACK,
 * and must come from the endpoint that was asked. */
#include "legs/ask.h"
#include "base/check.h"
#include "base/container.h"
#include "legs/ping.h"
#include "legs/share.h"
#include "model/who.h"
#include "wire/transmission.h"

#include <stdlib.h>

enum {
    ECHOES_MAX = 1024,   /* of an exchange at once */
    ASKS_MAX = 1 << 16,  /* of all; group requests have no such limit, so asks cannot keep them from anything */
    OPENING_US = 500000, /* longer than that no answer is being verified */
};

enum { MORE_OPTIONS = 2 }; /* beside the request's own: Echo, Block2 */

/* Beginning and end. */

static void unlink_from_exchange(struct cg_ask *ask) {
    struct cg_ask **link = &ask->exchange->asks;
    while (*link != ask) link = &(*link)->next;
    *link = ask->next;
}

/* The latest request is over; what comes back for it finds nothing. */
static void drop_request(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_protector *protector = ask->exchange->mapping->protector;
    ask->mid = 0; /* first, as none has: what the protector delivers as it releases is of that request */
    ask->opening = 0;
    cg_gateway_clear_timer(gateway, &ask->timer);
    if (ask->token != NULL) cg_token_spend(gateway, ask->token);
    ask->token = NULL;
    protector->ops->release(protector, ask->binding);
    ask->binding = NULL;
    cg_buf_fini(&ask->datagram);
}

void cg_ask_end(struct cg_gateway *gateway, struct cg_ask *ask) {
    unlink_from_exchange(ask);
    ask->exchange->asks_running--;
    cg_endpoint_leave(gateway, ask);
    cg_slots_remove(&gateway->asks, ask->ticket); /* what the protector still delivers finds nothing */
    drop_request(gateway, ask);
    free(ask);
}

void cg_ask_give_up(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_exchange *exchange = ask->exchange;
    if (ask->purpose == CG_ASK_BLOCKS) cg_blocks_give_up(ask);
    cg_ask_end(gateway, ask);
    cg_gateway_wake(gateway, exchange);
}

/* It did not even go out. Where nobody else is asked, that is the exchange's end; among others it is one silent member
 * more. */
static void fail(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_problem *problem) {
    if (ask->exchange->unicast && ask->purpose == CG_ASK_MEMBER) ask->exchange->problem = *problem;
    cg_ask_give_up(gateway, ask);
}

bool cg_ask_may_repeat(const struct cg_exchange *exchange) {
    bool idempotent = (CG_METHOD_BIT(exchange->request.method) & CG_METHODS_IDEMPOTENT) != 0;
    return idempotent || exchange->mapping->security == CG_SECURITY_RELAY;
}

/* The group was rekeyed since the request was sealed. */
static bool is_stale(const struct cg_ask *ask) {
    struct cg_protector *protector = ask->exchange->mapping->protector;
    return protector->ops->is_stale != NULL && protector->ops->is_stale(protector, ask->binding);
}

/* What must not be done twice is not said again, but may still be answered; others need not wait for that. */
static void fall_silent(struct cg_gateway *gateway, struct cg_ask *ask) {
    cg_buf_fini(&ask->datagram);
    cg_endpoint_expect_no_more(gateway, ask);
}

/* Under the new keys, since nothing goes out under old ones: who was evicted could read it (R55). The Echo was for what
 * the member held under the old ones. */
static void ask_anew(struct cg_gateway *gateway, struct cg_ask *ask) {
    ask->echo_len = 0;
    cg_ask_go_on(gateway, ask);
}

static void transmit(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_route route = {.to = ask->to};
    struct cg_problem problem = {0};
    int err = cg_protector_emit(ask->exchange->mapping->protector, ask->binding, gateway->port, &route,
                                cg_buf_slice(&ask->datagram), &problem);
    if (err < 0) {
        fail(gateway, ask, &problem);
        return;
    }
    cg_gateway_set_timer(gateway, &ask->timer, gateway->now_us + ask->timeout_us);
}

static void ask_due(struct cg_gateway *gateway, struct cg_timer *timer) {
    struct cg_ask *ask = CG_CONTAINER(timer, struct cg_ask, timer);
    bool is_last = ask->attempts == CG_MAX_RETRANSMIT, stale = is_stale(ask);
    if (ask->opening > 0 && (is_last || stale)) { /* what has come may be the answer */
        cg_gateway_set_timer(gateway, &ask->timer, gateway->now_us + OPENING_US);
    } else if (is_last) {
        if (!ask->acknowledged) cg_ask_give_up(gateway, ask);
    } else if (stale && cg_ask_may_repeat(ask->exchange)) {
        ask_anew(gateway, ask);
    } else if (stale) {
        fall_silent(gateway, ask);
    } else {
        ask->attempts++;
        ask->timeout_us *= 2;
        transmit(gateway, ask);
    }
}

void cg_ask_sealed(struct cg_gateway *gateway, struct cg_ask *ask, int err, const struct cg_problem *problem) {
    if (err < 0) {
        fail(gateway, ask, problem);
        return;
    }
    struct cg_problem incomplete = {0};
    if (cg_sealed_check(&ask->datagram, &incomplete) < 0) {
        fail(gateway, ask, &incomplete);
        return;
    }
    ask->exchange->mapping->stats->asked++;
    transmit(gateway, ask);
}

/* A new request of this ask: fresh token and MID each time, as every block is an exchange of its own (RFC 7959 §2.4).
 */
static bool begin_request(struct cg_gateway *gateway, struct cg_ask *ask) {
    ask->token = cg_token_make(gateway, ask->exchange->mapping->stats);
    if (ask->token == NULL) return false;
    ask->token->ask = ask;
    ask->mid = cg_endpoint_take_mid(gateway, ask->endpoint);
    ask->request = ++gateway->requests;
    ask->acknowledged = false;
    ask->attempts = 0;
    uint16_t random;
    gateway->port->random(gateway->port->ctx, &random, sizeof random);
    ask->timeout_us =
        CG_ACK_TIMEOUT_US + (uint64_t)random * (CG_ACK_TIMEOUT_US / 2) / UINT16_MAX; /* ACK_RANDOM_FACTOR 1.5 */
    cg_buf_init(&ask->datagram, CG_DATAGRAM_MAX);
    return true;
}

/* False, with *problem set: they cannot be. */
static bool make_options(struct cg_ask *ask, struct cg_problem *problem) {
    struct cg_exchange *exchange = ask->exchange;
    int err = cg_exchange_options(exchange, ask->target, &ask->options);
    if (err == CG_OK) {
        ask->room = cg_arena_alloc(&exchange->arena, (ask->options.count + MORE_OPTIONS) * sizeof *ask->room);
        if (ask->room == NULL) err = CG_E_NO_MEMORY;
    }
    if (err == CG_E_NO_MEMORY) cg_problem_memory_full(problem);
    if (err != CG_OK && problem->err == 0) {
        cg_problem_set(problem, err, "the path or query cannot be put into CoAP options");
    }
    return err == CG_OK;
}

struct cg_ask *cg_ask_new(struct cg_gateway *gateway, struct cg_exchange *exchange, enum cg_ask_purpose purpose,
                          const struct cg_addr *to, const struct cg_target *target, struct cg_problem *problem) {
    struct cg_ask *ask = gateway->asks.used >= ASKS_MAX ? NULL : calloc(1, sizeof *ask);
    bool is_added = ask != NULL && cg_slots_add(&gateway->asks, ask, &ask->ticket);
    if (!is_added) {
        free(ask);
        cg_problem_no_memory(problem);
        return NULL;
    }
    ask->timer.due = ask_due;
    ask->exchange = exchange;
    ask->purpose = purpose;
    ask->to = *to;
    ask->target = target;
    if (!make_options(ask, problem)) {
        cg_slots_remove(&gateway->asks, ask->ticket);
        free(ask);
        return NULL;
    }
    ask->next = exchange->asks;
    exchange->asks = ask;
    exchange->asks_running++;
    return ask;
}

/* Puts one more option where its number belongs; the list has room for it. */
static void insert(struct cg_opts *options, struct cg_opt more) {
    struct cg_opt *list = options->list;
    size_t at = options->count++;
    for (; at > 0 && list[at - 1].number > more.number; at--) list[at] = list[at - 1];
    list[at] = more;
}

static int seal(struct cg_gateway *gateway, struct cg_ask *ask, struct cg_opts options, struct cg_problem *problem) {
    const struct cg_exchange *exchange = ask->exchange;
    struct cg_sealing sealing = {
        .mapping = exchange->mapping,
        .target = ask->target,
        .type = CG_CON,
        .method = exchange->request.method,
        .mid = ask->mid,
        .token = cg_token_of(ask->token),
        .options = options,
        .payload = exchange->request.payload,
        .client = cg_exchange_client(exchange),
        .exchange = exchange->ticket,
        .identity = ask->identity,
    };
    struct cg_protector *protector = exchange->mapping->protector;
    uint64_t job = cg_gateway_spare_job(gateway);
    if (job == 0) return cg_problem_no_memory(problem);
    int err = protector->ops->seal(protector, &sealing, job, &ask->datagram, &ask->binding, problem);
    if (err == CG_PENDING) cg_gateway_use_job(gateway, &(struct cg_job){.ask = ask->ticket, .mid = ask->mid});
    return err;
}

/* With Echo and Block2 where they belong. */
static void send_request(struct cg_gateway *gateway, struct cg_ask *ask) {
    uint8_t bytes[CG_BLOCK2_MAX];
    struct cg_problem problem = {0};
    struct cg_opts options = {.list = ask->room, .count = ask->options.count};
    memcpy(ask->room, ask->options.list, ask->options.count * sizeof *ask->room);
    if (ask->purpose == CG_ASK_BLOCKS) {
        insert(&options, (struct cg_opt){.number = CG_OPT_BLOCK2, .value = cg_blocks_option(ask, bytes)});
    }
    if (ask->echo_len > 0) {
        insert(&options, (struct cg_opt){.number = CG_OPT_ECHO, .value = cg_slice_of(ask->echo, ask->echo_len)});
    }
    int err = seal(gateway, ask, options, &problem);
    if (err != CG_PENDING) cg_ask_sealed(gateway, ask, err, &problem);
}

static void fail_for_memory(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_problem problem = {.retry_after = 1};
    cg_problem_no_memory(&problem);
    fail(gateway, ask, &problem);
}

void cg_ask_go(struct cg_gateway *gateway, struct cg_ask *ask) {
    if (!cg_endpoint_queue(gateway, ask)) fail_for_memory(gateway, ask);
}

void cg_ask_go_on(struct cg_gateway *gateway, struct cg_ask *ask) {
    drop_request(gateway, ask);
    cg_endpoint_queue_again(gateway, ask);
}

void cg_ask_launch(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_exchange *exchange = ask->exchange;
    if (exchange->unicast && ask->purpose == CG_ASK_MEMBER) cg_exchange_asked(gateway, exchange);
    if (ask->purpose == CG_ASK_BLOCKS && !cg_blocks_may_ask(ask)) {
        cg_ask_give_up(gateway, ask);
    } else if (begin_request(gateway, ask)) {
        send_request(gateway, ask);
    } else {
        fail_for_memory(gateway, ask);
    }
}

static struct cg_addr with_zone(const struct cg_gateway *gateway, const struct cg_addr *addr,
                                const struct cg_target *target) {
    struct cg_addr to = *addr;
    bool misses_zone = cg_addr_is_link_local(addr) && addr->scope == 0 && gateway->port->zone != NULL;
    if (misses_zone) to.scope = gateway->port->zone(gateway->port->ctx, target->interface);
    return to;
}

void cg_ask_member(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_member *member) {
    const struct cg_target *target = &exchange->mapping->targets[0];
    struct cg_addr to = with_zone(gateway, &member->addr, target);
    struct cg_problem problem = {.retry_after = 1};
    struct cg_ask *ask = cg_ask_new(gateway, exchange, CG_ASK_MEMBER, &to, target, &problem);
    if (ask == NULL) {
        if (!exchange->unicast) return;
        exchange->problem = problem;
        cg_gateway_wake(gateway, exchange);
        return;
    }
    ask->identity = member->identity;
    cg_ask_go(gateway, ask);
}

/* Challenges. */

static bool is_asked(const struct cg_exchange *exchange, const struct cg_addr *to, enum cg_ask_purpose purpose) {
    for (const struct cg_ask *it = exchange->asks; it != NULL; it = it->next) {
        if (it->purpose == purpose && cg_addr_equal(&it->to, to)) return true;
    }
    return false;
}

static uint8_t *challenged_byte(const struct cg_exchange *exchange, const struct cg_member *member) {
    return &exchange->challenged[member->number / 8];
}

static bool was_challenged_by(const struct cg_exchange *exchange, const struct cg_member *member) {
    return exchange->challenged != NULL && (*challenged_byte(exchange, member) >> member->number % 8 & 1) != 0;
}

/* False: out of memory. */
static bool note_challenge(struct cg_exchange *exchange, const struct cg_member *member) {
    size_t size = (exchange->mapping->member_count + 7) / 8;
    if (exchange->challenged == NULL) exchange->challenged = cg_arena_zalloc(&exchange->arena, size);
    if (exchange->challenged == NULL) return false;
    *challenged_byte(exchange, member) |= (uint8_t)(1u << member->number % 8);
    return true;
}

/* A member that has come since the exchange began is in no list of it; what must not be done twice is then not done. */
static bool may_retry(struct cg_exchange *exchange, const struct cg_addr *to, struct cg_slice identity) {
    const struct cg_member *member = cg_who_of_identity(exchange->mapping, identity);
    if (exchange->asks_running >= ECHOES_MAX || is_asked(exchange, to, CG_ASK_ECHO)) return false;
    if (!cg_share_take(exchange, identity, CG_SHARE_ECHO)) return false;
    if (member == NULL) return cg_ask_may_repeat(exchange);
    return !was_challenged_by(exchange, member) && note_challenge(exchange, member);
}

/* False: out of memory. */
static bool take_challenge(struct cg_ask *ask, const struct cg_opened *challenge) {
    CG_CHECK(challenge->echo.len <= sizeof ask->echo);
    memcpy(ask->echo, challenge->echo.data, challenge->echo.len);
    ask->echo_len = (uint8_t)challenge->echo.len;
    if (ask->identity.len == 0) ask->identity = cg_arena_copy(&ask->exchange->arena, challenge->identity);
    return ask->identity.len == challenge->identity.len;
}

void cg_ask_echo(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                 const struct cg_addr *to, const struct cg_opened *challenge) {
    struct cg_problem ignored = {0}; /* it is one silent member more */
    if (!may_retry(exchange, to, challenge->identity)) return;
    struct cg_ask *ask = cg_ask_new(gateway, exchange, CG_ASK_ECHO, to, target, &ignored);
    if (ask == NULL) return;
    if (take_challenge(ask, challenge)) {
        cg_ask_go(gateway, ask);
    } else {
        cg_ask_end(gateway, ask);
    }
}

/* What comes back. */

/* The member did not act on the request, which is therefore made again, whether it was for all or for a block (RFC 9175
 * §2.3). One that challenges the Echo itself is given up. */
static void answer_challenge(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_opened *challenge) {
    bool again = ask->echo_len > 0;
    if (!again && take_challenge(ask, challenge)) {
        cg_ask_go_on(gateway, ask);
    } else {
        cg_ask_give_up(gateway, ask);
    }
}

/* An answer by unicast is one of the group's as well. */
static void hear_of_group(struct cg_gateway *gateway, const struct cg_ask *ask) {
    const struct cg_exchange *exchange = ask->exchange;
    for (size_t i = 0; i < exchange->subscription_count; i++) {
        struct cg_cast *cast = exchange->subscriptions[i].cast;
        if (cast != NULL && cast->target == ask->target) cg_cast_heard(gateway, cast);
    }
}

void cg_ask_opened(struct cg_gateway *gateway, struct cg_ask *ask, uint64_t arrival_us, int err,
                   const struct cg_opened *opened) {
    struct cg_exchange *exchange = ask->exchange;
    bool is_anothers = err == CG_OK && ask->identity.len > 0 && !cg_slice_equal(opened->identity, ask->identity);
    if (is_anothers) err = CG_E_SENDER;
    if (err < 0) { /* whoever sent that, the member may not have: it is asked on */
        cg_exchange_refuse(exchange, &ask->to, opened, cg_err_info(err)->slug);
        if (cg_exchange_is_due(gateway, exchange)) cg_gateway_wake(gateway, exchange);
        return;
    }
    hear_of_group(gateway, ask);
    cg_endpoint_prove(gateway, ask->endpoint);
    if (opened->echo.len > 0) {
        cg_account_say(gateway, CG_FATE_CHALLENGE);
        answer_challenge(gateway, ask, opened);
        return;
    }
    if (ask->purpose == CG_ASK_BLOCKS) {
        cg_account_say(gateway, CG_FATE_BLOCK);
        cg_blocks_take(gateway, ask, opened);
        return;
    }
    uint64_t after_us = arrival_us > exchange->sent_us ? arrival_us - exchange->sent_us : 0;
    struct cg_arrival arrival = {.from = ask->to,
                                 .request = ask->request,
                                 .opened = opened,
                                 .ms = (uint32_t)(after_us / 1000),
                                 .via = CASTGATE_VIA_UNICAST};
    const struct cg_target *target = ask->target;
    cg_ask_end(gateway, ask);
    cg_exchange_answer(gateway, exchange, target, &arrival, arrival_us);
    cg_gateway_wake(gateway, exchange);
}

void cg_ask_receive(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_datagram *datagram,
                    const struct cg_msg *msg) {
    if (msg->type == CG_CON) cg_gateway_send_empty(gateway, &datagram->from, CG_ACK, msg->mid);
    struct cg_opening opening = {
        .binding = ask->binding, .from = datagram->from, .msg = msg, .datagram = datagram->bytes};
    struct cg_opened opened = {0};
    struct cg_protector *protector = ask->exchange->mapping->protector;
    uint64_t job = cg_gateway_spare_job(gateway);
    int err = job == 0 ? CG_E_NO_MEMORY : protector->ops->open(protector, &opening, job, &opened);
    if (err == CG_PENDING) {
        ask->opening++;
        cg_gateway_use_job(gateway, &(struct cg_job){.ask = ask->ticket,
                                                     .mid = ask->mid,
                                                     .opens = true,
                                                     .from = datagram->from,
                                                     .arrival_us = datagram->arrival_us});
    } else {
        cg_ask_opened(gateway, ask, datagram->arrival_us, err, &opened);
    }
}

/* Where answers are verified nobody is believed who only knows a MID: a Reset changes nothing, and an acknowledgement
 * puts the next retransmission off, once. Elsewhere both are what RFC 7252 §4.2 says. */
void cg_ask_on_empty(struct cg_gateway *gateway, const struct cg_addr *from, uint16_t mid, enum cg_type type) {
    struct cg_endpoint *endpoint = cg_endpoint_find(gateway, from);
    struct cg_ask *ask = endpoint == NULL ? NULL : cg_endpoint_asked(endpoint, mid);
    bool is_ping = ask == NULL && endpoint != NULL && cg_ping_on_empty(gateway, endpoint, mid, type);
    if (ask != NULL || is_ping) cg_account_say(gateway, CG_FATE_ACKNOWLEDGEMENT);
    if (ask == NULL) return;
    bool verifies = ask->exchange->mapping->security == CG_SECURITY_GROUP;
    if (type == CG_RST) {
        if (!verifies) cg_ask_give_up(gateway, ask);
    } else if (!ask->acknowledged && ask->timer.deadline.is_set) {
        ask->acknowledged = true;
        cg_gateway_clear_timer(gateway, &ask->timer); /* the answer follows; the exchange's deadline bounds the wait */
        if (verifies) cg_gateway_set_timer(gateway, &ask->timer, gateway->now_us + 2 * ask->timeout_us);
    }
}
