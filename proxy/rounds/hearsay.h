/* What members are said to have answered to unicast requests of a secured group, unprotected: errors that say why they
 * could not open one (RFC 8613 §8.2, RFC 10021 §7.2, §8.4). Anybody can send them, so they are hints: one new request
 * follows for each member and round, and they are among the refusals until the member has answered after all. */
#ifndef CG_ROUNDS_HEARSAY_H
#define CG_ROUNDS_HEARSAY_H

#include "rounds/round.h"

/* What an ask of the round was told is no answer (struct cg_leg_ops): among the refusals, and followed where it is a
 * hint. The ask goes on. */
void cg_hearsay_refuse(struct cg_round *round, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason);
/* Whoever has that identity has answered. */
void cg_hearsay_forget(struct cg_round *round, struct cg_slice identity);

#endif
