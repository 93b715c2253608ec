/* Names for keys and messages: a SHA-256 over parts, which no two lists of parts share. */
#ifndef CG_OSCORE_DIGEST_H
#define CG_OSCORE_DIGEST_H

#include "base/slice.h"

#define CG_DIGEST_LEN 32

/* Each part with its length before it. Leaves no copy of the parts behind. */
void cg_digest(uint8_t to[CG_DIGEST_LEN], const struct cg_slice *parts, size_t count);

#endif
