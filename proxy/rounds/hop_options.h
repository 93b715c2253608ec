/* What a request to a next hop says beside what it asks of the group's members. */
#ifndef CG_ROUNDS_HOP_OPTIONS_H
#define CG_ROUNDS_HOP_OPTIONS_H

#include "model/wish.h"

/* How long the next hop collects, in seconds, where we do for so long: 0 for 0. False: there is no time left for it. */
bool cg_hop_timeout(const struct cg_target *target, uint64_t timeout_us, uint32_t *seconds);
/* Replaces *own, which is the client's, by a copy with what the next hop is to know: Multicast-Timeout (GCP §8.1),
 * Hop-Limit (RFC 8768), and of a forward proxy the group, whose Uri-Host is *host. CG_E_NO_MEMORY. */
int cg_hop_options(const struct cg_wish *wish, const struct cg_target *target, struct cg_arena *arena,
                   struct cg_slice *host, struct cg_opts *own) CG_MUST_CHECK;

#endif
