/* clang-format off */
/* When members are asked by unicast, and when the group once more.
 *
 *     from the start   who is out of the group requests' reach: configured so, or learnt (model/known.h)
 *     soon             who should have answered by its own answer times, once somebody has: the request got to the group
 *     after leisure    the group, by a second request (again.h), where two members and an eighth of all are silent
 *     after that       whoever is silent (R48)
 *
 * Before half of the time is over they begin to be asked, whatever leisure is. Members are looked at in slices, and
 * asked a few at a time. Where the mapping repairs nothing, or the method may not be repeated, only those are asked of
 * whom the settings say that they do not hear the group (R7).
 *
 * Who lets all datagrams of an ask pass is asked once more when all others have been, as the measured timeout may be
 * short and time long: three times at most, each later one where the one before has left off (RFC 6298 §5.7). */
/* clang-format on */
#ifndef CG_ROUNDS_SILENCE_H
#define CG_ROUNDS_SILENCE_H

#include "rounds/round.h"

/* A cast is out since round->sent_us. `shortest_us`: how long the least patient waiter collects. */
void cg_silence_plan(struct cg_round *round, uint64_t shortest_us);
/* Nothing is cast: all members are asked from the start. */
void cg_silence_plan_all(struct cg_round *round);
/* Somebody has joined who collects that long: silent members are asked in time for it, too. */
void cg_silence_hasten(struct cg_round *round, uint64_t timeout_us);
/* An ask of the round has said all that it may, and nothing has come. */
void cg_silence_note_vain(struct cg_round *round, const struct cg_ask *ask);
/* Nothing that goes to the group gets to it: configured so, or learnt. */
bool cg_silence_is_out_of_reach(const struct cg_round *round, const struct cg_member *member);
/* The round ends: of whom the group request has not reached, a note is made. */
void cg_silence_end(struct cg_round *round);

#endif
