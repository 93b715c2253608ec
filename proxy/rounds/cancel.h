/* The end of an observation (RFC 7641 §3.6, RFC 10020 §3.7): its members are told so on its token, by one group request
 * and by unicast those whom that does not reach; who notifies all the same has it repeated, once. */
#ifndef CG_ROUNDS_CANCEL_H
#define CG_ROUNDS_CANCEL_H

#include "rounds/round.h"

/* It is closed. True: it cancels its observation, and stays with its casts until cg_watch_fini or cg_round_bury. */
bool cg_cancel_begin(struct cg_round *round);
/* Something of that is out, could not go out, or has had its time. */
void cg_cancel_go_on(struct cg_round *round);
/* Somebody notifies though the cancellation is out. */
void cg_cancel_hear_stray(struct cg_round *round);

#endif
