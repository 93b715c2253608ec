/* Rounds that observe (RFC 7641, RFC 10020 §3.7): who of the members sends notifications. Such a round goes on beyond
 * the time of those who wait for it, as long as one does. */
#ifndef CG_ROUNDS_WATCH_H
#define CG_ROUNDS_WATCH_H

#include "rounds/round.h"

/* Somebody's answer, or what it says anew, is held. */
void cg_watch_hear(struct cg_round *round, struct cg_held_answer *held);
/* Somebody is observed, or is being asked and may be. */
bool cg_watch_goes_on(const struct cg_round *round);
/* A request beyond the casts is over. */
void cg_watch_note_end(struct cg_round *round);

#endif
