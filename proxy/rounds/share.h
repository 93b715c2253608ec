/* How much one member may have us ask in a round: verified or not, it must not keep the gateway busy for ever. */
#ifndef CG_ROUNDS_SHARE_H
#define CG_ROUNDS_SHARE_H

#include "base/arena.h"
#include "base/hash.h"

struct cg_share {
    UT_hash_handle hh;
    struct cg_slice who; /* the member's key in the tally */
    uint32_t
        blocks_left; /* requests for further blocks: enough for limits.answer in blocks of 64 bytes, 1024 at least */
    uint32_t echoes_left; /* requests that are made again because of a challenge: 4 */
    uint32_t hints_left;  /* requests that are made because of an error that nothing protects: 1 */
    uint32_t hints;       /* such errors that are among the refusals */
    uint64_t filled_us;   /* blocks_left has grown until then; 0: not yet */
};

/* A member's share, made where there is none yet; in the arena. NULL: no memory. */
struct cg_share *cg_share_of(struct cg_share **shares, struct cg_arena *arena, struct cg_slice who, size_t answer_max);
/* A round that observes goes on for months: each may order anew. */
void cg_shares_refill(struct cg_share *shares, size_t answer_max);
/* The same of one member between two registrations: its blocks come back by 4 a second, so that one whose notifications
 * are large is not heard until it has spent them, and then no more. */
void cg_share_grow(struct cg_share *share, size_t answer_max, uint64_t now_us);
void cg_shares_fini(struct cg_share **shares);

#endif
