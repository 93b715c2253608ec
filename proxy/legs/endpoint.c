/* The table of remote addresses. The hard thing: whose turn it is may change inside anything (an answer, the end of an
 * exchange, a request that cannot be made), so an end only marks its row, and rows are looked at from the gateway's
 * turn; only what is new goes at once. */
#include "legs/endpoint.h"
#include "base/container.h"
#include "legs/ask.h"
#include "legs/ping.h"
#include "wire/transmission.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    ENDPOINTS_MAX = 1 << 16,
    SEALED_MAX = 8 << 20,   /* bytes of unicast requests under way, in all: kept for retransmission */
    STRANGERS_BURST = 4096, /* requests to strangers, all together, and ... */
    STRANGERS_RATE = 500,   /* a second, beyond that */
    FUTILE_MAX = 64,        /* rows looked at in vain at one time */
    HEADERS = 256,          /* of one, roughly, beside its payload */
    MIDS = 1 << 15,         /* without CG_MID_UNICAST */
    MIDS_OF_SPAN = MIDS / CG_MID_SPANS,
};

/* Rows */

static void mids_due(struct cg_gateway *gateway, struct cg_timer *timer);

struct cg_endpoint *cg_endpoint_find(const struct cg_gateway *gateway, const struct cg_addr *addr) {
    struct cg_endpoint *endpoint;
    HASH_FIND(hh, gateway->endpoints.by_addr, addr, sizeof *addr, endpoint);
    return endpoint;
}

static struct cg_endpoint *get(struct cg_gateway *gateway, const struct cg_addr *addr) {
    struct cg_endpoint *endpoint = cg_endpoint_find(gateway, addr);
    if (endpoint != NULL) return endpoint;
    if (HASH_COUNT(gateway->endpoints.by_addr) >= ENDPOINTS_MAX) return NULL;
    endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL) return NULL;
    endpoint->addr = *addr;
    endpoint->ping_timer.due = cg_ping_due;
    endpoint->mid_timer.due = mids_due;
    gateway->port->random(gateway->port->ctx, &endpoint->next_mid, sizeof endpoint->next_mid);
    HASH_ADD(hh, gateway->endpoints.by_addr, addr, sizeof endpoint->addr, endpoint);
    if (CG_HASH_HAS(hh, endpoint)) return endpoint;
    free(endpoint);
    return NULL;
}

static void mark_ripe(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    if (endpoint->ripe || endpoint->starved) return;
    endpoint->ripe = true;
    DL_APPEND2(gateway->endpoints.ripe, endpoint, previous_due, next_due);
    gateway->port->wake(gateway->port->ctx);
}

static void starve(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    if (endpoint->ripe || endpoint->starved) return;
    endpoint->starved = true;
    DL_APPEND2(gateway->endpoints.starved, endpoint, previous_due, next_due);
}

static void forget(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    if (endpoint->ripe) DL_DELETE2(gateway->endpoints.ripe, endpoint, previous_due, next_due);
    if (endpoint->starved) DL_DELETE2(gateway->endpoints.starved, endpoint, previous_due, next_due);
    cg_gateway_clear_timer(gateway, &endpoint->ping_timer);
    cg_gateway_clear_timer(gateway, &endpoint->mid_timer);
    HASH_DEL(gateway->endpoints.by_addr, endpoint);
    free(endpoint);
}

static bool is_idle(const struct cg_endpoint *endpoint) {
    return endpoint->waiting == NULL && endpoint->flying == NULL && !endpoint->pinging;
}

void cg_endpoints_purge(struct cg_gateway *gateway) {
    struct cg_endpoint *endpoint, *next;
    HASH_ITER(hh, gateway->endpoints.by_addr, endpoint, next) {
        bool remembered = endpoint->used_us != 0 && gateway->now_us - endpoint->used_us < CG_EXCHANGE_LIFETIME_US;
        if (is_idle(endpoint) && !remembered) forget(gateway, endpoint);
    }
}

void cg_endpoints_fini(struct cg_gateway *gateway) {
    cg_gateway_clear_timer(gateway, &gateway->endpoints.fed);
    struct cg_endpoint *endpoint, *next;
    HASH_ITER(hh, gateway->endpoints.by_addr, endpoint, next) forget(gateway, endpoint);
}

/* Message IDs */

static uint64_t *span_of(struct cg_endpoint *endpoint) {
    return &endpoint->mids_us[endpoint->next_mid % MIDS / MIDS_OF_SPAN];
}

uint16_t cg_endpoint_take_mid(const struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    *span_of(endpoint) = gateway->now_us;
    return CG_MID_UNICAST | endpoint->next_mid++;
}

/* A span is begun again when the last that was taken of it is forgotten. False: later, when the timer says so. */
static bool has_mid(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    uint64_t taken_us = *span_of(endpoint);
    bool begins = endpoint->next_mid % MIDS_OF_SPAN == 0;
    if (!begins || taken_us == 0 || gateway->now_us - taken_us >= CG_EXCHANGE_LIFETIME_US) return true;
    cg_gateway_set_timer(gateway, &endpoint->mid_timer, taken_us + CG_EXCHANGE_LIFETIME_US);
    return false;
}

/* Turns */

static size_t size_of(const struct cg_ask *ask) { return ask->exchange->request.payload.len + HEADERS; }

static bool has_bytes(const struct cg_gateway *gateway, const struct cg_ask *ask) {
    size_t bytes = gateway->endpoints.sealed_bytes;
    return bytes == 0 || bytes + size_of(ask) <= SEALED_MAX;
}

/* Nobody vouches for strangers, however genuine: what all of them together have us do is paced. */
static bool is_paced_off(struct cg_gateway *gateway, const struct cg_ask *ask) {
    struct cg_allowance *strangers = &gateway->endpoints.strangers;
    if (!ask->is_stranger) return false;
    cg_allowance_fill(strangers, STRANGERS_BURST, STRANGERS_RATE, gateway->now_us);
    uint64_t wait_us = cg_allowance_wait_us(strangers, 1, STRANGERS_RATE);
    if (wait_us == 0) return false;
    cg_gateway_set_timer(gateway, &gateway->endpoints.fed, gateway->now_us + wait_us);
    return true;
}

static void take_off(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_endpoint *endpoint = ask->endpoint;
    DL_DELETE2(endpoint->waiting, ask, previous_at_endpoint, next_at_endpoint);
    DL_APPEND2(endpoint->flying, ask, previous_at_endpoint, next_at_endpoint);
    ask->flies = ask->is_expected = true;
    ask->charged = size_of(ask);
    gateway->endpoints.sealed_bytes += ask->charged;
    if (ask->is_stranger) gateway->endpoints.strangers.left -= 1;
    endpoint->outstanding++;
    endpoint->used_us = gateway->now_us;
}

static void discount(struct cg_gateway *gateway, struct cg_ask *ask) {
    if (!ask->is_expected) return;
    ask->is_expected = false;
    gateway->endpoints.sealed_bytes -= ask->charged;
    ask->endpoint->outstanding--;
    if (gateway->endpoints.starved != NULL) gateway->port->wake(gateway->port->ctx);
}

static void land(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_endpoint *endpoint = ask->endpoint;
    DL_DELETE2(endpoint->flying, ask, previous_at_endpoint, next_at_endpoint);
    ask->flies = false;
    endpoint->used_us = gateway->now_us;
    discount(gateway, ask);
}

/* An exchange that has ended, or whose client has left, takes its asks back soon. */
static bool is_wanted(const struct cg_ask *ask) { return ask->exchange->ended_us == 0 && !ask->exchange->abandoned; }

static void pump(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    uint32_t nstart = gateway->config->group.nstart;
    struct cg_ask *next;
    for (struct cg_ask *ask = endpoint->waiting; ask != NULL && endpoint->outstanding < nstart; ask = next) {
        next = ask->next_at_endpoint;
        if (gateway->closing || !is_wanted(ask)) continue;
        if (ask->is_stranger && !endpoint->genuine) {
            cg_ping_begin(gateway, endpoint);
            continue;
        }
        if (!has_mid(gateway, endpoint)) return;
        if (!has_bytes(gateway, ask) || is_paced_off(gateway, ask)) {
            starve(gateway, endpoint);
            return;
        }
        take_off(gateway, ask);
        cg_ask_launch(gateway, ask);
    }
}

static void mids_due(struct cg_gateway *gateway, struct cg_timer *timer) {
    struct cg_endpoint *endpoint = CG_CONTAINER(timer, struct cg_endpoint, mid_timer);
    if (endpoint->waiting != NULL) mark_ripe(gateway, endpoint);
}

bool cg_endpoint_queue(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_endpoint *endpoint = get(gateway, &ask->to);
    if (endpoint == NULL) return false;
    ask->endpoint = endpoint;
    DL_APPEND2(endpoint->waiting, ask, previous_at_endpoint, next_at_endpoint);
    pump(gateway, endpoint);
    return true;
}

void cg_endpoint_queue_again(struct cg_gateway *gateway, struct cg_ask *ask) {
    land(gateway, ask);
    DL_APPEND2(ask->endpoint->waiting, ask, previous_at_endpoint, next_at_endpoint);
    pump(gateway, ask->endpoint);
}

void cg_endpoint_expect_no_more(struct cg_gateway *gateway, struct cg_ask *ask) {
    discount(gateway, ask);
    if (ask->endpoint->waiting != NULL) mark_ripe(gateway, ask->endpoint);
}

void cg_endpoint_leave(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_endpoint *endpoint = ask->endpoint;
    if (endpoint == NULL) return;
    if (ask->flies) {
        land(gateway, ask);
        if (endpoint->waiting != NULL) mark_ripe(gateway, endpoint);
    } else {
        DL_DELETE2(endpoint->waiting, ask, previous_at_endpoint, next_at_endpoint);
    }
    ask->endpoint = NULL;
}

struct cg_ask *cg_endpoint_asked(const struct cg_endpoint *endpoint, uint16_t mid) {
    struct cg_ask *ask = endpoint->flying;
    while (ask != NULL && ask->mid != mid) ask = ask->next_at_endpoint;
    return ask;
}

void cg_endpoint_prove(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    endpoint->genuine = true;
    endpoint->used_us = gateway->now_us;
    if (endpoint->waiting != NULL) mark_ripe(gateway, endpoint);
}

/* Rows that waited for room: as many as there is room for. They wait for one of two things, so one that must wait on
 * does not hold the next. */
static bool feed(struct cg_gateway *gateway) {
    bool fed = false;
    for (int futile = 0; gateway->endpoints.starved != NULL && futile < FUTILE_MAX;) {
        struct cg_endpoint *endpoint = gateway->endpoints.starved;
        DL_DELETE2(gateway->endpoints.starved, endpoint, previous_due, next_due);
        endpoint->starved = false;
        pump(gateway, endpoint);
        futile += endpoint->starved;
        fed |= !endpoint->starved;
    }
    return fed;
}

static void feed_due(struct cg_gateway *gateway, struct cg_timer *timer) {
    (void)timer;
    feed(gateway);
}

void cg_endpoints_init(struct cg_gateway *gateway) {
    gateway->endpoints.fed.due = feed_due;
    gateway->endpoints.strangers.left = STRANGERS_BURST;
}

bool cg_endpoints_turn(struct cg_gateway *gateway) {
    bool done = false;
    while (gateway->endpoints.ripe != NULL) {
        struct cg_endpoint *endpoint = gateway->endpoints.ripe;
        DL_DELETE2(gateway->endpoints.ripe, endpoint, previous_due, next_due);
        endpoint->ripe = false;
        pump(gateway, endpoint);
        done = true;
    }
    return feed(gateway) || done;
}
