/* What the core needs from outside: bytes out, randomness, and to be called again. The shell fills it in with sockets,
 * tests with arrays. */
#ifndef CG_LEGS_PORT_H
#define CG_LEGS_PORT_H

#include "model/request.h"

/* Where a datagram goes and how. */
struct cg_route {
    struct cg_addr to;     /* multicast or unicast */
    const char *interface; /* for multicast: a name, or NULL for the only one; ignored for unicast */
    uint8_t hops;          /* for multicast */
};

/* One that has arrived on a group socket. */
struct cg_datagram {
    struct cg_addr from;
    struct cg_slice bytes;
    uint64_t arrival_us; /* monotonic */
};

struct cg_next_hop;

/* Connections and sessions to next hops. None of these may call the core back; what becomes of a connection is told by
 * legs/connection.h. */
struct cg_connection_port {
    void *ctx;
    /* By which connection a next hop is asked whose host is at *at now: that gets its number, and is where the
     * connection leads to, if there is one already. Negative: *problem says why not. */
    int (*find)(void *ctx, const struct cg_next_hop *next_hop, struct cg_addr *at, struct cg_problem *problem);
    /* Whether it takes one more message. CG_PENDING: not now; cg_connection_ready follows, or cg_connection_lost.
     * Negative: it cannot be had, *problem says why. */
    int (*open)(void *ctx, const struct cg_addr *at, struct cg_problem *problem);
    /* As cg_port's, for one that is open. */
    int (*emit)(void *ctx, const struct cg_addr *at, struct cg_slice datagram, struct cg_problem *problem);
};

struct cg_port {
    void *ctx;
    /* Sends one datagram now. CG_E_EMIT with *problem's detail saying why and what to do. Must not call the core back.
     */
    int (*emit)(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem);
    void (*random)(void *ctx, void *to, size_t len); /* CSPRNG; cannot fail */
    /* Datagrams that the kernel has dropped on the group sockets since the start. */
    uint64_t (*kernel_drops)(void *ctx);
    /* The zone of link-local addresses on that interface (a route's); 0: there is none at the moment. NULL: there are
     * no zones. */
    uint32_t (*zone)(void *ctx, const char *interface);
    /* Whether what is sent to that address by unicast leaves by that interface (a route's) and reaches it without a
     * router. NULL: never. */
    bool (*on_link)(void *ctx, const char *interface, const struct cg_addr *addr);
    /* Whether it is an address of this host itself. NULL: only loopback addresses are. */
    bool (*is_own)(void *ctx, const struct cg_addr *addr);
    /* Somebody waits for the very next answers: until then (monotonic µs) none is held back to be taken together with
     * others. Called for each of them. NULL: none ever is. */
    void (*hurry)(void *ctx, uint64_t until_us);
    const struct cg_connection_port *connections; /* NULL: there are none */
    /* Something is queued or the first deadline changed: call cg_gateway_run soon, from the loop, not from here. */
    void (*wake)(void *ctx);
};

static inline bool cg_port_is_own(const struct cg_port *port, const struct cg_addr *addr) {
    return port->is_own == NULL ? cg_addr_is_loopback(addr) : port->is_own(port->ctx, addr);
}

/* Sends one datagram, or a message in the form of one, by whatever leads there. */
static inline int cg_port_emit(const struct cg_port *port, const struct cg_route *route, struct cg_slice datagram,
                               struct cg_problem *problem) {
    if (route->to.connection == 0) return port->emit(port->ctx, route, datagram, problem);
    return port->connections->emit(port->connections->ctx, &route->to, datagram, problem);
}

/* The address with that interface's zone, where it needs one and does not say which. */
static inline struct cg_addr cg_port_addr(const struct cg_port *port, const char *interface,
                                          const struct cg_addr *addr) {
    struct cg_addr at = *addr;
    bool misses_zone = cg_addr_is_link_local(addr) && addr->scope == 0 && port->zone != NULL;
    if (misses_zone) at.scope = port->zone(port->ctx, interface);
    return at;
}

#endif
