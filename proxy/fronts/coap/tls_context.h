/* How DTLS and TLS are spoken towards clients, with the certificate, key and client CA as they were when their files
 * were read. */
#ifndef CG_FRONTS_COAP_TLS_CONTEXT_H
#define CG_FRONTS_COAP_TLS_CONTEXT_H

#include "io/tls_terms.h"
#include "model/request.h"

/* Reads the files, the key's only when it is for its owner alone, unless `key_may_be_shared`; without a certificate,
 * pre-shared keys are all that is taken. Cookies, pre-shared keys and what becomes of certificates are left to the
 * caller. NULL with *problem, which names the file and the reason. Sessions that began with one keep it. */
SSL_CTX *cg_tls_context_new(enum cg_tls_kind kind, const struct cg_tls_settings *settings, bool key_may_be_shared,
                            struct cg_problem *problem);

#endif
