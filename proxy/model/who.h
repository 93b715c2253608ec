/* Who an answer is from: the one place that decides it. The tally keeps one answer for each. */
#ifndef CG_MODEL_WHO_H
#define CG_MODEL_WHO_H

#include "model/config.h"

struct cg_who {
    struct cg_slice key;            /* equal for equal senders; borrows from `addr` or from the identity it was given */
    unsigned hash;                  /* of the key, for uthash */
    bool is_identity;               /* the key is a credential's hash; else it is `addr` */
    struct cg_addr addr;            /* the member's configured address or, of a stranger, the source */
    const struct cg_member *member; /* configured; NULL: not known beforehand */
};

/* A verified answer is from its credential (`identity`, not empty), wherever it was sent from. Any other is from the
 * member that is configured at its source address and port, else from the only one that is configured at that address
 * and link, whatever the port, else from that source. `who` must stay where it is while its key is in use. */
void cg_who_decide(struct cg_who *who, const struct cg_mapping *mapping, const struct cg_addr *from,
                   struct cg_slice identity);
/* The member that is configured with this credential; NULL: none. */
const struct cg_member *cg_who_of_identity(const struct cg_mapping *mapping, struct cg_slice identity);
/* Whether a member is configured at exactly this address and port. */
bool cg_who_is_configured(const struct cg_mapping *mapping, const struct cg_addr *addr);

#endif
