/* The deadline heap. The hard thing: every move must keep `position` right, or removal corrupts the heap. */
#include "base/heap.h"
#include "base/check.h"

#include <stdlib.h>

void cg_heap_init(struct cg_heap *heap) { *heap = (struct cg_heap){0}; }

void cg_heap_fini(struct cg_heap *heap) {
    free(heap->entries);
    *heap = (struct cg_heap){0};
}

static void place(struct cg_heap *heap, struct cg_deadline *entry, size_t position) {
    heap->entries[position - 1] = entry;
    entry->position = position;
}

static void sift_up(struct cg_heap *heap, struct cg_deadline *entry) {
    size_t position = entry->position;
    while (position > 1 && heap->entries[position / 2 - 1]->at_us > entry->at_us) {
        place(heap, heap->entries[position / 2 - 1], position);
        position /= 2;
    }
    place(heap, entry, position);
}

static void sift_down(struct cg_heap *heap, struct cg_deadline *entry) {
    size_t position = entry->position;
    for (;;) {
        size_t child = position * 2;
        if (child > heap->len) break;
        if (child < heap->len && heap->entries[child]->at_us < heap->entries[child - 1]->at_us) child++;
        if (heap->entries[child - 1]->at_us >= entry->at_us) break;
        place(heap, heap->entries[child - 1], position);
        position = child;
    }
    place(heap, entry, position);
}

void cg_heap_set(struct cg_heap *heap, struct cg_deadline *entry, uint64_t at_us) {
    if (entry->position == 0) {
        if (heap->len == heap->cap) {
            size_t cap = heap->cap == 0 ? 64 : heap->cap * 2;
            struct cg_deadline **grown = realloc(heap->entries, cap * sizeof *grown);
            CG_CHECK(grown != NULL);
            heap->entries = grown;
            heap->cap = cap;
        }
        place(heap, entry, ++heap->len);
    }
    entry->at_us = at_us;
    sift_up(heap, entry);
    sift_down(heap, entry);
}

void cg_heap_remove(struct cg_heap *heap, struct cg_deadline *entry) {
    size_t position = entry->position;
    if (position == 0) return;
    CG_CHECK(position <= heap->len && heap->entries[position - 1] == entry);
    struct cg_deadline *last = heap->entries[--heap->len];
    entry->position = 0;
    if (last == entry) return;
    place(heap, last, position);
    sift_up(heap, last);
    sift_down(heap, last);
}

struct cg_deadline *cg_heap_first(const struct cg_heap *heap) {
    return heap->len == 0 ? NULL : heap->entries[0];
}
