/* Whom a round tells that something has happened: its waiters, and its own repair. Nothing here does more than schedule
 * a look, so it may be called from inside anything. */
#ifndef CG_ROUNDS_WAKE_H
#define CG_ROUNDS_WAKE_H

#include "rounds/round.h"

void cg_round_wake_all(struct cg_round *round);
/* Its requests are out since then: from now on every waiter's time runs. */
void cg_round_start_clock(struct cg_round *round, uint64_t sent_us);
/* The waiter's time ends that long after it. */
void cg_round_set_deadline(struct cg_waiter *waiter, uint64_t from_us, uint64_t wait_us);
/* After anything that may end collecting: a finish rule is met, or what was awaited past the deadline is verified. */
void cg_round_reconsider(struct cg_round *round);
/* A request beyond the casts is over: there may be room for the next. */
void cg_round_request_ended(struct cg_round *round);

/* Where it lacks only a few answers, whoever waits for it waits for each of them, and the port is told. */
void cg_round_hurry(const struct cg_round *round);

/* A finish rule is met that all who collect go by. */
bool cg_round_is_finished(const struct cg_round *round, const char **ended_by);
/* Somebody will hear what it still collects. */
bool cg_round_is_wanted(const struct cg_round *round);
/* Of a large request: nothing is under way any more, and nobody is left to be asked. */
bool cg_round_is_exhausted(const struct cg_round *round);
/* Members are still being asked: for what they have not said, or not wholly. */
bool cg_round_is_busy(const struct cg_round *round);
/* An answer is still being verified. */
bool cg_round_is_opening(const struct cg_round *round);

#endif
