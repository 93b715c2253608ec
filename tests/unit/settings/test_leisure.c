/* How long members may take for their answers when a mapping does not say (RFC 10020 §3.6.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fake_text.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD    "{'common':{'alg_aead':10,'alg_pairwise_key_agreement':-27,'gid':'44616c','master_secret':'" SECRET "',"
#define SECRET  "ed87c95ac8bf474adb3932be85c2653c"
#define KEY_25  "181ee608427c211862ff619a5f84c26268ed1db90071c23d4459f650fee9f03e"
#define CRED_25 "a108a101a4010103272006215820c28a9cf5e81460183149db4cd36eb20563c89d5225426bda6bd6207c9269b6d2"
#define GROUP_MODE                                                                                                     \
    HEAD "'alg_group_enc':10,'alg_signature':-8,'gm_cred':'" CRED_25                                                   \
         "'},'self':{'sender_id':'25','private_key':'" KEY_25 "','cred':'" CRED_25 "'},'peers':{}}"

struct folder {
    char name[64], file[96], next[96];
};

static void write_quoted(const char *name, const char *document) {
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    for (; *document != '\0'; document++) fputc(*document == '\'' ? '"' : *document, file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_int_equal(fclose(file), 0);
}

/* X25519 keys, which sign nothing. */
static void write_pairwise_only(const char *name) {
    uint8_t scalar[32] = {1, 2, 3}, u[32];
    char scalar_hex[65], u_hex[65], document[1024];
    crypto_scalarmult_base(u, scalar);
    sodium_bin2hex(scalar_hex, sizeof scalar_hex, scalar, sizeof scalar);
    sodium_bin2hex(u_hex, sizeof u_hex, u, sizeof u);
    snprintf(document, sizeof document,
             HEAD "'alg_group_enc':null,'alg_signature':null,'gm_cred':'" CRED_25 "'},'self':{'sender_id':'25',"
                  "'private_key':'%s','cred':'a108a101a301012004215820%s'},'peers':{}}",
             scalar_hex, u_hex);
    write_quoted(name, document);
}

static int set_up(void **state) {
    static struct folder folder;
    snprintf(folder.name, sizeof folder.name, "/tmp/castgate-leisure-XXXXXX");
    assert_non_null(mkdtemp(folder.name));
    snprintf(folder.file, sizeof folder.file, "%s/keys.json", folder.name);
    snprintf(folder.next, sizeof folder.next, "%s/next.json", folder.name);
    *state = &folder;
    return 0;
}

static int tear_down(void **state) {
    (void)settings_teardown(state);
    struct folder *folder = *state;
    unlink(folder->file);
    unlink(folder->next);
    return rmdir(folder->name);
}

static void assert_leisure(const char *groups, const char *mapping, double seconds) {
    char document[1024];
    snprintf(document, sizeof document, "{%s'mappings':[{'name':'m','group':'coap://224.0.1.187',%s}]}", groups,
             mapping);
    const struct cg_config *config = settings_of(document);
    assert_float_equal(config->mappings[0].leisure, seconds, 0);
}

static void of_a_plain_group_it_is_5(void **state) {
    (void)state;
    assert_leisure("", "'security':'none'", 5);
}

static void relayed_it_is_20(void **state) {
    (void)state;
    assert_leisure("", "'security':'relay'", 20);
}

static void with_the_group_mode_it_is_20(void **state) {
    const struct folder *folder = *state;
    char groups[256];
    write_quoted(folder->file, GROUP_MODE);
    snprintf(groups, sizeof groups, "'security_groups':{'g':'%s'},", folder->file);
    assert_leisure(groups, "'security':'g'", 20);
}

static void with_the_pairwise_mode_only_it_is_13(void **state) {
    const struct folder *folder = *state;
    char groups[256];
    write_pairwise_only(folder->file);
    snprintf(groups, sizeof groups, "'security_groups':{'g':'%s'},", folder->file);
    assert_leisure(groups, "'security':'g'", 13);
}

static void a_rekey_that_brings_the_group_mode_brings_its_leisure(void **state) {
    const struct folder *folder = *state;
    char groups[512];
    write_pairwise_only(folder->file);
    write_quoted(folder->next, GROUP_MODE);
    snprintf(groups, sizeof groups, "'security_groups':{'g':{'file':'%s','next':'%s'}},", folder->file, folder->next);
    assert_leisure(groups, "'security':'g'", 20);
}

static void what_the_mapping_says_counts_also_0(void **state) {
    (void)state;
    assert_leisure("", "'security':'none','leisure':0", 0);
    assert_leisure("", "'security':'relay','leisure':0", 0);
    assert_leisure("", "'security':'relay','leisure':7.5", 7.5);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        settings_test(of_a_plain_group_it_is_5),
        settings_test(relayed_it_is_20),
        cmocka_unit_test_setup_teardown(with_the_group_mode_it_is_20, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_the_pairwise_mode_only_it_is_13, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rekey_that_brings_the_group_mode_brings_its_leisure, set_up, tear_down),
        settings_test(what_the_mapping_says_counts_also_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
