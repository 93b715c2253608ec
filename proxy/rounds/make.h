/* A round that is made of a wish: whom it asks, and what. It is nowhere yet, and nothing goes out. */
#ifndef CG_ROUNDS_MAKE_H
#define CG_ROUNDS_MAKE_H

#include "rounds/round.h"

/* In no list. NULL, with *problem: CG_E_NO_MEMORY, CG_E_BAD_URI, or that of whom it asks. */
struct cg_round *cg_round_make(struct cg_rounds *rounds, const struct cg_wish *wish, struct cg_problem *problem);

#endif
