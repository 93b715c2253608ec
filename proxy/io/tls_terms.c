/* The terms. One thing is hard: TLS_PSK_WITH_AES_128_CCM_8, which CoAP has to have (RFC 7252 §9.1.3.1), is below every
 * security level of newer OpenSSL because of its short tag: so the suites are judged by the list here alone, everything
 * else by its strength. */
#include "io/tls_terms.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define FORWARD_SECRET_KEYS "ECDHE-PSK-CHACHA20-POLY1305"
#define CERTIFICATES                                                                                                   \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-CCM:"       \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"                           \
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES256-CCM8"
#define PLAIN_KEYS                                                                                                     \
    "PSK-AES128-GCM-SHA256:PSK-AES128-CCM:PSK-AES256-GCM-SHA384:PSK-AES256-CCM:PSK-CHACHA20-POLY1305:"                 \
    "PSK-AES128-CCM8:PSK-AES256-CCM8"

enum {
    STRENGTH_MIN = 112,      /* bits, of whatever is no cipher suite: OpenSSL's level 2 */
    CHAIN_BYTES_MAX = 16384, /* of what the other end may show */
    CHAIN_DEPTH_MAX = 8,
};

/* ---- Suites ---- */

static int judge_strength(const SSL *ssl, const SSL_CTX *context, int what, int bits, int nid, void *other, void *ctx) {
    (void)ssl, (void)context, (void)nid, (void)other, (void)ctx;
    switch (what) {
    case SSL_SECOP_CIPHER_SUPPORTED:
    case SSL_SECOP_CIPHER_SHARED:
    case SSL_SECOP_CIPHER_CHECK:
    case SSL_SECOP_VERSION: return 1; /* by the suites and the version bounds */
    case SSL_SECOP_TICKET:
    case SSL_SECOP_COMPRESSION: return 0;
    default: return bits >= STRENGTH_MIN;
    }
}

static const char *const suites[] = {
    [CG_TLS_KEYS_FIRST] = FORWARD_SECRET_KEYS ":" PLAIN_KEYS ":" CERTIFICATES,
    [CG_TLS_SECRECY_FIRST] = FORWARD_SECRET_KEYS ":" CERTIFICATES ":" PLAIN_KEYS,
    [CG_TLS_KEYS_ALONE] = FORWARD_SECRET_KEYS ":" PLAIN_KEYS,
    [CG_TLS_CERTIFICATES_ALONE] = CERTIFICATES,
};

/* ---- ALPN, RFC 8323 §8.1 ---- */

static const unsigned char coap[] = {4, 'c', 'o', 'a', 'p'};

/* One that says nothing means CoAP by the port; one that wants something else is at the wrong door. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *len, const unsigned char *offered,
                           unsigned int offered_len, void *ctx) {
    unsigned char *found;
    (void)ssl, (void)ctx;
    if (SSL_select_next_proto(&found, len, coap, sizeof coap, offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- All of it ---- */

/* Pre-shared keys go with SHA-256 alone in TLS 1.3. */
static bool agree_on_streams(SSL_CTX *context, enum cg_tls_end end) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return (end == CG_TLS_ACCEPTS || SSL_CTX_set_alpn_protos(context, coap, sizeof coap) == 0) &&
           SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
                                             "TLS_AES_128_CCM_SHA256:TLS_AES_256_GCM_SHA384") == 1 &&
           SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1;
}

static bool agree_on_datagrams(SSL_CTX *context, enum cg_tls_end end) {
    (void)end;
    return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1;
}

/* Nothing is resumed; but to OpenSSL a pre-shared key is a session of before, and whoever asks for certificates has to
 * say what that was for. */
static bool name_sessions(SSL_CTX *context) {
    static const unsigned char name[] = "castgate";
    return SSL_CTX_set_session_id_context(context, name, sizeof name - 1) == 1;
}

static bool agree(SSL_CTX *context, enum cg_tls_kind kind, enum cg_tls_end end, enum cg_tls_suites which) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context, CHAIN_BYTES_MAX);
    SSL_CTX_set_verify_depth(context, CHAIN_DEPTH_MAX);
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_security_callback(context, judge_strength);
    if (end == CG_TLS_CONNECTS) SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return (kind == CG_TLS_OF_STREAMS ? agree_on_streams : agree_on_datagrams)(context, end) &&
           (end == CG_TLS_CONNECTS || name_sessions(context)) && SSL_CTX_set_cipher_list(context, suites[which]) == 1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 &&
           SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256:ed25519:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256") == 1;
}

static const SSL_METHOD *method(enum cg_tls_kind kind, enum cg_tls_end end) {
    if (kind == CG_TLS_OF_STREAMS) return end == CG_TLS_ACCEPTS ? TLS_server_method() : TLS_client_method();
    return end == CG_TLS_ACCEPTS ? DTLS_server_method() : DTLS_client_method();
}

SSL_CTX *cg_tls_terms_new(enum cg_tls_kind kind, enum cg_tls_end end, enum cg_tls_suites suites_wanted) {
    SSL_CTX *context = SSL_CTX_new(method(kind, end));
    bool agreed = context != NULL && agree(context, kind, end, suites_wanted);
    ERR_clear_error();
    if (agreed) return context;
    SSL_CTX_free(context);
    return NULL;
}

bool cg_tls_expect(SSL *ssl, const char *host) {
    X509_VERIFY_PARAM *asked = SSL_get0_param(ssl);
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(asked, host) == 1;
    ERR_clear_error();
    if (is_address) return true; /* which SNI has no room for (RFC 6066 §3) */
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}
