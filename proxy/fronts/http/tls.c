/* Certificates and keys. The hard thing is renewal: a file is replaced while connections use what the old one held. So
 * each reading makes an object of its own that lives as long as the last connection that began with it, and a reading
 * that fails changes nothing. libmicrohttpd itself never holds a key. */
#include "fronts/http/tls.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/check.h"
#include "settings/secret.h"

const char cg_http_tls_priorities[] =
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
    "-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE";

struct cg_http_tls {
    unsigned references;
    gnutls_certificate_credentials_t credentials;
    bool asks_clients;
};

/* GnuTLS frees a key's text, and records with a client's token in them, as they are. It does so through this variable.
 */

static void wipe_and_free(void *block) {
    if (block == NULL) return;
    explicit_bzero(block, malloc_usable_size(block));
    free(block);
}

/* ---- Files ---- */

static int fail(struct cg_problem *problem, const char *file, const char *why) {
    return cg_problem_set(problem, CG_E_INTERNAL, "TLS: %s: %s", file, why);
}

static int fail_with(struct cg_problem *problem, const char *file, int gnutls_error) {
    return fail(problem, file, gnutls_strerror(gnutls_error));
}

static int read_file(struct cg_secret_text *text, const char *file, bool may_be_shared, struct cg_problem *problem) {
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_secret_read(text, file, may_be_shared, &mistakes);
    if (err < 0 && mistakes.first != NULL) {
        err = cg_problem_set(problem, CG_E_INTERNAL, "TLS: %s: %s", file, mistakes.first->message);
    } else if (err < 0) {
        err = cg_problem_set(problem, err, "TLS: %s: no memory to read it", file);
    }
    cg_mistakes_fini(&mistakes);
    return err;
}

static gnutls_datum_t datum_of(const struct cg_secret_text *text) {
    return (gnutls_datum_t){.data = text->data, .size = (unsigned int)text->len}; /* files have a size limit */
}

/* A file in PEM with one certificate or a chain of them. */
struct chain {
    gnutls_x509_crt_t *list;
    unsigned int count;
};

static void free_chain(struct chain *chain) {
    for (unsigned int i = 0; i < chain->count; i++) gnutls_x509_crt_deinit(chain->list[i]);
    gnutls_free(chain->list);
    *chain = (struct chain){0};
}

static int read_chain(struct chain *chain, const char *file, struct cg_problem *problem) {
    struct cg_secret_text text;
    int err = read_file(&text, file, true, problem);
    if (err < 0) return err;
    gnutls_datum_t pem = datum_of(&text);
    int failed =
        gnutls_x509_crt_list_import2(&chain->list, &chain->count, &pem, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);
    cg_secret_free(&text);
    if (failed >= 0) return CG_OK;
    *chain = (struct chain){0};
    return fail_with(problem, file, failed);
}

static int read_key(gnutls_x509_privkey_t key, const char *file, bool may_be_shared, struct cg_problem *problem) {
    struct cg_secret_text text;
    int err = read_file(&text, file, may_be_shared, problem);
    if (err < 0) return err;
    gnutls_datum_t pem = datum_of(&text);
    int failed = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    cg_secret_free(&text);
    return failed < 0 ? fail_with(problem, file, failed) : CG_OK;
}

static int set_identity(struct cg_http_tls *tls, const struct cg_tls_settings *settings, bool key_may_be_shared,
                        struct cg_problem *problem) {
    struct chain chain = {0};
    gnutls_x509_privkey_t key = NULL;
    int err = read_chain(&chain, settings->certificate, problem);
    if (err < 0) goto out;
    int failed = gnutls_x509_privkey_init(&key);
    if (failed >= 0) {
        err = read_key(key, settings->key, key_may_be_shared, problem);
        if (err < 0) goto out;
        failed = gnutls_certificate_set_x509_key(tls->credentials, chain.list, (int)chain.count, key);
    }
    if (failed == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
        err = cg_problem_set(problem, CG_E_INTERNAL, "TLS: %s: this is not the key of the certificate in %s",
                             settings->key, settings->certificate);
    } else if (failed < 0) {
        err = fail_with(problem, settings->certificate, failed);
    }
out:
    free_chain(&chain);
    if (key != NULL) gnutls_x509_privkey_deinit(key); /* wipes */
    return err;
}

static int set_client_ca(struct cg_http_tls *tls, const char *file, struct cg_problem *problem) {
    struct cg_secret_text text;
    if (file == NULL) return CG_OK;
    int err = read_file(&text, file, true, problem);
    if (err < 0) return err;
    gnutls_datum_t pem = datum_of(&text);
    int count = gnutls_certificate_set_x509_trust_mem(tls->credentials, &pem, GNUTLS_X509_FMT_PEM);
    cg_secret_free(&text);
    tls->asks_clients = count > 0;
    if (count < 0) return fail_with(problem, file, count);
    return count == 0 ? fail(problem, file, "it has no certificate") : CG_OK;
}

int cg_http_tls_load(struct cg_http_tls **tls, const struct cg_tls_settings *settings, bool key_may_be_shared,
                     struct cg_problem *problem) {
    struct cg_http_tls *fresh = calloc(1, sizeof *fresh);
    *tls = NULL;
    gnutls_free = wipe_and_free;
    if (fresh == NULL || gnutls_certificate_allocate_credentials(&fresh->credentials) < 0) {
        free(fresh);
        return cg_problem_set(problem, CG_E_NO_MEMORY, "no memory for TLS");
    }
    fresh->references = 1;
    int err = set_identity(fresh, settings, key_may_be_shared, problem);
    if (err == CG_OK) err = set_client_ca(fresh, settings->client_ca, problem);
    if (err < 0) {
        cg_http_tls_unref(fresh);
        return err;
    }
    *tls = fresh;
    return CG_OK;
}

void cg_http_tls_unref(struct cg_http_tls *tls) {
    if (tls == NULL) return;
    CG_CHECK(tls->references > 0);
    if (--tls->references > 0) return;
    gnutls_certificate_free_credentials(tls->credentials); /* wipes the key */
    free(tls);
}

/* ---- Sessions ---- */

struct cg_http_tls *cg_http_tls_attach(struct cg_http_tls *tls, gnutls_session_t session) {
    if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials) < 0) return NULL;
    gnutls_certificate_server_set_request(session, tls->asks_clients ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
    tls->references++;
    return tls;
}

int cg_http_tls_on_certificate_wanted(gnutls_session_t session, const gnutls_datum_t *issuers, int issuer_count,
                                      const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                                      gnutls_pcert_st **certificates, unsigned int *certificate_count,
                                      gnutls_privkey_t *key) {
    (void)session, (void)issuers, (void)issuer_count, (void)algorithms, (void)algorithm_count;
    *certificates = NULL;
    *certificate_count = 0;
    *key = NULL;
    return -1;
}

/* ---- Clients ---- */

static int not_vouched_for(unsigned int status, struct cg_problem *problem) {
    gnutls_datum_t why = {0};
    gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &why, 0);
    int err = cg_problem_set(problem, CG_E_UNAUTHORIZED, "the client certificate proves nothing here. %.*s",
                             (int)why.size, why.data == NULL ? "" : (const char *)why.data);
    gnutls_free(why.data);
    return err;
}

int cg_http_tls_client(gnutls_session_t session, uint8_t sha256[CG_HTTP_CERTIFICATE_SHA256], int64_t *until,
                       struct cg_problem *problem) {
    unsigned int count = 0, status = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    if (chain == NULL || count == 0) return CG_E_NOT_FOUND;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    int failed = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    if (failed < 0) {
        return cg_problem_set(problem, CG_E_UNAUTHORIZED, "the client certificate cannot be checked: %s",
                              gnutls_strerror(failed));
    }
    if (status != 0) return not_vouched_for(status, problem);
    *until = gnutls_certificate_expiration_time_peers(session);
    CG_CHECK(gnutls_hash_fast(GNUTLS_DIG_SHA256, chain[0].data, chain[0].size, sha256) == 0);
    return CG_OK;
}
