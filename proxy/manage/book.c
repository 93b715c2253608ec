/* A treap for each kind (Seidel and Aragon 1996), whose paths are copied before they are changed. The hard thing is who
 * owns what: a node that is copied is gone with the old book and its copy has its place and its item; an item loses its
 * reference only once nobody can find it any more. */
#include "manage/book.h"

#include <stdlib.h>

enum { LEFT, RIGHT };

struct cg_book_node {
    struct cg_item *item;
    struct cg_item *lost; /* that it had before, with a reference */
    struct cg_book_node *child[2];
    struct cg_book_node *next; /* in a draft: what was made for it, or what goes with it */
    uint32_t weight;           /* no child's is larger */
    bool fresh;                /* made for the draft that is not adopted yet: it may be changed */
    bool counts;               /* its item is new to the book: a reference is due */
    bool dead;                 /* was made for a draft and is not in it any more */
};

struct cg_item *cg_book_find(const struct cg_book *book, enum cg_item_kind kind, const char *name) {
    const struct cg_book_node *node = book->roots[kind];
    while (node != NULL) {
        int order = strcmp(name, node->item->name);
        if (order == 0) return node->item;
        node = node->child[order > 0];
    }
    return NULL;
}

struct cg_item *cg_book_next(const struct cg_book *book, enum cg_item_kind kind, const char *after) {
    struct cg_item *next = NULL;
    for (const struct cg_book_node *node = book->roots[kind]; node != NULL;) {
        bool is_behind = strcmp(node->item->name, after) > 0;
        if (is_behind) next = node->item;
        node = node->child[is_behind ? LEFT : RIGHT];
    }
    return next;
}

size_t cg_book_count(const struct cg_book *book) {
    size_t count = 0;
    for (size_t i = 0; i < CG_ITEM_KIND_COUNT; i++) count += book->counts[i];
    return count;
}

static struct cg_item **list(const struct cg_book_node *node, struct cg_item **items) {
    if (node == NULL) return items;
    items = list(node->child[LEFT], items);
    *items++ = node->item;
    return list(node->child[RIGHT], items);
}

void cg_book_list(const struct cg_book *book, struct cg_item **items) {
    for (size_t i = 0; i < CG_ITEM_KIND_COUNT; i++) items = list(book->roots[i], items);
}

static void free_tree(struct cg_book_node *node) {
    if (node == NULL) return;
    free_tree(node->child[LEFT]);
    free_tree(node->child[RIGHT]);
    cg_item_unref(node->item);
    free(node);
}

void cg_book_fini(struct cg_book *book) {
    for (size_t i = 0; i < CG_ITEM_KIND_COUNT; i++) free_tree(book->roots[i]);
    *book = (struct cg_book){0};
}

/* ---- Drafts ---- */

/* Names are chosen by whoever administers; weights by nobody (Marsaglia's xorshift). */
static uint32_t roll(struct cg_book *book) {
    uint32_t dice = book->dice == 0 ? 2463534242u : book->dice;
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    return book->dice = dice;
}

static struct cg_book_node *make(struct cg_book_draft *draft, const struct cg_book_node *from) {
    struct cg_book_node *node = malloc(sizeof *node);
    if (node == NULL) return NULL;
    *node = *from;
    node->fresh = true;
    node->next = draft->made;
    draft->made = node;
    return node;
}

/* The node, or a copy of it in its place, that may be changed. NULL: no memory. */
static struct cg_book_node *own(struct cg_book_draft *draft, struct cg_book_node *node) {
    if (node->fresh) return node;
    struct cg_book_node *copy = make(draft, node);
    if (copy == NULL) return NULL;
    node->next = draft->gone;
    draft->gone = node;
    return copy;
}

/* Its item goes; what a draft brought itself needs no farewell. */
static void lose_item(struct cg_book_node *node) {
    if (!node->counts) node->lost = node->item;
    node->item = NULL;
}

static void give_item(struct cg_book_node *node, struct cg_item *item) {
    node->item = item;
    node->counts = true;
}

static struct cg_book_node *lift(struct cg_book_node *node, int side) {
    struct cg_book_node *child = node->child[side];
    node->child[side] = child->child[!side];
    child->child[!side] = node;
    return child;
}

static struct cg_book_node *add(struct cg_book_draft *draft, struct cg_item *item) {
    const struct cg_book_node fresh = {.weight = roll(&draft->book)};
    struct cg_book_node *node = make(draft, &fresh);
    if (node == NULL) return NULL;
    give_item(node, item);
    draft->book.counts[item->kind]++;
    return node;
}

/* What is now in the place of `node`; NULL: no memory. */
static struct cg_book_node *put(struct cg_book_draft *draft, struct cg_book_node *node, struct cg_item *item) {
    if (node == NULL) return add(draft, item);
    int order = strcmp(item->name, node->item->name), side = order > 0;
    struct cg_book_node *mine = own(draft, node);
    if (mine == NULL) return NULL;
    if (order == 0) {
        lose_item(mine);
        give_item(mine, item);
        return mine;
    }
    struct cg_book_node *child = put(draft, mine->child[side], item);
    if (child == NULL) return NULL;
    mine->child[side] = child;
    return child->weight > mine->weight ? lift(mine, side) : mine;
}

int cg_book_draft_put(struct cg_book_draft *draft, struct cg_item *item) {
    struct cg_book_node *root = put(draft, draft->book.roots[item->kind], item);
    if (root == NULL) return CG_E_NO_MEMORY;
    draft->book.roots[item->kind] = root;
    return CG_OK;
}

/* All of the one are before all of the other. */
static int join(struct cg_book_draft *draft, struct cg_book_node *left, struct cg_book_node *right,
                struct cg_book_node **joined) {
    *joined = left == NULL ? right : left;
    if (left == NULL || right == NULL) return CG_OK;
    bool is_left = left->weight > right->weight;
    struct cg_book_node *top = own(draft, is_left ? left : right);
    if (top == NULL) return CG_E_NO_MEMORY;
    *joined = top;
    return is_left ? join(draft, top->child[RIGHT], right, &top->child[RIGHT])
                   : join(draft, left, top->child[LEFT], &top->child[LEFT]);
}

int cg_book_draft_remove(struct cg_book_draft *draft, enum cg_item_kind kind, const char *name) {
    struct cg_book_node **place = &draft->book.roots[kind];
    if (cg_book_find(&draft->book, kind, name) == NULL) return CG_OK;
    for (;;) {
        struct cg_book_node *mine = *place = own(draft, *place);
        if (mine == NULL) return CG_E_NO_MEMORY;
        int order = strcmp(name, mine->item->name);
        if (order != 0) {
            place = &mine->child[order > 0];
            continue;
        }
        lose_item(mine);
        mine->dead = true;
        draft->book.counts[kind]--;
        return join(draft, mine->child[LEFT], mine->child[RIGHT], place);
    }
}

void cg_book_draft_begin(struct cg_book_draft *draft, const struct cg_book *book) {
    *draft = (struct cg_book_draft){.book = *book};
}

static void settle(struct cg_book_node *node) {
    cg_item_unref(node->lost);
    node->lost = NULL;
    if (node->counts && node->item != NULL) cg_item_ref(node->item);
    node->counts = node->fresh = false;
    if (node->dead) free(node);
}

void cg_book_adopt(struct cg_book *book, struct cg_book_draft *draft) {
    struct cg_book_node *node, *next;
    for (node = draft->made; node != NULL; node = next) {
        next = node->next;
        settle(node);
    }
    for (node = draft->gone; node != NULL; node = next) {
        next = node->next;
        free(node);
    }
    *book = draft->book;
    *draft = (struct cg_book_draft){0};
}

void cg_book_draft_drop(struct cg_book_draft *draft) {
    for (struct cg_book_node *node = draft->made, *next; node != NULL; node = next) {
        next = node->next;
        free(node);
    }
    *draft = (struct cg_book_draft){0};
}
