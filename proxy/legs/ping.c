/* Pings to strangers. The hard thing: every datagram that asks for one may be a lie, so each costs the gateway less
 * than it cost the liar, and what goes to one host, or to all, comes from a bucket that lies only empty. */
#include "legs/ping.h"
#include "base/container.h"
#include "legs/engine.h"
#include "wire/transmission.h"

#include <stdlib.h>

enum {
    RETRANSMISSIONS = 2, /* each after twice the time of the one before, from ACK_TIMEOUT on */
    GUESSES_MAX = 3,     /* wrong Message IDs from there: then somebody is guessing */
};

/* Buckets */

static void fill_host(struct cg_ping_host *host, uint64_t now_us) {
    cg_allowance_fill(&host->pings, CG_PINGS_HOST, CG_PINGS_HOST_RATE, now_us);
}

/* NULL: no memory. */
static struct cg_ping_host *get_host(struct cg_engine *engine, const struct cg_addr *addr) {
    struct cg_addr key = cg_addr_host(addr);
    struct cg_ping_host *host;
    HASH_FIND(hh, engine->pings.hosts, &key, sizeof key, host);
    if (host != NULL) return host;
    host = calloc(1, sizeof *host);
    if (host == NULL) return NULL;
    host->addr = key;
    host->pings = (struct cg_allowance){.left = CG_PINGS_HOST, .filled_us = engine->now_us};
    HASH_ADD(hh, engine->pings.hosts, addr, sizeof host->addr, host);
    if (CG_HASH_HAS(hh, host)) return host;
    free(host);
    return NULL;
}

/* What is empty makes no row: a flood of made-up hosts is no flood of rows. */
static struct cg_ping_host *host_with_room(struct cg_engine *engine, const struct cg_addr *addr) {
    cg_allowance_fill(&engine->pings.all, CG_PINGS_ALL, CG_PINGS_ALL_RATE, engine->now_us);
    if (engine->pings.all.left < 1) return NULL;
    struct cg_ping_host *host = get_host(engine, addr);
    if (host == NULL) return NULL;
    fill_host(host, engine->now_us);
    return host->pings.left < 1 ? NULL : host;
}

bool cg_ping_has_room(struct cg_engine *engine, const struct cg_addr *to) { return host_with_room(engine, to) != NULL; }

static bool take(struct cg_engine *engine, const struct cg_addr *addr) {
    struct cg_ping_host *host = host_with_room(engine, addr);
    if (host == NULL) return false;
    host->pings.left -= 1;
    engine->pings.all.left -= 1;
    return true;
}

void cg_pings_init(struct cg_engine *engine) { engine->pings.all.left = CG_PINGS_ALL; }

bool cg_pings_purge(struct cg_engine *engine, size_t *rows) {
    struct cg_ping_host *host;
    CG_HASH_SWEEP(engine->pings.hosts, engine->pings.sweep, host, *rows) {
        fill_host(host, engine->now_us);
        if (host->pings.left < CG_PINGS_HOST) continue;
        HASH_DEL(engine->pings.hosts, host);
        free(host);
    }
    return engine->pings.sweep != NULL;
}

void cg_pings_fini(struct cg_engine *engine) {
    struct cg_ping_host *host, *next;
    HASH_ITER(hh, engine->pings.hosts, host, next) {
        HASH_DEL(engine->pings.hosts, host);
        free(host);
    }
}

/* The ping */

static void send(struct cg_engine *engine, struct cg_ping *ping) {
    if (take(engine, ping->to)) {
        cg_engine_send_empty(engine, ping->to, CG_CON, ping->mid);
        cg_room_use(engine, &ping->room);
        engine->totals->pings++;
    }
    cg_room_return(engine, &ping->room);
    cg_engine_set_timer(engine, &ping->timer, engine->now_us + ping->timeout_us);
}

static void transmit(struct cg_engine *engine, struct cg_ping *ping) {
    if (cg_room_take(engine, &ping->room, ping->link)) send(engine, ping);
}

void cg_ping_end(struct cg_engine *engine, struct cg_ping *ping) {
    ping->runs = false;
    cg_room_return(engine, &ping->room);
    cg_engine_clear_timer(engine, &ping->timer);
}

static void give_up(struct cg_engine *engine, struct cg_ping *ping) {
    cg_ping_end(engine, ping);
    ping->ops->gave_up(engine, ping);
}

static void ping_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_ping *ping = CG_CONTAINER(timer, struct cg_ping, timer);
    if (!ping->ops->is_wanted(ping)) {
        cg_ping_end(engine, ping);
    } else if (ping->attempts++ == RETRANSMISSIONS) {
        give_up(engine, ping);
    } else {
        ping->timeout_us *= 2;
        transmit(engine, ping);
    }
}

static void room_granted(struct cg_engine *engine, struct cg_room *room) {
    struct cg_ping *ping = CG_CONTAINER(room, struct cg_ping, room);
    if (ping->ops->is_wanted(ping)) {
        send(engine, ping);
    } else {
        cg_ping_end(engine, ping);
    }
}

void cg_ping_begin(struct cg_engine *engine, struct cg_ping *ping) {
    if (ping->runs) return;
    ping->runs = true;
    ping->attempts = ping->guesses = 0;
    ping->timeout_us = engine->config->group.ack_timeout_us;
    ping->timer.due = ping_due;
    ping->room.lane = CG_LANE_MEMBERS;
    ping->room.granted = room_granted;
    engine->port->random(engine->port->ctx, &ping->mid, sizeof ping->mid);
    transmit(engine, ping);
}

bool cg_ping_hear(struct cg_engine *engine, struct cg_ping *ping, uint16_t mid, enum cg_type type) {
    if (!ping->runs) return false;
    if (type == CG_RST && mid == ping->mid) {
        cg_ping_end(engine, ping);
        ping->ops->answered(engine, ping);
    } else if (++ping->guesses == GUESSES_MAX) {
        give_up(engine, ping);
    }
    return true;
}
