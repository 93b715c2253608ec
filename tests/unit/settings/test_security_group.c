/* Security group files: what is accepted makes a Security Context. R11, R13. */
#include "fake_group_file.h"

#include <sodium.h>

/* What settings accept, the library accepts. */
static void must_make_a_context(const struct cg_security_group *group) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_oscore_context *context;
    struct cg_oscore_peer *peer;
    const char *why = "";
    bool checker = group->file == CG_GROUP_FILE_CHECKER;
    cg_security_group_params(group, checker ? NULL : &group->self, &params, &own);
    int err = checker ? cg_oscore_checker_new(&context, &params, group->signature_encryption_key, &why)
                      : cg_oscore_context_new(&context, &params, &why);
    if (err != CG_OK) print_error("%s\n", why);
    assert_int_equal(err, CG_OK);
    for (size_t i = 0; i < group->peer_count; i++) {
        err = cg_oscore_peer_add(context, group->peers[i].id, group->peers[i].cred, CG_OSCORE_WINDOW_NEW, &peer, &why);
        if (err != CG_OK) print_error("peer %zu: %s\n", i, why);
        assert_int_equal(err, CG_OK);
    }
    cg_oscore_context_unref(context);
}

static void a_members_file_is_read_R11(void **state) {
    (void)state;
    json_t *json = quoted(MEMBER);
    put(json, "/peers/52", "{'cred':'" CRED_52 "','name':'lamp-3','address':'127.0.0.13','multicast':false}");
    put(json, "/common/countersign_elements", "4");
    struct cg_security_group *group = must_read(json, CG_GROUP_FILE_MEMBER);
    assert_int_equal(group->alg_aead, 10);
    assert_int_equal(group->alg_group_enc, 10);
    assert_int_equal(group->alg_signature, CG_COSE_EDDSA);
    assert_int_equal(group->alg_agreement, CG_COSE_ECDH_SS_HKDF_256);
    assert_int_equal(group->hkdf, CG_SHA256);
    assert_true(group->countersign_four);
    assert_hex(group->gid, "44616c");
    assert_hex(group->master_secret, SECRET);
    assert_hex(group->master_salt, SALT);
    assert_hex(group->gm_cred, CRED_GM);
    assert_hex(group->self.id, "25");
    assert_hex(group->self.private_key, KEY_25);
    assert_hex(group->self.cred, CRED_25);
    assert_int_equal(group->peer_count, 1);
    assert_hex(group->peers[0].id, "52");
    assert_hex(group->peers[0].cred, CRED_52);
    assert_int_equal(group->peers[0].private_key.len, 0);
    assert_string_equal(group->peers[0].name, "lamp-3");
    char address[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&group->peers[0].address, address);
    assert_string_equal(address, "127.0.0.13:5683");
    assert_true(group->peers[0].is_unicast_only);
    must_make_a_context(group);
    cg_security_group_free(group);
    json_decref(json);
}

static void other_kinds_of_files_are_read(void **state) {
    (void)state;
    json_t *json = quoted(CHECKER);
    struct cg_security_group *group = must_read(json, CG_GROUP_FILE_CHECKER);
    assert_hex(group->signature_encryption_key, SEKEY);
    assert_int_equal(group->master_secret.len, 0);
    assert_int_equal(group->peer_count, 2);
    must_make_a_context(group);
    cg_security_group_free(group);
    json_decref(json);

    json = quoted(MANAGER);
    put(json, "/group_manager/private_key", "'" KEY_41 "'");
    put(json, "/common/gm_cred", "'" CRED_52 "'");
    put(json, "/group_manager/private_key", "'" KEY_52 "'");
    group = must_read(json, CG_GROUP_FILE_MANAGER);
    assert_hex(group->gm_private_key, KEY_52);
    assert_hex(group->self.id, "25");
    assert_int_equal(group->peer_count, 1);
    assert_hex(group->peers[0].private_key, KEY_52);
    assert_string_equal(group->peers[0].name, "lamp");
    must_make_a_context(group);
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    cg_security_group_params(group, &group->peers[0], &params, &own);
    assert_hex(own.id, "52");
    assert_hex(own.private_key, KEY_52);
    cg_security_group_free(group);
    json_decref(json);
}

/* R13: group mode, pairwise mode or both, signatures of two kinds, keys of three. */
static void modes_and_algorithms_R13(void **state) {
    (void)state;
    static const struct change variants[][4] = {
        {{"/common/alg_aead", "null"}, {"/common/alg_pairwise_key_agreement", "null"}},
        {{"/common/alg_aead", NULL}, {"/common/alg_pairwise_key_agreement", NULL}, {"/common/hkdf", NULL}},
        {{"/common/alg_aead", "null"}}, /* one algorithm of a mode may stand alone: that mode is not used */
        {{"/common/alg_pairwise_key_agreement", "null"}},
        {{"/common/alg_group_enc", "null"}},
        {{"/common/alg_signature", "-19"}},
        {{"/peers/52", "'a108a101a4010103322006215820" X_52 "'"}}, /* -19 in a group of -8 */
        {{"/common/alg_signature", "-9"},
         {"/self", "{'sender_id':'41','private_key':'" KEY_41 "','cred':'" CRED_41 "'}"},
         {"/peers", "{'42':'" CRED_42 "'}"}},
        {{"/common/alg_group_enc", "24"}},
        {{"/common/alg_group_enc", "-65534"}},
        {{"/common/alg_aead", "1"}, {"/common/alg_group_enc", "1"}},
        {{"/common/hkdf", "'sha512'"}, {"/common/alg_pairwise_key_agreement", "-28"}},
        {{"/common/alg_signature", "-7"},
         {"/self", "{'sender_id':'41','private_key':'" KEY_41 "','cred':'" CRED_41 "'}"},
         {"/peers", "{'42':'" CRED_42 "'}"}},
        {{"/self/sender_id", "''"}, {"/common/master_salt", "''"}},
        {{"/self/sender_id", "'01020304050607'"}, {"/peers", "{}"}},
        {{"/common/alg_aead", "12"}, {"/common/alg_group_enc", "24"}}, /* a nonce of 7 bytes: Sender IDs of one */
    };
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        json_t *json = changed(MEMBER, variants[i]);
        struct cg_security_group *group = must_read(json, CG_GROUP_FILE_MEMBER);
        must_make_a_context(group);
        cg_security_group_free(group);
        json_decref(json);
    }
}

static void hex_of(const uint8_t *bytes, size_t len, char *hex) { sodium_bin2hex(hex, 2 * len + 1, bytes, len); }

/* A group with the pairwise mode only, whose keys are X25519 or P-256. */
static void pairwise_only_R13(void **state) {
    (void)state;
    uint8_t scalar[32] = {1, 2, 3}, u[32];
    char scalar_hex[65], u_hex[65], self[512], with_alg[512];
    crypto_scalarmult_base(u, scalar);
    hex_of(scalar, 32, scalar_hex);
    hex_of(u, 32, u_hex);
    snprintf(self, sizeof self, "{'sender_id':'25','private_key':'%s','cred':'a108a101a301012004215820%s'}", scalar_hex,
             u_hex);
    snprintf(with_alg, sizeof with_alg,
             "{'sender_id':'25','private_key':'%s','cred':'a108a101a4010103381a2004215820%s'}", scalar_hex, u_hex);
    const struct change pairwise[4] = {
        {"/common/alg_group_enc", "null"}, {"/common/alg_signature", "null"}, {"/peers", "{}"}, {"/self", self}};
    json_t *json = changed(MEMBER, pairwise);
    struct cg_security_group *group = must_read(json, CG_GROUP_FILE_MEMBER);
    must_make_a_context(group);
    cg_security_group_free(group);
    put(json, "/self", with_alg);
    group = must_read(json, CG_GROUP_FILE_MEMBER);
    must_make_a_context(group);
    cg_security_group_free(group);
    json_decref(json);

    const struct row rows[] = {
        {{pairwise[0], pairwise[1], {"/self", self}},
         "/peers/52",
         "its key is of the curve Ed25519, but the group's keys are of X25519"},
        {{pairwise[0], pairwise[1], pairwise[2]}, "/self/cred", "its key is for signatures (Ed25519)"},
    };
    CHECK(MEMBER, CG_GROUP_FILE_MEMBER, rows);
}

/* A file with 10 000 peers; every one of their keys is checked. */
static void ten_thousand_peers(void **state) {
    (void)state;
    enum { COUNT = 10000 };
    json_t *json = quoted(MEMBER), *peers = json_object();
    for (unsigned i = 0; i < COUNT; i++) {
        uint8_t seed[32] = {(uint8_t)i, (uint8_t)(i >> 8)}, x[32], private_key[64];
        char cred[256] = CCS_ED(""), id[8];
        crypto_sign_seed_keypair(x, private_key, seed);
        hex_of(x, 32, cred + strlen(cred));
        snprintf(id, sizeof id, "%06x", i);
        assert_int_equal(json_object_set_new(peers, id, json_string(cred)), 0);
    }
    assert_int_equal(json_object_set_new(json, "peers", peers), 0);
    struct cg_security_group *group = must_read(json, CG_GROUP_FILE_MEMBER);
    assert_int_equal(group->peer_count, COUNT);
    assert_hex(group->peers[COUNT - 1].id, "00270f");
    cg_security_group_free(group);
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_members_file_is_read_R11), cmocka_unit_test(other_kinds_of_files_are_read),
        cmocka_unit_test(modes_and_algorithms_R13),   cmocka_unit_test(pairwise_only_R13),
        cmocka_unit_test(ten_thousand_peers),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
