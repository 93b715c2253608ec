/* Nodes of sixteen branches, of which each has room for those that are there only. The hard thing: two numbers may
 * differ in their last bits only, so where a branch has one thing already, as many nodes come between as it takes to
 * tell them apart. */
#include "base/trie.h"

#include <string.h>

enum { BITS = 4, BRANCHES = 1 << BITS };

struct leaf {
    uint32_t number;
    void *thing;
};

struct cg_trie_node {
    uint16_t nodes, leaves; /* which branches lead to what */
    const void *branches[]; /* struct cg_trie_node, or struct leaf */
};

static uint16_t bit_of(uint32_t number, unsigned shift) { return (uint16_t)(1u << (number >> shift & (BRANCHES - 1))); }

static unsigned count_of(uint32_t bits) { return (unsigned)__builtin_popcount(bits); }

static uint32_t used(const struct cg_trie_node *node) { return node->nodes | node->leaves; }

/* Where the branch is, or would be. */
static unsigned place_of(const struct cg_trie_node *node, uint16_t bit) { return count_of(used(node) & (bit - 1u)); }

bool cg_trie_find(const struct cg_trie *trie, uint32_t number, void **thing) {
    const struct cg_trie_node *node = trie->root;
    unsigned shift = 0;
    uint16_t bit = bit_of(number, shift);
    while (node != NULL && (node->nodes & bit) != 0) {
        node = node->branches[place_of(node, bit)];
        bit = bit_of(number, shift += BITS);
    }
    if (node == NULL || (node->leaves & bit) == 0) return false;
    const struct leaf *leaf = node->branches[place_of(node, bit)];
    if (leaf->number != number) return false;
    *thing = leaf->thing;
    return true;
}

static struct cg_trie_node *new_node(struct cg_arena *arena, unsigned count) {
    struct cg_trie_node *node = cg_arena_alloc(arena, sizeof *node + count * sizeof node->branches[0]);
    if (node != NULL) node->nodes = node->leaves = 0;
    return node;
}

/* A copy in which that branch leads to something else. NULL: no memory. */
static struct cg_trie_node *with_branch(struct cg_arena *arena, const struct cg_trie_node *node, uint16_t bit,
                                        const void *branch) {
    unsigned count = count_of(used(node)), place = place_of(node, bit), is_new = (used(node) & bit) == 0;
    struct cg_trie_node *made = new_node(arena, count + is_new);
    if (made == NULL) return NULL;
    memcpy(made->branches, node->branches, place * sizeof made->branches[0]);
    made->branches[place] = branch;
    memcpy(&made->branches[place + 1], &node->branches[place + 1 - is_new],
           (count - place - 1 + is_new) * sizeof made->branches[0]);
    made->nodes = node->nodes;
    made->leaves = node->leaves;
    return made;
}

static struct cg_trie_node *with_leaf(struct cg_arena *arena, const struct cg_trie_node *node, uint16_t bit,
                                      const struct leaf *leaf) {
    struct cg_trie_node *made = with_branch(arena, node, bit, leaf);
    if (made != NULL) made->leaves |= bit;
    return made;
}

static struct cg_trie_node *with_node(struct cg_arena *arena, const struct cg_trie_node *node, uint16_t bit,
                                      const struct cg_trie_node *child) {
    struct cg_trie_node *made = child == NULL ? NULL : with_branch(arena, node, bit, child);
    if (made == NULL) return NULL;
    made->nodes |= bit;
    made->leaves &= (uint16_t)~bit;
    return made;
}

/* The node with this leaf in it, too. NULL: no memory. */
static const struct cg_trie_node *put(struct cg_arena *arena, const struct cg_trie_node *node, unsigned shift,
                                      const struct leaf *leaf) {
    static const struct cg_trie_node empty;
    uint16_t bit = bit_of(leaf->number, shift);
    if (node == NULL) node = &empty;
    const void *branch = (used(node) & bit) == 0 ? NULL : node->branches[place_of(node, bit)];
    if ((node->nodes & bit) != 0) return with_node(arena, node, bit, put(arena, branch, shift + BITS, leaf));
    const struct leaf *old = branch;
    if (old == NULL || old->number == leaf->number) return with_leaf(arena, node, bit, leaf);
    const struct cg_trie_node *child = put(arena, NULL, shift + BITS, old);
    if (child != NULL) child = put(arena, child, shift + BITS, leaf);
    return with_node(arena, node, bit, child);
}

bool cg_trie_put(struct cg_trie *trie, struct cg_arena *arena, uint32_t number, void *thing) {
    struct leaf *leaf = cg_arena_alloc(arena, sizeof *leaf);
    if (leaf == NULL) return false;
    *leaf = (struct leaf){.number = number, .thing = thing};
    const struct cg_trie_node *root = put(arena, trie->root, 0, leaf);
    if (root != NULL) trie->root = root;
    return root != NULL;
}
