/* An index that grows with what it finds: one flat array of pointers beside their hashes. Where thousands of items are
 * put in and looked for once or twice each, every pointer that is followed is a cache miss; here it is one for an item
 * that is found, and none for one that is put in. What equal hashes have in common beyond their hash the caller
 * compares itself. */
#ifndef CG_BASE_LOOKUP_H
#define CG_BASE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct cg_lookup_slot {
    void *item; /* NULL: free */
    uint32_t hash;
};

/* Zeroed, it is one in which nothing is found. */
struct cg_lookup {
    struct cg_lookup_slot *slots; /* owned; a power of two of them, one free at least */
    size_t used;
    uint32_t mask;
};

/* False: no memory, and the item is not in it. */
bool cg_lookup_add(struct cg_lookup *lookup, uint32_t hash, void *item) CG_MUST_CHECK;
void cg_lookup_remove(struct cg_lookup *lookup, uint32_t hash, const void *item); /* which is in it */
void cg_lookup_fini(struct cg_lookup *lookup);                                    /* of the items nothing is freed */

/* The next item with that hash, beginning with *at = hash; NULL: no more.
 *
 *     for (uint32_t at = hash; (item = cg_lookup_next(lookup, hash, &at)) != NULL;) if (…is it…) return item; */
static inline void *cg_lookup_next(const struct cg_lookup *lookup, uint32_t hash, uint32_t *at) {
    if (lookup->slots == NULL) return NULL;
    for (;;) {
        const struct cg_lookup_slot *slot = &lookup->slots[(*at)++ & lookup->mask];
        if (slot->item == NULL || slot->hash == hash) return slot->item;
    }
}

#endif
