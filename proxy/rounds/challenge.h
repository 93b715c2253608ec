/* Members that want to see that a group request is fresh (Echo, RFC 9175). */
#ifndef CG_ROUNDS_CHALLENGE_H
#define CG_ROUNDS_CHALLENGE_H

#include "rounds/round.h"

/* The request once more, to the member that challenged a cast, which proves that it has not acted on it. Once a member:
 * who challenges again may have acted on the second request. */
void cg_challenge_take(struct cg_part *part, const struct cg_arrival *challenge);
/* Of a round that observes, which is registered anew: a request of its own, which each may challenge. */
void cg_challenge_forget(struct cg_round *round);

#endif
