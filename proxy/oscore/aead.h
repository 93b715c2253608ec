/* Content encryption with a key that is expanded once and kept (RFC 9053 §4, RFC 9459 §4). One key serves one
 * direction. */
#ifndef CG_OSCORE_AEAD_H
#define CG_OSCORE_AEAD_H

#include "base/err.h"
#include "base/slice.h"
#include "oscore/cose.h"

#include <openssl/types.h>

/* All zero: no key. Not for two threads at once. */
struct cg_aead_key {
    EVP_CIPHER_CTX *ctx;
    const struct cg_cose_cipher *cipher;
    bool encrypts;
};

/* `fetched` is EVP_CIPHER_fetch(cipher->openssl), kept by the caller so that a thousand keys cost one fetch.
 * CG_E_NO_MEMORY, CG_E_INTERNAL. */
int cg_aead_key_init(struct cg_aead_key *key, const struct cg_cose_cipher *cipher, const EVP_CIPHER *fetched,
                     const uint8_t *bytes, bool encrypts) CG_MUST_CHECK;
void cg_aead_key_fini(struct cg_aead_key *key); /* wipes it */
static inline bool cg_aead_key_is_set(const struct cg_aead_key *key) { return key->ctx != NULL; }

/* Encrypts data in place; the tag, if the algorithm has one, follows at data + len, where there must be room for it.
 * `aad` is not handed to an algorithm that cannot protect it (RFC 10021 §10). CG_E_NO_MEMORY, CG_E_INTERNAL. */
int cg_aead_seal(struct cg_aead_key *key, const uint8_t *nonce, struct cg_slice aad, uint8_t *data,
                 size_t len) CG_MUST_CHECK;

/* Decrypts ciphertext and tag to `to` (room for ciphertext.len - tag_len; may not overlap). CG_E_VERIFY; nothing of the
 * plaintext is left in `to` then. */
int cg_aead_open(struct cg_aead_key *key, const uint8_t *nonce, struct cg_slice aad, struct cg_slice ciphertext,
                 uint8_t *to) CG_MUST_CHECK;

#endif
