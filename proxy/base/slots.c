/* The slot table. The hard thing: generations are odd exactly while the slot is in use, so that the zero ticket and any
 * freed one never match. */
#include "base/slots.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void cg_slots_init(struct cg_slots *slots) { *slots = (struct cg_slots){0}; }

void cg_slots_fini(struct cg_slots *slots) {
    free(slots->slots);
    *slots = (struct cg_slots){0};
}

static bool grow(struct cg_slots *slots) {
    uint32_t cap = slots->cap == 0 ? 64 : slots->cap * 2;
    struct cg_slot *grown = realloc(slots->slots, cap * sizeof *grown);
    if (grown == NULL) return false;
    slots->slots = grown;
    for (uint32_t i = cap; i-- > slots->cap;) {
        grown[i] = (struct cg_slot){.next_free = slots->first_free};
        slots->first_free = i + 1;
    }
    slots->cap = cap;
    return true;
}

bool cg_slots_add(struct cg_slots *slots, void *item, struct cg_ticket *ticket) {
    if (slots->first_free == 0 && !grow(slots)) return false;
    uint32_t index = slots->first_free - 1;
    struct cg_slot *slot = &slots->slots[index];
    slots->first_free = slot->next_free;
    slot->item = item;
    slot->generation++;
    slots->used++;
    *ticket = (struct cg_ticket){.slot = index, .generation = slot->generation};
    return true;
}

void *cg_slots_get(const struct cg_slots *slots, struct cg_ticket ticket) {
    if (ticket.slot >= slots->cap || ticket.generation % 2 == 0) return NULL;
    const struct cg_slot *slot = &slots->slots[ticket.slot];
    return slot->generation == ticket.generation ? slot->item : NULL;
}

void cg_slots_remove(struct cg_slots *slots, struct cg_ticket ticket) {
    CG_CHECK(cg_slots_get(slots, ticket) != NULL);
    struct cg_slot *slot = &slots->slots[ticket.slot];
    slot->item = NULL;
    slot->generation++;
    slot->next_free = slots->first_free;
    slots->first_free = ticket.slot + 1;
    slots->used--;
}
