/* TLS of an HTTP server: certificate, key and client CA as they were when their files were read, and what a client's
 * certificate proves. GnuTLS, because libmicrohttpd speaks TLS through it. */
#ifndef CG_FRONTS_HTTP_TLS_H
#define CG_FRONTS_HTTP_TLS_H

#include <gnutls/abstract.h>

#include "fronts/http/server.h"

/* What came from the files at one time; connections that began with it keep it. Counted references. */
struct cg_http_tls;

/* TLS 1.2 and 1.3, forward secrecy, authenticated encryption. */
extern const char cg_http_tls_priorities[];

/* Reads the files, the key's only when it is for its owner alone, unless `key_may_be_shared`. *tls: one reference.
 * CG_E_INTERNAL, CG_E_NO_MEMORY: *problem names the file and the reason. */
int cg_http_tls_load(struct cg_http_tls **tls, const struct cg_tls_settings *settings, bool key_may_be_shared,
                     struct cg_problem *problem) CG_MUST_CHECK;
void cg_http_tls_unref(struct cg_http_tls *tls); /* NULL is fine */

/* For a session whose handshake has not begun: it takes a reference, which goes with cg_http_tls_unref when the session
 * has ended. A client certificate is asked for when there is a client CA. NULL when that fails. */
struct cg_http_tls *cg_http_tls_attach(struct cg_http_tls *tls, gnutls_session_t session) CG_MUST_CHECK;

/* What a libmicrohttpd daemon is given instead of a certificate: sessions that got none by cg_http_tls_attach fail. */
int cg_http_tls_on_certificate_wanted(gnutls_session_t session, const gnutls_datum_t *issuers, int issuer_count,
                                      const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                                      gnutls_pcert_st **certificates, unsigned int *certificate_count,
                                      gnutls_privkey_t *key);

/* The client's certificate, after the handshake: CG_OK with the SHA-256 of its DER form when a client CA vouches for it
 * now and as a client's; *until is when it expires (seconds since 1970). CG_E_NOT_FOUND: the client sent none.
 * CG_E_UNAUTHORIZED with *problem: one that proves nothing. */
int cg_http_tls_client(gnutls_session_t session, uint8_t sha256[CG_HTTP_CERTIFICATE_SHA256], int64_t *until,
                       struct cg_problem *problem) CG_MUST_CHECK;

#endif
