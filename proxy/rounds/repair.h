/* Requests beyond the casts: to the only member (R6), to members that are silent when leisure is over, and to those
 * that want to see that the request is fresh (Echo, RFC 9175). Once in a round, however many wait. */
#ifndef CG_ROUNDS_REPAIR_H
#define CG_ROUNDS_REPAIR_H

#include "rounds/round.h"

/* A cast is out since round->sent_us: silent members are asked later, if at all. `shortest_us`: how long the least
 * patient waiter collects. */
void cg_repair_plan(struct cg_round *round, uint64_t shortest_us);
/* Somebody has joined who collects that long: silent members are asked in time for it, too. */
void cg_repair_hasten(struct cg_round *round, uint64_t timeout_us);
/* Asks the only member in the next turn, when its waiter can take answers or has left; round->problem then says why
 * that cannot be. */
void cg_repair_plan_only(struct cg_round *round);
/* The request once more, to the member that challenged a cast, which proves that it has not acted on it. Once a member:
 * who challenges again may have acted on the second request. */
void cg_repair_retry(struct cg_part *part, const struct cg_arrival *challenge);
void cg_repair_end(struct cg_round *round);
/* Of an only member that is a stranger: nobody has proven to be there, so it was not asked. CG_E_NO_ANSWER. */
void cg_round_say_unproven(const struct cg_round *round, struct cg_problem *problem);

#endif
