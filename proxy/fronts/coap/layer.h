/* What every peer is, however its messages travel. A message layer makes peers of its own kind that begin with this,
 * and does what the front asks of them: message.c where messages are datagrams (RFC 7252 §4), connection.c where they
 * are a stream's (RFC 8323). The layers' own; the front's side is peer.h. */
#ifndef CG_FRONTS_COAP_LAYER_H
#define CG_FRONTS_COAP_LAYER_H

#include "fronts/coap/transport.h"

/* As the functions of the same names in peer.h. */
struct cg_coap_layer {
    void (*answer)(struct cg_coap_peer *peer, const struct cg_coap_message *response);
    void (*expect)(struct cg_coap_peer *peer);
    void (*ignore)(struct cg_coap_peer *peer);
    int (*send)(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type);
    void (*prove)(struct cg_coap_peer *peer);
    size_t (*room)(const struct cg_coap_peer *peer);
    void (*settle)(struct cg_coap_peer *peer); /* how many hold it has changed: it may be freed */
    /* An exchange runs on that token, or not any more. NULL: it does not matter. */
    void (*begun)(struct cg_coap_peer *peer, struct cg_slice token);
    void (*ended)(struct cg_coap_peer *peer, struct cg_slice token);
};

struct cg_coap_peer {
    const struct cg_coap_layer *layer;
    struct cg_coap_path path;
    void *place; /* the front's */
    unsigned holds;
};

#endif
