/* A range of addresses: an IP and how many of its bits count (RFC 4632 §3.1, RFC 4291 §2.3). */
#ifndef CG_WIRE_PREFIX_H
#define CG_WIRE_PREFIX_H

#include "wire/addr.h"

struct cg_prefix {
    struct cg_addr addr; /* port and zone 0; the bits beyond the prefix are 0 */
    uint8_t bits;
};

#define CG_PREFIX_TEXT_MAX 64 /* with NUL */

/* "192.0.2.0/24", "2001:db8::/32"; without a length the one address. CG_E_FORMAT, also where bits beyond the prefix are
 * set, since "192.0.2.7/24" may have meant something else; *prefix is then all zero. */
int cg_prefix_parse(struct cg_prefix *prefix, struct cg_slice text) CG_MUST_CHECK;
size_t cg_prefix_emit(const struct cg_prefix *prefix, char text[CG_PREFIX_TEXT_MAX]); /* NUL-terminated */
bool cg_prefix_has(const struct cg_prefix *prefix, const struct cg_addr *addr);       /* whatever its port and zone */

#endif
