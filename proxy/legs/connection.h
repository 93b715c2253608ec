/* What becomes of the connections and sessions by which next hops are asked (legs/port.h). Requests that one does not
 * take wait at its address, unsealed, as others do for their turn.
 *
 * Requests are numbered in the order in which they go out: `requests` is how many had when something happened. Called
 * by whoever keeps the connections, not from inside the port. */
#ifndef CG_LEGS_CONNECTION_H
#define CG_LEGS_CONNECTION_H

#include "legs/engine.h"

/* Where that next hop is, and by which connection; as the port's find. */
int cg_connection_find(struct cg_engine *engine, const struct cg_next_hop *next_hop, struct cg_addr *at,
                       struct cg_problem *problem) CG_MUST_CHECK;
/* It takes messages now. */
void cg_connection_ready(struct cg_engine *engine, const struct cg_addr *at);
/* Whoever is there has had the first so many: what an acknowledgement says of a datagram. */
void cg_connection_reached(struct cg_engine *engine, const struct cg_addr *at, uint64_t requests);
/* It is gone: whoever asked there, or waits to, ends with that problem. */
void cg_connection_lost(struct cg_engine *engine, const struct cg_addr *at, const struct cg_problem *problem);
/* One that had been replaced by another is: whoever asked by it, when so many had gone out, ends. */
void cg_connection_former_lost(struct cg_engine *engine, const struct cg_addr *at, uint64_t requests,
                               const struct cg_problem *problem);
/* Whether somebody asks there, or waits to. */
bool cg_connection_is_used(const struct cg_engine *engine, const struct cg_addr *at);
uint64_t cg_connection_requests(const struct cg_engine *engine); /* that have gone out so far, wherever to */

#endif
