/* Silent members are asked by unicast why they are silent, where nothing else asks them: a few in a round, each once a
 * minute, so that the reply can name a cause (model/cause.h). What they answer is a sign and no answer. */
#ifndef CG_ROUNDS_PROBE_H
#define CG_ROUNDS_PROBE_H

#include "rounds/round.h"

/* Its requests are out since round->sent_us. `shortest_us`: how long the least patient waiter collects. */
void cg_probe_plan(struct cg_round *round, uint64_t shortest_us);
void cg_probe_end(struct cg_round *round);

#endif
