/* Certificates, keys and what is agreed on. Two things are hard. A file is renewed while sessions use what the old one
 * held: so each reading makes a context of its own, which OpenSSL keeps for them. And TLS_PSK_WITH_AES_128_CCM_8, which
 * CoAP has to have (RFC 7252 §9.1.3.1), is below every security level of newer OpenSSL because of its short tag: so the
 * suites are judged by the list here alone, everything else by its strength. */
#include "fronts/coap/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "settings/secret.h"

#define FORWARD_SECRET_PSK "ECDHE-PSK-CHACHA20-POLY1305"
#define FORWARD_SECRET_CERTIFICATE                                                                                     \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-CCM:"       \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"                           \
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES256-CCM8"
#define PLAIN_PSK                                                                                                      \
    "PSK-AES128-GCM-SHA256:PSK-AES128-CCM:PSK-AES256-GCM-SHA384:PSK-AES256-CCM:PSK-CHACHA20-POLY1305:"                 \
    "PSK-AES128-CCM8:PSK-AES256-CCM8"

enum {
    STRENGTH_MIN = 112,      /* bits, of whatever is no cipher suite: OpenSSL's level 2 */
    CHAIN_BYTES_MAX = 16384, /* of what a client may show */
    CHAIN_DEPTH_MAX = 8,
};

static int fail(struct cg_problem *problem, const char *file, const char *why) {
    return cg_problem_set(problem, CG_E_INTERNAL, "coap.tls: %s: %s", file, why);
}

static int fail_with_openssl(struct cg_problem *problem, const char *file) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return fail(problem, file, reason == NULL ? "it cannot be used" : reason);
}

/* ---- Files ---- */

static int read_file(struct cg_secret_text *text, const char *file, bool may_be_shared, struct cg_problem *problem) {
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_secret_read(text, file, may_be_shared, &mistakes);
    if (err < 0 && mistakes.first != NULL) {
        err = fail(problem, file, mistakes.first->message);
    } else if (err < 0) {
        err = cg_problem_set(problem, err, "coap.tls: %s: no memory to read it", file);
    }
    cg_mistakes_fini(&mistakes);
    return err;
}

/* OpenSSL would ask at the terminal. */
static int no_password(char *to, int cap, int writing, void *ctx) {
    (void)to, (void)cap, (void)writing, (void)ctx;
    return -1;
}

/* What is done with each certificate of a file: `index` from 0. False: OpenSSL's queue says why. */
typedef bool take_certificate_fn(SSL_CTX *context, X509 *certificate, size_t index);

static int take_certificates(SSL_CTX *context, struct cg_slice pem, const char *file, take_certificate_fn *take,
                             struct cg_problem *problem) {
    BIO *from = BIO_new_mem_buf(pem.data, (int)pem.len); /* files have a size limit */
    size_t count = 0;
    if (from == NULL) return cg_problem_no_memory(problem);
    for (bool ok = true; ok; count++) {
        X509 *certificate = PEM_read_bio_X509(from, NULL, no_password, NULL);
        if (certificate == NULL) break;
        ok = take(context, certificate, count);
        X509_free(certificate);
        if (ok) continue;
        BIO_free(from);
        return fail_with_openssl(problem, file);
    }
    bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(from);
    if (!ended) return fail_with_openssl(problem, file);
    return count == 0 ? fail(problem, file, "it has no certificate") : CG_OK;
}

static int read_certificates(SSL_CTX *context, const char *file, take_certificate_fn *take,
                             struct cg_problem *problem) {
    struct cg_secret_text text;
    int err = read_file(&text, file, true, problem);
    if (err < 0) return err;
    ERR_clear_error();
    err = take_certificates(context, cg_secret_slice(&text), file, take, problem);
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

static int use_key(SSL_CTX *context, struct cg_slice pem, const struct cg_tls_settings *settings,
                   struct cg_problem *problem) {
    BIO *from = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = from == NULL ? NULL : PEM_read_bio_PrivateKey(from, NULL, no_password, NULL);
    int err = CG_OK;
    if (key == NULL) {
        err = fail_with_openssl(problem, settings->key);
    } else if (X509_check_private_key(SSL_CTX_get0_certificate(context), key) != 1) {
        err = cg_problem_set(problem, CG_E_INTERNAL, "coap.tls: %s: this is not the key of the certificate in %s",
                             settings->key, settings->certificate);
    } else if (SSL_CTX_use_PrivateKey(context, key) != 1) {
        err = fail_with_openssl(problem, settings->key);
    }
    EVP_PKEY_free(key);
    BIO_free(from);
    return err;
}

static int read_key(SSL_CTX *context, const struct cg_tls_settings *settings, bool may_be_shared,
                    struct cg_problem *problem) {
    struct cg_secret_text text;
    int err = read_file(&text, settings->key, may_be_shared, problem);
    if (err < 0) return err;
    ERR_clear_error();
    err = use_key(context, cg_secret_slice(&text), settings, problem);
    cg_secret_free(&text);
    return err;
}

static int read_files(SSL_CTX *context, const struct cg_tls_settings *settings, bool key_may_be_shared,
                      struct cg_problem *problem) {
    if (settings->certificate == NULL) return CG_OK;
    int err = read_certificates(context, settings->certificate, take_own, problem);
    if (err == CG_OK) err = read_key(context, settings, key_may_be_shared, problem);
    if (err == CG_OK && settings->client_ca != NULL) {
        err = read_certificates(context, settings->client_ca, take_ca, problem);
    }
    return err;
}

/* ---- What is agreed on ---- */

static int judge_strength(const SSL *ssl, const SSL_CTX *context, int what, int bits, int nid, void *other, void *ctx) {
    (void)ssl, (void)context, (void)nid, (void)other, (void)ctx;
    switch (what) {
    case SSL_SECOP_CIPHER_SUPPORTED:
    case SSL_SECOP_CIPHER_SHARED:
    case SSL_SECOP_CIPHER_CHECK:
    case SSL_SECOP_VERSION: return 1; /* by suites() and the version bounds */
    case SSL_SECOP_TICKET:
    case SSL_SECOP_COMPRESSION: return 0;
    default: return bits >= STRENGTH_MIN;
    }
}

/* Who offers a pre-shared key has one to show. Where certificates of clients are not asked for, a suite with ours would
 * leave it nobody. */
static const char *suites(const struct cg_tls_settings *settings) {
    return settings->client_ca == NULL ? FORWARD_SECRET_PSK ":" PLAIN_PSK ":" FORWARD_SECRET_CERTIFICATE
                                       : FORWARD_SECRET_PSK ":" FORWARD_SECRET_CERTIFICATE ":" PLAIN_PSK;
}

/* RFC 8323 §8.1: one that says nothing means CoAP by the port; one that wants something else is at the wrong door. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *len, const unsigned char *offered,
                           unsigned int offered_len, void *ctx) {
    static const unsigned char coap[] = {4, 'c', 'o', 'a', 'p'};
    unsigned char *found;
    (void)ssl, (void)ctx;
    if (SSL_select_next_proto(&found, len, coap, sizeof coap, offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

/* Pre-shared keys go with SHA-256 alone there. Nothing is resumed. */
static bool agree_on_streams(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
                                             "TLS_AES_128_CCM_SHA256:TLS_AES_256_GCM_SHA384") == 1 &&
           SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1;
}

static bool agree_on_datagrams(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1;
}

static bool agree(SSL_CTX *context, enum cg_tls_kind kind, const struct cg_tls_settings *settings) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context, CHAIN_BYTES_MAX);
    SSL_CTX_set_verify_depth(context, CHAIN_DEPTH_MAX);
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_security_callback(context, judge_strength);
    return (kind == CG_TLS_OF_STREAMS ? agree_on_streams : agree_on_datagrams)(context) &&
           SSL_CTX_set_cipher_list(context, suites(settings)) == 1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 &&
           SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256:ed25519:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256") == 1;
}

SSL_CTX *cg_tls_context_new(enum cg_tls_kind kind, const struct cg_tls_settings *settings, bool key_may_be_shared,
                            struct cg_problem *problem) {
    SSL_CTX *context = SSL_CTX_new(kind == CG_TLS_OF_STREAMS ? TLS_server_method() : DTLS_server_method());
    int err = context != NULL && agree(context, kind, settings) ? CG_OK : cg_problem_no_memory(problem);
    if (err == CG_OK) err = read_files(context, settings, key_may_be_shared, problem);
    ERR_clear_error();
    if (err == CG_OK) return context;
    SSL_CTX_free(context);
    return NULL;
}
