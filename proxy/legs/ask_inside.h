/* An ask as its own files see it; nobody else includes this. `ask.c` begins and ends one, has its turn at its address
 * and what it observes, `ask_out.c` what goes, `ask_in.c` what comes. */
#ifndef CG_LEGS_ASK_INSIDE_H
#define CG_LEGS_ASK_INSIDE_H

#include "base/container.h"
#include "legs/ask.h"

static inline struct cg_ask *cg_ask_of_turn(struct cg_turn *turn) { return CG_CONTAINER(turn, struct cg_ask, turn); }

static inline bool cg_ask_hears_many(const struct cg_ask *ask) { return ask->patience == CG_ASK_HEARS_MANY; }

/* Its first answer does not end it. */
static inline bool cg_ask_stays(const struct cg_ask *ask) {
    return ask->leg.request->observes || cg_ask_hears_many(ask);
}

/* ---- ask.c ---- */

/* It did not even go out. May end the ask. */
void cg_ask_fail(struct cg_engine *engine, struct cg_ask *ask, const struct cg_problem *problem);
/* The message before is the latest again, if there is one. */
void cg_ask_take_back(struct cg_engine *engine, struct cg_ask *ask);

/* ---- ask_out.c: any of these may end the ask ---- */

/* In its turn, when there is room. */
void cg_ask_make_request(struct cg_engine *engine, struct cg_ask *ask);
/* Anew, in its next turn. */
void cg_ask_request_again(struct cg_engine *engine, struct cg_ask *ask);
/* Whether a new request for the same may go out beside those before. */
bool cg_ask_may_be_renewed(struct cg_engine *engine, const struct cg_ask *ask);
/* When its interface has room. */
void cg_ask_say_again(struct cg_engine *engine, struct cg_ask *ask);
/* It sends nothing more, and its owner is not told. */
void cg_ask_fall_silent(struct cg_engine *engine, struct cg_ask *ask);
/* Of struct cg_leg_kind. */
void cg_ask_due(struct cg_engine *engine, struct cg_timer *timer);
void cg_ask_sealed(struct cg_engine *engine, struct cg_leg *leg, int err, const struct cg_problem *problem);

/* ---- ask_in.c ---- */

/* Of struct cg_turn_ops. */
bool cg_ask_is_about(const struct cg_turn *turn, uint16_t mid);
void cg_ask_hear(struct cg_engine *engine, struct cg_turn *turn, uint16_t mid, enum cg_type type);
bool cg_ask_is_among(const struct cg_turn *turn, uint64_t requests);
void cg_ask_reach(struct cg_engine *engine, struct cg_turn *turn, uint64_t requests);
/* Of struct cg_leg_kind. */
int cg_ask_fits(const struct cg_leg *leg, const struct cg_sending *sending, const struct cg_datagram *datagram,
                const struct cg_msg *msg);
void cg_ask_opened(struct cg_engine *engine, struct cg_leg *leg, const struct cg_sending *sending,
                   const struct cg_arrival *arrival);

#endif
