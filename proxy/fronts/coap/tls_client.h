/* Who is at the other end of a session of DTLS or TLS: what it has shown in the handshake, and which client of the
 * settings that is, asked again for each request, since settings change under sessions. */
#ifndef CG_FRONTS_COAP_TLS_CLIENT_H
#define CG_FRONTS_COAP_TLS_CLIENT_H

#include <openssl/ssl.h>

#include "model/request.h"

enum cg_tls_showed {
    CG_TLS_NOTHING,
    CG_TLS_PSK,
    CG_TLS_CERTIFICATE,
    CG_TLS_BAD_CERTIFICATE, /* one that no client CA vouches for as a client's */
};

struct cg_tls_client {
    enum cg_tls_showed showed;
    char *psk_identity; /* owned: the one that was asked for a key last */
    uint8_t digest[32]; /* of the key (under a secret of this process), or SHA-256 of the certificate's DER form */
    int64_t certificate_until; /* seconds since 1970 */
    int why;                   /* X509_V_ERR_…: what is wrong with the certificate */
};

/* What the session's PSK callback returns: the key for the identity, or, for one that is nobody's, one that nobody can
 * know, so that both fail alike (RFC 4279 §2). 0: none could be made. */
unsigned cg_tls_client_on_psk(struct cg_tls_client *client, const struct cg_config *config, const char *identity,
                              uint8_t *key, unsigned cap);
/* Whether the chain proves something: the handshake goes on either way. */
void cg_tls_client_on_chain(struct cg_tls_client *client, X509_STORE_CTX *chain);

/* When the handshake is over. False: no memory. */
bool cg_tls_client_take(struct cg_tls_client *client, const SSL *ssl);
void cg_tls_client_fini(struct cg_tls_client *client);

/* As cg_coap_peer_identify (peer.h). */
int cg_tls_client_identify(const struct cg_tls_client *client, const struct cg_config *config,
                           struct cg_request *request, struct cg_problem *problem) CG_MUST_CHECK;

#endif
