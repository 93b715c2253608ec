/* Deadlines with what they do: one heap of them drives the time of all that the core runs. Setting one takes no memory,
 * so it cannot fail. */
#ifndef CG_LEGS_TIMER_H
#define CG_LEGS_TIMER_H

#include "base/heap.h"

struct cg_engine;

struct cg_timer {
    struct cg_deadline deadline;
    void (*due)(struct cg_engine *engine, struct cg_timer *timer); /* it is not set any more */
};

/* Sets it, or moves it. */
void cg_engine_set_timer(struct cg_engine *engine, struct cg_timer *timer, uint64_t at_us);
void cg_engine_clear_timer(struct cg_engine *engine, struct cg_timer *timer);

#endif
