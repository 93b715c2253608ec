/* The Echo exchange (RFC 9175 §2; RFC 8613 Appendix B.1.2; RFC 10021 §9) that shows a request to be fresh and makes a
 * lost replay window valid again. One outstanding value a peer, kept in its Recipient Context: memory is bounded, and a
 * rekey forgets all. */
#ifndef CG_OSCORE_ECHO_H
#define CG_OSCORE_ECHO_H

#include "oscore/context.h"
#include "wire/msg.h"

#define CG_OSCORE_CHALLENGE_LEN 16 /* bytes of storage for a challenge's options */

/* Server: builds the plain 4.01 with nothing but an Echo option, for the request whose type, MID and token `plain` has
 * already (or gets before sealing). Seal it with a sequence number of its own; never answer a group request by it
 * unless the window is lost. The value stays the same until it is echoed, so replays of old requests cannot keep a
 * client from succeeding. */
void cg_oscore_challenge(struct cg_oscore_peer *peer, uint8_t storage[CG_OSCORE_CHALLENGE_LEN], struct cg_msg *plain);

/* Client: whether a verified response is such a challenge; then *echo (a view) goes into a new request, by unicast to
 * that server alone, in pairwise mode where the group has one. A challenge is not an answer. */
bool cg_oscore_is_challenge(const struct cg_msg *plain, struct cg_slice *echo);

/* For open.c: whether a verified request carries the outstanding value, which is then spent. */
bool cg_oscore_echo_consume(struct cg_oscore_peer *peer, const struct cg_msg *inner);

#endif
