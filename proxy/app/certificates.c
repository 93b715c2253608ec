/* When certificates end. Only the first of a file counts: the listener's own. */
#include "app/certificates.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "settings/regular.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

enum { DAY_S = 86400 };

static int64_t end_of(const X509 *certificate) {
    struct tm end;
    return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1 ? (int64_t)timegm(&end) : 0;
}

/* Whoever listens says why it cannot be read. */
static BIO *open_file(const char *name) {
    struct cg_mistakes unused;
    struct stat info;
    cg_mistakes_init(&unused);
    int fd = cg_regular_open(name, &info, &unused);
    BIO *bio = fd < 0 ? NULL : BIO_new_fd(fd, BIO_CLOSE);
    if (fd >= 0 && bio == NULL) close(fd);
    cg_mistakes_fini(&unused);
    return bio;
}

static void read_end(struct cg_tls_settings *tls) {
    BIO *bio = tls->certificate == NULL ? NULL : open_file(tls->certificate);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    tls->ends_s = certificate == NULL ? 0 : end_of(certificate);
    X509_free(certificate);
    BIO_free(bio);
}

void cg_certificates_read(struct cg_config *config) {
    read_end(&config->http.tls);
    read_end(&config->coap.tls);
    read_end(&config->admin.tls);
}

static void put_end(struct cg_buf *to, const char *section, const struct cg_tls_settings *tls) {
    if (tls->ends_s == 0) return;
    cg_buf_printf(to, "castgate_certificate_expires_seconds{listener=\"%s\"} %lld\n", section, (long long)tls->ends_s);
}

void cg_certificate_metrics(const struct cg_config *config, struct cg_buf *to) {
    cg_buf_put_str(to, "# HELP castgate_certificate_expires_seconds When a listener's certificate ends, Unix time.\n"
                       "# TYPE castgate_certificate_expires_seconds gauge\n");
    put_end(to, "http", &config->http.tls);
    put_end(to, "coap", &config->coap.tls);
    put_end(to, "admin", &config->admin.tls);
}

static void warn(const char *section, const struct cg_tls_settings *tls, struct cg_mistakes *warnings) {
    char pointer[64];
    const int64_t left_s = tls->ends_s - (int64_t)time(NULL);
    if (tls->ends_s == 0 || left_s > (int64_t)CG_CERTIFICATE_SOON_DAYS * DAY_S) return;
    snprintf(pointer, sizeof pointer, "/%s/tls/certificate", section);
    if (left_s < 0) {
        cg_warnings_add(warnings, "certificate-ended", pointer, "%s has ended: clients refuse it", tls->certificate);
    } else {
        cg_warnings_add(warnings, "certificate-ends", pointer, "%s ends in %lld days", tls->certificate,
                        (long long)(left_s / DAY_S));
    }
}

void cg_certificate_warnings(const struct cg_config *config, struct cg_mistakes *warnings) {
    warn("http", &config->http.tls, warnings);
    warn("coap", &config->coap.tls, warnings);
    warn("admin", &config->admin.tls, warnings);
}
