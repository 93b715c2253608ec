/* When certificates end. Only the first of a file counts: this gateway's own. */
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

/* 0: unknown. */
static int64_t read_end(const char *file) {
    BIO *bio = file == NULL ? NULL : open_file(file);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    int64_t ends_s = certificate == NULL ? 0 : end_of(certificate);
    X509_free(certificate);
    BIO_free(bio);
    return ends_s;
}

void cg_certificates_read(struct cg_config *config) {
    struct cg_tls_settings *listeners[] = {&config->http.tls, &config->coap.tls, &config->admin.tls};
    for (size_t i = 0; i < sizeof listeners / sizeof *listeners; i++)
        listeners[i]->ends_s = read_end(listeners[i]->certificate);
    for (size_t i = 0; i < config->credentials_count; i++)
        config->credentials[i].ends_s = read_end(config->credentials[i].certificate);
}

/* ---- What is said of each ---- */

struct certificate {
    const char *kind, *name; /* as metrics have them */
    const char *file;
    int64_t ends_s;
    const char *pointer; /* where the settings name it: before the name, and behind it */
    const char *member;
    const char *peers; /* whom it is shown to */
};

typedef void say_one(void *ctx, const struct certificate *one);

static void say_listener(const char *name, const struct cg_tls_settings *tls, say_one *say, void *ctx) {
    const struct certificate one = {.kind = "listener",
                                    .name = name,
                                    .file = tls->certificate,
                                    .ends_s = tls->ends_s,
                                    .pointer = "/",
                                    .member = "/tls/certificate",
                                    .peers = "clients"};
    if (one.ends_s != 0) say(ctx, &one);
}

static void say_credentials(const struct cg_credentials *credentials, say_one *say, void *ctx) {
    const struct certificate one = {.kind = "credentials",
                                    .name = credentials->name,
                                    .file = credentials->certificate,
                                    .ends_s = credentials->ends_s,
                                    .pointer = "/credentials/",
                                    .member = "/certificate",
                                    .peers = "next hops"};
    if (one.ends_s != 0) say(ctx, &one);
}

static void say_all(const struct cg_config *config, say_one *say, void *ctx) {
    say_listener("http", &config->http.tls, say, ctx);
    say_listener("coap", &config->coap.tls, say, ctx);
    say_listener("admin", &config->admin.tls, say, ctx);
    for (size_t i = 0; i < config->credentials_count; i++) say_credentials(&config->credentials[i], say, ctx);
}

static void put_end(void *ctx, const struct certificate *one) {
    cg_buf_printf(ctx, "castgate_certificate_expires_seconds{%s=\"%s\"} %lld\n", one->kind, one->name,
                  (long long)one->ends_s);
}

void cg_certificate_metrics(const struct cg_config *config, struct cg_buf *to) {
    cg_buf_put_str(to,
                   "# HELP castgate_certificate_expires_seconds When a certificate of this gateway ends, Unix time.\n"
                   "# TYPE castgate_certificate_expires_seconds gauge\n");
    say_all(config, put_end, to);
}

static void warn(void *ctx, const struct certificate *one) {
    char pointer[64 + CG_NAME_MAX];
    const int64_t left_s = one->ends_s - (int64_t)time(NULL);
    if (left_s > (int64_t)CG_CERTIFICATE_SOON_DAYS * DAY_S) return;
    snprintf(pointer, sizeof pointer, "%s%s%s", one->pointer, one->name, one->member);
    if (left_s < 0) {
        cg_warnings_add(ctx, "certificate-ended", pointer, "%s has ended: %s refuse it", one->file, one->peers);
    } else {
        cg_warnings_add(ctx, "certificate-ends", pointer, "%s ends in %lld days", one->file,
                        (long long)(left_s / DAY_S));
    }
}

void cg_certificate_warnings(const struct cg_config *config, struct cg_mistakes *warnings) {
    say_all(config, warn, warnings);
}
