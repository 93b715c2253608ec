/* What both ends of TLS agree on, and who the one that accepts has to be: in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "io/tls.h"
#include "io/tls_terms.h"

struct fixture {
    SSL_CTX *accepting, *connecting;
    struct cg_tls server, client;
    X509 *certificate;
    EVP_PKEY *key;
};

/* ---- A certificate of its own authority ---- */

static void extend(X509 *certificate, int nid, const char *value) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key) {
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"next", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 7200);
    X509_set_pubkey(certificate, key);
    extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate, NID_subject_alt_name, "DNS:next.example,DNS:*.wild.example,IP:192.0.2.1,IP:2001:db8::1");
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    f->key = EVP_EC_gen("P-256");
    f->certificate = make_certificate(f->key);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    cg_tls_fini(&f->server);
    cg_tls_fini(&f->client);
    SSL_CTX_free(f->accepting);
    SSL_CTX_free(f->connecting);
    X509_free(f->certificate);
    EVP_PKEY_free(f->key);
    free(f);
    return 0;
}

#define terms_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* ---- Both ends ---- */

static unsigned on_key_asked(SSL *ssl, const char *hint, char *identity, unsigned identity_cap, unsigned char *key,
                             unsigned cap) {
    (void)hint, (void)ssl;
    assert_true(identity_cap > 4 && cap >= 16);
    strcpy(identity, "gate");
    memset(key, 7, 16);
    return 16;
}

static unsigned on_key_shown(SSL *ssl, const char *identity, unsigned char *key, unsigned cap) {
    (void)ssl, (void)identity, (void)cap;
    memset(key, 7, 16);
    return 16;
}

static void agree(struct fixture *f, enum cg_tls_suites server, enum cg_tls_suites client) {
    f->accepting = cg_tls_terms_new(CG_TLS_OF_STREAMS, CG_TLS_ACCEPTS, server);
    f->connecting = cg_tls_terms_new(CG_TLS_OF_STREAMS, CG_TLS_CONNECTS, client);
    assert_true(f->accepting != NULL && f->connecting != NULL);
    assert_int_equal(SSL_CTX_use_certificate(f->accepting, f->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(f->accepting, f->key), 1);
    SSL_CTX_set_psk_server_callback(f->accepting, on_key_shown);
}

static void trust(struct fixture *f) {
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(f->connecting), f->certificate), 1);
}

static void make_ends(struct fixture *f, const char *host) {
    SSL *accepts = SSL_new(f->accepting), *connects = SSL_new(f->connecting);
    SSL_set_accept_state(accepts);
    SSL_set_connect_state(connects);
    assert_true(cg_tls_init(&f->server, accepts) && cg_tls_init(&f->client, connects));
    assert_true(cg_tls_expect(connects, host));
}

static int take(struct cg_tls *tls, struct cg_buf *from) {
    tls->in = cg_buf_slice(from);
    int result = cg_tls_handshake(tls);
    tls->in = CG_SLICE_NONE;
    cg_buf_clear(from);
    return result;
}

/* What the one that connects comes to. */
static int shake_hands(struct fixture *f) {
    int client = take(&f->client, &f->server.out), server = CG_PENDING;
    for (int i = 0; i < 4 && server == CG_PENDING && client >= CG_OK; i++) {
        server = take(&f->server, &f->client.out);
        if (client == CG_PENDING) client = take(&f->client, &f->server.out);
    }
    return client;
}

static void use_version(struct fixture *f, int version) {
    assert_int_equal(SSL_CTX_set_max_proto_version(f->accepting, version), 1);
}

/* ---- Pre-shared keys ---- */

static void meet_by_key(struct fixture *f, int version) {
    agree(f, CG_TLS_SECRECY_FIRST, CG_TLS_KEYS_ALONE);
    SSL_CTX_set_psk_client_callback(f->connecting, on_key_asked);
    use_version(f, version);
    make_ends(f, "next.example");
    assert_int_equal(shake_hands(f), CG_OK);
    assert_int_equal(SSL_version(f->client.ssl), version);
}

static void a_key_is_enough_in_tls_1_2(void **state) { meet_by_key(*state, TLS1_2_VERSION); }
static void a_key_is_enough_in_tls_1_3(void **state) { meet_by_key(*state, TLS1_3_VERSION); }

/* Who does not know the key could show a certificate instead, which nobody vouches for. */
static void who_does_not_know_the_key_is_nobody(void **state) {
    struct fixture *f = *state;
    agree(f, CG_TLS_CERTIFICATES_ALONE, CG_TLS_KEYS_ALONE);
    SSL_CTX_set_psk_client_callback(f->connecting, on_key_asked);
    SSL_CTX_set_psk_server_callback(f->accepting, NULL);
    make_ends(f, "next.example");
    assert_int_equal(shake_hands(f), CG_E_VERIFY);
}

/* ---- Certificates ---- */

static int meet(struct fixture *f, const char *host) {
    agree(f, CG_TLS_SECRECY_FIRST, CG_TLS_CERTIFICATES_ALONE);
    trust(f);
    make_ends(f, host);
    return shake_hands(f);
}

static void the_certificate_has_to_be_the_hosts(void **state) {
    struct fixture *f = *state;
    assert_int_equal(meet(f, "next.example"), CG_OK);
    assert_string_equal(SSL_get_servername(f->server.ssl, TLSEXT_NAMETYPE_host_name), "next.example");
}

static void a_wildcard_stands_for_a_whole_label(void **state) {
    assert_int_equal(meet(*state, "gate.wild.example"), CG_OK);
}

static void an_address_may_be_the_hosts_name(void **state) {
    struct fixture *f = *state;
    assert_int_equal(meet(f, "192.0.2.1"), CG_OK);
    assert_null(SSL_get_servername(f->server.ssl, TLSEXT_NAMETYPE_host_name));
}

static void so_may_one_of_ipv6(void **state) { assert_int_equal(meet(*state, "2001:db8::1"), CG_OK); }

static void another_hosts_certificate_is_refused(void **state) {
    struct fixture *f = *state;
    assert_int_equal(meet(f, "other.example"), CG_E_VERIFY);
    assert_string_equal(cg_tls_reason(&f->client), "hostname mismatch");
}

static void another_addresses_is_refused(void **state) {
    struct fixture *f = *state;
    assert_int_equal(meet(f, "192.0.2.2"), CG_E_VERIFY);
    assert_string_equal(cg_tls_reason(&f->client), "IP address mismatch");
}

static void one_that_nobody_vouches_for_is_refused(void **state) {
    struct fixture *f = *state;
    agree(f, CG_TLS_SECRECY_FIRST, CG_TLS_CERTIFICATES_ALONE);
    make_ends(f, "next.example");
    assert_int_equal(shake_hands(f), CG_E_VERIFY);
    assert_string_equal(cg_tls_reason(&f->client), "self-signed certificate");
}

/* ---- ALPN ---- */

static void expect_protocol(const struct cg_tls *tls) {
    const unsigned char *protocol;
    unsigned len;
    SSL_get0_alpn_selected(tls->ssl, &protocol, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(protocol, "coap", 4);
}

static void coap_is_what_they_mean_to_speak(void **state) {
    struct fixture *f = *state;
    assert_int_equal(meet(f, "next.example"), CG_OK);
    expect_protocol(&f->client);
    expect_protocol(&f->server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        terms_test(a_key_is_enough_in_tls_1_2),
        terms_test(a_key_is_enough_in_tls_1_3),
        terms_test(who_does_not_know_the_key_is_nobody),
        terms_test(the_certificate_has_to_be_the_hosts),
        terms_test(a_wildcard_stands_for_a_whole_label),
        terms_test(an_address_may_be_the_hosts_name),
        terms_test(so_may_one_of_ipv6),
        terms_test(another_hosts_certificate_is_refused),
        terms_test(another_addresses_is_refused),
        terms_test(one_that_nobody_vouches_for_is_refused),
        terms_test(coap_is_what_they_mean_to_speak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
