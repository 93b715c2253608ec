/* A UDP message as CoAP clients send it, with extended tokens (RFC 8974 §2): what wire/msg.h is for the group side,
 * whose tokens have 8 bytes at most. */
#ifndef CG_WIRE_ENVELOPE_H
#define CG_WIRE_ENVELOPE_H

#include "wire/msg.h"

#define CG_EXTENDED_TOKEN_MAX 64 /* bytes that are taken, and given back; the format has 65804 */

struct cg_envelope {
    uint8_t type; /* enum cg_type */
    uint8_t code;
    uint16_t mid;
    struct cg_slice token;   /* these three point into the datagram */
    struct cg_slice options; /* encoded, well-formed */
    struct cg_slice payload; /* empty: none */
};

/* CG_E_FORMAT as cg_msg_parse, except for token lengths: 9 to 12 are lengths, 13 and 14 stand for longer ones, 15 is no
 * length. CG_E_TOO_BIG: the token is longer than that; it is set, what is behind it is not looked at (RFC 8974 §2.2.2:
 * no format error). On CG_E_FORMAT after a whole header of version 1, type, code and mid are set; otherwise the type is
 * NON, so that nobody answers. */
int cg_envelope_parse(struct cg_envelope *envelope, struct cg_slice datagram) CG_MUST_CHECK;
/* The length, or CG_E_TOO_BIG for `cap`. */
int cg_envelope_emit(const struct cg_envelope *envelope, uint8_t *bytes, size_t cap) CG_MUST_CHECK;

#endif
