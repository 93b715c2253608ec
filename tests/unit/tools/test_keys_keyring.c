/* A group's keys: every party's file can be used, and holds what it may know and nothing else; joining and evicting.
 * R13, R54, R55. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oscore/ccs.h"
#include "oscore/oscore.h"
#include "settings/security_group.h"
#include "keys/keypair.h"
#include "tools/keys/options.h"

#include <sodium.h>

static char error[CG_KEYS_ERROR_MAX];

#define MAKE(...)                                                                                                      \
    make((const char *const[]){"castgate-keys", "new", "DIR", __VA_ARGS__},                                            \
         3 + sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static struct cg_keys_options parsed(const char *const *argv, size_t argc) {
    struct cg_keys_options options;
    if (cg_keys_options_parse(&options, (int)argc, argv, error) != CG_OK) fail_msg("%s", error);
    return options;
}

static json_t *make(const char *const *argv, size_t argc) {
    struct cg_keys_options options = parsed(argv, argc);
    json_t *document;
    if (cg_keyring_new(&document, &options.ring, error) != CG_OK) fail_msg("%s", error);
    return document;
}

static void add(json_t *document, uint32_t count) {
    const struct cg_keyring_options options = {.members = count};
    assert_int_equal(cg_keyring_add(document, &options, error), CG_OK);
}

static int rekey(json_t *document, const char *evicted) {
    const struct cg_keyring_options options = {.evict = {evicted}, .evict_count = evicted != NULL};
    error[0] = '\0';
    return cg_keyring_rekey(document, &options, document, error);
}

/* False behind the last; *file is a new reference. */
static bool nth_file(json_t *document, size_t index, char name[CG_KEYRING_NAME_MAX], json_t **file) {
    if (!cg_keyring_file_name(document, index, CG_KEYRING_CURRENT, name)) return false;
    *file = cg_keyring_file(document, index);
    assert_non_null(*file);
    return true;
}

/* A new reference to the file of that name, or NULL. */
static json_t *file_of(json_t *document, const char *wanted) {
    char name[CG_KEYRING_NAME_MAX];
    json_t *file;
    for (size_t i = 0; nth_file(document, i, name, &file); i++) {
        if (strcmp(name, wanted) == 0) return file;
        json_decref(file);
    }
    return NULL;
}

static enum cg_group_file kind_of(const char *name) {
    if (strcmp(name, "group.json") == 0) return CG_GROUP_FILE_MANAGER;
    return strcmp(name, "checker.json") == 0 ? CG_GROUP_FILE_CHECKER : CG_GROUP_FILE_MEMBER;
}

static struct cg_security_group *read_file(const json_t *file, const char *name) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_security_group_read(file, kind_of(name), &group, &mistakes);
    if (err != CG_OK) print_error("%s %s: %s\n", name, mistakes.first->pointer, mistakes.first->message);
    cg_mistakes_fini(&mistakes);
    assert_int_equal(err, CG_OK);
    return group;
}

static struct cg_oscore_context *context_of(json_t *document, const char *name) {
    json_t *file = file_of(document, name);
    assert_non_null(file);
    struct cg_security_group *group = read_file(file, name);
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_oscore_context *context;
    struct cg_oscore_peer *peer;
    bool checker = group->file == CG_GROUP_FILE_CHECKER;
    cg_security_group_params(group, checker ? NULL : &group->self, &params, &own);
    int err = checker ? cg_oscore_checker_new(&context, &params, group->signature_encryption_key, NULL)
                      : cg_oscore_context_new(&context, &params, NULL);
    assert_int_equal(err, CG_OK);
    for (size_t i = 0; i < group->peer_count; i++)
        assert_int_equal(
            cg_oscore_peer_add(context, group->peers[i].id, group->peers[i].cred, CG_OSCORE_WINDOW_NEW, &peer, NULL),
            CG_OK);
    cg_security_group_free(group);
    json_decref(file);
    return context;
}

static void every_keypair_fits_its_credential(void **state) {
    (void)state;
    static const enum cg_cose_curve curves[] = {CG_CURVE_ED25519, CG_CURVE_P256, CG_CURVE_X25519};
    for (size_t i = 0; i < 3 * 20; i++) { /* many times: numbers with leading zeros are rare */
        struct cg_keypair pair;
        uint8_t cred[CG_KEYPAIR_CRED_MAX];
        struct cg_ccs ccs;
        struct cg_public_key public_key;
        struct cg_private_key private_key;
        assert_int_equal(cg_keypair_new(&pair, curves[i % 3]), CG_OK);
        size_t len = cg_keypair_cred(&pair, -8, cred);
        assert_int_equal(cg_ccs_parse(&ccs, cg_slice_of(cred, len)), CG_OK);
        assert_int_equal(ccs.curve, curves[i % 3]);
        assert_int_equal(ccs.alg, -8);
        assert_int_equal(cg_public_key_init(&public_key, ccs.curve, ccs.x, ccs.y, ccs.y_is_odd), CG_OK);
        assert_int_equal(cg_private_key_init(&private_key, cg_slice_of(pair.private_key, 32), &public_key), CG_OK);
        cg_private_key_fini(&private_key);
        cg_public_key_fini(&public_key);
    }
}

static void every_file_can_be_used(json_t *document, size_t count) {
    char name[CG_KEYRING_NAME_MAX];
    json_t *file;
    size_t i = 0;
    for (; nth_file(document, i, name, &file); i++) {
        cg_security_group_free(read_file(file, name));
        json_decref(file);
        if (i > 0) cg_oscore_context_unref(context_of(document, name));
    }
    assert_int_equal(i, count);
    json_decref(document);
}

static void groups_of_every_kind_R13(void **state) {
    (void)state;
    every_file_can_be_used(MAKE("--members", "2"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--name", "floor3", "--addresses", "127.1.0.1"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--alg-signature", "-7"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--alg-signature", "-7", "--hkdf", "sha512"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--alg-group-enc", "24", "--alg-aead", "3"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--alg-group-enc", "-65532"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--no-pairwise"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--no-pairwise", "--alg-aead", "10"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--alg-signature", "-19"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--alg-signature", "-9"), 5);
    every_file_can_be_used(MAKE("--members", "2", "--no-group-mode"), 4);
    every_file_can_be_used(MAKE("--members", "2", "--no-group-mode", "--hkdf", "sha512"), 4);
    every_file_can_be_used(MAKE("--members", "2", "--countersign-elements", "4"), 5);
    every_file_can_be_used(MAKE("--members", "250", "--member-peers", "gateway"), 253);
}

static void an_unknown_signature_algorithm_is_refused(void **state) {
    (void)state;
    const char *const argv[] = {"castgate-keys", "new", "DIR", "--members", "1", "--alg-signature", "-35"};
    struct cg_keys_options options = parsed(argv, 7);
    json_t *document;
    assert_int_equal(cg_keyring_new(&document, &options.ring, error), CG_E_BAD_REQUEST);
    assert_null(document);
    assert_non_null(strstr(error, "--alg-signature"));
}

static bool has(const json_t *file, const json_t *hex) {
    char *text = json_dumps(file, 0);
    assert_non_null(text);
    bool found = strstr(text, json_string_value(hex)) != NULL;
    free(text);
    return found;
}

/* Which files of the group have that text in them: a bit for each, in the order of cg_keyring_file. */
static unsigned holders(json_t *document, const json_t *hex) {
    char name[CG_KEYRING_NAME_MAX];
    json_t *file;
    unsigned found = 0;
    for (size_t i = 0; nth_file(document, i, name, &file); i++) {
        if (has(file, hex)) found |= 1u << i;
        json_decref(file);
    }
    return found;
}

static json_t *at(json_t *document, const char *object, const char *key) {
    return json_object_get(json_object_get(document, object), key);
}

static json_t *of_member(json_t *document, size_t i, const char *key) {
    return json_object_get(json_array_get(json_object_get(document, "members"), i), key);
}

enum { GROUP = 1, GATEWAY = 2, MEMBER_11 = 4, MEMBER_12 = 8, CHECKER = 16, ALL = 31, MEMBERS = MEMBER_11 | MEMBER_12 };

static void nobody_gets_what_is_not_his(void **state) {
    (void)state;
    json_t *document = MAKE("--members", "2");
    assert_int_equal(holders(document, at(document, "group_manager", "private_key")), GROUP);
    assert_int_equal(holders(document, at(document, "gateway", "private_key")), GROUP | GATEWAY);
    assert_int_equal(holders(document, of_member(document, 0, "private_key")), GROUP | MEMBER_11);
    assert_int_equal(holders(document, of_member(document, 1, "private_key")), GROUP | MEMBER_12);
    assert_int_equal(holders(document, at(document, "common", "master_secret")), ALL & ~CHECKER);
    assert_int_equal(holders(document, at(document, "common", "master_salt")), ALL & ~CHECKER);
    assert_int_equal(holders(document, at(document, "common", "gm_cred")), ALL);
    assert_int_equal(holders(document, at(document, "common", "gid")), ALL);
    assert_int_equal(holders(document, at(document, "gateway", "cred")), ALL);
    assert_int_equal(holders(document, of_member(document, 0, "cred")), ALL);
    json_t *checker = file_of(document, "checker.json");
    assert_int_equal(holders(document, at(checker, "common", "signature_encryption_key")), CHECKER);
    json_decref(checker);
    json_decref(document);
    document = MAKE("--members", "2", "--member-peers", "gateway");
    assert_int_equal(holders(document, of_member(document, 0, "cred")), ALL & ~MEMBER_12);
    assert_int_equal(holders(document, at(document, "gateway", "cred")), ALL);
    json_decref(document);
}

/* The Signature Encryption Key of the vectors' group. */
static void the_checkers_key_is_the_groups(void **state) {
    (void)state;
    json_t *document = MAKE("--members", "1"), *common = json_object_get(document, "common");
    assert_int_equal(json_object_set_new(common, "master_secret", json_string("ed87c95ac8bf474adb3932be85c2653c")), 0);
    assert_int_equal(json_object_set_new(common, "master_salt", json_string("9e7ca92223786340")), 0);
    assert_int_equal(json_object_set_new(common, "gid", json_string("44616c")), 0);
    json_t *checker = file_of(document, "checker.json");
    assert_string_equal(json_string_value(at(checker, "common", "signature_encryption_key")),
                        "1d15b1ffe4c73cf2d81d04ee6311fa0e");
    json_decref(checker);
    json_decref(document);
}

static void assert_text(const json_t *json, const char *text) { assert_string_equal(json_string_value(json), text); }

static void ids_names_and_addresses(void **state) {
    (void)state;
    json_t *document = MAKE("--members", "240", "--name", "floor3", "--addresses", "127.1.0.254:5690");
    assert_text(at(document, "gateway", "sender_id"), "c1");
    assert_text(of_member(document, 0, "sender_id"), "11");
    assert_text(of_member(document, 0, "name"), "floor3-11");
    assert_text(of_member(document, 0, "address"), "127.1.0.254:5690");
    assert_text(of_member(document, 2, "address"), "127.1.1.0:5690");
    assert_text(of_member(document, 175, "sender_id"), "c0");
    assert_text(of_member(document, 176, "sender_id"), "c2"); /* c1 is the gateway's */
    assert_text(of_member(document, 237, "sender_id"), "ff");
    assert_text(of_member(document, 238, "sender_id"), "0000");
    assert_text(of_member(document, 239, "sender_id"), "0001");
    add(document, 1);
    assert_text(of_member(document, 240, "sender_id"), "0002");
    assert_text(of_member(document, 240, "name"), "floor3-0002");
    assert_null(of_member(document, 240, "address"));
    json_decref(document);
    document = MAKE("--members", "2", "--addresses", "[::1]:5683");
    assert_text(of_member(document, 1, "address"), "[::1]:5684");
    assert_text(of_member(document, 1, "name"), "member-12");
    json_decref(document);
}

static void ids_and_addresses_have_an_end(void **state) {
    (void)state;
    const char *const short_ids[] = {"castgate-keys", "new", "DIR", "--members", "256", "--alg-aead", "12"};
    struct cg_keys_options options = parsed(short_ids, 7);
    json_t *document;
    assert_int_equal(cg_keyring_new(&document, &options.ring, error), CG_E_BAD_REQUEST);
    options.ring.members = 255; /* and the gateway: all IDs of one byte */
    assert_int_equal(cg_keyring_new(&document, &options.ring, error), CG_OK);
    assert_text(of_member(document, 254, "sender_id"), "10");
    json_decref(document);
    const char *const addresses[] = {"castgate-keys", "new", "DIR", "--members", "2", "--addresses", "[::1]:65535"};
    options = parsed(addresses, 7);
    assert_int_equal(cg_keyring_new(&document, &options.ring, error), CG_E_BAD_REQUEST);
    assert_non_null(strstr(error, "--addresses"));
}

static void a_rekey_changes_the_secrets_and_nothing_else(void **state) {
    (void)state;
    json_t *document = MAKE("--members", "2"), *before = json_deep_copy(document);
    const char *gid = json_string_value(at(before, "common", "gid"));
    assert_int_equal(strlen(gid), 12);
    assert_string_equal(gid + 8, "0000");
    assert_int_equal(rekey(document, NULL), CG_OK);
    assert_string_equal(json_string_value(at(document, "common", "gid")) + 8, "0001");
    assert_memory_equal(json_string_value(at(document, "common", "gid")), gid, 8);
    assert_false(json_equal(at(document, "common", "master_secret"), at(before, "common", "master_secret")));
    assert_false(json_equal(at(document, "common", "master_salt"), at(before, "common", "master_salt")));
    assert_true(json_equal(at(document, "common", "gm_cred"), at(before, "common", "gm_cred")));
    assert_true(json_equal(json_object_get(document, "gateway"), json_object_get(before, "gateway")));
    assert_true(json_equal(json_object_get(document, "members"), json_object_get(before, "members")));
    json_object_set_new(json_object_get(document, "common"), "gid", json_string("00112233ffff"));
    assert_int_equal(rekey(document, NULL), CG_E_BAD_REQUEST); /* no Gid twice */
    json_object_set_new(json_object_get(document, "common"), "gid", json_string("44616c"));
    assert_int_equal(rekey(document, NULL), CG_E_BAD_REQUEST);
    json_decref(before);
    json_decref(document);
}

/* What was prepared and given up was a Gid, too. */
static void a_gid_that_was_prepared_does_not_come_back(void **state) {
    (void)state;
    const struct cg_keyring_options options = {0};
    json_t *current = MAKE("--members", "2"), *prepared = json_deep_copy(current), *other = json_deep_copy(current);
    assert_int_equal(rekey(prepared, NULL), CG_OK);
    assert_int_equal(cg_keyring_rekey(other, &options, prepared, error), CG_OK);
    assert_string_equal(json_string_value(at(prepared, "common", "gid")) + 8, "0001");
    assert_string_equal(json_string_value(at(other, "common", "gid")) + 8, "0002");
    json_decref(other);
    json_decref(prepared);
    json_decref(current);
}

static void the_files_of_both_epochs_lie_beside_each_other(void **state) {
    (void)state;
    static const char *const names[] = {"group.next.json", "gateway.next.json", "member-11.next.json",
                                        "member-12.next.json", "checker.next.json"};
    char name[CG_KEYRING_NAME_MAX];
    json_t *document = MAKE("--members", "2");
    for (size_t i = 0; i < 5; i++) {
        assert_true(cg_keyring_file_name(document, i, CG_KEYRING_NEXT, name));
        assert_string_equal(name, names[i]);
    }
    assert_false(cg_keyring_file_name(document, 5, CG_KEYRING_NEXT, name));
    json_decref(document);
}

static void a_new_sender_id_is_nobodys(void **state) {
    (void)state;
    json_t *current = MAKE("--members", "2"), *next = json_deep_copy(current), *other = json_deep_copy(current);
    assert_int_equal(cg_keyring_new_sender_id(next, next, error), CG_OK);
    assert_text(at(next, "gateway", "sender_id"), "c2");
    assert_true(json_equal(at(next, "gateway", "cred"), at(current, "gateway", "cred")));
    assert_true(json_equal(json_object_get(next, "common"), json_object_get(current, "common")));
    json_t *file = file_of(next, "member-11.json");
    assert_null(at(file, "peers", "c1"));
    assert_true(json_equal(at(file, "peers", "c2"), at(current, "gateway", "cred")));
    json_decref(file);
    assert_int_equal(cg_keyring_new_sender_id(other, next, error), CG_OK); /* c2 was prepared and given up */
    assert_text(at(other, "gateway", "sender_id"), "c3");
    assert_int_equal(cg_keyring_new_sender_id(next, next, error), CG_OK);
    assert_text(at(next, "gateway", "sender_id"), "c3"); /* c1 is not free again under this Gid */
    json_decref(other);
    json_decref(next);
    json_decref(current);
}

static void sender_ids_for_the_gateway_have_an_end(void **state) {
    (void)state;
    json_t *document = MAKE("--members", "2", "--alg-aead", "12");
    for (int i = 0; i < 256 - 3; i++) assert_int_equal(cg_keyring_new_sender_id(document, document, error), CG_OK);
    assert_int_equal(cg_keyring_new_sender_id(document, document, error), CG_E_BAD_REQUEST);
    assert_non_null(strstr(error, "rekey"));
    json_decref(document);
}

static void only_members_are_evicted(void **state) {
    (void)state;
    json_t *document = MAKE("--members", "2");
    assert_int_equal(rekey(document, "c1"), CG_E_BAD_REQUEST);
    assert_int_equal(rekey(document, "77"), CG_E_BAD_REQUEST);
    assert_int_equal(rekey(document, "../x"), CG_E_BAD_REQUEST);
    assert_int_equal(rekey(document, "11"), CG_OK);
    assert_text(of_member(document, 0, "sender_id"), "12");
    assert_int_equal(json_array_size(json_object_get(document, "members")), 1);
    json_decref(document);
}

/* Takes a member out as an editor would, without a new Gid. */
static void remove_member(json_t *document, size_t index) {
    assert_int_equal(json_array_remove(json_object_get(document, "members"), index), 0);
}

static void no_sender_id_is_given_twice_under_one_gid(void **state) {
    (void)state;
    json_t *document = MAKE("--members", "2");
    remove_member(document, 1);
    add(document, 1); /* 12 was somebody's */
    assert_text(of_member(document, 1, "sender_id"), "13");
    remove_member(document, 1);
    remove_member(document, 0);
    json_t *read = json_deep_copy(document); /* as the next castgate-keys finds it */
    add(read, 2);
    assert_text(of_member(read, 0, "sender_id"), "14");
    assert_text(of_member(read, 1, "sender_id"), "15");
    assert_int_equal(rekey(read, "14"), CG_OK); /* a new Gid: only who is there has a Sender ID */
    add(read, 2);
    assert_text(of_member(read, 0, "sender_id"), "15");
    assert_text(of_member(read, 1, "sender_id"), "11");
    assert_text(of_member(read, 2, "sender_id"), "12");
    json_decref(read);
    json_decref(document);
}

/* A file from before Sender IDs were kept: those that are there count. */
static void a_file_without_given_ids_goes_on(void **state) {
    (void)state;
    json_t *document = MAKE("--members", "2");
    assert_int_equal(json_object_del(document, "given_ids"), 0);
    add(document, 1);
    assert_text(of_member(document, 2, "sender_id"), "13");
    remove_member(document, 1);
    add(document, 1);
    assert_text(of_member(document, 2, "sender_id"), "14");
    json_decref(document);
}

/* Seals GET /x in group mode as the gateway of the document. */
static size_t seal(json_t *document, uint8_t *data, size_t cap) {
    static const uint8_t options[] = {0xb1, 'x'};
    const struct cg_msg request = {.type = CG_NON, .code = CG_GET, .mid = 1, .options = {options, sizeof options}};
    struct cg_oscore_context *gateway = context_of(document, "gateway.json");
    struct cg_oscore_binding binding;
    int len = cg_oscore_seal_request(gateway, NULL, 0, &request, data, cap, &binding);
    assert_true(len > 0);
    cg_oscore_context_unref(gateway);
    return (size_t)len;
}

static int open_as(json_t *document, const char *name, const uint8_t *data, size_t len) {
    uint8_t room[512];
    struct cg_msg sealed, plain;
    struct cg_oscore_opened opened;
    struct cg_oscore_context *context = context_of(document, name);
    assert_int_equal(cg_msg_parse(&sealed, cg_slice_of(data, len)), CG_OK);
    int err = cg_oscore_open_request(context, &sealed, room, sizeof room, &plain, &opened);
    cg_oscore_context_unref(context);
    return err;
}

/* A joiner cannot read what was sent before it joined; who was there can. */
static void backward_security_R54(void **state) {
    (void)state;
    uint8_t data[256];
    json_t *before = MAKE("--members", "1"), *after = json_deep_copy(before);
    size_t len = seal(before, data, sizeof data);
    assert_int_equal(open_as(before, "member-11.json", data, len), CG_OK);
    add(after, 1);
    assert_int_equal(rekey(after, NULL), CG_OK);
    assert_int_equal(open_as(after, "member-12.json", data, len), CG_E_UNAUTHORIZED);
    /* Nor with the Gid of then, which is no secret. */
    json_t *guess = json_deep_copy(after);
    json_object_set(json_object_get(guess, "common"), "gid", at(before, "common", "gid"));
    assert_int_equal(open_as(guess, "member-12.json", data, len), CG_E_VERIFY);
    assert_int_equal(holders(after, at(before, "common", "master_secret")), 0);
    len = seal(after, data, sizeof data);
    assert_int_equal(open_as(after, "member-12.json", data, len), CG_OK);
    assert_int_equal(open_as(after, "member-11.json", data, len), CG_OK);
    json_decref(guess);
    json_decref(after);
    json_decref(before);
}

/* An evicted member cannot read what is sent after, and is unknown to all. */
static void forward_security_R55(void **state) {
    (void)state;
    uint8_t data[256];
    json_t *before = MAKE("--members", "2"), *after = json_deep_copy(before);
    assert_int_equal(rekey(after, "11"), CG_OK);
    size_t len = seal(after, data, sizeof data);
    assert_int_equal(open_as(after, "member-12.json", data, len), CG_OK);
    assert_int_equal(open_as(before, "member-11.json", data, len), CG_E_UNAUTHORIZED);
    json_t *guess = json_deep_copy(before);
    json_object_set(json_object_get(guess, "common"), "gid", at(after, "common", "gid"));
    assert_int_equal(open_as(guess, "member-11.json", data, len), CG_E_VERIFY);
    assert_int_equal(holders(after, of_member(before, 0, "cred")), 0);
    assert_int_equal(holders(after, of_member(before, 0, "private_key")), 0);
    assert_null(file_of(after, "member-11.json"));
    json_decref(guess);
    json_decref(after);
    json_decref(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_keypair_fits_its_credential),
        cmocka_unit_test(groups_of_every_kind_R13),
        cmocka_unit_test(an_unknown_signature_algorithm_is_refused),
        cmocka_unit_test(nobody_gets_what_is_not_his),
        cmocka_unit_test(the_checkers_key_is_the_groups),
        cmocka_unit_test(ids_names_and_addresses),
        cmocka_unit_test(ids_and_addresses_have_an_end),
        cmocka_unit_test(a_rekey_changes_the_secrets_and_nothing_else),
        cmocka_unit_test(a_gid_that_was_prepared_does_not_come_back),
        cmocka_unit_test(the_files_of_both_epochs_lie_beside_each_other),
        cmocka_unit_test(a_new_sender_id_is_nobodys),
        cmocka_unit_test(sender_ids_for_the_gateway_have_an_end),
        cmocka_unit_test(only_members_are_evicted),
        cmocka_unit_test(no_sender_id_is_given_twice_under_one_gid),
        cmocka_unit_test(a_file_without_given_ids_goes_on),
        cmocka_unit_test(backward_security_R54),
        cmocka_unit_test(forward_security_R55),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
