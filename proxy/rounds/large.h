/* Requests that are too large for a multicast: groups have no Block1 (RFC 10020 §3.8), so each configured member gets
 * the request by unicast, in blocks (legs/upload.h), where the mapping allows that; and so does the one member that is
 * asked alone. Who is not configured gets nothing. */
#ifndef CG_ROUNDS_LARGE_H
#define CG_ROUNDS_LARGE_H

#include "rounds/round.h"

/* Whether it may be: CG_OK also for a wish that is not large. CG_E_TOO_BIG, CG_E_NO_TIMEOUT, CG_E_EMIT, with *problem.
 */
int cg_large_check(const struct cg_wish *wish, const struct cg_member *only, struct cg_problem *problem);
/* Begins in the next turn, when its waiter can take answers or has left. */
void cg_large_plan(struct cg_round *round);
/* The first of its requests that has not ended; NULL: there is none. */
const struct cg_ask *cg_large_ask(const struct cg_round *round);
void cg_large_end(struct cg_round *round);
void cg_large_fini(struct cg_round *round);

#endif
