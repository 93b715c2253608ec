/* The group requests of a round, one to each of its targets, from their turn to their end. When all are out that could
 * be, the round gathers, and its repair is planned; when none is, it has failed. */
#ifndef CG_ROUNDS_CASTS_H
#define CG_ROUNDS_CASTS_H

#include "rounds/round.h"

/* `timeout_us`: of the first waiter; what is not out by then never goes out. */
/* The part's request is out, or never will be. For what goes out otherwise (hops.h), too. */
void cg_casts_note_sent(struct cg_part *part);
void cg_casts_fail(struct cg_part *part, const struct cg_problem *problem);
void cg_casts_begin(struct cg_round *round, uint64_t timeout_us);
/* What has not gone out yet never will. */
void cg_casts_give_up(struct cg_round *round, const struct cg_problem *problem);
void cg_casts_end(struct cg_round *round);

/* What each group request of a part tells, the second one (again.h), too: for its struct cg_leg_ops. */
void cg_casts_challenged(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival);
void cg_casts_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                      const struct cg_opened *opened, const char *reason);

#endif
