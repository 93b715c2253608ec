/* CoAP over DTLS (RFC 7252 §9.1): a transport with sessions (transport.h), on one socket for each listener. All share
 * their certificate, and the limits of what clients may have at once. */
#ifndef CG_FRONTS_COAP_DTLS_TRANSPORT_H
#define CG_FRONTS_COAP_DTLS_TRANSPORT_H

#include "fronts/coap/dtls.h"
#include "fronts/coap/message.h"
#include "fronts/coap/socket.h"

struct cg_coap_dtls;

/* Reads the files of coap.tls. `inbox` and `messages` outlive it; it takes a reference to the settings. NULL: *problem
 * says why. */
struct cg_coap_dtls *cg_coap_dtls_open(uv_loop_t *uv, struct cg_coap_inbox *inbox, struct cg_config *config,
                                       struct cg_coap_messages *messages, struct cg_problem *problem);
/* `listen` is borrowed; its port may be replaced. */
int cg_coap_dtls_listen(struct cg_coap_dtls *dtls, struct cg_listen *listen, struct cg_problem *problem) CG_MUST_CHECK;
/* Takes up the settings, and reads the files again; where these are no good, those in use stay. */
int cg_coap_dtls_reload(struct cg_coap_dtls *dtls, struct cg_config *config, struct cg_problem *problem) CG_MUST_CHECK;
/* Says goodbye to every session and ends its peer; nothing is received any more. Then on_closed (may be NULL). */
void cg_coap_dtls_close(struct cg_coap_dtls *dtls, void (*on_closed)(void *ctx), void *ctx);
const struct cg_dtls_figures *cg_coap_dtls_figures(const struct cg_coap_dtls *dtls);

#endif
