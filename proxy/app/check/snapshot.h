/* Settings for one request that a check sends: those in use, with its mapping alone, as whoever runs the gateway wants
 * to look at it. Running requests and clients never meet it, so the gateway in service is checked as it is. */
#ifndef CG_APP_CHECK_SNAPSHOT_H
#define CG_APP_CHECK_SNAPSHOT_H

#include "model/request.h"

#define CG_CHECK_CORE_PATH "/.well-known/core"

/* What is asked for. */
struct cg_check_order {
    const struct cg_mapping *mapping; /* of the settings in use */
    struct cg_slice rest, query;      /* raw; `rest` is empty or begins with '/' */
    bool core;                        /* the group's /.well-known/core in the place of its URI's path */
    const struct cg_member *only;     /* asked by unicast, and nobody else; NULL: the group */
};

/* How long a check listens: as a client would, and until the members' leisure is over. Seconds, rounded up. */
uint32_t cg_check_listens(const struct cg_check_order *order);
/* What would tell a mapping from the same one in other settings, as far as a check goes by it. */
uint32_t cg_check_digest(const struct cg_mapping *mapping);

/* Takes a reference to `base`, whose mapping the order names. NULL: no memory. */
struct cg_config *cg_check_snapshot(struct cg_config *base, const struct cg_check_order *order);

#endif
