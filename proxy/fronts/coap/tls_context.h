/* How DTLS and TLS are spoken towards clients: versions, cipher suites and curves (RFC 7252 §9.1.3, RFC 7925, RFC 8323
 * §9), and the certificate, key and client CA as they were when their files were read. */
#ifndef CG_FRONTS_COAP_TLS_CONTEXT_H
#define CG_FRONTS_COAP_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "model/request.h"

enum cg_tls_kind {
    CG_TLS_OF_DATAGRAMS, /* DTLS 1.2 */
    CG_TLS_OF_STREAMS,   /* TLS 1.2 and 1.3, with ALPN where it is offered */
};

/* Reads the files, the key's only when it is for its owner alone, unless `key_may_be_shared`; without a certificate,
 * pre-shared keys are all that is taken. Cookies, pre-shared keys and what becomes of certificates are left to the
 * caller. NULL with *problem, which names the file and the reason. Sessions that began with one keep it. */
SSL_CTX *cg_tls_context_new(enum cg_tls_kind kind, const struct cg_tls_settings *settings, bool key_may_be_shared,
                            struct cg_problem *problem);

#endif
