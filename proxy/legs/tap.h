/* What legs tell their owners, and somebody may listen in on. This is the boundary at which an exchange is recorded:
 * what happens above it follows from what a tap hears, from time and from random bytes, whatever protected the
 * answers and however they were sent. Datagrams do not get this far.
 *
 * Datagrams are heard of beside that, for people to read (`emitted`, `received`); nothing follows from them.
 *
 * A tap hears everything before the owner does, and must change nothing. Without one a word costs a branch. */
#ifndef CG_LEGS_TAP_H
#define CG_LEGS_TAP_H

#include "legs/leg.h"
#include "model/wish.h"

/* What it does not want to hear of is NULL. */
struct cg_tap {
    struct cg_tap *next; /* the engine's */
    /* A client's request was let in and begins a round or joins one: the verdict of ADMIT. Rounds say it. */
    void (*admitted)(struct cg_tap *tap, const struct cg_wish *wish);
    void (*begun)(struct cg_tap *tap, const struct cg_leg *leg); /* an owner has it from now on */
    /* One more of its answers is being verified: leg->opening. Whatever comes of it follows, or the leg has gone on. */
    void (*opening)(struct cg_tap *tap, const struct cg_leg *leg);
    /* As struct cg_leg_ops. */
    void (*sent)(struct cg_tap *tap, const struct cg_leg *leg);
    void (*answer)(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_arrival *arrival);
    void (*challenge)(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_arrival *arrival);
    void (*refused)(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_addr *from,
                    const struct cg_opened *opened, const char *reason);
    void (*ended)(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_problem *problem);
    void (*unsent)(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_problem *problem);
    void (*stray)(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_addr *from);
    void (*acknowledged)(struct cg_tap *tap, const struct cg_leg *leg);
    void (*rests)(struct cg_tap *tap, const struct cg_leg *leg);
    /* Each datagram of it that leaves, the repeated ones, too; and each that comes with the token of one of its
     * requests, whatever it turns out to be. */
    void (*emitted)(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_route *route);
    void (*received)(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_datagram *datagram);
    /* No leg's: something was seen of that address (legs/signs.h). */
    void (*sign)(struct cg_tap *tap, const struct cg_addr *addr, enum cg_sign sign);
};

static inline void cg_tap_add(struct cg_engine *engine, struct cg_tap *tap) {
    tap->next = engine->taps;
    engine->taps = tap;
}

static inline void cg_tap_remove(struct cg_engine *engine, struct cg_tap *tap) {
    struct cg_tap **link = &engine->taps;
    while (*link != NULL && *link != tap) link = &(*link)->next;
    if (*link != NULL) *link = tap->next;
}

/* The words, for those who say them. */

#define CG_TAP(engine, word, ...)                                                                                      \
    do {                                                                                                               \
        for (struct cg_tap *tap_ = (engine)->taps; tap_ != NULL; tap_ = tap_->next) {                                  \
            if (tap_->word != NULL) tap_->word(tap_, __VA_ARGS__);                                                     \
        }                                                                                                              \
    } while (0)

static inline void cg_leg_tell_sent(struct cg_engine *engine, struct cg_leg *leg) {
    CG_TAP(engine, sent, leg);
    leg->ops->sent(engine, leg);
}

static inline void cg_leg_tell_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    CG_TAP(engine, answer, leg, arrival);
    leg->ops->answer(engine, leg, arrival);
}

static inline void cg_leg_tell_challenge(struct cg_engine *engine, struct cg_leg *leg,
                                         const struct cg_arrival *arrival) {
    CG_TAP(engine, challenge, leg, arrival);
    leg->ops->challenge(engine, leg, arrival);
}

static inline void cg_leg_tell_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                                       const struct cg_opened *opened, const char *reason) {
    CG_TAP(engine, refused, leg, from, opened, reason);
    leg->ops->refused(engine, leg, from, opened, reason);
}

static inline void cg_leg_tell_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    CG_TAP(engine, ended, leg, problem);
    leg->ops->ended(engine, leg, problem);
}

static inline void cg_leg_tell_unsent(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    CG_TAP(engine, unsent, leg, problem);
    if (leg->ops->unsent != NULL) leg->ops->unsent(engine, leg, problem);
}

static inline void cg_leg_tell_stray(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from) {
    CG_TAP(engine, stray, leg, from);
    if (leg->ops->stray != NULL) leg->ops->stray(engine, leg, from);
}

static inline void cg_leg_tell_acknowledged(struct cg_engine *engine, struct cg_leg *leg) {
    CG_TAP(engine, acknowledged, leg);
    leg->ops->acknowledged(engine, leg);
}

static inline void cg_leg_tell_rests(struct cg_engine *engine, struct cg_leg *leg) {
    if (leg->ops->rests == NULL) return;
    CG_TAP(engine, rests, leg);
    leg->ops->rests(engine, leg);
}

#endif
