/* What two ends may agree on in TLS and DTLS: versions, cipher suites and curves (RFC 7252 §9.1.3, RFC 7925, RFC 8323
 * §9). Nothing is resumed or negotiated again. */
#ifndef CG_IO_TLS_TERMS_H
#define CG_IO_TLS_TERMS_H

#include <openssl/ssl.h>

#include <stdbool.h>

enum cg_tls_kind {
    CG_TLS_OF_DATAGRAMS, /* DTLS 1.2 */
    CG_TLS_OF_STREAMS,   /* TLS 1.2 and 1.3; who connects offers ALPN `coap`, who accepts takes it, or none */
};

enum cg_tls_end {
    CG_TLS_ACCEPTS,
    CG_TLS_CONNECTS, /* whoever answers has to be vouched for, unless a pre-shared key shows who it is */
};

enum cg_tls_suites {
    CG_TLS_KEYS_FIRST, /* pre-shared ones */
    CG_TLS_SECRECY_FIRST,
    CG_TLS_KEYS_ALONE,
    CG_TLS_CERTIFICATES_ALONE,
};

/* Certificates, the key, and how pre-shared keys are found, are the caller's to add. NULL: no memory. */
SSL_CTX *cg_tls_terms_new(enum cg_tls_kind kind, enum cg_tls_end end, enum cg_tls_suites suites);

/* For who connects: that host is meant (SNI), and the certificate has to be its. A name, or an address as text. False:
 * no memory. */
bool cg_tls_expect(SSL *ssl, const char *host);

#endif
