/* One request of a check, sent by a gateway that may be in service meanwhile: nothing here waits, and the gateway's
 * clients see no difference. */
#ifndef CG_APP_CHECK_TRIAL_H
#define CG_APP_CHECK_TRIAL_H

#include "app/check/snapshot.h"
#include "app/check/result.h"
#include "io/loop.h"

struct cg_trial;

/* What a gateway has at a moment: its group sockets, and what it sends a mapping's requests to. */
struct cg_check_facts {
    uint32_t port_v4, port_v6;                /* 0: that family is left out */
    uint32_t buffer_v4, buffer_v6;            /* bytes that the kernel granted */
    uint32_t malformed;                       /* datagrams so far that were no CoAP */
    struct cg_addr groups[CG_CHECK_SENT_MAX]; /* of the first targets; family NONE: its name stands for none */
    char why[160];                            /* then, of the first: why not */
};
void cg_check_facts(const struct cg_loop *loop, const struct cg_mapping *mapping, struct cg_check_facts *facts);

/* Sends it. `done` comes once, from the loop, when its reply and what came a moment later are known; the result is the
 * trial's and valid during the call; it may be taken (cg_check_result_take). What the order borrows is needed for this
 * call only. NULL, with *problem: it does not begin, and `done` does not come. */
struct cg_trial *cg_trial_begin(struct cg_loop *loop, const struct cg_check_order *order,
                                void (*done)(void *ctx, struct cg_check_result *result), void *ctx,
                                struct cg_problem *problem);
/* It ends with what there is; `done` follows. Not after that. */
void cg_trial_hurry(struct cg_trial *trial);
/* Nobody wants to know: `done` does not come. Not after that. */
void cg_trial_drop(struct cg_trial *trial);

#endif
