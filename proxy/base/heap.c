/* The deadline heap, a pairing heap (Fredman et al. 1986). The hard thing: an entry's children are a list of any
 * length, so what is left when an entry goes is put together by loops; recursion would be as deep as the list is long.
 */
#include "base/heap.h"

void cg_heap_init(struct cg_heap *heap) { *heap = (struct cg_heap){0}; }

void cg_heap_fini(struct cg_heap *heap) { *heap = (struct cg_heap){0}; }

static void put_below(struct cg_deadline *parent, struct cg_deadline *entry) {
    entry->previous = parent;
    entry->next = parent->child;
    if (entry->next != NULL) entry->next->previous = entry;
    parent->child = entry;
}

/* Of two heaps, neither with siblings, one. Either may be NULL. */
static struct cg_deadline *merge(struct cg_deadline *a, struct cg_deadline *b) {
    if (a == NULL) return b;
    if (b == NULL) return a;
    if (b->at_us < a->at_us) {
        put_below(b, a);
        return b;
    }
    put_below(a, b);
    return a;
}

static struct cg_deadline *take_off(struct cg_deadline **list) {
    struct cg_deadline *entry = *list;
    if (entry == NULL) return NULL;
    *list = entry->next;
    entry->next = entry->previous = NULL;
    return entry;
}

/* The children of an entry that goes: first in pairs, then the pairs, which keeps removal logarithmic on average. */
static struct cg_deadline *merge_all(struct cg_deadline *children) {
    struct cg_deadline *pairs = NULL, *whole = NULL;
    while (children != NULL) {
        struct cg_deadline *one = take_off(&children);
        struct cg_deadline *pair = merge(one, take_off(&children));
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs != NULL) whole = merge(whole, take_off(&pairs));
    return whole;
}

static void unlink_entry(struct cg_deadline *entry) {
    if (entry->previous->child == entry) {
        entry->previous->child = entry->next;
    } else {
        entry->previous->next = entry->next;
    }
    if (entry->next != NULL) entry->next->previous = entry->previous;
}

void cg_heap_remove(struct cg_heap *heap, struct cg_deadline *entry) {
    if (!entry->is_set) return;
    struct cg_deadline *rest = merge_all(entry->child);
    if (heap->first == entry) {
        heap->first = rest;
    } else {
        unlink_entry(entry);
        heap->first = merge(heap->first, rest);
    }
    heap->len--;
    *entry = (struct cg_deadline){.at_us = entry->at_us};
}

void cg_heap_set(struct cg_heap *heap, struct cg_deadline *entry, uint64_t at_us) {
    if (entry->is_set && entry->at_us == at_us) return;
    cg_heap_remove(heap, entry);
    *entry = (struct cg_deadline){.at_us = at_us, .is_set = true};
    heap->len++;
    heap->first = merge(heap->first, entry);
}

struct cg_deadline *cg_heap_first(const struct cg_heap *heap) {
    return heap->first;
}
