/* Why: one nonce per key, ever, depends on these few bytes. Hard: the pieces are right-aligned, the length of the ID in
 * front keeps IDs of different length apart. */
#include "oscore/nonce.h"
#include "base/check.h"

void cg_oscore_nonce(uint8_t *nonce, size_t len, struct cg_slice id, struct cg_slice piv, const uint8_t *common_iv) {
    CG_CHECK(len >= 7 && len <= CG_COSE_NONCE_MAX && id.len <= len - 6 && piv.len <= 5);
    memset(nonce, 0, len);
    nonce[0] = (uint8_t)id.len;
    if (id.len > 0) memcpy(nonce + len - 5 - id.len, id.data, id.len);
    if (piv.len > 0) memcpy(nonce + len - piv.len, piv.data, piv.len);
    for (size_t i = 0; i < len; i++) nonce[i] ^= common_iv[i];
}
