/* The COSE algorithms that the library knows (RFC 9053, RFC 9459, IANA's registry), as tables: adding one is adding a
 * row. */
#ifndef CG_OSCORE_COSE_H
#define CG_OSCORE_COSE_H

#include "base/slice.h"

/* COSE numbers. 0 is reserved in the registry and stands for "not set". */
enum {
    CG_COSE_NONE = 0,
    CG_COSE_A128GCM = 1,
    CG_COSE_A192GCM = 2,
    CG_COSE_A256GCM = 3,
    CG_COSE_AES_CCM_16_64_128 = 10,
    CG_COSE_AES_CCM_16_128_128 = 30,
    CG_COSE_CHACHA20_POLY1305 = 24,
    CG_COSE_A128CTR = -65534,
    CG_COSE_A192CTR = -65533,
    CG_COSE_A256CTR = -65532,
    CG_COSE_ES256 = -7,
    CG_COSE_EDDSA = -8,
    CG_COSE_ESP256 = -9,   /* RFC 9864: ES256 with P-256 and no other curve */
    CG_COSE_ED25519 = -19, /* RFC 9864: EdDSA with Ed25519 and no other curve */
    CG_COSE_ECDH_SS_HKDF_256 = -27,
    CG_COSE_ECDH_SS_HKDF_512 = -28,
};

enum cg_cose_curve { CG_CURVE_NONE = 0, CG_CURVE_P256 = 1, CG_CURVE_X25519 = 4, CG_CURVE_ED25519 = 6 };

enum cg_hash { CG_SHA256 = 1, CG_SHA512 = 2 };

#define CG_COSE_KEY_MAX       32
#define CG_COSE_NONCE_MAX     13
#define CG_COSE_TAG_MAX       16
#define CG_COSE_SIGNATURE_LEN 64 /* of both signature algorithms */

enum cg_cipher_kind {
    CG_CIPHER_CCM,  /* wants the length and the tag before the data */
    CG_CIPHER_AEAD, /* GCM, ChaCha20/Poly1305 */
    CG_CIPHER_CTR,  /* encrypts only; the IV is the nonce and four zero bytes (RFC 10021 §2.1.7) */
};

struct cg_cose_cipher {
    int id;
    enum cg_cipher_kind kind;
    const char *openssl; /* EVP_CIPHER_fetch's name */
    uint8_t key_len;
    uint8_t nonce_len; /* the nonce that OSCORE computes; at least 7 (RFC 8613 §5.2) */
    uint8_t tag_len;   /* 0: no integrity protection */
};

/* NULL for an unknown or refused algorithm: AES-CBC (-65531 to -65529) must not be used (RFC 10021 §2.1.7). */
const struct cg_cose_cipher *cg_cose_cipher(int id);

/* The curve that goes with a signature algorithm; CG_CURVE_NONE when it is unknown. */
enum cg_cose_curve cg_cose_signature_curve(int id);

/* Whether both numbers are known and name the same signature: RFC 9864 gave each of the two a second one. */
bool cg_cose_same_signature(int id, int other);

/* The hash inside a key agreement algorithm, which must be the group's HKDF hash (RFC 10021 §2.1.10); 0 when unknown.
 */
enum cg_hash cg_cose_agreement_hash(int id);

static inline size_t cg_hash_len(enum cg_hash hash) { return hash == CG_SHA512 ? 64 : 32; }

#endif
