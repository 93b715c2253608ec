/* How much one member may have us ask in an exchange: verified or not, it must not keep the gateway busy for ever. */
#ifndef CG_LEGS_SHARE_H
#define CG_LEGS_SHARE_H

#include "exchange/state.h"

enum cg_share_of {
    CG_SHARE_BLOCKS, /* requests for further blocks: enough for limits.answer in blocks of 64 bytes, 1024 at least */
    CG_SHARE_ECHO,   /* requests that are made again because of a challenge: 4 */
    CG_SHARE_COUNT
};

/* One more. `who` is the member's key in the tally. False: no more of that, or no memory. */
bool cg_share_take(struct cg_exchange *exchange, struct cg_slice who, enum cg_share_of what) CG_MUST_CHECK;
void cg_shares_fini(struct cg_exchange *exchange);

#endif
