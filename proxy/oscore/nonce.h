/* The nonce (RFC 8613 §5.2, with step 4 as RFC 10021 §3.3 replaces it). */
#ifndef CG_OSCORE_NONCE_H
#define CG_OSCORE_NONCE_H

#include "oscore/cose.h"

/* `len` bytes of nonce from the Sender ID of the endpoint that made the Partial IV, the Partial IV, and the first `len`
 * bytes of the Common IV. id.len is at most len - 6, piv.len at most 5. */
void cg_oscore_nonce(uint8_t *nonce, size_t len, struct cg_slice id, struct cg_slice piv, const uint8_t *common_iv);

#endif
