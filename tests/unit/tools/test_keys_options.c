/* castgate-keys' command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/keys/options.h"

static struct cg_keys_options options;
static char error[CG_KEYS_ERROR_MAX];

#define PARSE(...)                                                                                                     \
    parse((const char *const[]){"castgate-keys", __VA_ARGS__},                                                         \
          sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) + 1)

static int parse(const char *const *argv, size_t argc) {
    error[0] = '\0';
    return cg_keys_options_parse(&options, (int)argc, argv, error);
}

static void new_has_defaults(void **state) {
    (void)state;
    assert_int_equal(PARSE("new", "keys", "--members", "10"), CG_OK);
    assert_int_equal(options.command, CG_KEYS_NEW);
    assert_string_equal(options.path, "keys");
    assert_int_equal(options.ring.members, 10);
    assert_null(options.ring.name);
    assert_int_equal(options.ring.first.family, CG_FAMILY_NONE);
    assert_int_equal(options.ring.alg_aead, 10);
    assert_int_equal(options.ring.alg_group_enc, 10);
    assert_int_equal(options.ring.alg_signature, -8);
    assert_int_equal(options.ring.alg_agreement, -27);
    assert_int_equal(options.ring.hkdf, CG_SHA256);
    assert_int_equal(options.ring.countersign_elements, 5);
    assert_int_equal(options.ring.peers, CG_KEYS_PEERS_BY_SIZE);
}

static void everything_is_taken_R13(void **state) {
    (void)state;
    assert_int_equal(PARSE("new", "--members=3", "--name", "floor3", "--addresses", "127.1.0.1", "--alg-aead", "1",
                           "--alg-group-enc", "-65534", "--alg-signature=-7", "--alg-pairwise", "-28", "--hkdf",
                           "sha512", "--countersign-elements", "4", "--member-peers", "gateway", "keys"),
                     CG_OK);
    assert_string_equal(options.path, "keys");
    assert_string_equal(options.ring.name, "floor3");
    assert_int_equal(options.ring.first.port, 5683);
    assert_int_equal(options.ring.alg_aead, 1);
    assert_int_equal(options.ring.alg_group_enc, -65534);
    assert_int_equal(options.ring.alg_signature, -7);
    assert_int_equal(options.ring.alg_agreement, -28);
    assert_int_equal(options.ring.hkdf, CG_SHA512);
    assert_int_equal(options.ring.countersign_elements, 4);
    assert_int_equal(options.ring.peers, CG_KEYS_PEERS_GATEWAY);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--hkdf", "sha512"), CG_OK);
    assert_int_equal(options.ring.alg_agreement, -28);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--no-pairwise"), CG_OK);
    assert_int_equal(options.ring.alg_aead, CG_COSE_NONE);
    assert_int_equal(options.ring.alg_agreement, CG_COSE_NONE);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--no-pairwise", "--alg-aead", "1"), CG_OK);
    assert_int_equal(options.ring.alg_aead, 1); /* named in every message, used in none */
    assert_int_equal(options.ring.alg_agreement, CG_COSE_NONE);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--no-group-mode"), CG_OK);
    assert_int_equal(options.ring.alg_group_enc, CG_COSE_NONE);
    assert_int_equal(options.ring.alg_signature, CG_COSE_NONE);
    assert_int_equal(options.ring.alg_aead, 10);
}

static void the_other_commands(void **state) {
    (void)state;
    assert_int_equal(PARSE("add", "keys"), CG_OK);
    assert_int_equal(options.command, CG_KEYS_ADD);
    assert_int_equal(options.ring.members, 1);
    assert_false(options.no_rekey);
    assert_int_equal(PARSE("add", "keys", "--members", "2", "--name", "x", "--no-rekey"), CG_OK);
    assert_true(options.no_rekey);
    assert_int_equal(PARSE("rekey", "keys", "--evict", "11", "12", "--evict=13"), CG_OK);
    assert_int_equal(options.ring.evict_count, 3);
    assert_string_equal(options.ring.evict[1], "12");
    assert_string_equal(options.ring.evict[2], "13");
    assert_int_equal(PARSE("rekey", "--evict", "11", "--evict", "12"), CG_E_BAD_REQUEST); /* no folder */
    assert_false(options.replace);
    assert_int_equal(PARSE("rekey", "keys", "--replace"), CG_OK);
    assert_true(options.replace);
    assert_int_equal(PARSE("add", "keys", "--replace"), CG_OK);
    assert_int_equal(PARSE("add", "keys", "--replace", "--no-rekey"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("finish", "keys", "--replace"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new-sender-id", "keys", "--replace"), CG_OK);
    assert_int_equal(PARSE("new-sender-id", "keys", "--evict", "11"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("finish", "keys"), CG_OK);
    assert_int_equal(PARSE("client", "d", "--id", "01", "--alg-aead", "24", "--hkdf", "sha512"), CG_OK);
    assert_int_equal(options.command, CG_KEYS_CLIENT);
    assert_string_equal(options.id, "01");
    assert_int_equal(options.ring.alg_aead, 24);
    assert_int_equal(PARSE("claim", "gateway.json", "--state", "s", "--shared"), CG_OK);
    assert_string_equal(options.state, "s");
    assert_true(options.may_be_shared);
    assert_int_equal(PARSE("new", "--help"), CG_OK);
    assert_int_equal(options.command, CG_KEYS_HELP);
}

static void what_is_wrong_is_refused(void **state) {
    (void)state;
    assert_int_equal(parse((const char *const[]){"castgate-keys"}, 1), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("make"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys"), CG_E_BAD_REQUEST);
    assert_non_null(strstr(error, "--members"));
    assert_int_equal(PARSE("new", "--members", "1"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "", "--members", "1"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "more", "--members", "1"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "0"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "10001"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--addresses", "224.0.1.187"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--hkdf", "sha1"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--alg-aead", "0"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--alg-aead", "10x"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--alg-aead", "99999999999"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--countersign-elements", "6"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--member-peers", "none"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--alg"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--no-pairwise", "--no-group-mode"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--no-pairwise", "--alg-pairwise", "-27"),
                     CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--no-group-mode", "--alg-signature", "-7"),
                     CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--no-pairwise=yes"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "keys", "--members", "1", "--evict", "11"), CG_E_BAD_REQUEST);
    assert_non_null(strstr(error, "does not belong to this command"));
    assert_int_equal(PARSE("add", "keys", "--alg-aead", "1"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("rekey", "keys", "--evict"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("finish", "keys", "--members", "1"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("claim", "gateway.json"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("client"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("client", "d", "--members", "1"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("new", "d", "--members", "1", "--id", "01"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("claim", "--state", "s"), CG_E_BAD_REQUEST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_has_defaults),
        cmocka_unit_test(everything_is_taken_R13),
        cmocka_unit_test(the_other_commands),
        cmocka_unit_test(what_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
