/* An index beside the items it finds: one flat array of hashes and item numbers, made once, for a count that is known.
 * It costs 8 to 20 bytes an item and one allocation, where handles inside the items (base/hash.h) cost 56 bytes each
 * and bind an item to one index. The hard thing is left to the caller: what equal hashes have in common beyond their
 * hash, it compares itself. */
#ifndef CG_BASE_TABLE_H
#define CG_BASE_TABLE_H

#include "base/arena.h"

struct cg_table_slot {
    uint32_t hash;
    uint32_t item; /* number and one; 0: free */
};

/* Zeroed, it is a table in which nothing is found. */
struct cg_table {
    struct cg_table_slot *slots; /* in the arena; a power of two of them, one free at least */
    uint32_t mask;
};

/* Room for `count` items. False: no memory. */
bool cg_table_init(struct cg_table *table, struct cg_arena *arena, size_t count) CG_MUST_CHECK;
/* At most `count` of them: no memory is needed. Numbers below UINT32_MAX. */
void cg_table_add(struct cg_table *table, uint32_t hash, uint32_t item);

/* The next item with that hash, beginning with *at = hash; false: no more.
 *
 *     uint32_t item;
 *     for (uint32_t at = hash; cg_table_next(table, hash, &at, &item);) if (…is it…) return item; */
static inline bool cg_table_next(const struct cg_table *table, uint32_t hash, uint32_t *at, uint32_t *item) {
    if (table->slots == NULL) return false;
    for (;;) {
        const struct cg_table_slot *slot = &table->slots[(*at)++ & table->mask];
        if (slot->item == 0) return false;
        *item = slot->item - 1;
        if (slot->hash == hash) return true;
    }
}

#endif
