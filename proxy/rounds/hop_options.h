/* What a request to a next hop says beside what it asks of the group's members. */
#ifndef CG_ROUNDS_HOP_OPTIONS_H
#define CG_ROUNDS_HOP_OPTIONS_H

#include "model/wish.h"

#define CG_HOP_HOST_MAX (CG_ADDR_TEXT_MAX + 2)

/* The address as Uri-Host has it: an IPv6 literal in brackets (RFC 7252 §6.4). Returns the length. */
size_t cg_hop_host(const struct cg_addr *addr, char text[CG_HOP_HOST_MAX]);
/* How long the next hop collects, in seconds, where we do for so long: 0 for 0. False: there is no time left for it. */
bool cg_hop_timeout(const struct cg_target *target, uint64_t timeout_us, uint32_t *seconds);
/* Replaces *own, which is the client's, by a copy with what the next hop is to know: Multicast-Timeout (GCP §8.1),
 * Hop-Limit (RFC 8768), and of a forward proxy the group, whose Uri-Host is *host. CG_E_NO_MEMORY. */
int cg_hop_options(const struct cg_wish *wish, const struct cg_target *target, struct cg_arena *arena,
                   struct cg_slice *host, struct cg_opts *own) CG_MUST_CHECK;

#endif
