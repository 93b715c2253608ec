/* Answers that all have taken. Where each of a round's clients takes answers as they come, nobody needs more than a
 * record of the exchange shows: beyond CG_ANSWERS_KEPT an answer is let go when the last of them has taken it, and of
 * whoever has sent it the key is kept, and what tells a repetition. So the first gateway of a tree counts a million
 * members without holding what they said. */
#ifndef CG_ROUNDS_TOLD_H
#define CG_ROUNDS_TOLD_H

#include "rounds/round.h"

#define CG_ANSWERS_KEPT 4096 /* as many as the recorder shows */

/* Lets go of what nobody needs any more; no effect where somebody does. */
void cg_told_let_go(struct cg_round *round);

#endif
