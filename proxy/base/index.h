/* Hashes to numbers of items, for snapshots: a table (base/table.h) of those that were there when it was made, and what
 * has come since in a trie that shares with the one before it. Nothing is taken out: an entry is a hint, and what its
 * number stands for at the moment, if anything, the caller compares itself. */
#ifndef CG_BASE_INDEX_H
#define CG_BASE_INDEX_H

#include "base/table.h"
#include "base/trie.h"

/* Zeroed, nothing is in it. A copy is an index of its own. */
struct cg_index {
    struct cg_table whole;
    struct cg_trie since;
};

/* One that came since. */
struct cg_index_entry {
    uint32_t item;
    const struct cg_index_entry *next; /* with the same hash */
};

struct cg_index_look {
    const struct cg_index *index;
    uint32_t hash, at;
    bool is_since;
    const struct cg_index_entry *entry;
};

/* The items with that hash, one after the other; some may be there more than once:
 *
 *     uint32_t item;
 *     struct cg_index_look look = cg_index_look(index, hash);
 *     while (cg_index_next(&look, &item)) if (…is it…) return item; */
static inline struct cg_index_look cg_index_look(const struct cg_index *index, uint32_t hash) {
    return (struct cg_index_look){.index = index, .hash = hash, .at = hash};
}
/* Of cg_index_next, what is behind the table. */
bool cg_index_next_since(struct cg_index_look *look, uint32_t *item);
static inline bool cg_index_next(struct cg_index_look *look, uint32_t *item) {
    if (!look->is_since && cg_table_next(&look->index->whole, look->hash, &look->at, item)) return true;
    return look->index->since.root != NULL && cg_index_next_since(look, item);
}

/* Room for `count` items in the table, which is empty. False: no memory. */
static inline bool cg_index_init(struct cg_index *index, struct cg_arena *arena, size_t count) {
    *index = (struct cg_index){0};
    return cg_table_init(&index->whole, arena, count);
}
/* At most `count` of them. */
static inline void cg_index_fill(struct cg_index *index, uint32_t hash, uint32_t item) {
    cg_table_add(&index->whole, hash, item);
}
/* One more, unless it is there. Other copies of the index do not have it. False: no memory. */
bool cg_index_add(struct cg_index *index, struct cg_arena *arena, uint32_t hash, uint32_t item) CG_MUST_CHECK;

#endif
