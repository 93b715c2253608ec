/* Answers that may be forged, and wait for their turn: one at a time is verified in the whole gateway, so that they
 * take one thread at most; casts take turns, and in a cast sources do, so that one genuine answer is not behind a
 * thousand forgeries from elsewhere. Bounded in bytes and, for each cast, in verifications. Where it is full somebody
 * has to go: whoever has most. */
#ifndef CG_GROUP_OSCORE_LATER_H
#define CG_GROUP_OSCORE_LATER_H

#include "base/err.h"
#include "group_oscore/forgeries.h"

enum {
    CG_LATER_CAST = 4096,                      /* verifications of answers that waited, a cast */
    CG_LATER_BYTES_CAST = 1024 * 1024,         /* that wait, a cast: some 800 usual answers */
    CG_LATER_BYTES_GATEWAY = 16 * 1024 * 1024, /* and of all casts, which share it evenly */
};

/* An answer that waits, inside of what it is to the owner. */
struct cg_waiting {
    struct cg_waiting *prev, *next; /* at its source, or among those that were displaced */
    struct cg_forgeries *forgeries; /* its cast's */
    struct cg_source *source;       /* NULL once it was displaced */
    size_t bytes;                   /* of memory */
};

/* The gateway's. All zero: nobody waits. `dice` should begin with what nobody outside can know. */
struct cg_later {
    struct cg_forgeries *casts; /* utlist head: those with waiting answers, whose turn it is first */
    unsigned cast_count;
    struct cg_waiting *displaced; /* utlist head: to be refused by the owner */
    size_t displaced_bytes;
    struct cg_waiting *running; /* the owner's: what is being verified now; NULL: nothing waits either */
    uint64_t dice;
    struct cg_allowance failures; /* forgeries.h */
};

/* Lets it wait; others may be displaced. CG_E_ATTEMPTS: no room for it, or its cast has had its share. CG_E_NO_MEMORY.
 */
int cg_later_add(struct cg_later *later, struct cg_waiting *waiting, struct cg_forgeries *forgeries,
                 const struct cg_addr *from, size_t bytes) CG_MUST_CHECK;
/* Whose turn it is, who waits in this cast, who was displaced, and among these who is of this cast: taken out. NULL:
 * nobody. */
struct cg_waiting *cg_later_take(struct cg_later *later);
struct cg_waiting *cg_later_take_of(struct cg_later *later, struct cg_forgeries *forgeries);
struct cg_waiting *cg_later_take_displaced(struct cg_later *later);
/* What was taken is to be refused after all, but not now. */
void cg_later_displace(struct cg_later *later, struct cg_waiting *waiting);

#endif
