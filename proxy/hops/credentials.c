/* Keys and certificates towards next hops. The hard thing: a connection may be made long after the snapshot that named
 * its key has gone, so the key lives in OpenSSL's context, which counts who refers to it, and is wiped with that. */
#include "hops/credentials.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#include "base/check.h"
#include "io/tls_files.h"
#include "io/tls_terms.h"
#include "settings/secret.h"

/* Of a pre-shared key. */
struct secret {
    char identity[CG_PSK_IDENTITY_MAX + 1];
    uint8_t key[CG_PSK_MAX];
    size_t len;
};

/* ---- In a context ---- */

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int place = -1;

static void free_secret(void *parent, void *secret, CRYPTO_EX_DATA *data, int index, long number, void *pointer) {
    (void)parent, (void)data, (void)index, (void)number, (void)pointer;
    OPENSSL_clear_free(secret, sizeof(struct secret));
}

static void find_place(void) { place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_secret); }

static unsigned on_key(SSL *ssl, const char *hint, char *identity, unsigned identity_cap, unsigned char *key,
                       unsigned cap) {
    const struct secret *secret = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place);
    (void)hint;
    if (secret == NULL || strlen(secret->identity) >= identity_cap || secret->len > cap) return 0;
    strcpy(identity, secret->identity);
    memcpy(key, secret->key, secret->len);
    return (unsigned)secret->len;
}

static int read_key(struct secret *secret, const struct cg_psk *psk, const char *where, bool may_be_shared,
                    struct cg_problem *problem) {
    struct cg_secret_text content;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_secret_read(&content, psk->key_file, may_be_shared, &mistakes);
    if (err < 0)
        cg_problem_set(problem, err, "%s: %s: %s", where, psk->key_file,
                       mistakes.first != NULL ? mistakes.first->message : "no memory to read it");
    cg_mistakes_fini(&mistakes);
    if (err < 0) return err;
    secret->len = cg_secret_take_psk(cg_secret_slice(&content), secret->key);
    cg_secret_free(&content);
    if (secret->len >= CG_PSK_MIN && secret->len <= CG_PSK_MAX) return CG_OK;
    return cg_problem_set(problem, CG_E_FORMAT, "%s: %s: a pre-shared key is %d to %d bytes, and this is %zu", where,
                          psk->key_file, CG_PSK_MIN, CG_PSK_MAX, secret->len);
}

static int take_psk(SSL_CTX *context, const struct cg_psk *psk, const char *where, bool may_be_shared,
                    struct cg_problem *problem) {
    struct secret *secret = OPENSSL_zalloc(sizeof *secret);
    if (secret == NULL || SSL_CTX_set_ex_data(context, place, secret) != 1) {
        OPENSSL_clear_free(secret, sizeof *secret);
        return cg_problem_no_memory(problem);
    }
    strcpy(secret->identity, psk->identity);
    SSL_CTX_set_psk_client_callback(context, on_key);
    return read_key(secret, psk, where, may_be_shared, problem);
}

/* ---- Contexts ---- */

static SSL_CTX *make(const struct cg_config *config, const struct cg_credentials *credentials, enum cg_tls_kind kind,
                     struct cg_problem *problem) {
    char where[sizeof "credentials." + CG_NAME_MAX];
    const bool has_key = credentials->psk.identity != NULL, may_be_shared = config->key_files_may_be_shared;
    SSL_CTX *context = cg_tls_terms_new(kind, CG_TLS_CONNECTS, has_key ? CG_TLS_KEYS_ALONE : CG_TLS_CERTIFICATES_ALONE);
    snprintf(where, sizeof where, "credentials.%s", credentials->name);
    const struct cg_tls_files files = {.where = where,
                                       .certificate = credentials->certificate,
                                       .key = credentials->key,
                                       .ca = credentials->ca,
                                       .key_may_be_shared = may_be_shared};
    int err = context == NULL ? cg_problem_no_memory(problem) : cg_tls_files_read(context, &files, problem);
    if (err == CG_OK && has_key) err = take_psk(context, &credentials->psk, where, may_be_shared, problem);
    if (err == CG_OK) return context;
    SSL_CTX_free(context);
    return NULL;
}

static void free_contexts(struct cg_credentials *credentials) {
    for (size_t i = 0; i < CG_CREDENTIALS_KINDS; i++) SSL_CTX_free(credentials->contexts[i]);
}

int cg_hop_credentials_load(struct cg_config *config, struct cg_problem *problem) {
    static const enum cg_tls_kind kinds[CG_CREDENTIALS_KINDS] = {
        [CG_HOP_BY_TLS] = CG_TLS_OF_STREAMS, [CG_HOP_BY_DTLS] = CG_TLS_OF_DATAGRAMS};
    CG_CHECK(!config->derivation.is_derived && CRYPTO_THREAD_run_once(&once, find_place) == 1);
    if (place < 0) return cg_problem_no_memory(problem);
    config->free_credentials = free_contexts;
    for (size_t i = 0; i < config->credentials_count; i++) {
        struct cg_credentials *credentials = &config->credentials[i];
        for (size_t kind = 0; kind < CG_CREDENTIALS_KINDS; kind++) {
            credentials->contexts[kind] = make(config, credentials, kinds[kind], problem);
            if (credentials->contexts[kind] == NULL) return problem->err;
        }
    }
    return CG_OK;
}

SSL_CTX *cg_hop_credentials_context(const struct cg_credentials *credentials, enum cg_hop_kind kind) {
    SSL_CTX *context = credentials->contexts[kind];
    if (context != NULL) SSL_CTX_up_ref(context);
    return context;
}
