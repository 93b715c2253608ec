/* Why: benchmarks need far more members than a test, with real key pairs, at once. The hard thing is the public key of
 * a P-256 scalar, for which OpenSSL 3 wants the curve's arithmetic. */
#include "common/group_keys.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/check.h"

static void make_ed25519(struct bench_identity *identity) {
    static const uint8_t head[] = {0xa1, 0x08, 0xa1, 0x01, 0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20};
    uint8_t expanded[64];
    crypto_sign_seed_keypair(identity->public_key, expanded, identity->private_key);
    memcpy(identity->cred, head, sizeof head);
    memcpy(identity->cred + sizeof head, identity->public_key, 32);
    identity->cred_len = sizeof head + 32;
}

static void multiply_base(uint8_t x_y[64], const uint8_t scalar[32]) {
    EC_GROUP *curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = EC_POINT_new(curve);
    BIGNUM *factor = BN_bin2bn(scalar, 32, NULL), *x = BN_new(), *y = BN_new();
    CG_CHECK(EC_POINT_mul(curve, point, factor, NULL, NULL, NULL) == 1);
    CG_CHECK(EC_POINT_get_affine_coordinates(curve, point, x, y, NULL) == 1);
    CG_CHECK(BN_bn2binpad(x, x_y, 32) == 32 && BN_bn2binpad(y, x_y + 32, 32) == 32);
    BN_free(factor);
    BN_free(x);
    BN_free(y);
    EC_POINT_free(point);
    EC_GROUP_free(curve);
}

static void make_p256(struct bench_identity *identity) {
    static const uint8_t head[] = {0xa1, 0x08, 0xa1, 0x01, 0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20};
    static const uint8_t middle[] = {0x22, 0x58, 0x20};
    uint8_t *at = identity->cred;
    multiply_base(identity->public_key, identity->private_key);
    memcpy(at, head, sizeof head);
    memcpy(at + sizeof head, identity->public_key, 32);
    at += sizeof head + 32;
    memcpy(at, middle, sizeof middle);
    memcpy(at + sizeof middle, identity->public_key + 32, 32);
    identity->cred_len = sizeof head + 32 + sizeof middle + 32;
}

/* Any 32 bytes are an Ed25519 seed, and a scalar of P-256 when the first is neither 0 nor 0xff. */
static void make_identity(struct bench_identity *identity, enum cg_cose_curve curve, uint32_t number, size_t kid_len) {
    *identity = (struct bench_identity){.kid_len = kid_len, .private_key = {0x42}};
    uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    memcpy(identity->private_key + 1, bytes, 4);
    memcpy(identity->kid, bytes + 4 - kid_len, kid_len);
    if (curve == CG_CURVE_P256) {
        make_p256(identity);
    } else {
        make_ed25519(identity);
    }
}

void bench_group_keys_init(struct bench_group_keys *keys, enum cg_cose_curve curve, uint32_t count) {
    CG_CHECK(sodium_init() >= 0);
    *keys = (struct bench_group_keys){.curve = curve, .count = count};
    keys->members = calloc(count, sizeof *keys->members);
    CG_CHECK(keys->members != NULL && count < 0xffff);
    make_identity(&keys->gateway, curve, 0xffffff, 1);
    for (uint32_t i = 0; i < count; i++) make_identity(&keys->members[i], curve, i, 2);
}

void bench_group_keys_fini(struct bench_group_keys *keys) { free(keys->members); }

void bench_group_keys_params(const struct bench_group_keys *keys, const struct bench_identity *self,
                             struct cg_oscore_params *params, struct cg_oscore_sender_params *sender) {
    *sender = (struct cg_oscore_sender_params){.id = cg_slice_of(self->kid, self->kid_len),
                                               .private_key = cg_slice_of(self->private_key, 32),
                                               .cred = cg_slice_of(self->cred, self->cred_len)};
    *params = (struct cg_oscore_params){.group = true,
                                        .alg_aead = CG_COSE_AES_CCM_16_64_128,
                                        .alg_group_enc = CG_COSE_AES_CCM_16_64_128,
                                        .alg_signature = keys->curve == CG_CURVE_P256 ? CG_COSE_ES256 : CG_COSE_EDDSA,
                                        .alg_agreement = CG_COSE_ECDH_SS_HKDF_256,
                                        .hkdf = CG_SHA256,
                                        .master_secret = cg_slice_str("0123456789abcdef"),
                                        .has_id_context = true,
                                        .id_context = cg_slice_str("Gid"),
                                        .gm_cred = cg_slice_of(keys->gateway.cred, keys->gateway.cred_len),
                                        .sender = sender};
}
