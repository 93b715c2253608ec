/* Members that are observed and have said nothing for longer than their Max-Age (RFC 7641 §3.3.1): what they said last
 * may be untrue by now, so they are registered once more, alone or with their group. */
#ifndef CG_ROUNDS_STALE_H
#define CG_ROUNDS_STALE_H

#include "rounds/round.h"

/* It has said something, and is fresh from then on. */
void cg_stale_note(struct cg_round *round, struct cg_held_answer *held);
/* Looks for those that are stale, some a turn, and registers them when all have been looked at. */
void cg_stale_sweep(struct cg_round *round);

#endif
