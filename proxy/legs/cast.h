/* One group request to one target: sealed, sent as one datagram when it is the group's turn (pace.h), and open for
 * every answer on its token until it is ended. */
#ifndef CG_LEGS_CAST_H
#define CG_LEGS_CAST_H

#include "legs/leg.h"

enum cg_cast_state { CG_CAST_SEALING, CG_CAST_WAITING, CG_CAST_SENT };

/* Of its latest message; the leg's timer is for
 *
 *     SEALING  to give up
 *     WAITING  to look again, or to give up
 *     SENT     nothing
 */
struct cg_cast {
    struct cg_leg leg;
    struct cg_timer leisure; /* the members' is over: it does not hold its group's turn any longer */
    struct cg_pace *pace;
    struct cg_place place; /* among those that wait for their turn */
    uint64_t give_up_us;
    uint64_t outstanding_us; /* since when */
    uint64_t changes;        /* of the group, when it went out: see cg_cast_is_outdated */
    enum cg_cast_state state;
    bool renews;      /* its latest message is a renewal, which has not gone out yet */
    bool outstanding; /* counted in pace */
    bool answered;    /* what went out last */
};

/* How long a request may wait for its turn: twice as long as its client waits for answers, so that an equally patient
 * one before it, which nobody answers, does not use up the wait. */
static inline uint64_t cg_longest_wait(uint64_t timeout_us) {
    return 2 * (timeout_us > 1000000 ? timeout_us : 1000000);
}

/* Nothing is sent before cg_cast_go. The target's address is the one that its name stands for now. NULL, with *problem:
 * the name stands for no group, or out of memory. */
struct cg_cast *cg_cast_new(struct cg_engine *engine, const struct cg_leg_order *order, uint64_t give_up_us,
                            struct cg_problem *problem);
void cg_cast_go(struct cg_engine *engine, struct cg_cast *cast); /* may end it */
/* Somebody more patient waits for it, too. */
void cg_cast_wait_until(struct cg_cast *cast, uint64_t give_up_us);
/* Something unsafe has gone to its group since it went out: later requests may see what that changed. */
bool cg_cast_is_outdated(const struct cg_cast *cast);
/* How many unsafe requests have gone to the target's group, as far as anybody needs to know. */
uint64_t cg_target_changes(const struct cg_engine *engine, const struct cg_target *target);
/* The group has answered, as far as that can be known: where answers are verified, one was. It is no longer silent, and
 * the request no longer outstanding (RFC 10020 §3.6). Where nobody answers that is so when leisure is over, though the
 * group is as silent as before. */
void cg_cast_heard(struct cg_engine *engine, struct cg_cast *cast);
/* A client's request waits for the turn of the target's group. */
bool cg_cast_is_waited_for(const struct cg_engine *engine, const struct cg_target *target);
/* Of one that has gone out and observes: a request goes out once more on its token when it is the group's turn, with a
 * Message ID and protection of its own: `request`, which is the cast's from now on, renews the observation or cancels
 * it (Observe 0 or 1; RFC 7641 §3.3.1, RFC 10020 §3.7). Answers to what went out before count meanwhile and afterwards.
 * `sent` or `unsent` follows, from inside or later; not while one is under way. Like every message it only goes out
 * while is_wanted says so, also where it cancels. */
void cg_cast_renew(struct cg_engine *engine, struct cg_cast *cast, const struct cg_leg_request *request,
                   uint64_t give_up_us);
bool cg_cast_is_renewing(const struct cg_cast *cast);
void cg_cast_end(struct cg_engine *engine, struct cg_cast *cast); /* without a word to its owner */

#endif
