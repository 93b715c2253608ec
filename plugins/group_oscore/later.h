/* Answers that may be forged, and wait for their turn: one at a time is verified in the whole gateway, so that they
 * take one thread at most; casts take turns, and in a cast sources do, so that one genuine answer is not behind a
 * thousand forgeries from elsewhere. Bounded in bytes and, for each cast, in verifications. Where it is full somebody
 * has to go: whoever has most.
 *
 * What comes from a member's home goes before what comes from strangers, and displaces them, but from half of the room;
 * and when all verifications of a cast are used up there are more for it. So strangers, however many addresses they
 * have, do not silence a member whose home is known. */
#ifndef CG_GROUP_OSCORE_LATER_H
#define CG_GROUP_OSCORE_LATER_H

#include "base/err.h"
#include "group_oscore/forgeries.h"

enum {
    CG_LATER_CAST = 4096,                      /* verifications of answers that waited, a cast */
    CG_LATER_RATE = 1024,                      /* and more of them, a second: a tenth of a thread */
    CG_LATER_HOME = 1024,                      /* beyond these for answers from home, a cast */
    CG_LATER_HOME_RATE = 1024,                 /* a second */
    CG_LATER_BYTES_CAST = 1024 * 1024,         /* that wait, a cast: some 800 usual answers */
    CG_LATER_BYTES_GATEWAY = 16 * 1024 * 1024, /* and of all casts, which share it evenly */
};

/* An answer that waits, inside of what it is to the owner. */
struct cg_waiting {
    struct cg_waiting *prev, *next; /* at its source, or among those that were displaced */
    struct cg_forgeries *forgeries; /* its cast's */
    struct cg_source *source;       /* NULL once it was displaced */
    size_t bytes;                   /* of memory */
    const void *owner;              /* for whom it is taken out alone */
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

/* Where an answer that is to wait is from, and whose it is. */
struct cg_whence {
    struct cg_addr from;
    bool at_home;
    const void *owner;
};

/* Lets it wait; others may be displaced. CG_E_ATTEMPTS: no room for it, or a stranger's where its cast has had its
 * share. CG_E_NO_MEMORY. */
int cg_later_add(struct cg_later *later, struct cg_waiting *waiting, struct cg_forgeries *forgeries,
                 const struct cg_whence *whence, size_t bytes, uint64_t now_us) CG_MUST_CHECK;
/* Whether the cast has a verification left for an answer that waited; one is begun. */
bool cg_later_allow(const struct cg_forgeries *forgeries, bool at_home, uint64_t now_us);
void cg_later_begin(struct cg_forgeries *forgeries, bool at_home, uint64_t now_us);
/* Whose turn it is, who waits in this cast or was displaced from it for that owner, and who was displaced: taken out.
 * NULL: nobody. */
struct cg_waiting *cg_later_take(struct cg_later *later);
struct cg_waiting *cg_later_take_of(struct cg_later *later, struct cg_forgeries *forgeries, const void *owner);
struct cg_waiting *cg_later_take_displaced(struct cg_later *later);
/* What was taken is to be refused after all, but not now. */
void cg_later_displace(struct cg_later *later, struct cg_waiting *waiting);

#endif
