/* Open addressing with linear probing. The hard thing: growing must not touch the items, or it would cost the misses
 * that the array is there to save; so each slot has its item's hash. */
#include "base/lookup.h"

#include <stdlib.h>

enum { SLOTS_FIRST = 16 };

static void put(struct cg_lookup *lookup, struct cg_lookup_slot slot) {
    uint32_t at = slot.hash;
    while (lookup->slots[at & lookup->mask].item != NULL) at++;
    lookup->slots[at & lookup->mask] = slot;
}

static bool grow(struct cg_lookup *lookup) {
    size_t slots = lookup->slots == NULL ? 0 : (size_t)lookup->mask + 1;
    struct cg_lookup grown = {.used = lookup->used};
    grown.mask = (uint32_t)(slots == 0 ? SLOTS_FIRST : 2 * slots) - 1;
    if (slots > UINT32_MAX / 4) return false;
    grown.slots = calloc((size_t)grown.mask + 1, sizeof *grown.slots);
    if (grown.slots == NULL) return false;
    for (size_t i = 0; i < slots; i++) {
        if (lookup->slots[i].item != NULL) put(&grown, lookup->slots[i]);
    }
    free(lookup->slots);
    *lookup = grown;
    return true;
}

/* Two thirds are used at the most: whoever looks for what is not there soon comes to a free one. */
static bool is_full(const struct cg_lookup *lookup) {
    return lookup->slots == NULL || 3 * (lookup->used + 1) > 2 * ((size_t)lookup->mask + 1);
}

bool cg_lookup_add(struct cg_lookup *lookup, uint32_t hash, void *item) {
    if (is_full(lookup) && !grow(lookup)) return false;
    put(lookup, (struct cg_lookup_slot){.item = item, .hash = hash});
    lookup->used++;
    return true;
}

/* Whoever is looked for is found before the first free slot, so those behind it close up. */
static void close_up(struct cg_lookup *lookup, uint32_t hole) {
    for (uint32_t at = hole + 1; lookup->slots[at & lookup->mask].item != NULL; at++) {
        const struct cg_lookup_slot slot = lookup->slots[at & lookup->mask];
        uint32_t way = (at - slot.hash) & lookup->mask, back = (at - hole) & lookup->mask;
        if (way < back) continue;
        lookup->slots[hole & lookup->mask] = slot;
        hole = at;
    }
    lookup->slots[hole & lookup->mask] = (struct cg_lookup_slot){0};
}

void cg_lookup_remove(struct cg_lookup *lookup, uint32_t hash, const void *item) {
    uint32_t at = hash;
    while (lookup->slots[at & lookup->mask].item != item) at++;
    close_up(lookup, at);
    lookup->used--;
}

void cg_lookup_fini(struct cg_lookup *lookup) {
    free(lookup->slots);
    *lookup = (struct cg_lookup){0};
}
