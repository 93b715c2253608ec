/* Where a mapping's answers came from, for clients that ask there again (model/heard.h), and what they show of its
 * members (model/known.h). */
#ifndef CG_ROUNDS_REMEMBER_H
#define CG_ROUNDS_REMEMBER_H

#include "rounds/round.h"

/* An answer was taken. `member`: that it is from; NULL: one that nobody has configured. */
void cg_round_remember(struct cg_round *round, const struct cg_member *member, const struct cg_arrival *arrival);

#endif
