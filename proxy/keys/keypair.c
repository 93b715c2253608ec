/* New key pairs and their credentials. The hard thing: OpenSSL keeps numbers without leading zeros, files have 32 bytes
 * always. */
#include "keys/keypair.h"

#include "base/check.h"
#include "wire/cbor.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <sodium.h>

static bool get_number(const EVP_PKEY *pkey, const char *name, uint8_t to[32]) {
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(pkey, name, &number) > 0 && BN_bn2binpad(number, to, 32) == 32;
    BN_clear_free(number);
    return ok;
}

static int new_p256(struct cg_keypair *pair) {
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    bool ok = pkey != NULL && get_number(pkey, OSSL_PKEY_PARAM_PRIV_KEY, pair->private_key) &&
              get_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, pair->x) &&
              get_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, pair->y);
    EVP_PKEY_free(pkey);
    return ok ? CG_OK : CG_E_INTERNAL;
}

static void new_ed25519(struct cg_keypair *pair) {
    uint8_t both[crypto_sign_SECRETKEYBYTES];
    randombytes_buf(pair->private_key, sizeof pair->private_key);
    crypto_sign_seed_keypair(pair->x, both, pair->private_key);
    sodium_memzero(both, sizeof both);
}

int cg_keypair_new(struct cg_keypair *pair, enum cg_cose_curve curve) {
    *pair = (struct cg_keypair){.curve = curve};
    if (sodium_init() < 0) return CG_E_INTERNAL;
    if (curve == CG_CURVE_P256) return new_p256(pair);
    if (curve == CG_CURVE_ED25519) {
        new_ed25519(pair);
        return CG_OK;
    }
    CG_CHECK(curve == CG_CURVE_X25519);
    randombytes_buf(pair->private_key, sizeof pair->private_key);
    return crypto_scalarmult_base(pair->x, pair->private_key) == 0 ? CG_OK : CG_E_INTERNAL;
}

size_t cg_keypair_cred(const struct cg_keypair *pair, int alg, uint8_t to[CG_KEYPAIR_CRED_MAX]) {
    enum { CLAIM_CNF = 8, CNF_COSE_KEY = 1, KTY = 1, KTY_OKP = 1, KTY_EC2 = 2, ALG = 3, CRV = -1, X = -2, Y = -3 };
    bool ec2 = pair->curve == CG_CURVE_P256;
    struct cg_cbor_writer w = cg_cbor_writer(to, CG_KEYPAIR_CRED_MAX);
    cg_cbor_put_head(&w, CG_CBOR_MAP, 1);
    cg_cbor_put_int(&w, CLAIM_CNF);
    cg_cbor_put_head(&w, CG_CBOR_MAP, 1);
    cg_cbor_put_int(&w, CNF_COSE_KEY);
    cg_cbor_put_head(&w, CG_CBOR_MAP, ec2 ? 5 : 4);
    cg_cbor_put_int(&w, KTY);
    cg_cbor_put_int(&w, ec2 ? KTY_EC2 : KTY_OKP);
    cg_cbor_put_int(&w, ALG);
    cg_cbor_put_int(&w, alg);
    cg_cbor_put_int(&w, CRV);
    cg_cbor_put_int(&w, pair->curve);
    cg_cbor_put_int(&w, X);
    cg_cbor_put_bytes(&w, cg_slice_of(pair->x, sizeof pair->x));
    if (ec2) {
        cg_cbor_put_int(&w, Y);
        cg_cbor_put_bytes(&w, cg_slice_of(pair->y, sizeof pair->y));
    }
    CG_CHECK(!w.failed);
    return w.len;
}
