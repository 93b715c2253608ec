/* Memory that lives as long as one exchange: allocate, never free one by one, release all at once. Every block is
 * charged to a quota shared by all exchanges, so that what peers send can never grow the process beyond its limit. */
#ifndef CG_BASE_ARENA_H
#define CG_BASE_ARENA_H

#include "base/err.h"
#include "base/slice.h"

struct cg_quota {
    size_t used; /* bytes */
    size_t max;  /* bytes */
};

/* NULL, as no quota, has room for anything. */
static inline bool cg_quota_has_room(const struct cg_quota *quota, size_t len) {
    return quota == NULL || (quota->used <= quota->max && len <= quota->max - quota->used);
}

struct cg_arena_block;

struct cg_arena {
    struct cg_arena_block *blocks; /* newest first */
    size_t used;                   /* bytes taken from the system by this arena */
    size_t max;                    /* bytes this arena may take */
    struct cg_quota *quota;        /* shared; outlives the arena; may be NULL */
    bool quota_refused; /* the latest allocation that failed did so because of the quota, not of this arena's own limit
                         */
};

void cg_arena_init(struct cg_arena *arena, size_t max, struct cg_quota *quota);
void cg_arena_fini(struct cg_arena *arena); /* releases everything; the arena may be used again */

/* Aligned for any type, not zeroed. NULL when the arena's or the quota's limit or the system's memory is reached. */
void *cg_arena_alloc(struct cg_arena *arena, size_t size);
void *cg_arena_zalloc(struct cg_arena *arena, size_t size);
/* A copy of the bytes; data is NULL on failure when len > 0. An empty slice copies to an empty slice. */
struct cg_slice cg_arena_copy(struct cg_arena *arena, struct cg_slice slice);

/* Counts memory as the arena's that is not from it, since it is given back earlier. False: a limit is reached. */
bool cg_arena_charge(struct cg_arena *arena, size_t size) CG_MUST_CHECK;
void cg_arena_discharge(struct cg_arena *arena, size_t size);

#endif
