/* Bursts: many ask the same within moments, of members that answer at once. Nobody may join a group request that has
 * its first answer, so each answer would let one more out. Where others ask the same, a request therefore waits until a
 * moment after the one before it went out, and whoever comes meanwhile joins it: each still gets answers to a request
 * that went out after it came. The moment grows while it is shared, and who asks alone never waits.
 *
 * What is remembered is a table of fixed size, by the hash of what is asked, where a newer row takes an older one's
 * place: two requests that share a row by chance wait for nothing, or for each other, and join nothing. */
#ifndef CG_ROUNDS_BURST_H
#define CG_ROUNDS_BURST_H

#include "rounds/round.h"

/* A round that may be shared begins: when it should be cast; 0: at once. */
uint64_t cg_burst_until(const struct cg_round *round);
/* It is cast now. */
void cg_burst_cast(struct cg_round *round);
/* Somebody has joined it. */
void cg_burst_joined(struct cg_round *round);
/* It collects nothing more; before its casts end. */
void cg_burst_over(struct cg_round *round);

#endif
