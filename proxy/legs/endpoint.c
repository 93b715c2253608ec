/* The table of remote addresses. The hard thing: whose turn it is may change inside anything (an answer, the end of an
 * exchange, a request that cannot be made), so an end only marks its row, and rows are looked at from the engine's
 * turn; only what is new goes at once. */
#include "legs/endpoint.h"
#include "base/container.h"
#include "legs/engine.h"
#include "wire/transmission.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    ENDPOINTS_MAX = 1 << 16,
    SEALED_MAX = 8 << 20,   /* bytes of unicast requests under way, in all: kept for retransmission */
    STRANGERS_BURST = 4096, /* requests to strangers, all together, and ... */
    STRANGERS_RATE = 500,   /* a second, beyond that */
    FUTILE_MAX = 64,        /* rows looked at in vain at one time */
    MIDS = 1 << 15,         /* without CG_MID_UNICAST */
    MIDS_OF_SPAN = MIDS / CG_MID_SPANS,
};

/* Rows */

static void mids_due(struct cg_engine *engine, struct cg_timer *timer);
static const struct cg_ping_ops ping_ops;

struct cg_endpoint *cg_endpoint_find(const struct cg_engine *engine, const struct cg_addr *addr) {
    struct cg_endpoint *endpoint;
    HASH_FIND(hh, engine->endpoints.by_addr, addr, sizeof *addr, endpoint);
    return endpoint;
}

static struct cg_endpoint *get(struct cg_engine *engine, const struct cg_addr *addr) {
    struct cg_endpoint *endpoint = cg_endpoint_find(engine, addr);
    if (endpoint != NULL) return endpoint;
    if (HASH_COUNT(engine->endpoints.by_addr) >= ENDPOINTS_MAX) return NULL;
    endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL) return NULL;
    endpoint->addr = *addr;
    endpoint->ping.ops = &ping_ops;
    endpoint->ping.to = &endpoint->addr;
    endpoint->mid_timer.due = mids_due;
    engine->port->random(engine->port->ctx, &endpoint->next_mid, sizeof endpoint->next_mid);
    HASH_ADD(hh, engine->endpoints.by_addr, addr, sizeof endpoint->addr, endpoint);
    if (CG_HASH_HAS(hh, endpoint)) return endpoint;
    free(endpoint);
    return NULL;
}

static void mark_ripe(struct cg_engine *engine, struct cg_endpoint *endpoint) {
    if (endpoint->ripe || endpoint->starved) return;
    endpoint->ripe = true;
    DL_APPEND2(engine->endpoints.ripe, endpoint, previous_due, next_due);
    engine->port->wake(engine->port->ctx);
}

static void starve(struct cg_engine *engine, struct cg_endpoint *endpoint) {
    if (endpoint->ripe || endpoint->starved) return;
    endpoint->starved = true;
    DL_APPEND2(engine->endpoints.starved, endpoint, previous_due, next_due);
}

static void forget(struct cg_engine *engine, struct cg_endpoint *endpoint) {
    if (endpoint->ripe) DL_DELETE2(engine->endpoints.ripe, endpoint, previous_due, next_due);
    if (endpoint->starved) DL_DELETE2(engine->endpoints.starved, endpoint, previous_due, next_due);
    cg_ping_end(engine, &endpoint->ping);
    cg_engine_clear_timer(engine, &endpoint->mid_timer);
    HASH_DEL(engine->endpoints.by_addr, endpoint);
    free(endpoint);
}

static bool is_idle(const struct cg_endpoint *endpoint) {
    return endpoint->waiting == NULL && endpoint->flying == NULL && !endpoint->ping.runs;
}

bool cg_endpoints_purge(struct cg_engine *engine, size_t *rows) {
    struct cg_endpoint *endpoint;
    CG_HASH_SWEEP(engine->endpoints.by_addr, engine->endpoints.sweep, endpoint, *rows) {
        bool remembered = endpoint->used_us != 0 && engine->now_us - endpoint->used_us < CG_EXCHANGE_LIFETIME_US;
        if (is_idle(endpoint) && !remembered) forget(engine, endpoint);
    }
    return engine->endpoints.sweep != NULL;
}

void cg_endpoints_fini(struct cg_engine *engine) {
    cg_engine_clear_timer(engine, &engine->endpoints.fed);
    struct cg_endpoint *endpoint, *next;
    HASH_ITER(hh, engine->endpoints.by_addr, endpoint, next) forget(engine, endpoint);
}

/* Message IDs */

static uint64_t *span_of(struct cg_endpoint *endpoint) {
    return &endpoint->mids_us[endpoint->next_mid % MIDS / MIDS_OF_SPAN];
}

uint16_t cg_endpoint_take_mid(const struct cg_engine *engine, struct cg_endpoint *endpoint) {
    *span_of(endpoint) = engine->now_us;
    return CG_MID_UNICAST | endpoint->next_mid++;
}

/* A span is begun again when the last that was taken of it is forgotten. False: later, when the timer says so. */
bool cg_endpoint_has_mid(struct cg_engine *engine, struct cg_endpoint *endpoint) {
    uint64_t taken_us = *span_of(endpoint);
    bool begins = endpoint->next_mid % MIDS_OF_SPAN == 0;
    if (cg_addr_is_by_stream(&endpoint->addr)) return true; /* they stay here */
    if (!begins || taken_us == 0 || engine->now_us - taken_us >= CG_EXCHANGE_LIFETIME_US) return true;
    cg_engine_set_timer(engine, &endpoint->mid_timer, taken_us + CG_EXCHANGE_LIFETIME_US);
    return false;
}

uint64_t cg_endpoint_timeout_us(const struct cg_engine *engine, const struct cg_endpoint *endpoint) {
    return cg_rtt_timeout_us(&endpoint->rtt, engine->config->group.ack_timeout_us, engine->now_us);
}

/* Turns */

static bool has_bytes(const struct cg_engine *engine, const struct cg_turn *turn) {
    size_t bytes = engine->endpoints.sealed_bytes;
    return bytes == 0 || bytes + turn->size <= SEALED_MAX;
}

/* Nobody vouches for strangers, however genuine: what all of them together have us do is paced. */
static bool is_paced_off(struct cg_engine *engine, const struct cg_turn *turn) {
    struct cg_allowance *strangers = &engine->endpoints.strangers;
    if (!turn->is_stranger) return false;
    cg_allowance_fill(strangers, STRANGERS_BURST, STRANGERS_RATE, engine->now_us);
    uint64_t wait_us = cg_allowance_wait_us(strangers, 1, STRANGERS_RATE);
    if (wait_us == 0) return false;
    cg_engine_set_timer(engine, &engine->endpoints.fed, engine->now_us + wait_us);
    return true;
}

static void take_off(struct cg_engine *engine, struct cg_turn *turn) {
    struct cg_endpoint *endpoint = turn->endpoint;
    DL_DELETE2(endpoint->waiting, turn, previous, next);
    DL_APPEND2(endpoint->flying, turn, previous, next);
    turn->flies = turn->is_expected = true;
    engine->endpoints.sealed_bytes += turn->size;
    if (turn->is_stranger) engine->endpoints.strangers.left -= 1;
    endpoint->outstanding++;
    endpoint->used_us = engine->now_us;
}

static void discount(struct cg_engine *engine, struct cg_turn *turn) {
    if (!turn->is_expected) return;
    turn->is_expected = false;
    engine->endpoints.sealed_bytes -= turn->size;
    turn->endpoint->outstanding--;
    if (engine->endpoints.starved != NULL) engine->port->wake(engine->port->ctx);
}

static void stop_waiting(struct cg_turn *turn) {
    struct cg_endpoint *endpoint = turn->endpoint;
    DL_DELETE2(endpoint->waiting, turn, previous, next);
    DL_APPEND2(endpoint->flying, turn, previous, next);
    turn->flies = true;
}

static void land(struct cg_engine *engine, struct cg_turn *turn) {
    struct cg_endpoint *endpoint = turn->endpoint;
    DL_DELETE2(endpoint->flying, turn, previous, next);
    turn->flies = false;
    endpoint->used_us = engine->now_us;
    discount(engine, turn);
}

void cg_endpoint_look_again(struct cg_engine *engine, struct cg_endpoint *endpoint) {
    if (endpoint->waiting != NULL) mark_ripe(engine, endpoint);
}

void cg_endpoint_lose_waiting(struct cg_engine *engine, struct cg_endpoint *endpoint,
                              const struct cg_problem *problem) {
    struct cg_turn *next;
    for (struct cg_turn *turn = endpoint->waiting; turn != NULL; turn = next) {
        next = turn->next;
        turn->ops->lose(engine, turn, problem);
    }
}

/* Where a connection leads there it takes one more. */
static bool is_open(struct cg_engine *engine, struct cg_endpoint *endpoint) {
    const struct cg_connection_port *connections = engine->port->connections;
    struct cg_problem problem = {0};
    if (endpoint->addr.connection == 0) return true;
    int err = connections->open(connections->ctx, &endpoint->addr, &problem);
    if (err < 0) cg_endpoint_lose_waiting(engine, endpoint, &problem);
    return err == CG_OK;
}

/* RFC 8323 §3.3 leaves out what is there for the sake of messages that may be lost. */
static uint32_t places(const struct cg_engine *engine, const struct cg_endpoint *endpoint) {
    return cg_addr_is_by_stream(&endpoint->addr) ? UINT32_MAX : engine->config->group.nstart;
}

static void pump(struct cg_engine *engine, struct cg_endpoint *endpoint) {
    const uint32_t nstart = places(engine, endpoint);
    struct cg_turn *next;
    for (struct cg_turn *turn = endpoint->waiting; turn != NULL && endpoint->outstanding < nstart; turn = next) {
        next = turn->next;
        if (engine->closing || !turn->ops->is_wanted(turn)) continue;
        if (turn->is_stranger && !endpoint->genuine) {
            if (!endpoint->ping.runs) endpoint->ping.link = turn->link;
            cg_ping_begin(engine, &endpoint->ping);
            continue;
        }
        if (!cg_endpoint_has_mid(engine, endpoint)) return;
        if (!has_bytes(engine, turn) || is_paced_off(engine, turn)) {
            starve(engine, endpoint);
            return;
        }
        if (!is_open(engine, endpoint)) return;
        take_off(engine, turn);
        turn->ops->launch(engine, turn);
    }
}

static void mids_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_endpoint *endpoint = CG_CONTAINER(timer, struct cg_endpoint, mid_timer);
    if (endpoint->waiting != NULL) mark_ripe(engine, endpoint);
}

bool cg_endpoint_queue(struct cg_engine *engine, struct cg_turn *turn, const struct cg_addr *to) {
    struct cg_endpoint *endpoint = get(engine, to);
    if (endpoint == NULL) return false;
    turn->endpoint = endpoint;
    DL_APPEND2(endpoint->waiting, turn, previous, next);
    pump(engine, endpoint);
    return true;
}

void cg_endpoint_queue_again(struct cg_engine *engine, struct cg_turn *turn) {
    land(engine, turn);
    DL_APPEND2(turn->endpoint->waiting, turn, previous, next);
    pump(engine, turn->endpoint);
}

void cg_endpoint_expect_no_more(struct cg_engine *engine, struct cg_turn *turn) {
    if (!turn->flies) stop_waiting(turn);
    discount(engine, turn);
    if (turn->endpoint->waiting != NULL) mark_ripe(engine, turn->endpoint);
}

void cg_endpoint_leave(struct cg_engine *engine, struct cg_turn *turn) {
    struct cg_endpoint *endpoint = turn->endpoint;
    if (endpoint == NULL) return;
    if (turn->flies) {
        land(engine, turn);
        if (endpoint->waiting != NULL) mark_ripe(engine, endpoint);
    } else {
        DL_DELETE2(endpoint->waiting, turn, previous, next);
    }
    turn->endpoint = NULL;
}

/* Who is there */

void cg_endpoint_prove(struct cg_engine *engine, struct cg_endpoint *endpoint) {
    endpoint->genuine = true;
    endpoint->used_us = engine->now_us;
    if (endpoint->waiting != NULL) mark_ripe(engine, endpoint);
}

static struct cg_endpoint *pinged(const struct cg_ping *ping) { return CG_CONTAINER(ping, struct cg_endpoint, ping); }

static void on_ping_answered(struct cg_engine *engine, struct cg_ping *ping) {
    cg_endpoint_prove(engine, pinged(ping));
}

static void on_ping_gave_up(struct cg_engine *engine, struct cg_ping *ping) {
    struct cg_turn *next;
    for (struct cg_turn *turn = pinged(ping)->waiting; turn != NULL; turn = next) {
        next = turn->next;
        if (turn->is_stranger) turn->ops->refuse(engine, turn);
    }
}

static bool is_ping_wanted(const struct cg_ping *ping) { return pinged(ping)->waiting != NULL; }

static const struct cg_ping_ops ping_ops = {
    .answered = on_ping_answered, .gave_up = on_ping_gave_up, .is_wanted = is_ping_wanted};

static struct cg_turn *flying(const struct cg_endpoint *endpoint, uint16_t mid) {
    struct cg_turn *turn = endpoint->flying;
    while (turn != NULL && !turn->ops->is_about(turn, mid)) turn = turn->next;
    return turn;
}

struct cg_leg *cg_endpoint_sharer(const struct cg_engine *engine, const struct cg_addr *from,
                                  const struct cg_token_entry *token) {
    const struct cg_endpoint *endpoint = token->sharers == 0 ? NULL : cg_endpoint_find(engine, from);
    struct cg_turn *turn = endpoint == NULL ? NULL : endpoint->flying;
    struct cg_leg *leg = NULL;
    for (; turn != NULL && leg == NULL; turn = turn->next) leg = turn->ops->hears(turn, token);
    return leg;
}

bool cg_endpoint_hear(struct cg_engine *engine, const struct cg_addr *from, uint16_t mid, enum cg_type type) {
    struct cg_endpoint *endpoint = cg_endpoint_find(engine, from);
    if (endpoint == NULL) return false;
    struct cg_turn *turn = flying(endpoint, mid);
    if (turn == NULL) return cg_ping_hear(engine, &endpoint->ping, mid, type);
    cg_engine_sign(engine, from, type == CG_ACK ? CG_SIGN_ACKNOWLEDGED : CG_SIGN_RESET);
    turn->ops->hear(engine, turn, mid, type);
    return true;
}

/* Rows that waited for room: as many as there is room for. They wait for one of two things, so one that must wait on
 * does not hold the next. */
static bool feed(struct cg_engine *engine) {
    bool fed = false;
    for (int futile = 0; engine->endpoints.starved != NULL && futile < FUTILE_MAX;) {
        struct cg_endpoint *endpoint = engine->endpoints.starved;
        DL_DELETE2(engine->endpoints.starved, endpoint, previous_due, next_due);
        endpoint->starved = false;
        pump(engine, endpoint);
        futile += endpoint->starved;
        fed |= !endpoint->starved;
    }
    return fed;
}

static void feed_due(struct cg_engine *engine, struct cg_timer *timer) {
    (void)timer;
    feed(engine);
}

void cg_endpoints_init(struct cg_engine *engine) {
    engine->endpoints.fed.due = feed_due;
    engine->endpoints.strangers.left = STRANGERS_BURST;
}

bool cg_endpoints_turn(struct cg_engine *engine) {
    bool done = false;
    while (engine->endpoints.ripe != NULL) {
        struct cg_endpoint *endpoint = engine->endpoints.ripe;
        DL_DELETE2(engine->endpoints.ripe, endpoint, previous_due, next_due);
        endpoint->ripe = false;
        pump(engine, endpoint);
        done = true;
    }
    return feed(engine) || done;
}
