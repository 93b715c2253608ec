/* Addresses that nobody has configured and nothing verifies: whoever hears a plain group request can answer it from a
 * made-up one. Before anything more goes there than an acknowledgement, it is to answer a CoAP ping (RFC 7252 §4.3): an
 * empty message, shorter than any answer that orders it, with a Message ID that only whoever receives it knows. */
#ifndef CG_LEGS_PING_H
#define CG_LEGS_PING_H

#include "legs/endpoint.h"

/* How many of them an exchange may follow, and how many pings go out (retransmissions included): to one host, and in
 * all. */
#define CG_STRANGERS_EXCHANGE 256u
#define CG_PINGS_HOST         16.0
#define CG_PINGS_HOST_RATE    0.2 /* a second, beyond that */
#define CG_PINGS_ALL          1024.0
#define CG_PINGS_ALL_RATE     100.0

/* Whether the exchange may ask a stranger at that address, and if need be ping it first: it must be a host of its
 * mapping's members, on the link of the target's interface, or in group.prefixes, and within the budgets. `known_host`:
 * it is the first of these. */
bool cg_ping_may_ask(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                     const struct cg_addr *addr, bool known_host);
/* No effect while one is under way. */
void cg_ping_begin(struct cg_gateway *gateway, struct cg_endpoint *endpoint);
void cg_ping_due(struct cg_gateway *gateway, struct cg_timer *timer); /* of cg_endpoint.ping_timer */
/* An empty message from there. True: it was for a ping. */
bool cg_ping_on_empty(struct cg_gateway *gateway, struct cg_endpoint *endpoint, uint16_t mid, enum cg_type type);
void cg_pings_init(struct cg_gateway *gateway);
void cg_pings_purge(struct cg_gateway *gateway);
void cg_pings_fini(struct cg_gateway *gateway);

#endif
