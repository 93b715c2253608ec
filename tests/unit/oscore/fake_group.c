#include "fake_group.h"

#include "wire/cbor.h"
#include "oscore/state.h"
#include "base/check.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <sodium.h>

size_t fake_ccs(uint8_t to[160], int kty, int crv, struct cg_slice x, struct cg_slice y) {
    struct cg_cbor_writer w = cg_cbor_writer(to, 160);
    cg_cbor_put_head(&w, CG_CBOR_MAP, 1);
    cg_cbor_put_int(&w, 8);
    cg_cbor_put_head(&w, CG_CBOR_MAP, 1);
    cg_cbor_put_int(&w, 1);
    cg_cbor_put_head(&w, CG_CBOR_MAP, y.len > 0 ? 4 : 3);
    cg_cbor_put_int(&w, 1);
    cg_cbor_put_int(&w, kty);
    cg_cbor_put_int(&w, -1);
    cg_cbor_put_int(&w, crv);
    cg_cbor_put_int(&w, -2);
    cg_cbor_put_bytes(&w, x);
    if (y.len > 0) {
        cg_cbor_put_int(&w, -3);
        cg_cbor_put_bytes(&w, y);
    }
    CG_CHECK(!w.failed);
    return w.len;
}

/* Public point of a P-256 scalar. */
static void p256_public(const uint8_t scalar[32], uint8_t x[32], uint8_t y[32]) {
    EC_GROUP *curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = EC_POINT_new(curve);
    BIGNUM *d = BN_bin2bn(scalar, 32, NULL);
    uint8_t bytes[65];
    CG_CHECK(EC_POINT_mul(curve, point, d, NULL, NULL, NULL) == 1);
    CG_CHECK(EC_POINT_point2oct(curve, point, POINT_CONVERSION_UNCOMPRESSED, bytes, sizeof(bytes), NULL) == 65);
    memcpy(x, bytes + 1, 32);
    memcpy(y, bytes + 33, 32);
    BN_free(d);
    EC_POINT_free(point);
    EC_GROUP_free(curve);
}

void fake_member_make(struct fake_member *member, enum cg_cose_curve curve, uint8_t id, uint8_t seed) {
    uint8_t sk[64];
    CG_CHECK(sodium_init() >= 0);
    memset(member, 0, sizeof(*member));
    member->id[0] = id;
    member->id_len = 1;
    crypto_hash_sha256(member->private_key, &seed, 1);
    struct cg_slice y = CG_SLICE_NONE;
    if (curve == CG_CURVE_ED25519) crypto_sign_seed_keypair(member->x, sk, member->private_key);
    if (curve == CG_CURVE_X25519) crypto_scalarmult_base(member->x, member->private_key);
    if (curve == CG_CURVE_P256) {
        p256_public(member->private_key, member->x, member->y);
        y = cg_slice_of(member->y, 32);
    }
    member->cred_len = fake_ccs(member->cred, curve == CG_CURVE_P256 ? 2 : 1, curve, cg_slice_of(member->x, 32), y);
}

void fake_keys_make(enum cg_cose_curve curve, uint8_t seed, struct cg_private_key *private_key,
                    struct cg_public_key *public_key) {
    struct fake_member m;
    fake_member_make(&m, curve, 1, seed);
    struct cg_slice y = curve == CG_CURVE_P256 ? cg_slice_of(m.y, 32) : CG_SLICE_NONE;
    assert_int_equal(cg_public_key_init(public_key, curve, cg_slice_of(m.x, 32), y, false), CG_OK);
    assert_int_equal(cg_private_key_init(private_key, cg_slice_of(m.private_key, 32), public_key), CG_OK);
}

static void point_params(struct fake_group *group) {
    group->params.master_secret = cg_slice_of(group->secret, sizeof(group->secret));
    group->params.master_salt = cg_slice_of(group->salt, sizeof(group->salt));
    group->params.id_context = cg_slice_of(group->gid, sizeof(group->gid));
    group->params.gm_cred = cg_slice_of(group->gm_cred, sizeof(group->gm_cred));
}

void fake_group_make(struct fake_group *group, int aead, int group_enc, int signature, int agreement, enum cg_hash hkdf,
                     uint8_t tag) {
    memset(group, 0, sizeof(*group));
    memset(group->gid, tag, sizeof(group->gid));
    memset(group->secret, tag + 1, sizeof(group->secret));
    memset(group->salt, tag + 2, sizeof(group->salt));
    memset(group->gm_cred, 0xca, sizeof(group->gm_cred));
    group->params = (struct cg_oscore_params){
        .group = true,
        .alg_aead = aead,
        .alg_group_enc = group_enc,
        .alg_signature = signature,
        .alg_agreement = agreement,
        .hkdf = hkdf,
        .has_id_context = true,
    };
    point_params(group);
    enum cg_cose_curve curve = cg_cose_signature_curve(signature);
    if (curve == CG_CURVE_NONE) curve = CG_CURVE_X25519;
    for (int i = 0; i < FAKE_MEMBERS; i++)
        fake_member_make(&group->members[i], curve, (uint8_t)(0x10 + i), (uint8_t)(tag + 16 * i + 1));
}

void fake_group_usual(struct fake_group *group, uint8_t tag) {
    fake_group_make(group, CG_COSE_AES_CCM_16_64_128, CG_COSE_AES_CCM_16_64_128, CG_COSE_EDDSA,
                    CG_COSE_ECDH_SS_HKDF_256, CG_SHA256, tag);
}

void fake_group_rekey(struct fake_group *group) {
    group->gid[3]++;
    group->secret[0] ^= 0x55;
    group->secret[1]++;
}

static void add_peers(struct cg_oscore_context *context, const struct fake_group *group, int except) {
    for (int i = 0; i < FAKE_MEMBERS; i++) {
        if (i == except) continue;
        const char *why = "";
        int err = cg_oscore_peer_add(context, fake_id(&group->members[i]), fake_cred(&group->members[i]),
                                     CG_OSCORE_WINDOW_NEW, NULL, &why);
        if (err != CG_OK) fail_msg("peer_add: %s", why);
    }
}

struct cg_oscore_context *fake_context(const struct fake_group *group, int self) {
    struct fake_group copy = *group; /* slices must point to where the bytes are */
    point_params(&copy);
    const struct fake_member *me = &copy.members[self];
    struct cg_oscore_sender_params sender = {
        .id = fake_id(me), .private_key = cg_slice_of(me->private_key, 32), .cred = fake_cred(me)};
    struct cg_oscore_context *context = NULL;
    const char *why = "";
    copy.params.sender = &sender;
    int err = cg_oscore_context_new(&context, &copy.params, &why);
    if (err != CG_OK) fail_msg("context_new: %s", why);
    add_peers(context, group, self);
    return context;
}

struct cg_oscore_context *fake_checker(const struct fake_group *group) {
    struct cg_oscore_context *member = fake_context(group, 0), *checker = NULL;
    struct fake_group copy = *group;
    const char *why = "";
    point_params(&copy);
    copy.params.master_secret = copy.params.master_salt = CG_SLICE_NONE;
    struct cg_slice key = cg_slice_of(member->secrets->signature_encryption_key, member->group_enc->key_len);
    int err = cg_oscore_checker_new(&checker, &copy.params, key, &why);
    if (err != CG_OK) fail_msg("checker_new: %s", why);
    add_peers(checker, group, -1);
    cg_oscore_context_unref(member);
    return checker;
}

struct cg_oscore_peer *fake_peer(struct cg_oscore_context *context, const struct fake_group *group, int member) {
    struct cg_oscore_peer *peer = cg_oscore_peer_find(context, fake_id(&group->members[member]));
    assert_non_null(peer);
    return peer;
}

static struct cg_msg make(uint8_t code, uint16_t option, const char *value, const char *payload) {
    static uint8_t storage[2][2048];
    static int turn;
    struct cg_msg_writer w;
    struct cg_token token = {.len = 2, .bytes = {0x70, 0x71}};
    turn = 1 - turn;
    cg_msg_begin(&w, storage[turn], sizeof(storage[turn]), CG_NON, code, 0x1234, token);
    if (value != NULL) cg_msg_put_opt(&w, option, cg_slice_str(value));
    cg_msg_put_payload(&w, cg_slice_str(payload));
    return fake_parse(storage[turn], cg_msg_end(&w));
}

struct cg_msg fake_request(const char *path, const char *payload) {
    return make(payload[0] != '\0' ? CG_PUT : CG_GET, CG_OPT_URI_PATH, path, payload);
}

struct cg_msg fake_response(const char *payload) {
    return make(CG_CODE(2, 5), 0, NULL, payload);
}

struct cg_msg fake_parse(const uint8_t *data, int len) {
    struct cg_msg msg;
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse(&msg, cg_slice_of(data, (size_t)len)), CG_OK);
    return msg;
}

void fake_assert_same(const struct cg_msg *a, const struct cg_msg *b) {
    assert_int_equal(a->code, b->code);
    assert_int_equal(a->token.len, b->token.len);
    assert_memory_equal(a->token.bytes, b->token.bytes, a->token.len);
    assert_true(cg_slice_equal(a->options, b->options));
    assert_true(cg_slice_equal(a->payload, b->payload));
}
