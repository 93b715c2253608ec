/* DTLS with certificates: the gateway's, and what clients show. */
#include "fake_dtls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const char *const nobody[] = {NULL};

struct fixture {
    struct fake_dtls world;
    struct fake_pki pki;
    struct fake_dtls_client client;
    uint8_t sha256[32];
    struct cg_request request;
    struct cg_problem problem;
};

static struct cg_tls_settings files_of(const struct fixture *f) {
    return (struct cg_tls_settings){.certificate = f->pki.server, .key = f->pki.server_key, .client_ca = f->pki.ca};
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    fake_pki_make(&f->pki);
    fake_dtls_open(&f->world, &cg_dtls_usual_limits);
    fake_dtls_configure(&f->world, 7, nobody);
    const struct cg_tls_settings files = files_of(f);
    fake_dtls_load(&f->world, &files);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    fake_dtls_close(&f->world);
    fake_pki_remove(&f->pki);
    free(f);
    return 0;
}

#define pki_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void shake_hands(struct fixture *f) {
    fake_dtls_client_connect(&f->client);
    fake_dtls_run(&f->world);
}

static void come_with(struct fixture *f, enum fake_certificate which) {
    fake_dtls_client_open(&f->client, &f->world, "192.0.2.7:1000", "ECDHE-ECDSA-AES128-CCM8");
    fake_pki_give(&f->pki, &f->client, which, f->sha256);
    fake_dtls_configure_certificate(&f->world, f->sha256);
    shake_hands(f);
}

static int identify(struct fixture *f) {
    f->request = (struct cg_request){0};
    assert_non_null(f->world.session);
    return cg_dtls_session_identify(f->world.session, f->world.config, &f->request, &f->problem);
}

static void a_client_is_known_by_its_certificate(void **state) {
    struct fixture *f = *state;
    come_with(f, FAKE_GOOD);
    assert_true(fake_dtls_client_is_open(&f->client));
    assert_string_equal(SSL_get_cipher_name(f->client.ssl), "ECDHE-ECDSA-AES128-CCM8");
    assert_int_equal(identify(f), CG_OK);
    assert_string_equal(f->request.client->name, "certified");
    assert_int_equal(f->request.proof, CG_PROOF_CERTIFICATE);
    fake_dtls_client_close(&f->client);
}

static void expect_proves_nothing(struct fixture *f, enum fake_certificate which, const char *why) {
    come_with(f, which);
    assert_true(fake_dtls_client_is_open(&f->client)); /* the request is told, not the handshake */
    assert_int_equal(identify(f), CG_E_UNAUTHORIZED);
    assert_null(f->request.client);
    if (strstr(f->problem.detail, why) == NULL) fail_msg("%s", f->problem.detail);
    fake_dtls_client_close(&f->client);
}

static void a_certificate_of_another_ca_proves_nothing(void **state) {
    expect_proves_nothing(*state, FAKE_OF_OTHER_CA, "the client certificate proves nothing here: unable to get");
}

static void an_expired_certificate_proves_nothing(void **state) {
    expect_proves_nothing(*state, FAKE_EXPIRED, "certificate has expired");
}

static void a_servers_certificate_proves_nothing(void **state) {
    expect_proves_nothing(*state, FAKE_OF_A_SERVER, "unsuitable certificate purpose");
}

static void a_certificate_of_no_client_is_told_with_its_hash(void **state) {
    struct fixture *f = *state;
    come_with(f, FAKE_GOOD);
    fake_dtls_configure(&f->world, 7, nobody);
    assert_int_equal(identify(f), CG_E_UNAUTHORIZED);
    assert_non_null(strstr(f->problem.detail, "no client of the settings has \"certificate_sha256\": \""));
    fake_dtls_client_close(&f->client);
}

static void a_client_without_certificate_is_nobody(void **state) {
    struct fixture *f = *state;
    fake_dtls_client_open(&f->client, &f->world, "192.0.2.7:1000", "ECDHE-ECDSA-AES128-GCM-SHA256");
    shake_hands(f);
    assert_true(fake_dtls_client_is_open(&f->client));
    assert_int_equal(identify(f), CG_OK);
    assert_null(f->request.client);
    fake_dtls_client_close(&f->client);
}

static void its_key_is_taken_where_there_are_certificates_too(void **state) {
    static const char *const lamps[] = {"lamp", NULL};
    struct fixture *f = *state;
    fake_dtls_configure(&f->world, 7, lamps);
    fake_dtls_client_open(&f->client, &f->world, "192.0.2.7:1000", "PSK-AES128-CCM8");
    fake_dtls_client_key(&f->client, "lamp", 7);
    shake_hands(f);
    assert_int_equal(identify(f), CG_OK);
    assert_string_equal(f->request.client->name, "lamp");
    fake_dtls_client_close(&f->client);
}

/* Who offers a key has one: with a suite of ours alone it would be nobody. */
static void a_key_that_is_offered_counts_where_no_certificate_is_asked_for(void **state) {
    static const char *const lamps[] = {"lamp", NULL};
    struct fixture *f = *state;
    struct cg_tls_settings files = files_of(f);
    files.client_ca = NULL;
    fake_dtls_load(&f->world, &files);
    fake_dtls_configure(&f->world, 7, lamps);
    fake_dtls_client_open(&f->client, &f->world, "192.0.2.7:1000", "ECDHE-ECDSA-AES128-CCM8:PSK-AES128-CCM8");
    fake_dtls_client_key(&f->client, "lamp", 7);
    shake_hands(f);
    assert_string_equal(SSL_get_cipher_name(f->client.ssl), "PSK-AES128-CCM8");
    fake_dtls_client_close(&f->client);
}

static void curves_are_x25519_and_p256(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *curves;
        bool taken;
    } rows[] = {{"X25519:P-256", true}, {"P-256", true}, {"P-521", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_dtls_client_open(&f->client, &f->world, "192.0.2.7:1000", "ECDHE-ECDSA-AES128-CCM8");
        assert_int_equal(SSL_set1_groups_list(f->client.ssl, rows[i].curves), 1);
        shake_hands(f);
        assert_int_equal(fake_dtls_client_is_open(&f->client), rows[i].taken);
        fake_dtls_client_close(&f->client);
    }
}

static void a_flight_that_is_cut_into_pieces_arrives(void **state) {
    struct fixture *f = *state;
    fake_dtls_client_open(&f->client, &f->world, "192.0.2.7:1000", "ECDHE-ECDSA-AES128-CCM8");
    fake_pki_give(&f->pki, &f->client, FAKE_GOOD, f->sha256);
    SSL_set_mtu(f->client.ssl, 256);
    fake_dtls_configure_certificate(&f->world, f->sha256);
    shake_hands(f);
    fake_dtls_wait(&f->world, 3000000);
    assert_int_equal(identify(f), CG_OK);
    assert_non_null(f->request.client);
    fake_dtls_client_close(&f->client);
}

static bool lose_every_fourth(struct fake_dtls *world, const struct fake_datagram *datagram) {
    (void)datagram;
    return (world->sent[FAKE_TO_SERVER] + world->sent[FAKE_TO_CLIENT]) % 4 == 0;
}

static void a_lossy_network_makes_it_slower_only(void **state) {
    struct fixture *f = *state;
    fake_dtls_client_open(&f->client, &f->world, "192.0.2.7:1000", "ECDHE-ECDSA-AES128-CCM8");
    fake_pki_give(&f->pki, &f->client, FAKE_GOOD, f->sha256);
    fake_dtls_configure_certificate(&f->world, f->sha256);
    f->world.lose = lose_every_fourth;
    shake_hands(f);
    fake_dtls_wait(&f->world, 14000000);
    assert_true(fake_dtls_client_is_open(&f->client));
    assert_int_equal(identify(f), CG_OK);
    fake_dtls_client_close(&f->client);
}

/* ---- Files ---- */

static void a_reload_is_for_sessions_to_come(void **state) {
    struct fixture *f = *state;
    struct cg_tls_settings files = files_of(f);
    come_with(f, FAKE_GOOD);
    files.client_ca = f->pki.other_ca;
    fake_dtls_load(&f->world, &files);
    fake_dtls_run(&f->world);
    assert_int_equal(identify(f), CG_OK);
    fake_dtls_client_send(&f->client, "still here");
    fake_dtls_run(&f->world);
    assert_string_equal(f->world.message, "still here");
    fake_dtls_client_restart(&f->client);
    shake_hands(f);
    assert_int_equal(identify(f), CG_E_UNAUTHORIZED);
    fake_dtls_client_close(&f->client);
}

static void expect_refused(struct fixture *f, const struct cg_tls_settings *files, const char *why) {
    struct cg_problem problem = {0};
    assert_int_equal(cg_dtls_load(f->world.dtls, files, false, &problem), CG_E_INTERNAL);
    if (strstr(problem.detail, why) == NULL) fail_msg("%s", problem.detail);
}

static void files_that_are_no_good_change_nothing(void **state) {
    struct fixture *f = *state;
    struct cg_tls_settings files = files_of(f);
    files.certificate = "/nowhere/crt";
    expect_refused(f, &files, "/nowhere/crt");
    files.certificate = f->pki.server_key;
    expect_refused(f, &files, "it has no certificate");
    files.certificate = f->pki.ca;
    expect_refused(f, &files, "this is not the key of the certificate in");
    files = files_of(f);
    files.key = f->pki.server;
    expect_refused(f, &files, f->pki.server);
    assert_int_equal(chmod(f->pki.server, 0600), 0);
    expect_refused(f, &files, "it has no private key");
    files = files_of(f);
    assert_int_equal(chmod(f->pki.server_key, 0640), 0);
    expect_refused(f, &files, f->pki.server_key);
    come_with(f, FAKE_GOOD);
    assert_int_equal(identify(f), CG_OK);
    fake_dtls_client_close(&f->client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        pki_test(a_client_is_known_by_its_certificate),
        pki_test(a_certificate_of_another_ca_proves_nothing),
        pki_test(an_expired_certificate_proves_nothing),
        pki_test(a_servers_certificate_proves_nothing),
        pki_test(a_certificate_of_no_client_is_told_with_its_hash),
        pki_test(a_client_without_certificate_is_nobody),
        pki_test(its_key_is_taken_where_there_are_certificates_too),
        pki_test(a_key_that_is_offered_counts_where_no_certificate_is_asked_for),
        pki_test(curves_are_x25519_and_p256),
        pki_test(a_flight_that_is_cut_into_pieces_arrives),
        pki_test(a_lossy_network_makes_it_slower_only),
        pki_test(a_reload_is_for_sessions_to_come),
        pki_test(files_that_are_no_good_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
