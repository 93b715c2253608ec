/* What comes behind an index's table. The hard thing is none: equal hashes are rare, so they are a list. */
#include "base/index.h"

bool cg_index_next_since(struct cg_index_look *look, uint32_t *item) {
    void *first = NULL;
    if (!look->is_since && cg_trie_find(&look->index->since, look->hash, &first)) look->entry = first;
    look->is_since = true;
    if (look->entry == NULL) return false;
    *item = look->entry->item;
    look->entry = look->entry->next;
    return true;
}

static bool has(const struct cg_index *index, uint32_t hash, uint32_t item) {
    uint32_t found;
    struct cg_index_look look = cg_index_look(index, hash);
    while (cg_index_next(&look, &found))
        if (found == item) return true;
    return false;
}

bool cg_index_add(struct cg_index *index, struct cg_arena *arena, uint32_t hash, uint32_t item) {
    if (has(index, hash, item)) return true;
    struct cg_index_entry *entry = cg_arena_alloc(arena, sizeof *entry);
    void *first = NULL;
    if (entry == NULL) return false;
    cg_trie_find(&index->since, hash, &first);
    *entry = (struct cg_index_entry){.item = item, .next = first};
    return cg_trie_put(&index->since, arena, hash, entry);
}
