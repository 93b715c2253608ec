/* What ends a request that runs when the settings change, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model/withdrawal.h"

/* One mapping "lamps" with one grant, one client "demo" with a token 1, a token 3 that expires at
 * 1000, a certificate 2 and a pre-shared key. */
struct settings {
    struct cg_config *config;
    struct cg_pass tokens[2];
    struct cg_pass certificate;
    struct cg_client client;
    struct cg_grant grant;
    struct cg_target target;
    struct cg_mapping mapping;
};

static void fill(struct settings *settings) {
    *settings = (struct settings){
        .config = cg_config_new(),
        .tokens = {{.sha256 = {1}, .expires_s = CG_PASS_FOR_EVER}, {.sha256 = {3}, .expires_s = 1000}},
        .certificate = {.sha256 = {2}, .expires_s = CG_PASS_FOR_EVER},
        .client = {.name = "demo",
                   .tokens = settings->tokens,
                   .token_count = 2,
                   .certificates = &settings->certificate,
                   .certificate_count = 1,
                   .psk = {.identity = "demo", .key = {(const uint8_t *)"sixteen bytes...", 16}}},
        .grant = {.client = &settings->client, .methods = CG_METHODS_SAFE},
        .target = {.uri = "coap://224.0.1.187/"},
        .mapping = {.name = "lamps",
                    .path = "/lamps",
                    .methods = CG_METHODS_SAFE,
                    .grants = &settings->grant,
                    .grant_count = 1,
                    .targets = &settings->target,
                    .target_count = 1},
    };
    assert_non_null(settings->config);
    settings->config->clients = &settings->client;
    settings->config->client_count = 1;
    settings->config->mappings = &settings->mapping;
    settings->config->mapping_count = 1;
}

static struct settings before, now;
static size_t shown;  /* of the tokens */
static int64_t now_s; /* Unix time */

static int begin(void **state) {
    (void)state;
    fill(&before);
    fill(&now);
    shown = 0;
    now_s = 999;
    return cg_config_index(before.config);
}

static int end(void **state) {
    (void)state;
    cg_config_unref(before.config);
    cg_config_unref(now.config);
    return 0;
}

static const struct cg_pass *pass_of(enum cg_proof proof) {
    return proof == CG_PROOF_TOKEN ? &before.tokens[shown] : proof == CG_PROOF_CERTIFICATE ? &before.certificate : NULL;
}

static int check(enum cg_proof proof, struct cg_problem *problem) {
    const struct cg_request request = {.method = CG_GET,
                                       .client = proof == CG_PROOF_NONE ? NULL : &before.client,
                                       .proof = proof,
                                       .pass = pass_of(proof),
                                       .may_be_anonymous = true};
    *problem = (struct cg_problem){0};
    assert_int_equal(cg_config_index(now.config), CG_OK);
    return cg_withdrawal_check(now.config, &before.mapping, &request, now_s, problem);
}

static void assert_withdrawn(enum cg_proof proof, int err, const char *why) {
    struct cg_problem problem;
    assert_int_equal(check(proof, &problem), err);
    assert_int_equal(problem.err, err);
    assert_non_null(strstr(problem.detail, why));
}

static void assert_goes_on(enum cg_proof proof) {
    struct cg_problem problem;
    assert_int_equal(check(proof, &problem), CG_OK);
    assert_int_equal(problem.err, CG_OK);
}

static void the_same_settings_withdraw_nothing(void **state) {
    (void)state;
    assert_goes_on(CG_PROOF_TOKEN);
}

static void other_paths_groups_and_times_are_for_later_requests(void **state) {
    (void)state;
    now.mapping.path = "/elsewhere";
    now.mapping.timeout_us = 1;
    now.target.uri = "coap://224.0.1.188/";
    assert_goes_on(CG_PROOF_CERTIFICATE);
}

static void a_removed_mapping(void **state) {
    (void)state;
    now.mapping.name = "others";
    assert_withdrawn(CG_PROOF_TOKEN, CG_E_NOT_FOUND, "mapping lamps was removed");
}

static void a_group_that_is_gone_ends_its_requests_itself(void **state) {
    (void)state;
    static const struct cg_security_keys group = {.name = "floor3"};
    before.mapping.security = CG_SECURITY_GROUP;
    before.mapping.keys = &group;
    now.mapping.name = "others";
    assert_goes_on(CG_PROOF_TOKEN);
}

static void a_removed_client(void **state) {
    (void)state;
    now.client.name = "other";
    assert_withdrawn(CG_PROOF_TOKEN, CG_E_UNAUTHORIZED, "client demo was removed");
}

static void another_pre_shared_key_ends_what_came_by_it(void **state) {
    (void)state;
    assert_goes_on(CG_PROOF_PSK);
    now.client.psk.key = cg_slice_str("sixteen others..");
    assert_withdrawn(CG_PROOF_PSK, CG_E_UNAUTHORIZED, "the pre-shared key of client demo was withdrawn");
    assert_goes_on(CG_PROOF_TOKEN);
}

static void a_pre_shared_key_that_is_gone_or_of_another_identity(void **state) {
    (void)state;
    now.client.psk.identity = "demo2";
    assert_withdrawn(CG_PROOF_PSK, CG_E_UNAUTHORIZED, "was withdrawn");
    now.client.psk = (struct cg_psk){0};
    assert_withdrawn(CG_PROOF_PSK, CG_E_UNAUTHORIZED, "was withdrawn");
}

static void another_oscore_context_ends_what_came_by_it(void **state) {
    (void)state;
    before.client.oscore.file = now.client.oscore.file = "d.oscore.json";
    assert_goes_on(CG_PROOF_OSCORE);
    now.client.oscore.digest[31] = 1;
    assert_withdrawn(CG_PROOF_OSCORE, CG_E_UNAUTHORIZED, "the OSCORE context of client demo was withdrawn");
    now.client.oscore = (struct cg_client_oscore){.file = NULL};
    assert_withdrawn(CG_PROOF_OSCORE, CG_E_UNAUTHORIZED, "was withdrawn");
}

static void another_token_ends_what_came_by_the_token(void **state) {
    (void)state;
    now.tokens[0].sha256[0] = 9;
    assert_withdrawn(CG_PROOF_TOKEN, CG_E_UNAUTHORIZED, "the token of client demo was withdrawn");
    now.client.token_count = 0;
    assert_withdrawn(CG_PROOF_TOKEN, CG_E_UNAUTHORIZED, "the token of client demo was withdrawn");
}

static void one_of_several_tokens(void **state) {
    (void)state;
    now.client.tokens++, now.client.token_count--;
    assert_withdrawn(CG_PROOF_TOKEN, CG_E_UNAUTHORIZED, "the token of client demo was withdrawn");
    shown = 1;
    assert_goes_on(CG_PROOF_TOKEN);
}

static void a_token_that_expires(void **state) {
    (void)state;
    shown = 1;
    assert_goes_on(CG_PROOF_TOKEN);
    now_s = 1000;
    assert_withdrawn(CG_PROOF_TOKEN, CG_E_UNAUTHORIZED, "the token of client demo was withdrawn or has expired");
    shown = 0;
    assert_goes_on(CG_PROOF_TOKEN);
}

static void a_token_that_is_to_expire_earlier(void **state) {
    (void)state;
    now.tokens[0].expires_s = 999;
    assert_withdrawn(CG_PROOF_TOKEN, CG_E_UNAUTHORIZED, "has expired");
}

static void another_token_leaves_what_came_by_the_certificate(void **state) {
    (void)state;
    now.client.token_count = 0;
    assert_goes_on(CG_PROOF_CERTIFICATE);
}

static void another_certificate_ends_what_came_by_the_certificate(void **state) {
    (void)state;
    now.certificate.sha256[31] = 9;
    assert_withdrawn(CG_PROOF_CERTIFICATE, CG_E_UNAUTHORIZED, "the certificate of client demo was withdrawn");
}

static void a_removed_grant(void **state) {
    (void)state;
    now.mapping.grant_count = 0;
    assert_withdrawn(CG_PROOF_TOKEN, CG_E_FORBIDDEN, "client demo is not in the clients of mapping lamps");
}

static void a_grant_without_the_method(void **state) {
    (void)state;
    now.grant.methods = CG_METHOD_BIT(CG_FETCH);
    assert_withdrawn(CG_PROOF_TOKEN, CG_E_FORBIDDEN, "may not use this method");
}

static void anonymous_clients_lose_their_grant(void **state) {
    (void)state;
    before.grant.client = now.grant.client = NULL;
    assert_goes_on(CG_PROOF_NONE);
    now.grant.client = &now.client;
    assert_withdrawn(CG_PROOF_NONE, CG_E_UNAUTHORIZED, "known clients only");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(another_oscore_context_ends_what_came_by_it),
        TEST(the_same_settings_withdraw_nothing),
        TEST(other_paths_groups_and_times_are_for_later_requests),
        TEST(a_removed_mapping),
        TEST(a_group_that_is_gone_ends_its_requests_itself),
        TEST(a_removed_client),
        TEST(another_token_ends_what_came_by_the_token),
        TEST(one_of_several_tokens),
        TEST(a_token_that_expires),
        TEST(a_token_that_is_to_expire_earlier),
        TEST(another_pre_shared_key_ends_what_came_by_it),
        TEST(another_oscore_context_ends_what_came_by_it),
        TEST(a_pre_shared_key_that_is_gone_or_of_another_identity),
        TEST(another_token_leaves_what_came_by_the_certificate),
        TEST(another_certificate_ends_what_came_by_the_certificate),
        TEST(a_removed_grant),
        TEST(a_grant_without_the_method),
        TEST(anonymous_clients_lose_their_grant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
