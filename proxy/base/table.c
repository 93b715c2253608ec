/* Open addressing with linear probing. The hard thing: searches for what is not there must end, so the array is never
 * full. */
#include "base/table.h"

#include "base/check.h"

/* At most four fifths are used: a hit then looks at three neighbours on average, which share a cache line. */
static size_t slots_for(size_t count) {
    size_t slots = 2;
    while (slots / 5 * 4 + slots % 5 * 4 / 5 < count) slots *= 2;
    return slots;
}

bool cg_table_init(struct cg_table *table, struct cg_arena *arena, size_t count) {
    *table = (struct cg_table){0};
    if (count == 0) return true;
    if (count > UINT32_MAX / 2) return false;
    size_t slots = slots_for(count);
    table->slots = cg_arena_zalloc(arena, slots * sizeof *table->slots);
    if (table->slots == NULL) return false;
    table->mask = (uint32_t)(slots - 1);
    return true;
}

void cg_table_add(struct cg_table *table, uint32_t hash, uint32_t item) {
    uint32_t at = hash;
    CG_CHECK(table->slots != NULL && item < UINT32_MAX);
    while (table->slots[at & table->mask].item != 0) at++;
    table->slots[at & table->mask] = (struct cg_table_slot){.hash = hash, .item = item + 1};
}
