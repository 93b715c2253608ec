/* Security group files: what is accepted makes a Security Context, every rule's mistake with its pointer, no secret in
 * any message, and who may read the file. R11, R13. The keys are those of tests/vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text.h"
#include "settings/security_group.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#define CCS_ED(x) "a108a101a4010103272006215820" x
#define KEY_25    "181ee608427c211862ff619a5f84c26268ed1db90071c23d4459f650fee9f03e"
#define CRED_25   CCS_ED("c28a9cf5e81460183149db4cd36eb20563c89d5225426bda6bd6207c9269b6d2")
#define KEY_52    "04212dd1cc526d10f2a650747dc8829118ab87395bc894782036b9ca6190ffb8"
#define X_52      "4a83d2906976e098727db6fdd06385a3585e0b42d37fabb3c119f1e9cf4779fb"
#define CRED_52   CCS_ED(X_52)
#define CRED_GM   CCS_ED("75fbfa7c8c88ed1a0a67e22250fb4aeabba32bcd7b35688a6c326d2c208e4cba")
#define SECRET    "ed87c95ac8bf474adb3932be85c2653c"
#define SALT      "9e7ca92223786340"
#define SEKEY     "1d15b1ffe4c73cf2d81d04ee6311fa0e"
#define KEY_41    "7b5da31184948c0545a2731d65dbada76b21d378402ce3cc38c8411a75b91f87"
#define CRED_41                                                                                                        \
    "a108a101a5010203262001215820d1667b266bf55a034720c2f4e1f24887674c8ae30ed1fa5a297e1fb65d9cb36522582043c933279d12eb" \
    "94"                                                                                                               \
    "958e25291822e96b1a05b4f1a3f674f28f4d72d52cc6b384"
#define CRED_42                                                                                                        \
    "a108a101a5010203262001215820a39b6c2b90502a766b75e3a38b30b3985478aebf51672fa1902cb7976850ea33225820f3404a5386c000" \
    "7a"                                                                                                               \
    "2ba592c86dc9ea5e668ed16dcf5e16137483142f32411d83"

#define COMMON                                                                                                         \
    "'common':{'alg_aead':10,'alg_group_enc':10,'alg_signature':-8,'alg_pairwise_key_agreement':-27,'hkdf':'sha256',"
#define MEMBER                                                                                                         \
    "{" COMMON "'gid':'44616c','master_secret':'" SECRET "','master_salt':'" SALT "','gm_cred':'" CRED_GM "'},"        \
    "'self':{'sender_id':'25','private_key':'" KEY_25 "','cred':'" CRED_25 "'},"                                       \
    "'peers':{'52':'" CRED_52 "'}}"
#define CHECKER                                                                                                        \
    "{" COMMON "'gid':'44616c','signature_encryption_key':'" SEKEY "','gm_cred':'" CRED_GM "'},"                       \
    "'peers':{'25':'" CRED_25 "','52':{'cred':'" CRED_52 "'}}}"
#define MANAGER                                                                                                        \
    "{'name':'floor3','member_peers':'all'," COMMON "'gid':'44616c','master_secret':'" SECRET "','gm_cred':'" CRED_GM  \
    "'},"                                                                                                              \
    "'group_manager':{'private_key':'GM'},"                                                                            \
    "'gateway':{'sender_id':'25','private_key':'" KEY_25 "','cred':'" CRED_25 "'},"                                    \
    "'members':[{'sender_id':'52','private_key':'" KEY_52 "','cred':'" CRED_52                                         \
    "','name':'lamp','address':'127.1.0.1'}]}"

static json_t *quoted(const char *document) {
    size_t len = strlen(document);
    char *text = malloc(len + 1);
    assert_non_null(text);
    for (size_t i = 0; i <= len; i++) text[i] = document[i] == '\'' ? '"' : document[i];
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    free(text);
    assert_non_null(json);
    return json;
}

/* Puts `value` (NULL: nothing) at the JSON pointer; what is on the way must be there. Escapes are not needed here. */
static void put(json_t *json, const char *pointer, const char *value) {
    char key[64];
    for (;;) {
        size_t len = strcspn(++pointer, "/");
        assert_true(len < sizeof key);
        memcpy(key, pointer, len);
        key[len] = '\0';
        pointer += len;
        if (*pointer == '\0') break;
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key)) : json_object_get(json, key);
        assert_non_null(json);
    }
    if (value == NULL)
        assert_int_equal(json_object_del(json, key), 0);
    else
        assert_int_equal(json_object_set_new(json, key, quoted(value)), 0);
}

static void print_all(const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *mistake = mistakes->first; mistake != NULL; mistake = mistake->next)
        print_error("  %s: %s\n", mistake->pointer, mistake->message);
}

static struct cg_security_group *must_read(const json_t *json, enum cg_group_file kind) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_security_group_read(json, kind, &group, &mistakes);
    print_all(&mistakes);
    cg_mistakes_fini(&mistakes);
    assert_int_equal(err, CG_OK);
    return group;
}

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

struct change {
    const char *pointer, *value;
};

struct row {
    struct change changes[4];
    const char *pointer;
    const char *message; /* a part of it */
};

static json_t *changed(const char *document, const struct change changes[4]) {
    json_t *json = quoted(document);
    for (size_t i = 0; i < 4 && changes[i].pointer != NULL; i++) put(json, changes[i].pointer, changes[i].value);
    return json;
}

/* Each row makes exactly this one mistake. */
static void check(const char *document, enum cg_group_file kind, const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct cg_security_group *group;
        struct cg_mistakes mistakes;
        json_t *json = changed(document, rows[i].changes);
        cg_mistakes_init(&mistakes);
        int err = cg_security_group_read(json, kind, &group, &mistakes);
        bool good = err == CG_E_FORMAT && mistakes.count == 1 &&
                    strcmp(mistakes.first->pointer, rows[i].pointer) == 0 &&
                    strstr(mistakes.first->message, rows[i].message) != NULL;
        if (!good) print_error("row %zu: %s\n", i, rows[i].changes[0].pointer);
        if (!good) print_all(&mistakes);
        assert_true(good);
        assert_null(group);
        cg_mistakes_fini(&mistakes);
        json_decref(json);
    }
}

#define CHECK(document, kind, rows) check(document, kind, rows, sizeof(rows) / sizeof *(rows))

static void assert_hex(struct cg_slice bytes, const char *hex) {
    uint8_t expected[512];
    size_t len;
    assert_int_equal(cg_hex_parse(cg_slice_str(hex), expected, sizeof expected, &len), CG_OK);
    assert_int_equal(bytes.len, len);
    if (len > 0) assert_memory_equal(bytes.data, expected, len);
}

static void a_members_file_is_read_R11(void **state) {
    (void)state;
    json_t *json = quoted(MEMBER);
    put(json, "/peers/52", "{'cred':'" CRED_52 "','name':'lamp-3','address':'127.0.0.13'}");
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

static void structure(void **state) {
    (void)state;
    static const struct row rows[] = {
        {{{"/common", NULL}}, "", "needs \"common\""},
        {{{"/self", NULL}}, "", "needs \"self\""},
        {{{"/peers", NULL}}, "", "needs \"peers\""},
        {{{"/peer", "{}"}}, "/peer", "did you mean \"peers\"?"},
        {{{"/members", "[]"}}, "", "is the whole group's file (group.json); wanted is a member's file"},
        {{{"/common/signature_encryption_key", "'" SEKEY "'"}},
         "",
         "is a signature checker's file (checker.json); wanted is a"},
        {{{"/common", "1"}}, "/common", "must be an object"},
        {{{"/self", "'25'"}}, "/self", "must be an object"},
        {{{"/peers", "[]"}}, "/peers", "must be an object: Sender IDs and their credentials"},
        {{{"/peers/52", "5"}}, "/peers/52", "must be a credential, or an object with \"cred\""},
        {{{"/peers/52", "{}"}}, "/peers/52", "needs \"cred\""},
        {{{"/peers/52", "{'cred':'" CRED_52 "','nmae':'x'}"}}, "/peers/52/nmae", "did you mean \"name\"?"},
        {{{"/peers/52", "{'cred':'" CRED_52 "','private_key':'" KEY_52 "'}"}}, "/peers/52/private_key", "unknown key"},
        {{{"/common/algorithm", "1"}}, "/common/algorithm", "unknown key"},
        {{{"/self/gid", "1"}}, "/self/gid", "unknown key"},
        {{{"/self/cred", NULL}}, "/self", "needs \"cred\""},
        {{{"/self/private_key", NULL}}, "/self", "needs \"private_key\""},
        {{{"/self/sender_id", NULL}}, "/self", "needs \"sender_id\""},
        {{{"/common/gid", NULL}}, "/common", "needs \"gid\""},
        {{{"/common/gm_cred", NULL}}, "/common", "needs \"gm_cred\""},
        {{{"/common/master_secret", NULL}}, "/common", "needs \"master_secret\""},
        {{{"/peers/52", "{'cred':'" CRED_52 "','name':'A'}"}}, "/peers/52/name", "a name is 1 to 64"},
        {{{"/peers/52", "{'cred':'" CRED_52 "','address':'224.0.1.187'}"}}, "/peers/52/address", "unicast address"},
        {{{"/peers/52", "{'cred':'" CRED_52 "','address':'lamp'}"}}, "/peers/52/address", "unicast address"},
        {{{"/peers/52", "{'cred':'" CRED_52 "','address':1}"}}, "/peers/52/address", "must be a string"},
    };
    CHECK(MEMBER, CG_GROUP_FILE_MEMBER, rows);
}

static void algorithms(void **state) {
    (void)state;
    static const struct row rows[] = {
        {{{"/common/alg_aead", "'10'"}}, "/common/alg_aead", "must be the number of a COSE algorithm"},
        {{{"/common/alg_aead", "0"}}, "/common/alg_aead", "must be the number of a COSE algorithm"},
        {{{"/common/alg_aead", "99999999999"}}, "/common/alg_aead", "must be the number of a COSE algorithm"},
        {{{"/common/alg_aead", "5"}}, "/common/alg_aead", "must be an AEAD that is known here"},
        {{{"/common/alg_aead", "-65534"}}, "/common/alg_aead", "must be an AEAD that is known here"},
        {{{"/common/alg_pairwise_key_agreement", "-28"}},
         "/common/alg_pairwise_key_agreement",
         "must be -27 with \"hkdf\": \"sha256\""},
        {{{"/common/hkdf", "'sha512'"}}, "/common/alg_pairwise_key_agreement", "must be -28 with \"hkdf\": \"sha512\""},
        {{{"/common/hkdf", "'sha1'"}}, "/common/hkdf", "must be \"sha256\" or \"sha512\""},
        {{{"/common/alg_group_enc", "-65531"}}, "/common/alg_group_enc", "AES-CBC must not be used"},
        {{{"/common/alg_group_enc", "9"}}, "/common/alg_group_enc", "is not known here"},
        {{{"/common/alg_signature", "-35"}},
         "/common/alg_signature",
         "must be -8 (EdDSA), -19 (Ed25519), -7 (ES256) or -9"},
        {{{"/common/alg_aead", "null"},
          {"/common/alg_pairwise_key_agreement", "null"},
          {"/common/alg_group_enc", "null"},
          {"/common/alg_signature", "null"}},
         "/common",
         "sets up neither the group mode (alg_group_enc and alg_signature) nor the pairwise mode"},
        {{{"/common/alg_pairwise_key_agreement", "null"}, {"/common/alg_signature", "null"}},
         "/common",
         "sets up neither the group mode"},
        {{{"/common/alg_aead", "null"}, {"/common/alg_group_enc", "null"}}, "/common", "sets up neither"},
        {{{"/common/countersign_elements", "6"}}, "/common/countersign_elements", "must be 5 or"},
    };
    CHECK(MEMBER, CG_GROUP_FILE_MEMBER, rows);
}

#define TIMES_16(text) text text text text text text text text text text text text text text text text
#define BYTES_256      TIMES_16(TIMES_16("0a"))

static void lengths(void **state) {
    (void)state;
    static const struct row rows[] = {
        {{{"/common/gid", "''"}}, "/common/gid", "must be a string of 1 to 241 bytes in hexadecimal"},
        {{{"/common/gid", "'4'"}}, "/common/gid", "1 to 241 bytes"},
        {{{"/common/gid", "'4x'"}}, "/common/gid", "1 to 241 bytes"},
        {{{"/common/gid", "'" BYTES_256 "'"}}, "/common/gid", "1 to 241 bytes"},
        {{{"/common/gid", "44"}}, "/common/gid", "1 to 241 bytes"},
        {{{"/common/master_secret", "'" SALT "'"}}, "/common/master_secret", "16 to 256 bytes"},
        {{{"/common/master_secret", "'" BYTES_256 "0a'"}}, "/common/master_secret", "16 to 256 bytes"},
        {{{"/common/master_salt", "'" BYTES_256 "0a'"}}, "/common/master_salt", "0 to 256 bytes"},
        {{{"/common/gm_cred", "''"}}, "/common/gm_cred", "1 to 4096 bytes"},
        {{{"/common/gm_cred", "'" TIMES_16(BYTES_256) "0a'"}}, "/common/gm_cred", "1 to 4096 bytes"},
        {{{"/self/private_key", "'" SECRET "'"}}, "/self/private_key", "must be a string of 32 bytes in hexadecimal"},
        {{{"/self/private_key", "1"}}, "/self/private_key", "must be a string of 32 bytes in hexadecimal"},
        {{{"/self/sender_id", "'0102030405060708'"}},
         "/self/sender_id",
         "a Sender ID has at most 7 bytes with these algorithms"},
        {{{"/self/sender_id", "'0102030405060708'"},
          {"/common/alg_aead", "null"},
          {"/common/alg_pairwise_key_agreement", "null"}},
         "/self/sender_id",
         "at most 7 bytes"},
        {{{"/self/sender_id", "'01020304050607'"}, {"/common/alg_group_enc", "24"}},
         "/self/sender_id",
         "at most 6 bytes"},
        {{{"/self/sender_id", "'0102'"}, {"/common/alg_aead", "33"}}, "/self/sender_id", "at most 1 bytes"},
        {{{"/self/sender_id", "'zz'"}}, "/self/sender_id", "in hexadecimal"},
        {{{"/self/sender_id", "5"}}, "/self/sender_id", "must be a string"},
        {{{"/peers", "{'0102030405060708':'" CRED_52 "'}"}}, "/peers/0102030405060708", "at most 7 bytes"},
        {{{"/peers", "{'5':'" CRED_52 "'}"}}, "/peers/5", "in hexadecimal"},
    };
    CHECK(MEMBER, CG_GROUP_FILE_MEMBER, rows);
}

static void credentials_and_keys(void **state) {
    (void)state;
    static const struct row rows[] = {
        {{{"/peers/25", "'" CRED_GM "'"}}, "/peers/25", "is the same Sender ID as /self/sender_id"},
        {{{"/peers", "{'c1':'" CRED_GM "','C1':'" CRED_52 "'}"}}, "/peers/C1", "is the same Sender ID as /peers/c1"},
        {{{"/peers/53", "'" CRED_52 "'"}}, "/peers/53", "is the same credential as /peers/52"},
        {{{"/peers/53", "{'cred':'" CRED_25 "'}"}}, "/peers/53/cred", "is the same credential as /self/cred"},
        {{{"/peers", "{'01':{'cred':'" CRED_GM "','name':'a'},'02':{'cred':'" CRED_52 "','name':'a'}}"}},
         "/peers/02/name",
         "is the same name as /peers/01/name"},
        {{{"/peers", "{'01':{'cred':'" CRED_GM "','address':'127.1.0.1'},'02':{'cred':'" CRED_52
                     "','address':'127.1.0.1:5683'}}"}},
         "/peers/02/address",
         "is the same address as /peers/01/address"},
        {{{"/peers/52", "'00'"}}, "/peers/52", "must be a CCS"},
        {{{"/peers/52", "'" CRED_52 "00'"}}, "/peers/52", "must be a CCS"},
        {{{"/peers/52", "'d83d" CRED_52 "'"}}, "/peers/52", "must be a CCS: an untagged CBOR map"},
        {{{"/peers/52",
           "'a108a101a50101032720062158204a83d2906976e098727db6fdd06385a3585e0b42d37fabb3c119f1e9cf4779fb23"
           "5820" KEY_52 "'"}},
         "/peers/52",
         "and nothing private"},
        {{{"/peers/52", "'" CRED_42 "'"}},
         "/peers/52",
         "its key is of the curve P-256, but the group's keys are of Ed25519"},
        {{{"/peers/52",
           "'a108a101a4010103262006215820c28a9cf5e81460183149db4cd36eb20563c89d5225426bda6bd6207c9269b6d2'"}},
         "/peers/52",
         "its COSE_Key is for algorithm -7, but the group uses -8"},
        {{{"/peers/52", "'" CCS_ED("0100000000000000000000000000000000000000000000000000000000000000") "'"}},
         "/peers/52",
         "its public key is no valid point"},
        {{{"/peers/52", "'" CCS_ED("0200000000000000000000000000000000000000000000000000000000000000") "'"}},
         "/peers/52",
         "its public key is no valid point"},
        {{{"/self/private_key", "'" KEY_52 "'"}}, "/self/private_key", "is not the private key of \"cred\""},
        {{{"/common/alg_signature", "-7"}, {"/peers", "{}"}},
         "/self/cred",
         "of the curve Ed25519, but the group's keys are of P-256"},
        {{{"/common/alg_signature", "-7"},
          {"/self", "{'sender_id':'41','private_key':'" KEY_25 "','cred':'" CRED_41 "'}"},
          {"/peers", "{}"}},
         "/self/private_key",
         "is not the private key of \"cred\""},
    };
    CHECK(MEMBER, CG_GROUP_FILE_MEMBER, rows);
}

static void checkers_files(void **state) {
    (void)state;
    static const struct row rows[] = {
        {{{"/common/master_secret", "'" SECRET "'"}}, "/common/master_secret", "a checker must not know it"},
        {{{"/common/master_salt", "'" SALT "'"}}, "/common/master_salt", "a checker must not know it"},
        {{{"/self", "{}"}}, "/self", "unknown key"},
        {{{"/common/signature_encryption_key", "'" SALT "'"}}, "/common/signature_encryption_key", "which is 16"},
        {{{"/common/alg_group_enc", "24"}}, "/common/signature_encryption_key", "which is 32"},
        {{{"/common/alg_group_enc", "null"}, {"/common/alg_signature", "null"}},
         "/common",
         "a checker needs the group mode"},
        {{{"/common/alg_group_enc", "null"}}, "/common", "a checker needs the group mode"},
        {{{"/common/signature_encryption_key", NULL}},
         "",
         "is a member's file (gateway.json, member-ID.json); wanted is a"},
    };
    CHECK(CHECKER, CG_GROUP_FILE_CHECKER, rows);
}

static void managers_files(void **state) {
    (void)state;
#define GM_52                                                                                                          \
    {"/common/gm_cred", "'" CRED_52 "'"}, { "/group_manager/private_key", "'" KEY_52 "'" }
    static const struct row rows[] = {
        {{GM_52, {"/gateway", NULL}}, "", "needs \"gateway\""},
        {{GM_52, {"/group_manager", NULL}}, "", "needs \"group_manager\""},
        {{GM_52, {"/group_manager/private_key", "'" KEY_25 "'"}},
         "/group_manager/private_key",
         "is not the private key of"},
        {{GM_52, {"/name", "'A'"}}, "/name", "a name is 1 to 64"},
        {{GM_52, {"/member_peers", "'none'"}}, "/member_peers", "must be \"all\" or \"gateway\""},
        {{GM_52, {"/members", "{}"}}, "/members", "must be an array of members"},
        {{GM_52, {"/given_ids", "'52'"}}, "/given_ids", "must be an array of Sender IDs"},
        {{GM_52, {"/given_ids", "['52',7]"}}, "/given_ids/1", "must be a Sender ID in hexadecimal"},
        {{GM_52, {"/given_ids", "['0102030405060708']"}}, "/given_ids/0", "of at most 7 bytes"},
        {{GM_52, {"/members/0/private_key", "'" KEY_25 "'"}}, "/members/0/private_key", "is not the private key of"},
        {{GM_52, {"/common/signature_encryption_key", "'" SEKEY "'"}},
         "/common/signature_encryption_key",
         "members derive it"},
    };
    CHECK(MANAGER, CG_GROUP_FILE_MANAGER, rows);
}

static void all_mistakes_come_at_once(void **state) {
    (void)state;
    static const struct change changes[4] = {
        {"/common/gid", "''"}, {"/self/sender_id", "'x'"}, {"/peers/52", "'00'"}, {"/other", "1"}};
    static const char *const pointers[] = {"/other", "/common/gid", "/self/sender_id", "/peers/52"};
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    json_t *json = changed(MEMBER, changes);
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_read(json, CG_GROUP_FILE_MEMBER, &group, &mistakes), CG_E_FORMAT);
    assert_int_equal(mistakes.count, 4);
    const struct cg_mistake *mistake = mistakes.first;
    for (size_t i = 0; i < 4; i++, mistake = mistake->next) assert_string_equal(mistake->pointer, pointers[i]);
    cg_mistakes_fini(&mistakes);
    json_decref(json);
}

static int parse(const char *text, size_t len, struct cg_mistakes *mistakes) {
    struct cg_security_group *group;
    char *copy = malloc(len + 1); /* with its end known to the sanitizer */
    assert_non_null(copy);
    memcpy(copy, text, len);
    int err = cg_security_group_parse(cg_slice_of(copy, len), CG_GROUP_FILE_MEMBER, &group, mistakes);
    free(copy);
    cg_security_group_free(group);
    return err;
}

static void assert_no_secret(const struct cg_mistakes *mistakes) {
    static const char *const secrets[] = {SECRET, SALT, KEY_25};
    for (const struct cg_mistake *mistake = mistakes->first; mistake != NULL; mistake = mistake->next)
        for (size_t i = 0; i < 3; i++) {
            char part[9] = {0};
            memcpy(part, secrets[i], 8);
            assert_null(strstr(mistake->message, part));
            assert_null(strstr(mistake->pointer, part));
        }
}

/* Cut anywhere, or with one wrong byte anywhere, no message shows a secret; R11. */
static void no_message_shows_a_secret_R11(void **state) {
    (void)state;
    json_t *json = quoted(MEMBER);
    struct cg_secret_text text;
    assert_int_equal(cg_secret_print(&text, json), CG_OK);
    json_decref(json);
    struct cg_mistakes mistakes;
    for (size_t i = 0; i < text.len - 2; i++) { /* the last two are "}\n" */
        cg_mistakes_init(&mistakes);
        assert_int_equal(parse((const char *)text.data, i, &mistakes), CG_E_FORMAT);
        assert_no_secret(&mistakes);
        cg_mistakes_fini(&mistakes);
        uint8_t kept = text.data[i];
        text.data[i] = '\\';
        cg_mistakes_init(&mistakes);
        (void)parse((const char *)text.data, text.len, &mistakes);
        assert_no_secret(&mistakes);
        cg_mistakes_fini(&mistakes);
        text.data[i] = kept;
    }
    cg_mistakes_init(&mistakes);
    assert_int_equal(parse((const char *)text.data, text.len, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    cg_secret_free(&text);
}

static void jansson_wipes_what_it_frees(void **state) {
    (void)state;
    json_malloc_t allocate;
    json_free_t release;
    cg_secret_json_wipes();
    json_get_alloc_funcs(&allocate, &release);
    assert_ptr_equal(allocate, malloc);
    assert_ptr_not_equal(release, free);
    char *block = allocate(64);
    assert_non_null(block);
    memset(block, 'x', 64);
    release(block);
}

static struct cg_sender_id id_with(const struct change change) {
    const struct change changes[4] = {change};
    json_t *json = changed(MEMBER, changes);
    struct cg_security_group *group = must_read(json, CG_GROUP_FILE_MEMBER);
    struct cg_sender_id id;
    assert_int_equal(cg_security_group_sender_id(group, &group->self, &id), CG_OK);
    cg_security_group_free(group);
    json_decref(json);
    return id;
}

static bool same_id(const struct change a, const struct change b) {
    const struct cg_sender_id one = id_with(a), other = id_with(b);
    return memcmp(one.bytes, other.bytes, sizeof one.bytes) == 0;
}

static void the_sender_id_names_the_derived_key(void **state) {
    (void)state;
    static const struct change none = {"/peers", "{}"};
    static const struct change others[] = {
        {"/common/master_secret", "'" SEKEY "'"},
        {"/common/master_salt", "'9e7ca922237863'"},
        {"/common/gid", "'44616d'"},
        {"/self/sender_id", "'26'"},
        {"/common/alg_group_enc", "12"}, /* another key */
    };
    static const struct change same[] = {{"/common/alg_aead", "1"}, {"/common/gm_cred", "'00'"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) assert_false(same_id(none, others[i]));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) assert_true(same_id(none, same[i]));
}

/* HMAC pads its key with zeros, and hashes one that is longer than a block: these salts make one key, so its numbers
 * are one counter's. The former names differ, as they did. */
static void salts_that_make_one_key_have_one_sender_id(void **state) {
    (void)state;
    static const struct change empty = {"/common/master_salt", "''"}, zero = {"/common/master_salt", "'00'"},
                               zeros = {"/common/master_salt", "'0000000000000000000000000000000000'"},
                               one = {"/common/master_salt", "'01'"}, one_zero = {"/common/master_salt", "'0100'"};
    assert_true(same_id(empty, zero));
    assert_true(same_id(empty, zeros));
    assert_true(same_id(one, one_zero));
    assert_false(same_id(empty, one));
    const struct cg_sender_id a = id_with(empty), b = id_with(zero);
    assert_memory_not_equal(a.former, b.former, sizeof a.former);
    char text[2 * 65 + 3], hash[2 * 32 + 3];
    uint8_t salt[65], digest[32];
    memset(salt, 0x5a, sizeof salt);
    memset(text, 0, sizeof text);
    crypto_hash_sha256(digest, salt, sizeof salt);
    text[0] = hash[0] = '\'';
    sodium_bin2hex(text + 1, sizeof text - 1, salt, sizeof salt);
    sodium_bin2hex(hash + 1, sizeof hash - 1, digest, sizeof digest);
    strcat(text, "'");
    strcat(hash, "'");
    const struct change longer = {"/common/master_salt", text}, hashed = {"/common/master_salt", hash};
    assert_true(same_id(longer, hashed));
    text[1] ^= 1;
    assert_false(same_id(longer, hashed));
}

/* Stores of version 1 know it: SHA-256 over lengths and fields. */
static void the_former_name_is_version_1s(void **state) {
    (void)state;
    uint8_t expected[CG_SENDER_ID_LEN];
    crypto_hash_sha256_state hash;
    json_t *json = quoted(MEMBER);
    struct cg_security_group *group = must_read(json, CG_GROUP_FILE_MEMBER);
    struct cg_sender_id id;
    const struct cg_slice parts[] = {cg_slice_str("castgate Group OSCORE sender"), group->master_secret,
                                     group->master_salt, group->gid, group->self.id};
    crypto_hash_sha256_init(&hash);
    for (size_t i = 0; i < 5; i++) {
        const uint8_t len[2] = {0, (uint8_t)parts[i].len};
        crypto_hash_sha256_update(&hash, len, 2);
        crypto_hash_sha256_update(&hash, parts[i].data, parts[i].len);
    }
    crypto_hash_sha256_final(&hash, expected);
    assert_int_equal(cg_security_group_sender_id(group, &group->self, &id), CG_OK);
    assert_memory_equal(id.former, expected, sizeof expected);
    cg_security_group_free(group);
    json_decref(json);
}

static char folder[] = "/tmp/castgate-security-group-XXXXXX";
static char file[sizeof folder + 16];

static int make_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(file, sizeof file, "%s/gateway.json", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    (void)unlink(file);
    return rmdir(folder);
}

static void write_file(const char *bytes, size_t len, mode_t mode) {
    (void)unlink(file);
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void load_with_mistake(bool may_be_shared, const char *message) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_load(file, CG_GROUP_FILE_MEMBER, may_be_shared, &group, &mistakes), CG_E_FORMAT);
    assert_null(group);
    assert_int_equal(mistakes.count, 1);
    if (strstr(mistakes.first->message, message) == NULL) print_all(&mistakes);
    assert_non_null(strstr(mistakes.first->message, message));
    cg_mistakes_fini(&mistakes);
}

static void load(bool may_be_shared) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_load(file, CG_GROUP_FILE_MEMBER, may_be_shared, &group, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    cg_security_group_free(group);
}

static void key_files_belong_to_one_user(void **state) {
    (void)state;
    static const mode_t shared[] = {0640, 0604, 0620, 0602, 0610, 0644, 0666};
    json_t *json = quoted(MEMBER);
    struct cg_secret_text text;
    assert_int_equal(cg_secret_print(&text, json), CG_OK);
    write_file((const char *)text.data, text.len, 0600);
    load(false);
    write_file((const char *)text.data, text.len, 0400);
    load(false);
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        write_file((const char *)text.data, text.len, shared[i]);
        load_with_mistake(false, "is open to its group or to others");
        load(true);
    }
    cg_secret_free(&text);
    json_decref(json);
}

static void what_is_no_such_file(void **state) {
    (void)state;
    (void)unlink(file);
    load_with_mistake(false, "cannot be read: No such file");
    assert_int_equal(mkfifo(file, 0600), 0);
    load_with_mistake(false, "is not a regular file");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    load_with_mistake(false, "is not a regular file");
    assert_int_equal(rmdir(file), 0);
    write_file("", 0, 0600);
    load_with_mistake(false, "line 1, column 0: ");
    assert_int_equal(truncate(file, (off_t)CG_SETTINGS_FILE_MAX + 1), 0);
    load_with_mistake(false, "is larger than 16 MiB");
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
        cmocka_unit_test(a_members_file_is_read_R11),
        cmocka_unit_test(other_kinds_of_files_are_read),
        cmocka_unit_test(modes_and_algorithms_R13),
        cmocka_unit_test(pairwise_only_R13),
        cmocka_unit_test(structure),
        cmocka_unit_test(algorithms),
        cmocka_unit_test(lengths),
        cmocka_unit_test(credentials_and_keys),
        cmocka_unit_test(checkers_files),
        cmocka_unit_test(managers_files),
        cmocka_unit_test(all_mistakes_come_at_once),
        cmocka_unit_test(no_message_shows_a_secret_R11),
        cmocka_unit_test(jansson_wipes_what_it_frees),
        cmocka_unit_test(the_sender_id_names_the_derived_key),
        cmocka_unit_test(salts_that_make_one_key_have_one_sender_id),
        cmocka_unit_test(the_former_name_is_version_1s),
        cmocka_unit_test(key_files_belong_to_one_user),
        cmocka_unit_test(what_is_no_such_file),
        cmocka_unit_test(ten_thousand_peers),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
