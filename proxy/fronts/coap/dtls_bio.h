/* What OpenSSL reads and writes datagrams by: one datagram that was put there, and a function that takes what is
 * written. No socket. */
#ifndef CG_FRONTS_COAP_DTLS_BIO_H
#define CG_FRONTS_COAP_DTLS_BIO_H

#include <openssl/bio.h>

#include "base/slice.h"

struct cg_dtls_bio {
    struct cg_slice datagram; /* borrowed, until it was read; data NULL: nothing is there */
    void (*emit)(void *ctx, struct cg_slice datagram);
    void *ctx;
};

/* How a BIO does it: one for the process. NULL: no memory. */
BIO_METHOD *cg_dtls_bio_method(void);
/* `bio` outlives it. NULL: no memory. */
BIO *cg_dtls_bio_new(struct cg_dtls_bio *bio);

#endif
