/* TLS between bytes and bytes, either side of it: no socket and no clock. What is agreed on, and who the other end is,
 * says the SSL that the caller has made. */
#ifndef CG_IO_TLS_H
#define CG_IO_TLS_H

#include <openssl/ssl.h>

#include "base/buf.h"

/* Must not move. */
struct cg_tls {
    SSL *ssl;           /* owned */
    struct cg_slice in; /* borrowed: what has come; OpenSSL takes from its front what it uses */
    struct cg_buf out;  /* records that are to be sent: whoever sends them empties it */
};

/* `ssl` is set to accept or to connect, and is owned from here on, whatever comes of it. False: no memory. */
bool cg_tls_init(struct cg_tls *tls, SSL *ssl) CG_MUST_CHECK;
void cg_tls_fini(struct cg_tls *tls);

/* CG_OK: the handshake is done; CG_PENDING: the other end's turn; CG_E_VERIFY: it has failed, and `out` may have the
 * alert (cg_tls_reason says why). */
int cg_tls_handshake(struct cg_tls *tls) CG_MUST_CHECK;
/* The next of what `in` holds, into `to`: its length; 0: there is no more; CG_E_STOPPING: the other end said goodbye;
 * CG_E_VERIFY: what came is nothing that it can have sent, and the connection cannot go on. */
int cg_tls_read(struct cg_tls *tls, uint8_t *to, size_t cap) CG_MUST_CHECK;
/* Records of all of it into `out`. CG_E_NO_MEMORY, CG_E_EMIT. */
int cg_tls_write(struct cg_tls *tls, struct cg_slice bytes) CG_MUST_CHECK;
/* The word that nothing more comes, into `out`. */
void cg_tls_say_goodbye(struct cg_tls *tls);
/* Of the failure that was just met; OpenSSL's words, nothing that the other end sent. */
const char *cg_tls_reason(const struct cg_tls *tls);

#endif
