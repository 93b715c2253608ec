/* How often a Non-confirmable notification that nobody wants is answered by a Reset (RFC 7641 §3.6). Whoever made up
 * its source address has us send there: no more than came from there, no more than CG_RESETS_BURST at once, and from
 * each address's point of view a few. Who is not reset now is when it notifies again. */
#ifndef CG_LEGS_RESETS_H
#define CG_LEGS_RESETS_H

#include "model/allowance.h"
#include "wire/addr.h"

struct cg_engine;

#define CG_RESETS_BURST    256.0
#define CG_RESETS_RATE     32.0 /* a second, beyond that */
#define CG_RESETS_OF_ONE   4.0  /* endpoint */
#define CG_RESETS_ONE_RATE 0.5
#define CG_RESETS_ROWS     512

struct cg_resets {
    struct cg_allowance all;
    struct cg_resets_of {
        struct cg_addr to;
        struct cg_allowance allowance;
    } rows[CG_RESETS_ROWS]; /* each in the place of its hash */
};

void cg_resets_init(struct cg_engine *engine);
/* Whether one may go there now; it counts as sent. */
bool cg_resets_take(struct cg_engine *engine, const struct cg_addr *to);

#endif
