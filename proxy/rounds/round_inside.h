/* The inside of rounds: what round.c, enter.c and make.c have in common. Others see round.h. */
#ifndef CG_ROUNDS_ROUND_INSIDE_H
#define CG_ROUNDS_ROUND_INSIDE_H

#include "rounds/round.h"

/* Whoever is woken before it was told that sees it by the numbers. */
static inline bool cg_round_has_lost_its_group(const struct cg_round *round) {
    return round->mapping->protector->departure > round->departures;
}

/* Each look is a system call, and tells of nothing where nobody is asked. */
static inline uint64_t cg_round_count_drops(const struct cg_round *round) {
    const struct cg_port *port = cg_round_engine(round)->port;
    return round->cached.is_served ? 0 : port->kernel_drops(port->ctx);
}

/* It collects nothing more; no effect when it did not. */
void cg_round_close(struct cg_round *round);
void cg_round_free(struct cg_round *round); /* of one that is in no list */

#endif
