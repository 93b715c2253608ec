/* What a sender of a security group is called in the store: by its derived key. */
#include "fake_group_file.h"

#include <sodium.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sender_id_names_the_derived_key),
        cmocka_unit_test(salts_that_make_one_key_have_one_sender_id),
        cmocka_unit_test(the_former_name_is_version_1s),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
