/* clang-format off */
/* Rounds that observe (RFC 7641, RFC 10020 §3.7). Such a round goes on beyond the time of those who wait for it, as long
 * as one of the members sends notifications. Until its last waiter leaves it is registered once more, on its token:
 *
 *     at the group   where two members or more are stale: their Max-Age is over by 5 s, and for one of them by up to 15
 *                    (RFC 7641 §3.3.1), or 8 times as long at most where they speak only when they are asked; after a
 *                    change of keys, within leisure; and every group.observe_renewal seconds, which is when who has
 *                    come or started again since hears of it
 *     at a member    where that one alone is stale
 *     at a next hop  as hop_watch.h has it
 *
 * Who lets registrations pass is waited for longer each time. When the last waiter has left the group is told so, by
 * Observe 1 on the token; who notifies all the same has that repeated, once, and is sent Resets by the legs. The round
 * outlives its waiters until then. What a client has protected itself nobody renews or cancels but that client. */
/* clang-format on */
#ifndef CG_ROUNDS_WATCH_H
#define CG_ROUNDS_WATCH_H

#include "rounds/round.h"

/* It has begun. No effect where it does not observe; the same holds for all of the following. */
void cg_watch_begin(struct cg_round *round);
/* Somebody's answer to the request to that target, or what it says anew, is held. */
void cg_watch_hear(struct cg_part *part, struct cg_held_answer *held);
/* Whoever waits beyond its time waits for nothing any more, if nobody is observed. */
void cg_watch_settle(struct cg_round *round);
/* Whether that notification or further answer may be told now: who sends without end has its latest told when there is
 * allowance again.
 */
bool cg_watch_may_tell(struct cg_round *round, struct cg_held_answer *held);
/* Somebody is observed, or is being asked and may be. */
bool cg_watch_goes_on(const struct cg_round *round);
/* A request beyond the casts is over. */
void cg_watch_note_end(struct cg_round *round);
/* A registration or cancellation is out, or could not go out. */
void cg_watch_sent(struct cg_round *round);
void cg_watch_unsent(struct cg_round *round);
/* Its group is registered at once more, for silent members. What is not out by `give_up_us` never goes out. */
void cg_watch_register(struct cg_round *round, uint64_t give_up_us);
/* What its only waiter has protected anew goes out on the token, at once; nothing where something still waits to. */
enum cg_relayed { CG_RELAYED_RENEWAL, CG_RELAYED_CANCELLATION };
void cg_watch_relay(struct cg_round *round, const struct cg_wish *wish, enum cg_relayed what);
void cg_watch_fini(struct cg_round *round);

#endif
