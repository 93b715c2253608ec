/* Clients by what they have shown. The hard thing is that a key may be replaced under the same identity: a session
 * stays its client's only as long as the key is the one that it began with, and of that only a digest is kept. */
#include "fronts/coap/tls_client.h"

#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

/* ---- Pre-shared keys ---- */

/* Keyed, so that what is kept does not let weak keys be guessed. False: it cannot be made. */
static bool digest_key(struct cg_slice key, uint8_t digest[32]) {
    static uint8_t secret[32];
    static bool has_secret;
    if (!has_secret) has_secret = RAND_bytes(secret, sizeof secret) == 1;
    return has_secret && HMAC(EVP_sha256(), secret, sizeof secret, key.data, key.len, digest, NULL) != NULL;
}

static const struct cg_client *client_by_psk(const struct cg_config *config, const char *identity) {
    return cg_config_client_by_psk(config, cg_slice_str(identity));
}

unsigned cg_tls_client_on_psk(struct cg_tls_client *client, const struct cg_config *config, const char *identity,
                              uint8_t *key, unsigned cap) {
    const struct cg_client *known = client_by_psk(config, identity);
    free(client->psk_identity);
    client->psk_identity = strdup(identity);
    if (client->psk_identity == NULL) return 0;
    if (known == NULL || known->psk.key.len > cap || !digest_key(known->psk.key, client->digest)) {
        const unsigned len = CG_PSK_MIN;
        return RAND_bytes(key, (int)len) == 1 ? len : 0;
    }
    memcpy(key, known->psk.key.data, known->psk.key.len);
    return (unsigned)known->psk.key.len;
}

static int identify_by_psk(const struct cg_tls_client *client, const struct cg_config *config,
                           struct cg_request *request, struct cg_problem *problem) {
    const struct cg_client *known = client_by_psk(config, client->psk_identity);
    uint8_t digest[32];
    if (known == NULL || !digest_key(known->psk.key, digest) ||
        CRYPTO_memcmp(digest, client->digest, sizeof digest) != 0) {
        return cg_problem_set(problem, CG_E_UNAUTHORIZED, "the pre-shared key of this session is no client's any more");
    }
    request->client = known;
    request->proof = CG_PROOF_PSK;
    return CG_OK;
}

/* ---- Certificates ---- */

void cg_tls_client_on_chain(struct cg_tls_client *client, X509_STORE_CTX *chain) {
    int verified = X509_verify_cert(chain);
    client->why = verified == 1 ? X509_V_OK : X509_STORE_CTX_get_error(chain);
    if (verified != 1 && client->why == X509_V_OK) client->why = X509_V_ERR_UNSPECIFIED;
}

static int64_t seconds_of(const ASN1_TIME *at) {
    struct tm tm;
    return ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* When the first of the chain expires. */
static int64_t chain_until(const SSL *ssl) {
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    int64_t until = chain == NULL ? 0 : INT64_MAX;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t its = seconds_of(X509_get0_notAfter(sk_X509_value(chain, i)));
        if (its < until) until = its;
    }
    return until;
}

static bool take_certificate(struct cg_tls_client *client, const SSL *ssl, const X509 *certificate) {
    client->showed = client->why == X509_V_OK ? CG_TLS_CERTIFICATE : CG_TLS_BAD_CERTIFICATE;
    client->certificate_until = chain_until(ssl);
    return X509_digest(certificate, EVP_sha256(), client->digest, NULL) == 1;
}

static int not_vouched_for(int why, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_UNAUTHORIZED, "the client certificate proves nothing here: %s",
                          X509_verify_cert_error_string(why));
}

static int unknown_certificate(const uint8_t digest[32], struct cg_problem *problem) {
    char hex[65];
    for (size_t i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return cg_problem_set(problem, CG_E_UNAUTHORIZED, "no client of the settings has \"certificate_sha256\": \"%s\"",
                          hex);
}

static int identify_by_certificate(const struct cg_tls_client *client, const struct cg_config *config,
                                   struct cg_request *request, struct cg_problem *problem) {
    if (client->certificate_until <= time(NULL)) return not_vouched_for(X509_V_ERR_CERT_HAS_EXPIRED, problem);
    const struct cg_client *known = cg_config_client_by_certificate(config, client->digest, &request->pass);
    if (known == NULL) return unknown_certificate(client->digest, problem);
    request->client = known;
    request->proof = CG_PROOF_CERTIFICATE;
    return CG_OK;
}

/* ---- Both ---- */

/* Nothing is ever resumed, so in TLS 1.3, whose suites do not say it, what looks like that is a pre-shared key. */
static bool has_shown_key(const SSL *ssl) {
    return SSL_CIPHER_get_auth_nid(SSL_get_current_cipher(ssl)) == NID_auth_psk ||
           (SSL_version(ssl) == TLS1_3_VERSION && SSL_session_reused(ssl));
}

bool cg_tls_client_take(struct cg_tls_client *client, const SSL *ssl) {
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (has_shown_key(ssl)) {
        client->showed = CG_TLS_PSK;
        return client->psk_identity != NULL;
    }
    return certificate == NULL || take_certificate(client, ssl, certificate);
}

void cg_tls_client_fini(struct cg_tls_client *client) {
    free(client->psk_identity);
    OPENSSL_cleanse(client, sizeof *client);
}

int cg_tls_client_identify(const struct cg_tls_client *client, const struct cg_config *config,
                           struct cg_request *request, struct cg_problem *problem) {
    switch (client->showed) {
    case CG_TLS_PSK: return identify_by_psk(client, config, request, problem);
    case CG_TLS_CERTIFICATE: return identify_by_certificate(client, config, request, problem);
    case CG_TLS_BAD_CERTIFICATE: return not_vouched_for(client->why, problem);
    case CG_TLS_NOTHING: break;
    }
    return CG_OK;
}
