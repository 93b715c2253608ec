/* The core's messages have the form of datagrams (RFC 7252 §3), those of a byte stream another one (RFC 8323 §3.2).
 * What they say is the same. Private to hops/. */
#ifndef CG_HOPS_CONVERT_H
#define CG_HOPS_CONVERT_H

#include "wire/frame.h"

/* The length; 0: it is an empty message, which streams do without. CG_E_TOO_BIG for `cap`. */
int cg_hop_to_stream(struct cg_slice datagram, uint8_t *to, size_t cap) CG_MUST_CHECK;
/* As a Non-confirmable one; nothing is to be acknowledged. The length, or CG_E_TOO_BIG. */
int cg_hop_from_stream(const struct cg_frame *frame, uint8_t *to, size_t cap) CG_MUST_CHECK;

#endif
