/* How an address is reached: asked of the kernel's own routing, so what is true here is what a datagram would do. */
#ifndef CG_IO_ROUTES_H
#define CG_IO_ROUTES_H

#include <stdint.h>

#include "wire/addr.h"

struct cg_routes {
    int fd; /* netlink; -1: cannot be had, and nobody is a neighbour */
    uint32_t asked;
};

void cg_routes_init(struct cg_routes *routes);
void cg_routes_fini(struct cg_routes *routes);

/* How the routing table sends to an address. */
struct cg_way {
    unsigned interface; /* 0: there is no route */
    bool routed;        /* by a router, not on the link itself */
    bool is_to_host;    /* one host, this one included: no group, no broadcast address, no refusal */
    bool is_own;        /* this one */
};
/* A link-local address is asked for on its zone. Takes two system calls and never waits. */
struct cg_way cg_routes_find(struct cg_routes *routes, const struct cg_addr *to);

/* Whether unicast to that address leaves by the interface with that index and needs no router. */
bool cg_routes_on_link(struct cg_routes *routes, const struct cg_addr *addr, unsigned index);

#endif
