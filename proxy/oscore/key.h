/* Asymmetric keys of members: Ed25519, P-256, X25519 (RFC 9053 §2, §6, §7; RFC 10021 §2.4, §2.5, §13.16). */
#ifndef CG_OSCORE_KEY_H
#define CG_OSCORE_KEY_H

#include "base/err.h"
#include "base/slice.h"
#include "oscore/cose.h"

#include <openssl/types.h>

/* A validated public key; immutable, may be used by several threads. All zero: none. */
struct cg_public_key {
    enum cg_cose_curve curve;
    uint8_t bytes[64]; /* Ed25519: the encoded point; X25519: u; both 32. P-256: x, y */
    EVP_PKEY *pkey;    /* P-256 only; counted reference */
};

/* `y` is P-256's second coordinate; where it is empty the point is compressed and `y_is_odd` says which. Validated: an
 * Ed25519 point decodes, is of large order and neither y = 1 nor y = -1; a P-256 point is on the curve (NIST SP 800-56A
 * §5.6.2.3.4). CG_E_KEY. */
int cg_public_key_init(struct cg_public_key *key, enum cg_cose_curve curve, struct cg_slice x, struct cg_slice y,
                       bool y_is_odd) CG_MUST_CHECK;
void cg_public_key_share(struct cg_public_key *to, const struct cg_public_key *from); /* fini both */
void cg_public_key_fini(struct cg_public_key *key);

/* A private key. All zero: none. */
struct cg_private_key {
    enum cg_cose_curve curve;
    uint8_t *ed25519; /* libsodium's form, seed and public key, 64 bytes from sodium_malloc; NULL for other curves */
    EVP_PKEY *agree;  /* X25519 or P-256: for key agreement, and P-256's signatures */
};

/* From an Ed25519 seed, a P-256 scalar (big endian) or an X25519 scalar, 32 bytes each; must be the private half of
 * `public_key`. CG_E_KEY, CG_E_NO_MEMORY, CG_E_INTERNAL. */
int cg_private_key_init(struct cg_private_key *key, struct cg_slice raw,
                        const struct cg_public_key *public_key) CG_MUST_CHECK;
void cg_private_key_fini(struct cg_private_key *key); /* wipes it */

/* The static-static Diffie-Hellman shared secret (RFC 10021 §2.5.1, §2.5.2). Ed25519 keys go over the birational map to
 * X25519. CG_E_KEY: other curves, a low-order point, or a secret of zeros. CG_E_NO_MEMORY. The caller wipes it. */
int cg_agree(const struct cg_private_key *own, const struct cg_public_key *peer, uint8_t secret[32]) CG_MUST_CHECK;

/* Pure functions over the caller's bytes, for any thread. EdDSA or ES256 by the key's curve; an ES256 signature is r, s
 * (RFC 9053 §2.1). cg_sign: CG_E_NO_MEMORY, CG_E_INTERNAL. */
int cg_sign(const struct cg_private_key *key, struct cg_slice message,
            uint8_t signature[CG_COSE_SIGNATURE_LEN]) CG_MUST_CHECK;
bool cg_verify(const struct cg_public_key *key, struct cg_slice message,
               const uint8_t signature[CG_COSE_SIGNATURE_LEN]);

#endif
