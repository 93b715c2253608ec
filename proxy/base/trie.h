/* Numbers to things, for snapshots that share what did not change: adding to it makes the few nodes on the way anew and
 * leaves what was there as it was, so that a copy of the struct is a trie of its own at no cost. A hash array mapped
 * trie (Bagwell 2001): it costs by the logarithm of what is in it, for numbers that follow each other and for hashes.
 * Nothing is given back one by one: nodes are their arenas'. */
#ifndef CG_BASE_TRIE_H
#define CG_BASE_TRIE_H

#include "base/arena.h"

struct cg_trie_node;

/* Zeroed, nothing is in it. */
struct cg_trie {
    const struct cg_trie_node *root;
};

/* False: nothing was put there. What was put may be NULL. */
bool cg_trie_find(const struct cg_trie *trie, uint32_t number, void **thing);
/* In place of what was there. False: no memory, and nothing has changed. */
bool cg_trie_put(struct cg_trie *trie, struct cg_arena *arena, uint32_t number, void *thing) CG_MUST_CHECK;

#endif
