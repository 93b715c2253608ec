/* Tickets: {slot, generation} references that outsiders hold instead of pointers. A freed slot's next user has another
 * generation, so a stale ticket finds nothing. */
#ifndef CG_BASE_SLOTS_H
#define CG_BASE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero is no ticket. */
struct cg_ticket {
    uint32_t slot;
    uint32_t generation;
};

struct cg_slot {
    void *item;          /* NULL: free */
    uint32_t generation; /* odd while in use */
    uint32_t next_free;  /* index + 1; 0: none */
};

struct cg_slots {
    struct cg_slot *slots; /* owned */
    uint32_t cap;
    uint32_t used;
    uint32_t first_free; /* index + 1 */
};

void cg_slots_init(struct cg_slots *slots);
void cg_slots_fini(struct cg_slots *slots);
bool cg_slots_add(struct cg_slots *slots, void *item, struct cg_ticket *ticket); /* false: out of memory */
void *cg_slots_get(const struct cg_slots *slots, struct cg_ticket ticket);       /* NULL: stale */
void cg_slots_remove(struct cg_slots *slots, struct cg_ticket ticket);           /* a stale one is a bug */

static inline uint64_t cg_ticket_number(struct cg_ticket ticket) {
    return (uint64_t)ticket.generation << 32 | ticket.slot;
}
static inline struct cg_ticket cg_ticket_from_number(uint64_t number) {
    return (struct cg_ticket){.slot = (uint32_t)number, .generation = (uint32_t)(number >> 32)};
}

#endif
