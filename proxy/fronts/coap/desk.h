/* The desk where clients' messages are taken: requests to exchanges, and what comes of them back. It knows peers
 * (peer.h) and the gateway, no socket and no clock, so all of it runs in tests. What a request means is from_coap.h's,
 * who may send it model/access.h's, how answers look separate.h's. */
#ifndef CG_FRONTS_COAP_DESK_H
#define CG_FRONTS_COAP_DESK_H

#include "exchange/gateway.h"
#include "fronts/coap/gate.h"
#include "fronts/coap/peer.h"
#include "fronts/coap/reuse.h"
#include "io/listing.h"
#include "reply/encoders.h"

struct cg_coap_desk;

struct cg_coap_desk_counts {
    uint64_t reused[CG_REUSE_COLLIDES + 1]; /* messages on a token in use, by what they were about */
    uint64_t stopped_nothing;               /* Early Stop Requests on tokens on which nothing ran */
    uint64_t lost;                          /* exchanges that ended by a Reset, or without an acknowledgement */
    uint64_t gone;                          /* exchanges that ended with their peer */
    uint64_t sent, unsent;                  /* separate responses */
};

struct cg_coap_clock {
    uint64_t (*now_us)(void *ctx); /* monotonic */
    void *ctx;
};

/* The context of cg_coap_desk_ops. The gateway outlives it, and so do the encoders, among which is multipart-core's.
 * NULL: no memory. */
struct cg_coap_desk *cg_coap_desk_new(struct cg_gateway *gateway, struct cg_coap_clock clock,
                                      const struct cg_encoder_list *encoders);
extern const struct cg_coap_peer_ops cg_coap_desk_ops;
/* Who makes lists of links that are longer than a turn of the loop; outlives the calls of all peers. Without, they are
 * made at once. */
void cg_coap_desk_set_listings(struct cg_coap_desk *desk, struct cg_listings *listings);
/* Exchanges that have not ended. */
size_t cg_coap_desk_running(const struct cg_coap_desk *desk);
const struct cg_coap_desk_counts *cg_coap_desk_counts(const struct cg_coap_desk *desk);
const struct cg_coap_gate *cg_coap_desk_gate(const struct cg_coap_desk *desk); /* for its figures */
/* Drops what is kept for clients over its time, some of it: to be called now and then. */
void cg_coap_desk_tidy(struct cg_coap_desk *desk);
/* When all peers are gone. What still runs ends without a word, and the desk with the last of it. NULL is fine. */
void cg_coap_desk_free(struct cg_coap_desk *desk);

#endif
