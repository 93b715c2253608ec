/* The sink for one response with all answers, as multipart-core, when collecting has ended: 2.05, whoever has answered
 * and whatever. What does not fit a message goes by its first block, and the rest is kept (bodies.h). */
#ifndef CG_FRONTS_COAP_AGGREGATE_H
#define CG_FRONTS_COAP_AGGREGATE_H

#include "fronts/coap/bodies.h"
#include "fronts/coap/separate.h"
#include "legs/port.h"
#include "reply/encoders.h"

struct cg_aggregate_to {
    const struct castgate_encoder *encoder; /* of multipart-core */
    const struct cg_separate_ops *ops;      /* `keep` is not called */
    void *ctx;
    struct cg_slice token;         /* copied; CG_COAP_TOKEN_MAX bytes at the most */
    enum cg_type type;             /* of the response: as the request's */
    const struct cg_block *block1; /* the request's, copied; NULL: it has none */
    const struct cg_block *block2;
    size_t room;                   /* bytes of a message to the client: cg_coap_peer_room */
    struct cg_coap_bodies *bodies; /* NULL: nothing is kept */
    struct cg_quota *quota;
    const struct cg_port *port;
};

/* The encoder of that media type among those; NULL: there is none. */
const struct castgate_encoder *cg_aggregate_encoder(const struct cg_encoder_list *encoders);

/* Frees itself at its end. NULL: out of memory. */
struct cg_sink *cg_aggregate_new(const struct cg_aggregate_to *to);

#endif
