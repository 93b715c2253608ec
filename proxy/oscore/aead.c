/* Why: expanding a key costs more than encrypting a short message, so each key keeps its EVP context. Hard: CCM is not
 * a stream. It wants tag length, nonce and total length in this order before every message, and its tag before the
 * data. */
#include "oscore/aead.h"
#include "base/check.h"
#include "oscore/failure.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

int cg_aead_key_init(struct cg_aead_key *key, const struct cg_cose_cipher *cipher, const EVP_CIPHER *fetched,
                     const uint8_t *bytes, bool encrypts) {
    key->cipher = cipher;
    key->encrypts = encrypts;
    key->ctx = EVP_CIPHER_CTX_new();
    if (key->ctx == NULL) return cg_openssl_failure();
    if (EVP_CipherInit_ex(key->ctx, fetched, NULL, NULL, NULL, encrypts) <= 0) goto failed;
    if (cipher->kind != CG_CIPHER_CTR &&
        EVP_CIPHER_CTX_ctrl(key->ctx, EVP_CTRL_AEAD_SET_IVLEN, cipher->nonce_len, NULL) <= 0)
        goto failed;
    if (cipher->kind == CG_CIPHER_CCM &&
        EVP_CIPHER_CTX_ctrl(key->ctx, EVP_CTRL_AEAD_SET_TAG, cipher->tag_len, NULL) <= 0)
        goto failed;
    if (EVP_CipherInit_ex(key->ctx, NULL, NULL, bytes, NULL, encrypts) <= 0) goto failed;
    return CG_OK;
failed:
    cg_aead_key_fini(key);
    return cg_openssl_failure();
}

void cg_aead_key_fini(struct cg_aead_key *key) {
    EVP_CIPHER_CTX_free(key->ctx); /* OpenSSL cleanses the expanded key */
    memset(key, 0, sizeof(*key));
}

/* Nonce, and what must come before the data. CTR's IV is the nonce and a block counter from zero. */
static bool start(struct cg_aead_key *key, const uint8_t *nonce, struct cg_slice aad, size_t len) {
    int done;
    if (key->cipher->kind == CG_CIPHER_CTR) {
        uint8_t iv[16] = {0};
        memcpy(iv, nonce, key->cipher->nonce_len);
        return EVP_CipherInit_ex(key->ctx, NULL, NULL, NULL, iv, key->encrypts) > 0;
    }
    if (EVP_CipherInit_ex(key->ctx, NULL, NULL, NULL, nonce, key->encrypts) <= 0) return false;
    if (key->cipher->kind == CG_CIPHER_CCM && EVP_CipherUpdate(key->ctx, NULL, &done, NULL, (int)len) <= 0)
        return false;
    return EVP_CipherUpdate(key->ctx, NULL, &done, aad.data, (int)aad.len) > 0;
}

int cg_aead_seal(struct cg_aead_key *key, const uint8_t *nonce, struct cg_slice aad, uint8_t *data, size_t len) {
    CG_CHECK(key->encrypts && len <= INT_MAX && aad.len <= INT_MAX);
    int done;
    if (!start(key, nonce, aad, len)) return cg_openssl_failure();
    if (EVP_CipherUpdate(key->ctx, data, &done, data, (int)len) <= 0 || (size_t)done != len)
        return cg_openssl_failure();
    if (EVP_CipherFinal_ex(key->ctx, data + len, &done) <= 0 || done != 0) return cg_openssl_failure();
    if (key->cipher->tag_len > 0 &&
        EVP_CIPHER_CTX_ctrl(key->ctx, EVP_CTRL_AEAD_GET_TAG, key->cipher->tag_len, data + len) <= 0)
        return cg_openssl_failure();
    return CG_OK;
}

int cg_aead_open(struct cg_aead_key *key, const uint8_t *nonce, struct cg_slice aad, struct cg_slice ciphertext,
                 uint8_t *to) {
    const struct cg_cose_cipher *cipher = key->cipher;
    CG_CHECK(!key->encrypts && ciphertext.len <= INT_MAX && aad.len <= INT_MAX);
    if (ciphertext.len < cipher->tag_len) return CG_E_VERIFY;
    size_t len = ciphertext.len - cipher->tag_len;
    void *tag = (void *)(uintptr_t)(ciphertext.data + len); /* read only, whatever the prototype says */
    int done = 0, rest = 0;
    if (cipher->kind == CG_CIPHER_CCM &&
        EVP_CIPHER_CTX_ctrl(key->ctx, EVP_CTRL_AEAD_SET_TAG, cipher->tag_len, tag) <= 0)
        return CG_E_VERIFY;
    if (!start(key, nonce, aad, len)) return CG_E_VERIFY;
    if (EVP_CipherUpdate(key->ctx, to, &done, ciphertext.data, (int)len) <= 0 || (size_t)done != len) goto forged;
    if (cipher->kind == CG_CIPHER_CCM) return CG_OK; /* the update has compared the tag */
    if (cipher->kind == CG_CIPHER_AEAD &&
        EVP_CIPHER_CTX_ctrl(key->ctx, EVP_CTRL_AEAD_SET_TAG, cipher->tag_len, tag) <= 0)
        goto forged;
    if (EVP_CipherFinal_ex(key->ctx, to + done, &rest) <= 0 || rest != 0) goto forged;
    return CG_OK;
forged:
    OPENSSL_cleanse(to, len);
    return CG_E_VERIFY;
}
