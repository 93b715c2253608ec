/* Why: every number that COSE assigns is written down once. Hard: nothing, as long as a row is copied from the registry
 * and not from memory; the nonce length of AES-CCM-64-* is 7, which allows Sender IDs of one byte only. */
#include "oscore/cose.h"

static const struct cg_cose_cipher ciphers[] = {
    {CG_COSE_A128GCM, CG_CIPHER_AEAD, "AES-128-GCM", 16, 12, 16},
    {CG_COSE_A192GCM, CG_CIPHER_AEAD, "AES-192-GCM", 24, 12, 16},
    {CG_COSE_A256GCM, CG_CIPHER_AEAD, "AES-256-GCM", 32, 12, 16},
    {CG_COSE_AES_CCM_16_64_128, CG_CIPHER_CCM, "AES-128-CCM", 16, 13, 8},
    {11, CG_CIPHER_CCM, "AES-256-CCM", 32, 13, 8}, /* AES-CCM-16-64-256 */
    {12, CG_CIPHER_CCM, "AES-128-CCM", 16, 7, 8},  /* AES-CCM-64-64-128 */
    {13, CG_CIPHER_CCM, "AES-256-CCM", 32, 7, 8},  /* AES-CCM-64-64-256 */
    {CG_COSE_CHACHA20_POLY1305, CG_CIPHER_AEAD, "ChaCha20-Poly1305", 32, 12, 16},
    {CG_COSE_AES_CCM_16_128_128, CG_CIPHER_CCM, "AES-128-CCM", 16, 13, 16},
    {31, CG_CIPHER_CCM, "AES-256-CCM", 32, 13, 16}, /* AES-CCM-16-128-256 */
    {32, CG_CIPHER_CCM, "AES-128-CCM", 16, 7, 16},  /* AES-CCM-64-128-128 */
    {33, CG_CIPHER_CCM, "AES-256-CCM", 32, 7, 16},  /* AES-CCM-64-128-256 */
    {CG_COSE_A128CTR, CG_CIPHER_CTR, "AES-128-CTR", 16, 12, 0},
    {CG_COSE_A192CTR, CG_CIPHER_CTR, "AES-192-CTR", 24, 12, 0},
    {CG_COSE_A256CTR, CG_CIPHER_CTR, "AES-256-CTR", 32, 12, 0},
};

const struct cg_cose_cipher *cg_cose_cipher(int id) {
    for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
        if (ciphers[i].id == id) return &ciphers[i];
    return NULL;
}

enum cg_cose_curve cg_cose_signature_curve(int id) {
    switch (id) {
    case CG_COSE_EDDSA:
    case CG_COSE_ED25519: return CG_CURVE_ED25519;
    case CG_COSE_ES256:
    case CG_COSE_ESP256: return CG_CURVE_P256;
    default: return CG_CURVE_NONE;
    }
}

bool cg_cose_same_signature(int id, int other) {
    enum cg_cose_curve curve = cg_cose_signature_curve(id);
    return curve != CG_CURVE_NONE && curve == cg_cose_signature_curve(other);
}

enum cg_hash cg_cose_agreement_hash(int id) {
    switch (id) {
    case CG_COSE_ECDH_SS_HKDF_256: return CG_SHA256;
    case CG_COSE_ECDH_SS_HKDF_512: return CG_SHA512;
    default: return (enum cg_hash)0;
    }
}
