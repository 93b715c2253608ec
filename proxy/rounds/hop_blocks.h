/* The further blocks of an answer that came by a next hop. That next hop is asked for them as any client would ask it:
 * as a forward proxy for the one member that Reply-From names (GCP §3.5, RFC 7959). One that was asked for a path of
 * its own says nowhere what that member's path is. */
#ifndef CG_ROUNDS_HOP_BLOCKS_H
#define CG_ROUNDS_HOP_BLOCKS_H

#include "rounds/hop_options.h"
#include "rounds/round.h"

/* The request to one member, as its next hop gets it. */
struct cg_hop_blocks {
    struct cg_leg_request request;
    char host[CG_HOP_HOST_MAX];
    uint8_t port[4];
    struct cg_opt list[];
};

/* For an answer with these options. NULL: there is no way to it, or no memory. The caller frees it. */
struct cg_hop_blocks *cg_hop_blocks_new(const struct cg_part *part, struct cg_slice options);

#endif
