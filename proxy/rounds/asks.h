/* Unicast requests of a round, to the only member (only.h), to silent ones (silence.h), and to those that want to see
 * that the request is fresh (challenge.h): once in a round, however many wait. */
#ifndef CG_ROUNDS_ASKS_H
#define CG_ROUNDS_ASKS_H

#include "rounds/round.h"

/* An ask of the round, for the part's target, which has not begun. `identity`: as cg_ask_new. NULL, with *problem: it
 * cannot be asked. */
struct cg_ask *cg_asks_new(struct cg_part *part, const struct cg_addr *to, struct cg_slice identity,
                           struct cg_problem *problem);
/* Asks a member that is known, there, after so many earlier ones of this round that it let pass. *problem (err 0: none)
 * says why it cannot be asked. */
void cg_asks_member(struct cg_round *round, const struct cg_member *member, const struct cg_addr *at, unsigned earlier,
                    struct cg_problem *problem);
/* All have begun. Where nothing was cast, and none of them went out in the end, that is the round's problem. */
void cg_asks_settle(struct cg_round *round);
/* No more goes out for it, and it is none of those that are asked at once; what it is answered still counts. */
void cg_asks_hush(struct cg_round *round, struct cg_ask *ask);
/* Whoever this is from has answered, or begun to: it is asked no more. */
void cg_asks_note_answer(struct cg_round *round, const struct cg_arrival *arrival);
void cg_asks_end_one(struct cg_round *round, struct cg_ask *ask);
void cg_asks_end(struct cg_round *round);
/* All but those on whose own token members are observed. */
void cg_asks_end_unregistered(struct cg_round *round);
/* Registers once more as this member's observer, by unicast on the token. False: where it is is not known, or it cannot
 * be asked. */
bool cg_asks_register(struct cg_round *round, const struct cg_member *member);
/* Whose target members are asked for. */
struct cg_part *cg_asks_part(struct cg_round *round);
/* Says by unicast on the token that it is observed no more. No effect where where it is is not known. */
void cg_asks_cancel(struct cg_round *round, const struct cg_member *member, const struct cg_leg_request *cancels);
/* Where a member with this address is asked: on the link of the round's first target, where it does not say which. */
struct cg_addr cg_asks_at(const struct cg_round *round, const struct cg_addr *addr);
/* A request to a member has ended without an answer: with *problem where it did not even go out; NULL: nobody answers.
 * It is the round's end where nobody else is asked. */
void cg_asks_note_end(struct cg_round *round, const struct cg_problem *problem);
/* Of an only member that is a stranger: nobody has proven to be there, so it was not asked. CG_E_NO_ANSWER. */
void cg_asks_say_unproven(const struct cg_round *round, struct cg_problem *problem);

#endif
