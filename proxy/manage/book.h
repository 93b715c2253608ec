/* The stored items in memory, by kind and name. There are two at most: the one that is in use, and a draft of the next,
 * which shares with it whatever does not change. So a draft costs by what changes, may be made on another thread while
 * the book is read, and takes the book's place at once, without anything that could fail. */
#ifndef CG_MANAGE_BOOK_H
#define CG_MANAGE_BOOK_H

#include "model/item.h"

struct cg_book_node;

/* Zeroed, it is empty. */
struct cg_book {
    struct cg_book_node *roots[CG_ITEM_KIND_COUNT];
    size_t counts[CG_ITEM_KIND_COUNT];
    uint32_t dice;
};

/* Borrowed; NULL: none. `after`: the first name behind it, by bytes. */
struct cg_item *cg_book_find(const struct cg_book *book, enum cg_item_kind kind, const char *name);
struct cg_item *cg_book_next(const struct cg_book *book, enum cg_item_kind kind, const char *after);
size_t cg_book_count(const struct cg_book *book); /* of all kinds */
/* All of them, by kind and name, into room for as many as there are. */
void cg_book_list(const struct cg_book *book, struct cg_item **items);
void cg_book_fini(struct cg_book *book);

/* The next book. One at a time; the book must not be adopted into meanwhile. */
struct cg_book_draft {
    struct cg_book book; /* as it will be */
    struct cg_book_node *made, *gone;
};
void cg_book_draft_begin(struct cg_book_draft *draft, const struct cg_book *book);
/* The item is borrowed until the draft is adopted, which adds a reference. CG_E_NO_MEMORY: the draft is good for
 * cg_book_draft_drop only. */
int cg_book_draft_put(struct cg_book_draft *draft, struct cg_item *item) CG_MUST_CHECK;
/* Without effect where there is none. */
int cg_book_draft_remove(struct cg_book_draft *draft, enum cg_item_kind kind, const char *name) CG_MUST_CHECK;
/* On the loop's thread, as items are counted there. */
void cg_book_adopt(struct cg_book *book, struct cg_book_draft *draft);
void cg_book_draft_drop(struct cg_book_draft *draft); /* after an adoption it has no effect */

#endif
