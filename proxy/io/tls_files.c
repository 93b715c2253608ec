/* Certificates and keys. The hard thing: a file is renewed while sessions use what the old one held: so each reading is
 * into a context of its own, which OpenSSL keeps for them. */
#include "io/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "settings/secret.h"

/* One of them, as it is read. */
struct reading {
    SSL_CTX *context;
    const char *where, *file;
    struct cg_problem *problem;
};

static int fail(const struct reading *reading, const char *why) {
    return cg_problem_set(reading->problem, CG_E_INTERNAL, "%s: %s: %s", reading->where, reading->file, why);
}

static int fail_with_openssl(const struct reading *reading) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return fail(reading, reason == NULL ? "it cannot be used" : reason);
}

static int read_file(struct cg_secret_text *text, const struct reading *reading, bool may_be_shared) {
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_secret_read(text, reading->file, may_be_shared, &mistakes);
    if (err < 0 && mistakes.first != NULL) {
        err = fail(reading, mistakes.first->message);
    } else if (err < 0) {
        err = cg_problem_set(reading->problem, err, "%s: %s: no memory to read it", reading->where, reading->file);
    }
    cg_mistakes_fini(&mistakes);
    return err;
}

/* OpenSSL would ask at the terminal. */
static int no_password(char *to, int cap, int writing, void *ctx) {
    (void)to, (void)cap, (void)writing, (void)ctx;
    return -1;
}

/* ---- Certificates ---- */

/* What is done with each certificate of a file: `index` from 0. False: OpenSSL's queue says why. */
typedef bool take_certificate_fn(SSL_CTX *context, X509 *certificate, size_t index);

static int take_certificates(const struct reading *reading, struct cg_slice pem, take_certificate_fn *take) {
    BIO *from = BIO_new_mem_buf(pem.data, (int)pem.len); /* files have a size limit */
    size_t count = 0;
    if (from == NULL) return cg_problem_no_memory(reading->problem);
    for (bool ok = true; ok; count++) {
        X509 *certificate = PEM_read_bio_X509(from, NULL, no_password, NULL);
        if (certificate == NULL) break;
        ok = take(reading->context, certificate, count);
        X509_free(certificate);
        if (ok) continue;
        BIO_free(from);
        return fail_with_openssl(reading);
    }
    bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(from);
    if (!ended) return fail_with_openssl(reading);
    return count == 0 ? fail(reading, "it has no certificate") : CG_OK;
}

static int read_certificates(const struct reading *reading, take_certificate_fn *take) {
    struct cg_secret_text text;
    int err = read_file(&text, reading, true);
    if (err < 0) return err;
    ERR_clear_error();
    err = take_certificates(reading, cg_secret_slice(&text), take);
    cg_secret_free(&text);
    return err;
}

static bool take_own(SSL_CTX *context, X509 *certificate, size_t index) {
    return (index == 0 ? SSL_CTX_use_certificate(context, certificate)
                       : SSL_CTX_add1_chain_cert(context, certificate)) == 1;
}

static bool take_ca(SSL_CTX *context, X509 *certificate, size_t index) {
    (void)index;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1 &&
           SSL_CTX_add_client_CA(context, certificate) == 1;
}

/* ---- Keys ---- */

static int use_key(const struct reading *reading, struct cg_slice pem, const char *certificate) {
    BIO *from = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = from == NULL ? NULL : PEM_read_bio_PrivateKey(from, NULL, no_password, NULL);
    int err = CG_OK;
    if (key == NULL) {
        err = fail(reading, "it has no private key in PEM that needs no password");
    } else if (X509_check_private_key(SSL_CTX_get0_certificate(reading->context), key) != 1) {
        err = cg_problem_set(reading->problem, CG_E_INTERNAL, "%s: %s: this is not the key of the certificate in %s",
                             reading->where, reading->file, certificate);
    } else if (SSL_CTX_use_PrivateKey(reading->context, key) != 1) {
        err = fail_with_openssl(reading);
    }
    EVP_PKEY_free(key);
    BIO_free(from);
    return err;
}

static int read_key(const struct reading *reading, const struct cg_tls_files *files) {
    struct cg_secret_text text;
    int err = read_file(&text, reading, files->key_may_be_shared);
    if (err < 0) return err;
    ERR_clear_error();
    err = use_key(reading, cg_secret_slice(&text), files->certificate);
    cg_secret_free(&text);
    return err;
}

/* ---- All of them ---- */

int cg_tls_files_read(SSL_CTX *context, const struct cg_tls_files *files, struct cg_problem *problem) {
    struct reading reading = {.context = context, .where = files->where, .problem = problem};
    int err = CG_OK;
    if (files->certificate != NULL) {
        reading.file = files->certificate;
        err = read_certificates(&reading, take_own);
        reading.file = files->key;
        if (err == CG_OK) err = read_key(&reading, files);
    }
    if (err == CG_OK && files->ca != NULL) {
        reading.file = files->ca;
        err = read_certificates(&reading, take_ca);
    }
    ERR_clear_error();
    return err;
}
