/* CoAP listeners, behind one table of operations: each opened by its scheme, all with one message layer and one clock.
 * Clients' (coap.listen) are one such server, and where groups' members send their own requests (alerts.listen) is
 * another. */
#ifndef CG_FRONTS_COAP_SERVER_H
#define CG_FRONTS_COAP_SERVER_H

#include <uv.h>

#include "fronts/coap/peer.h"
#include "fronts/coap/udp.h"
#include "model/request.h"

struct cg_coap_server;

struct cg_coap_server_options {
    const struct cg_coap_listen *listen; /* of the settings */
    size_t listen_count;
    const struct cg_coap_peer_ops *ops; /* the front's */
    void *ctx;
    size_t memory; /* as of cg_coap_messages_options */
};

/* What nobody wrote and cannot be had is only warned of. NULL: *problem says why. */
struct cg_coap_server *cg_coap_server_open(uv_loop_t *uv, struct cg_config *config,
                                           const struct cg_coap_server_options *options, struct cg_problem *problem);
/* Takes up settings that have changed, and reads certificates again; the listeners stay. Where a file is no good, what
 * was in use stays. */
int cg_coap_server_reload(struct cg_coap_server *server, struct cg_config *config,
                          struct cg_problem *problem) CG_MUST_CHECK;
/* Every peer is `gone`, then on_closed (may be NULL). NULL is fine, on_closed is then not called. */
void cg_coap_server_close(struct cg_coap_server *server, void (*on_closed)(void *ctx), void *ctx);

/* In the order of the settings; NULL: this one could not be had. */
const struct cg_listen *cg_coap_server_listen(const struct cg_coap_server *server, size_t index);
/* The one on all addresses of that family at CoAP's port, where nobody else can listen then; NULL: there is none. */
struct cg_coap_udp *cg_coap_server_everywhere(const struct cg_coap_server *server, enum cg_family family);
/* Prometheus text. */
void cg_coap_server_metrics(const struct cg_coap_server *server, struct cg_buf *to);

#endif
