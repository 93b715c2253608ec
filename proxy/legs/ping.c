/* Pings to strangers. The hard thing: every datagram that asks for one may be a lie, so each costs the gateway less
 * than it cost the liar, and what goes to one host, or to all, comes from a bucket that lies only empty. */
#include "legs/ping.h"
#include "base/container.h"
#include "legs/ask.h"
#include "legs/reach.h"
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
static struct cg_ping_host *get_host(struct cg_gateway *gateway, const struct cg_addr *addr) {
    struct cg_addr key = cg_addr_host(addr);
    struct cg_ping_host *host;
    HASH_FIND(hh, gateway->pings.hosts, &key, sizeof key, host);
    if (host != NULL) return host;
    host = calloc(1, sizeof *host);
    if (host == NULL) return NULL;
    host->addr = key;
    host->pings = (struct cg_allowance){.left = CG_PINGS_HOST, .filled_us = gateway->now_us};
    HASH_ADD(hh, gateway->pings.hosts, addr, sizeof host->addr, host);
    if (CG_HASH_HAS(hh, host)) return host;
    free(host);
    return NULL;
}

/* What is empty makes no row: a flood of made-up hosts is no flood of rows. */
static struct cg_ping_host *host_with_room(struct cg_gateway *gateway, const struct cg_addr *addr) {
    cg_allowance_fill(&gateway->pings.all, CG_PINGS_ALL, CG_PINGS_ALL_RATE, gateway->now_us);
    if (gateway->pings.all.left < 1) return NULL;
    struct cg_ping_host *host = get_host(gateway, addr);
    if (host == NULL) return NULL;
    fill_host(host, gateway->now_us);
    return host->pings.left < 1 ? NULL : host;
}

static bool take(struct cg_gateway *gateway, const struct cg_addr *addr) {
    struct cg_ping_host *host = host_with_room(gateway, addr);
    if (host == NULL) return false;
    host->pings.left -= 1;
    gateway->pings.all.left -= 1;
    return true;
}

void cg_pings_init(struct cg_gateway *gateway) { gateway->pings.all.left = CG_PINGS_ALL; }

void cg_pings_purge(struct cg_gateway *gateway) {
    struct cg_ping_host *host, *next;
    HASH_ITER(hh, gateway->pings.hosts, host, next) {
        fill_host(host, gateway->now_us);
        if (host->pings.left < CG_PINGS_HOST) continue;
        HASH_DEL(gateway->pings.hosts, host);
        free(host);
    }
}

void cg_pings_fini(struct cg_gateway *gateway) {
    struct cg_ping_host *host, *next;
    HASH_ITER(hh, gateway->pings.hosts, host, next) {
        HASH_DEL(gateway->pings.hosts, host);
        free(host);
    }
}

/* Where to */

bool cg_ping_may_ask(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                     const struct cg_addr *addr, bool known_host) {
    const struct cg_endpoint *endpoint = cg_endpoint_find(gateway, addr);
    if (endpoint != NULL && endpoint->genuine) return true;
    if (exchange->strangers >= CG_STRANGERS_EXCHANGE || cg_addr_is_multicast(addr)) return false;
    bool pinging = endpoint != NULL && endpoint->pinging;
    if (!pinging && host_with_room(gateway, addr) == NULL) return false;
    bool allowed = known_host || cg_reach_near(gateway, &exchange->config->group, target, addr);
    if (allowed) exchange->strangers++;
    return allowed;
}

/* The ping */

static void transmit(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    if (take(gateway, &endpoint->addr)) {
        cg_gateway_send_empty(gateway, &endpoint->addr, CG_CON, endpoint->ping_mid);
        gateway->totals.pings++;
    }
    cg_gateway_set_timer(gateway, &endpoint->ping_timer, gateway->now_us + endpoint->ping_timeout_us);
}

void cg_ping_begin(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    if (endpoint->pinging) return;
    endpoint->pinging = true;
    endpoint->ping_attempts = endpoint->guesses = 0;
    endpoint->ping_timeout_us = CG_ACK_TIMEOUT_US;
    gateway->port->random(gateway->port->ctx, &endpoint->ping_mid, sizeof endpoint->ping_mid);
    transmit(gateway, endpoint);
}

static void end(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    endpoint->pinging = false;
    cg_gateway_clear_timer(gateway, &endpoint->ping_timer);
}

static void refuse(struct cg_gateway *gateway, struct cg_endpoint *endpoint) {
    end(gateway, endpoint);
    struct cg_ask *next;
    for (struct cg_ask *ask = endpoint->waiting; ask != NULL; ask = next) {
        next = ask->next_at_endpoint;
        if (ask->is_stranger) cg_ask_give_up(gateway, ask);
    }
}

void cg_ping_due(struct cg_gateway *gateway, struct cg_timer *timer) {
    struct cg_endpoint *endpoint = CG_CONTAINER(timer, struct cg_endpoint, ping_timer);
    if (endpoint->waiting == NULL) {
        end(gateway, endpoint); /* nobody wants to know any more */
    } else if (endpoint->ping_attempts++ == RETRANSMISSIONS) {
        refuse(gateway, endpoint);
    } else {
        endpoint->ping_timeout_us *= 2;
        transmit(gateway, endpoint);
    }
}

bool cg_ping_on_empty(struct cg_gateway *gateway, struct cg_endpoint *endpoint, uint16_t mid, enum cg_type type) {
    if (!endpoint->pinging) return false;
    if (type == CG_RST && mid == endpoint->ping_mid) {
        end(gateway, endpoint);
        cg_endpoint_prove(gateway, endpoint);
    } else if (++endpoint->guesses == GUESSES_MAX) {
        refuse(gateway, endpoint);
    }
    return true;
}
