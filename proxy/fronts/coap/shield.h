/* OSCORE between clients and the gateway (RFC 8613, draft-ietf-core-oscore-capable-proxies): between the peers of all
 * transports and the front. What a client has protected for the gateway is opened, and told to the front as coming from
 * a peer of its own, which is that client; what the front says to such a peer is protected, each response under a
 * number of its own. The front sees nothing of it, nor do the transports. Anything else passes as it is.
 *
 * What is inside may be protected once more: for the gateway by another context, as where a proxy on the way protects
 * what its own client has protected; then the client is whoever is innermost. Layers are taken off up to a limit. Or it
 * is for members, and is then relayed or refused like any other. */
#ifndef CG_FRONTS_COAP_SHIELD_H
#define CG_FRONTS_COAP_SHIELD_H

#include "base/buf.h"
#include "fronts/coap/peer.h"
#include "legs/sender.h"

struct cg_coap_shield;

struct cg_coap_shield_options {
    const struct cg_coap_peer_ops *ops; /* the front's */
    void *ctx;
    const struct cg_config *(*config)(void *of); /* the settings of the moment */
    uint64_t (*now_us)(void *of);                /* monotonic */
    void *of;
    struct cg_senders *senders; /* borrowed */
};

/* The context of cg_coap_shield_ops. NULL: no memory. */
struct cg_coap_shield *cg_coap_shield_new(const struct cg_coap_shield_options *options);
extern const struct cg_coap_peer_ops cg_coap_shield_ops;
/* To be called now and then: the contexts of clients that are gone from the settings go. */
void cg_coap_shield_tidy(struct cg_coap_shield *shield);
void cg_coap_shield_metrics(const struct cg_coap_shield *shield, struct cg_buf *to);
/* When all peers are gone. NULL is fine. */
void cg_coap_shield_free(struct cg_coap_shield *shield);

#endif
