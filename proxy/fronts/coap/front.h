/* The CoAP side of the gateway (draft-ietf-core-groupcomm-proxy): the listeners (server.h), and the desk where what
 * they bring is taken (desk.h), under one lifetime. */
#ifndef CG_FRONTS_COAP_FRONT_H
#define CG_FRONTS_COAP_FRONT_H

#include <uv.h>

#include "base/buf.h"
#include "exchange/gateway.h"
#include "legs/sender.h"
#include "reply/encoders.h"

struct cg_front_coap;

/* Listens as the gateway's current settings say (coap.listen, coap.tls); later settings change everything but the
 * listeners. `gateway`, the encoders and the senders (of responses by OSCORE) outlive the front. NULL: *problem says
 * why. */
struct cg_front_coap *cg_front_coap_open(uv_loop_t *uv, struct cg_gateway *gateway,
                                         const struct cg_encoder_list *encoders, struct cg_senders *senders,
                                         struct cg_problem *problem);

/* Takes up the gateway's settings of the moment, and reads certificates again; where a file is no good, *problem says
 * so, and what was in use stays. */
int cg_front_coap_reload(struct cg_front_coap *front, struct cg_problem *problem) CG_MUST_CHECK;

/* Clients' exchanges that have not ended. */
size_t cg_front_coap_running(const struct cg_front_coap *front);

/* Forgets all clients, abandons their exchanges, and frees the front; then on_closed (may be NULL). NULL is fine,
 * on_closed is then not called. */
void cg_front_coap_close(struct cg_front_coap *front, void (*on_closed)(void *ctx), void *ctx);

/* By its place in coap.listen; NULL: it is not listened there. */
const struct cg_listen *cg_front_coap_listen(const struct cg_front_coap *front, size_t index);

/* Prometheus text. */
void cg_front_coap_metrics(const struct cg_front_coap *front, struct cg_buf *to);

#endif
