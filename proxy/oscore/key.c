/* Why: RFC 10021 uses one key pair for signatures and for Diffie-Hellman, on two families of curves, which no single
 * library offers. Hard: what must be refused. A point of low order, y = 1 or y = -1 would make a shared secret that
 * everybody knows; a P-256 point off the curve would leak the private key. */
#include "oscore/key.h"
#include "base/check.h"
#include "oscore/failure.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>

enum { SEED_LEN = 32, POINT_MAX = 65 };

/* RFC 10021 §2.5.2: y = 1 and y = -1 (mod p) must be refused, whatever the sign bit of x; so must an encoding of y that
 * is not below p (RFC 8032 §5.1.3), since p + 1 would be another 1. p = 2^255 - 19, little endian. libsodium
 * refuses them too, as points of low order; this does not depend on it. */
static bool ed25519_y_is_usable(const uint8_t point[32]) {
    static const uint8_t p[32] = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    uint8_t y[32], one[32] = {1}, minus_one[32];
    memcpy(y, point, 32);
    y[31] &= 0x7f;
    memcpy(minus_one, p, 32);
    minus_one[0]--;
    return sodium_compare(y, p, 32) < 0 && memcmp(y, one, 32) != 0 && memcmp(y, minus_one, 32) != 0;
}

/* RFC 7748 accepts any u; one of low order gives every private key the same shared secret of zeros. */
static bool x25519_is_usable(const uint8_t u[32]) {
    static const uint8_t any_scalar[32] = {8};
    uint8_t product[32];
    return crypto_scalarmult_curve25519(product, any_scalar, u) == 0;
}

static EVP_PKEY *p256_from_params(int selection, const uint8_t *point, size_t len, const BIGNUM *scalar) {
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (ctx == NULL || builder == NULL) goto out;
    if (!OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ||
        !OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, len) ||
        (scalar != NULL && !OSSL_PARAM_BLD_push_BN_pad(builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar, SEED_LEN)))
        goto out;
    params = OSSL_PARAM_BLD_to_param(builder);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 || EVP_PKEY_fromdata(ctx, &pkey, selection, params) <= 0)
        pkey = NULL;
out:
    OSSL_PARAM_free(params); /* cleanses the part with the scalar: push_BN of a secure BIGNUM goes to secure memory */
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static bool pkey_is_valid(EVP_PKEY *pkey, bool has_private) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool valid = ctx != NULL && EVP_PKEY_public_check(ctx) > 0 && (!has_private || EVP_PKEY_pairwise_check(ctx) > 0);
    EVP_PKEY_CTX_free(ctx);
    return valid;
}

static int init_p256(struct cg_public_key *key, struct cg_slice x, struct cg_slice y, bool y_is_odd) {
    uint8_t point[POINT_MAX];
    size_t len = 33, back;
    if (x.len != 32 || (y.len != 0 && y.len != 32)) return CG_E_KEY;
    point[0] = y_is_odd ? 3 : 2;
    memcpy(point + 1, x.data, 32);
    if (y.len == 32) {
        point[0] = 4;
        memcpy(point + 33, y.data, 32);
        len = POINT_MAX;
    }
    EVP_PKEY *pkey = p256_from_params(EVP_PKEY_PUBLIC_KEY, point, len, NULL);
    if (pkey == NULL) return CG_E_KEY;
    if (!pkey_is_valid(pkey, false) ||
        !EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") ||
        !EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &back) ||
        back != POINT_MAX) {
        EVP_PKEY_free(pkey);
        return CG_E_KEY;
    }
    memcpy(key->bytes, point + 1, 64);
    key->pkey = pkey;
    return CG_OK;
}

int cg_public_key_init(struct cg_public_key *key, enum cg_cose_curve curve, struct cg_slice x, struct cg_slice y,
                       bool y_is_odd) {
    memset(key, 0, sizeof(*key));
    if (curve == CG_CURVE_P256) {
        int err = init_p256(key, x, y, y_is_odd);
        if (err != CG_OK) return err;
    } else {
        if (x.len != 32 || (curve != CG_CURVE_ED25519 && curve != CG_CURVE_X25519)) return CG_E_KEY;
        if (curve == CG_CURVE_ED25519 &&
            (!ed25519_y_is_usable(x.data) || crypto_core_ed25519_is_valid_point(x.data) != 1))
            return CG_E_KEY;
        if (curve == CG_CURVE_X25519 && !x25519_is_usable(x.data)) return CG_E_KEY;
        memcpy(key->bytes, x.data, 32);
    }
    key->curve = curve;
    return CG_OK;
}

void cg_public_key_share(struct cg_public_key *to, const struct cg_public_key *from) {
    *to = *from;
    if (to->pkey != NULL) CG_CHECK(EVP_PKEY_up_ref(to->pkey) == 1);
}

void cg_public_key_fini(struct cg_public_key *key) {
    EVP_PKEY_free(key->pkey);
    memset(key, 0, sizeof(*key));
}

static EVP_PKEY *x25519_private(const uint8_t scalar[32]) {
    return EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, scalar, 32);
}

static int init_ed25519(struct cg_private_key *key, const uint8_t *seed, const struct cg_public_key *public_key) {
    uint8_t derived[32], scalar[32];
    key->ed25519 = sodium_malloc(64);
    if (key->ed25519 == NULL) return CG_E_NO_MEMORY;
    crypto_sign_seed_keypair(derived, key->ed25519, seed);
    if (memcmp(derived, public_key->bytes, 32) != 0) return CG_E_KEY;
    crypto_sign_ed25519_sk_to_curve25519(scalar, key->ed25519);
    key->agree = x25519_private(scalar);
    sodium_memzero(scalar, sizeof(scalar));
    return key->agree != NULL ? CG_OK : cg_openssl_failure();
}

static int init_x25519(struct cg_private_key *key, const uint8_t *scalar, const struct cg_public_key *public_key) {
    uint8_t derived[32];
    size_t len = sizeof(derived);
    key->agree = x25519_private(scalar);
    if (key->agree == NULL || EVP_PKEY_get_raw_public_key(key->agree, derived, &len) <= 0) return cg_openssl_failure();
    return memcmp(derived, public_key->bytes, 32) == 0 ? CG_OK : CG_E_KEY;
}

/* Whether the keys are to blame; only what looked at them asks. */
static int disagreement(void) {
    int err = CG_E_KEY;
    for (unsigned long error; (error = ERR_get_error()) != 0;) {
        if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) err = CG_E_NO_MEMORY;
    }
    return err;
}

static int init_p256_private(struct cg_private_key *key, const uint8_t *raw, const struct cg_public_key *public_key) {
    uint8_t point[POINT_MAX] = {4};
    memcpy(point + 1, public_key->bytes, 64);
    BIGNUM *scalar = BN_secure_new();
    if (scalar != NULL && BN_bin2bn(raw, SEED_LEN, scalar) != NULL) {
        BN_set_flags(scalar, BN_FLG_CONSTTIME);
        key->agree = p256_from_params(EVP_PKEY_KEYPAIR, point, sizeof(point), scalar);
    }
    BN_clear_free(scalar);
    return key->agree != NULL && pkey_is_valid(key->agree, true) ? CG_OK : disagreement();
}

/* OpenSSL looks for what agrees keys when that is first asked for, and what it then had no memory for it never has
 * again: so it is asked for while nothing depends on it. It may say that there is no such algorithm, but made the key.
 */
static int find_agreement(EVP_PKEY *own) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    bool found = ctx != NULL && EVP_PKEY_derive_init(ctx) > 0;
    EVP_PKEY_CTX_free(ctx);
    return found ? CG_OK : CG_E_NO_MEMORY;
}

int cg_private_key_init(struct cg_private_key *key, struct cg_slice raw, const struct cg_public_key *public_key) {
    memset(key, 0, sizeof(*key));
    if (raw.len != SEED_LEN) return CG_E_KEY;
    int err = CG_E_KEY;
    ERR_clear_error();
    if (public_key->curve == CG_CURVE_ED25519) err = init_ed25519(key, raw.data, public_key);
    if (public_key->curve == CG_CURVE_X25519) err = init_x25519(key, raw.data, public_key);
    if (public_key->curve == CG_CURVE_P256) err = init_p256_private(key, raw.data, public_key);
    key->curve = public_key->curve;
    if (err == CG_OK) err = find_agreement(key->agree);
    if (err != CG_OK) cg_private_key_fini(key);
    return err;
}

void cg_private_key_fini(struct cg_private_key *key) {
    EVP_PKEY_free(key->agree); /* cleanses the scalar */
    sodium_free(key->ed25519); /* wipes */
    memset(key, 0, sizeof(*key));
}

/* The peer's key in the form that key agreement takes; a counted reference. */
static int agreement_key(const struct cg_public_key *peer, EVP_PKEY **key) {
    uint8_t u[32];
    *key = NULL;
    if (peer->curve == CG_CURVE_P256) {
        CG_CHECK(EVP_PKEY_up_ref(peer->pkey) == 1);
        *key = peer->pkey;
        return CG_OK;
    }
    memcpy(u, peer->bytes, 32);
    if (peer->curve == CG_CURVE_ED25519 &&
        (!ed25519_y_is_usable(peer->bytes) || crypto_sign_ed25519_pk_to_curve25519(u, peer->bytes) != 0))
        return CG_E_KEY;
    *key = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, u, 32);
    return *key != NULL ? CG_OK : cg_openssl_failure();
}

static int derive(const struct cg_private_key *own, EVP_PKEY *other, uint8_t secret[32]) {
    size_t len = 32;
    int err = CG_OK;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own->agree, NULL);
    if (ctx == NULL || EVP_PKEY_derive_init(ctx) <= 0)
        err = CG_E_NO_MEMORY; /* it was there when the key was made */
    else if (EVP_PKEY_derive_set_peer(ctx, other) <= 0 || EVP_PKEY_derive(ctx, secret, &len) <= 0 || len != 32 ||
             sodium_is_zero(secret, 32))
        err = disagreement();
    EVP_PKEY_CTX_free(ctx);
    return err;
}

int cg_agree(const struct cg_private_key *own, const struct cg_public_key *peer, uint8_t secret[32]) {
    EVP_PKEY *other = NULL;
    ERR_clear_error();
    int err = own->curve == peer->curve ? agreement_key(peer, &other) : CG_E_KEY;
    if (err == CG_OK) err = derive(own, other, secret);
    if (err != CG_OK) sodium_memzero(secret, 32);
    EVP_PKEY_free(other);
    return err;
}

/* DER to r, s of 32 bytes each. */
static bool signature_from_der(uint8_t signature[64], const uint8_t *der, size_t len) {
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    return ok;
}

static int signature_to_der(uint8_t **der, const uint8_t signature[64]) {
    int len = -1;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL);
    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s)) {
        r = s = NULL; /* the signature owns them */
        len = i2d_ECDSA_SIG(sig, der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len;
}

static int sign_es256(EVP_PKEY *pkey, struct cg_slice message, uint8_t signature[64]) {
    uint8_t der[80];
    size_t len = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, pkey, NULL) > 0 &&
              EVP_DigestSign(ctx, der, &len, message.data, message.len) > 0 && signature_from_der(signature, der, len);
    EVP_MD_CTX_free(ctx);
    return ok ? CG_OK : cg_openssl_failure();
}

static bool verify_es256(EVP_PKEY *pkey, struct cg_slice message, const uint8_t signature[64]) {
    uint8_t *der = NULL;
    int len = signature_to_der(&der, signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = len > 0 && ctx != NULL && EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, pkey, NULL) > 0 &&
              EVP_DigestVerify(ctx, der, (size_t)len, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    return ok;
}

int cg_sign(const struct cg_private_key *key, struct cg_slice message, uint8_t signature[CG_COSE_SIGNATURE_LEN]) {
    if (key->curve == CG_CURVE_P256) return sign_es256(key->agree, message, signature);
    CG_CHECK(key->curve == CG_CURVE_ED25519);
    int failed = crypto_sign_detached(signature, NULL, message.data, message.len, key->ed25519);
    return failed ? CG_E_INTERNAL : CG_OK;
}

bool cg_verify(const struct cg_public_key *key, struct cg_slice message,
               const uint8_t signature[CG_COSE_SIGNATURE_LEN]) {
    if (key->curve == CG_CURVE_P256) return verify_es256(key->pkey, message, signature);
    CG_CHECK(key->curve == CG_CURVE_ED25519);
    return crypto_sign_verify_detached(signature, message.data, message.len, key->bytes) == 0;
}
