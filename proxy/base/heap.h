/* A binary min-heap of deadlines, for one timer that drives any number of them. Entries are embedded in their owners.
 */
#ifndef CG_BASE_HEAP_H
#define CG_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cg_deadline {
    uint64_t at_us;  /* monotonic */
    size_t position; /* in the heap, 1-based; 0: not in it. Zero-initialise before first use. */
};

struct cg_heap {
    struct cg_deadline **entries; /* owned array of borrowed entries */
    size_t len;
    size_t cap;
};

void cg_heap_init(struct cg_heap *heap);
void cg_heap_fini(struct cg_heap *heap); /* the entries must be out, or their owners gone */

/* Puts the entry in, or moves it when it is in already. Aborts when memory for the array runs out (8 bytes an entry).
 */
void cg_heap_set(struct cg_heap *heap, struct cg_deadline *entry, uint64_t at_us);
void cg_heap_remove(struct cg_heap *heap, struct cg_deadline *entry); /* no effect when it is not in */
struct cg_deadline *cg_heap_first(const struct cg_heap *heap);        /* NULL when empty */

#endif
