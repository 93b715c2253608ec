/* Observing at next hops (GCP §8.1.1, §8.2.1): a registration there is one, on one token, for all who are behind it,
 * and their notifications are told apart by Reply-From. It is renewed on its token
 *
 *     where one behind it is stale    later than the next hop itself would have asked that one (stale.c)
 *     every group.observe_renewal     and after a change of keys, with all others
 *
 * A next hop that does not acknowledge that, or says itself that it is over, is lost: those behind it are observed no
 * more until it tells of one, and it is asked anew after 20 s, longer each time. */
#ifndef CG_ROUNDS_HOP_WATCH_H
#define CG_ROUNDS_HOP_WATCH_H

#include "rounds/round.h"

/* One that is behind the part's next hop has answered. */
void cg_hop_watch_hear(struct cg_part *part, bool was_observed, bool is_observed);
/* Whether somebody is observed there, or it is lost: what it says itself then is no answer to the first request. */
bool cg_hop_watch_is_on(const struct cg_part *part);
/* True: it was not lost before. */
bool cg_hop_watch_lose(struct cg_part *part);
/* Registered there, and not lost. */
bool cg_hop_watch_is_registered(const struct cg_part *part);
void cg_hop_watch_renew_all(struct cg_round *round);
/* Those with is_stale. */
void cg_hop_watch_renew_stale(struct cg_round *round);
/* Asks those anew that are due. Returns when the next one is; UINT64_MAX: none is lost. */
uint64_t cg_hop_watch_go_on(struct cg_round *round);

#endif
