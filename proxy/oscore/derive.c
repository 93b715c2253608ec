/* Why: every key of OSCORE comes out of one function with differing info. Hard: it runs for each signed answer, and
 * OpenSSL's own HKDF spends most of its 2.4 µs on looking things up; this one is made of its digests (0.8 µs). What is
 * secret in between is wiped. */
#include "oscore/derive.h"
#include "base/check.h"
#include "wire/cbor.h"
#include "oscore/failure.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>

enum { HASH_MAX = 64, BLOCK_MAX = 128 };

size_t cg_info_key(uint8_t *to, struct cg_slice id, const struct cg_slice *id_context, int alg, const char *type,
                   size_t len) {
    struct cg_cbor_writer w = cg_cbor_writer(to, CG_INFO_MAX);
    cg_cbor_put_head(&w, CG_CBOR_ARRAY, 5);
    cg_cbor_put_bytes(&w, id);
    if (id_context != NULL)
        cg_cbor_put_bytes(&w, *id_context);
    else
        cg_cbor_put_simple(&w, CG_CBOR_NULL);
    cg_cbor_put_int(&w, alg);
    cg_cbor_put_text(&w, type);
    cg_cbor_put_head(&w, CG_CBOR_UINT, len);
    CG_CHECK(!w.failed);
    return w.len;
}

size_t cg_info_keystream(uint8_t *to, struct cg_slice id, struct cg_slice id_context, bool is_request, size_t len) {
    struct cg_cbor_writer w = cg_cbor_writer(to, CG_INFO_MAX);
    cg_cbor_put_head(&w, CG_CBOR_ARRAY, 4);
    cg_cbor_put_bytes(&w, id);
    cg_cbor_put_bytes(&w, id_context);
    cg_cbor_put_simple(&w, is_request ? CG_CBOR_TRUE : CG_CBOR_FALSE);
    cg_cbor_put_head(&w, CG_CBOR_UINT, len);
    CG_CHECK(!w.failed);
    return w.len;
}

/* One digest at work, for several HMACs with it. */
struct hasher {
    EVP_MD_CTX *ctx;
    const EVP_MD *md;
    size_t len, block;
};

/* Fetched once a process and kept. NULL: no memory. */
static const EVP_MD *digest_of(enum cg_hash hash) {
    static _Atomic(EVP_MD *) fetched[2];
    _Atomic(EVP_MD *) *slot = &fetched[hash == CG_SHA512];
    EVP_MD *known = atomic_load(slot);
    if (known != NULL) return known;
    EVP_MD *made = EVP_MD_fetch(NULL, hash == CG_SHA512 ? "SHA512" : "SHA256", NULL);
    if (made == NULL || atomic_compare_exchange_strong(slot, &known, made)) return made;
    EVP_MD_free(made); /* another thread was first */
    return known;
}

static bool hasher_init(struct hasher *hasher, enum cg_hash hash) {
    *hasher = (struct hasher){.md = digest_of(hash), .len = cg_hash_len(hash), .block = 2 * cg_hash_len(hash)};
    if (hasher->md != NULL) hasher->ctx = EVP_MD_CTX_new();
    return hasher->ctx != NULL;
}

static void hasher_fini(struct hasher *hasher) { EVP_MD_CTX_free(hasher->ctx); /* wipes its state */ }

static bool digest(const struct hasher *hasher, const struct cg_slice *parts, size_t count, uint8_t *to) {
    if (EVP_DigestInit_ex2(hasher->ctx, hasher->md, NULL) <= 0) return false;
    for (size_t i = 0; i < count; i++) {
        if (EVP_DigestUpdate(hasher->ctx, parts[i].data, parts[i].len) <= 0) return false;
    }
    return EVP_DigestFinal_ex(hasher->ctx, to, NULL) > 0;
}

/* HMAC (RFC 2104) over two parts. */
static bool hmac(const struct hasher *hasher, struct cg_slice key, struct cg_slice first, struct cg_slice second,
                 uint8_t to[HASH_MAX]) {
    uint8_t pad[BLOCK_MAX] = {0};
    bool ok = true;
    if (key.len > hasher->block) {
        ok = digest(hasher, &key, 1, pad);
    } else if (key.len > 0) {
        memcpy(pad, key.data, key.len);
    }
    for (size_t i = 0; i < hasher->block; i++) pad[i] ^= 0x36;
    const struct cg_slice inner[] = {cg_slice_of(pad, hasher->block), first, second};
    ok = ok && digest(hasher, inner, 3, to);
    for (size_t i = 0; i < hasher->block; i++) pad[i] ^= 0x36 ^ 0x5c;
    const struct cg_slice outer[] = {cg_slice_of(pad, hasher->block), cg_slice_of(to, hasher->len)};
    ok = ok && digest(hasher, outer, 2, to);
    OPENSSL_cleanse(pad, sizeof(pad));
    return ok;
}

/* RFC 5869 §2.3: T(i) = HMAC(PRK, T(i-1) | info | i). */
static bool expand(const struct hasher *hasher, const uint8_t *prk, struct cg_slice info, uint8_t *out, size_t len) {
    uint8_t last[CG_INFO_MAX + 1], t[2 * HASH_MAX];
    size_t t_len = 0;
    CG_CHECK(info.len <= CG_INFO_MAX && len <= 255 * hasher->len);
    if (info.len > 0) memcpy(last, info.data, info.len);
    bool ok = true;
    for (uint8_t i = 1; ok && len > 0; i++) {
        last[info.len] = i;
        ok = hmac(hasher, cg_slice_of(prk, hasher->len), cg_slice_of(t, t_len), cg_slice_of(last, info.len + 1),
                  t + HASH_MAX);
        memcpy(t, t + HASH_MAX, hasher->len);
        t_len = hasher->len;
        size_t step = len < t_len ? len : t_len;
        memcpy(out, t, step);
        out += step;
        len -= step;
    }
    OPENSSL_cleanse(t, sizeof(t));
    return ok;
}

int cg_hkdf_extract(enum cg_hash hash, struct cg_slice salt, struct cg_slice ikm, uint8_t *prk) {
    struct hasher hasher;
    uint8_t made[HASH_MAX];
    bool ok = hasher_init(&hasher, hash) && hmac(&hasher, salt, ikm, CG_SLICE_NONE, made);
    if (ok) memcpy(prk, made, hasher.len);
    OPENSSL_cleanse(made, sizeof(made));
    hasher_fini(&hasher);
    return ok ? CG_OK : cg_openssl_failure();
}

int cg_hkdf_expand(enum cg_hash hash, const uint8_t *prk, struct cg_slice info, uint8_t *out, size_t len) {
    struct hasher hasher;
    bool ok = hasher_init(&hasher, hash) && expand(&hasher, prk, info, out, len);
    hasher_fini(&hasher);
    return ok ? CG_OK : cg_openssl_failure();
}

int cg_hkdf(enum cg_hash hash, struct cg_slice salt, struct cg_slice ikm, struct cg_slice info, uint8_t *out,
            size_t len) {
    struct hasher hasher;
    uint8_t prk[HASH_MAX];
    bool ok = hasher_init(&hasher, hash) && hmac(&hasher, salt, ikm, CG_SLICE_NONE, prk) &&
              expand(&hasher, prk, info, out, len);
    OPENSSL_cleanse(prk, sizeof(prk));
    hasher_fini(&hasher);
    return ok ? CG_OK : cg_openssl_failure();
}
