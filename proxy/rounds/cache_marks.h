/* Marks: when something was done last that may have changed what a group or a member says. They exist as long as
 * answers refer to them. */
#ifndef CG_ROUNDS_CACHE_MARKS_H
#define CG_ROUNDS_CACHE_MARKS_H

#include "rounds/cache.h"

#define CG_CACHE_MARK_KEY_MAX 64

struct cg_cache_mark {
    UT_hash_handle hh; /* by key */
    uint64_t changed_us;
    uint32_t references;
    size_t key_len;
    uint8_t key[CG_CACHE_MARK_KEY_MAX];
};

/* A reference; NULL: no memory. Of one that is new nobody knows what was done before: anything that was done anywhere.
 */
struct cg_cache_mark *cg_cache_mark_group(struct cg_cache *cache, const struct cg_addr *group);
/* By its identity where it has one, else by its address. */
struct cg_cache_mark *cg_cache_mark_member(struct cg_cache *cache, const struct cg_addr *from,
                                           struct cg_slice identity);
void cg_cache_unmark(struct cg_cache *cache, struct cg_cache_mark *mark); /* NULL is fine */

#endif
