/* The second group request of a round (RFC 10020 §3.1.3, the first approach: another Message ID, token and number, so
 * that whoever has had the first answers once more). It goes to each target that the first one went to, because
 * members belong to no target; and to none where something unsafe has gone to the group meanwhile, which it would undo
 * or whose outcome it would mix with what was. Both are open for answers until the round ends. */
#ifndef CG_ROUNDS_AGAIN_H
#define CG_ROUNDS_AGAIN_H

#include "rounds/round.h"

/* When it is out, or never will be, the round's silent members are looked at (round->repair.timer). What is not out by
 * `give_up_us` never goes out. */
void cg_again_begin(struct cg_round *round, uint64_t give_up_us);
/* Whether it still waits for its turn at some target. */
bool cg_again_waits(const struct cg_round *round);
/* When it went out, to the last of its targets; 0: to none. */
uint64_t cg_again_sent_us(const struct cg_round *round);
void cg_again_end(struct cg_round *round);

#endif
