/* The one member that is asked by unicast, with nothing cast: the only one that is known (R6), or that the client
 * names. */
#ifndef CG_ROUNDS_ONLY_H
#define CG_ROUNDS_ONLY_H

#include "rounds/round.h"

/* Asks it in the next turn, when its waiter can take answers or has left; round->problem then says why that cannot be.
 */
void cg_only_plan(struct cg_round *round);

#endif
