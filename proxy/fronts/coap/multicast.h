/* All CoAP Nodes (RFC 7252 §12.8; R36): where the settings name interfaces (coap.all_nodes), whoever asks there for
 * /.well-known/core hears what there is, after a leisure (RFC 7252 §8.2). Nothing else that comes to a group is
 * answered, and nobody joins these groups but this. */
#ifndef CG_FRONTS_COAP_MULTICAST_H
#define CG_FRONTS_COAP_MULTICAST_H

#include <uv.h>

#include "exchange/gateway.h"
#include "fronts/coap/server.h"

struct cg_coap_multicast;

/* Where its settings name interfaces; one that is not there is looked for again. `gateway` and `server`
 * outlive it. NULL: *problem
 * says why. */
struct cg_coap_multicast *cg_coap_multicast_open(uv_loop_t *uv, struct cg_gateway *gateway,
                                                 struct cg_coap_server *server, struct cg_problem *problem);
/* Then on_closed (may be NULL). NULL is fine, on_closed is then not called. */
void cg_coap_multicast_close(struct cg_coap_multicast *multicast, void (*on_closed)(void *ctx), void *ctx);
/* Prometheus text. */
void cg_coap_multicast_metrics(const struct cg_coap_multicast *multicast, struct cg_buf *to);

#endif
