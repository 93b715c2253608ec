/* Authentication credentials as CWT Claims Sets (RFC 8392 with the claim cnf, RFC 8747 §3.1, holding a COSE_Key, RFC
 * 9052 §7). Only the public key is read; every computation uses the credential's bytes as they are (RFC 10021 §2.4). */
#ifndef CG_OSCORE_CCS_H
#define CG_OSCORE_CCS_H

#include "base/err.h"
#include "base/slice.h"
#include "oscore/cose.h"

#define CG_CRED_MAX 4096 /* bytes of a credential */

/* Views into the credential. The key is not validated yet. */
struct cg_ccs {
    enum cg_cose_curve curve; /* with the kty that belongs to it */
    int alg;                  /* the COSE_Key's alg; CG_COSE_NONE when it has none */
    struct cg_slice x;        /* 32 bytes */
    struct cg_slice y;        /* P-256: 32 bytes, or empty when compressed */
    bool y_is_odd;            /* compressed only */
};

/* CG_E_FORMAT: not one untagged CBOR map of definite length, claims twice, no cnf with a COSE_Key. CG_E_KEY: another
 * key type or curve, coordinates of a wrong length, or a private key inside. CG_E_TOO_BIG. */
int cg_ccs_parse(struct cg_ccs *ccs, struct cg_slice cred) CG_MUST_CHECK;

#endif
