/* Rounds that were served from the cache, kept for a moment for whoever asks the same: all that was made for the first,
 * its reply's bytes included, is there for the next. What the cache gives changes with the clock's second (Max-Age),
 * so that is the moment; it ends earlier where anything is stale, or any of the answers another one.
 *
 * What is kept is a table of fixed size, by the hash of what is asked, where a newer row takes an older one's place.
 * It counts among the cache's bytes, and where these have no room for it, nothing is kept. */
#ifndef CG_ROUNDS_SERVED_H
#define CG_ROUNDS_SERVED_H

#include "rounds/round.h"

/* One that says what the cache would say to that wish; NULL: there is none. */
struct cg_round *cg_served_find(struct cg_rounds *rounds, const struct cg_wish *wish);
/* It was served for that wish. */
void cg_served_keep(struct cg_round *round, const struct cg_wish *wish);
/* A waiter of one that is kept has left, after which there may be more of it; it may be gone then. */
void cg_served_weigh(struct cg_round *round);
/* The gateway's end. */
void cg_served_fini(struct cg_rounds *rounds);

#endif
