/* New key pairs and the credentials that go with them. */
#ifndef CG_KEYS_KEYPAIR_H
#define CG_KEYS_KEYPAIR_H

#include "base/err.h"
#include "oscore/cose.h"

#define CG_KEYPAIR_CRED_MAX 128

/* Holds a secret; the caller wipes it. */
struct cg_keypair {
    enum cg_cose_curve curve;
    uint8_t private_key[32]; /* as security group files have it: Ed25519 seed, X25519 scalar, P-256 scalar */
    uint8_t x[32];
    uint8_t y[32]; /* P-256 only */
};

int cg_keypair_new(struct cg_keypair *pair, enum cg_cose_curve curve) CG_MUST_CHECK; /* CG_E_INTERNAL */

/* The credential: a CCS {8: {1: COSE_Key}} with kty, alg, crv, x and, for P-256, y (RFC 8747 §3.1, RFC 9053 §7). The
 * length. */
size_t cg_keypair_cred(const struct cg_keypair *pair, int alg, uint8_t to[CG_KEYPAIR_CRED_MAX]);

#endif
