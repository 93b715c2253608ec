/* Next hops: gateways that are asked in a group's place, and hand on what many members answer, on one token (GCP §8).
 * Each of these says by Reply-From whose it is; what does not is the next hop's own word, an error that concerns all of
 * its group.
 *
 * A next hop has so much less time than we as its round trip takes. The round's time begins at once, whether it can
 * take the request or is silent: others do not wait for it. Observing goes on beyond that (hop_watch.h). */
#ifndef CG_ROUNDS_HOPS_H
#define CG_ROUNDS_HOPS_H

#include "rounds/round.h"

/* CG_OK, or CG_E_PROXYING with *problem: a next hop of the mapping would have no time, and how much it takes. */
int cg_hops_check(const struct cg_wish *wish, struct cg_problem *problem) CG_MUST_CHECK;
/* Asks the part's next hop. May fail the part. */
void cg_hops_begin(struct cg_part *part, uint64_t timeout_us);
/* Some waiter's time is over: next hops that have not even acknowledged the request are told as refusals; with
 * *problem where nobody else was asked, and nobody has answered. */
void cg_hops_conclude(struct cg_round *round, struct cg_problem *problem);
void cg_hops_end_one(struct cg_part *part); /* without a word; no effect where none is asked */
/* One that was asked before, on a new token. */
void cg_hops_ask_anew(struct cg_part *part);
/* Where the member is that Reply-From names, if it says so by a CoAP address. */
bool cg_hops_find_address(struct cg_slice reply_from, struct cg_addr *addr);
/* Those that still collect, or still observe, are asked to stop early. */
void cg_hops_end(struct cg_round *round);
/* Those alone that have not registered what the round observes. */
void cg_hops_end_unregistered(struct cg_round *round);

#endif
