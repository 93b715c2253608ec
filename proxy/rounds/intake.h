/* What comes in for a round: answers, whole or in blocks, and what is refused. */
#ifndef CG_ROUNDS_INTAKE_H
#define CG_ROUNDS_INTAKE_H

#include "rounds/round.h"

/* An answer to a request to that part's target; further blocks of it are asked for where it came from. */
void cg_round_take(struct cg_part *part, const struct cg_arrival *arrival);
void cg_round_refuse(struct cg_round *round, const struct cg_addr *from, const struct cg_opened *opened,
                     const char *reason);
/* Refuses the answers that are not whole. */
void cg_round_give_up_partials(struct cg_round *round);

#endif
