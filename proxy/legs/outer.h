/* Reply-From of a protected answer that a next hop hands on: outside of what is protected, since each hop reads it
 * (class U, GCP §10.3). What is opened later has lost it, so it is kept meanwhile. */
#ifndef CG_LEGS_OUTER_H
#define CG_LEGS_OUTER_H

#include "legs/leg.h"

#define CG_OUTER_MAX 128 /* bytes of the value: a CRI with an address has 64 at the most */

struct cg_outer {
    uint8_t len; /* 0: there is none, or it is longer than anybody needs */
    uint8_t value[CG_OUTER_MAX];
};

/* Of an answer to that leg. */
void cg_outer_keep(struct cg_outer *outer, const struct cg_leg *leg, const struct cg_msg *msg);
/* The answer's options with it, and without what the member itself has said so, are opened->options from now on, in
 * `room`. False: no memory. */
bool cg_outer_add(const struct cg_outer *outer, const struct cg_leg *leg, struct cg_opened *opened,
                  struct cg_buf *room) CG_MUST_CHECK;

#endif
