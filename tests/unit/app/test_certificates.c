/* Certificates that end soon, or have ended, are told of. */
#include "app/certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { DAY_S = 86400 };

/* One that ends so many seconds from now, in a file. */
static void make(const char *file, long left_s) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    FILE *to = fopen(file, "w");
    assert_true(key != NULL && certificate != NULL && to != NULL);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -2L * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), left_s);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(to, certificate), 1);
    fclose(to);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void assert_warns(struct cg_config *config, const char *pointer, const char *code, const char *part) {
    struct cg_mistakes warnings;
    cg_mistakes_init(&warnings);
    cg_certificates_read(config);
    cg_certificate_warnings(config, &warnings);
    assert_int_equal(warnings.count, code == NULL ? 0 : 1);
    if (code != NULL) {
        assert_string_equal(warnings.first->code, code);
        assert_string_equal(warnings.first->pointer, pointer);
        assert_non_null(strstr(warnings.first->message, part));
    }
    cg_mistakes_fini(&warnings);
}

/* `*place` is where the settings have the file's name, and `pointer` says so. */
static void assert_is_told(struct cg_config *config, const char **place, const char *pointer, const char *refused) {
    char file[] = "/tmp/castgate-certificate-XXXXXX";
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    *place = file;
    make(file, 40L * DAY_S);
    assert_warns(config, pointer, NULL, NULL);
    make(file, 10L * DAY_S + 60);
    assert_warns(config, pointer, "certificate-ends", "ends in 10 days");
    make(file, -60);
    assert_warns(config, pointer, "certificate-ended", refused);
    unlink(file);
    assert_warns(config, pointer, NULL, NULL); /* whoever uses it says so */
    *place = NULL;
}

static void an_end_that_is_near_is_told(void **state) {
    struct cg_config *config = cg_settings_defaults();
    (void)state;
    assert_non_null(config);
    assert_is_told(config, &config->admin.tls.certificate, "/admin/tls/certificate", "has ended: clients refuse it");
    cg_config_unref(config);
}

static void so_is_one_towards_next_hops(void **state) {
    struct cg_credentials credentials = {.name = "far"};
    struct cg_config *config = cg_settings_defaults();
    (void)state;
    assert_non_null(config);
    config->credentials = &credentials;
    config->credentials_count = 1;
    assert_is_told(config, &credentials.certificate, "/credentials/far/certificate", "has ended: next hops refuse it");
    cg_config_unref(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_end_that_is_near_is_told),
                                       cmocka_unit_test(so_is_one_towards_next_hops)};
    return cmocka_run_group_tests_name("app/certificates", tests, NULL, NULL);
}
