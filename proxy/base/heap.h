/* A min-heap of deadlines, for one timer that drives any number of them. Entries are embedded in their owners and
 * linked to each other, so no call here takes memory and none can fail. */
#ifndef CG_BASE_HEAP_H
#define CG_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cg_deadline {
    uint64_t at_us; /* monotonic */
    struct cg_deadline *child, *next;
    struct cg_deadline *previous; /* the sibling before; of a first child: the parent */
    bool is_set;                  /* in the heap. Zero-initialise before first use. */
};

struct cg_heap {
    struct cg_deadline *first; /* borrowed */
    size_t len;
};

void cg_heap_init(struct cg_heap *heap);
void cg_heap_fini(struct cg_heap *heap); /* the entries must be out, or their owners gone */

/* Puts the entry in, or moves it when it is in already. */
void cg_heap_set(struct cg_heap *heap, struct cg_deadline *entry, uint64_t at_us);
void cg_heap_remove(struct cg_heap *heap, struct cg_deadline *entry); /* no effect when it is not in */
struct cg_deadline *cg_heap_first(const struct cg_heap *heap);        /* NULL when empty */

#endif
