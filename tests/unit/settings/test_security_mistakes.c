/* What is wrong with a security group file: every rule's mistake with its pointer, and no secret in any message. R11.
 */
#include "fake_group_file.h"

#include "settings/json_load.h"

#include <sodium.h>

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
        {{{"/peers/52", "{'cred':'" CRED_52 "','address':'127.0.0.13','multicast':1}"}},
         "/peers/52/multicast",
         "must be true or false"},
        {{{"/peers/52", "{'cred':'" CRED_52 "','multicast':false}"}}, "/peers/52/multicast", "false needs \"address\""},
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
    cg_json_wipe();
    json_get_alloc_funcs(&allocate, &release);
    assert_ptr_not_equal(release, free);
    char *block = allocate(64);
    assert_non_null(block);
    memset(block, 'x', 64);
    release(block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structure),
        cmocka_unit_test(algorithms),
        cmocka_unit_test(lengths),
        cmocka_unit_test(credentials_and_keys),
        cmocka_unit_test(checkers_files),
        cmocka_unit_test(managers_files),
        cmocka_unit_test(all_mistakes_come_at_once),
        cmocka_unit_test(no_message_shows_a_secret_R11),
        cmocka_unit_test(jansson_wipes_what_it_frees),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
