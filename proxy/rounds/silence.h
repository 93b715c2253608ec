/* When members are asked that are silent (R48). */
#ifndef CG_ROUNDS_SILENCE_H
#define CG_ROUNDS_SILENCE_H

#include "rounds/round.h"

/* A cast is out since round->sent_us: silent members are asked later, if at all. `shortest_us`: how long the least
 * patient waiter collects. */
void cg_silence_plan(struct cg_round *round, uint64_t shortest_us);
/* Somebody has joined who collects that long: silent members are asked in time for it, too. */
void cg_silence_hasten(struct cg_round *round, uint64_t timeout_us);
void cg_silence_end(struct cg_round *round);

#endif
