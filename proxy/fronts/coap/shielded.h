/* A peer as its OSCORE context shows it: the front's side is any peer's (peer.h), and what it says goes out protected
 * by the peer that brought the request, which may be such a one itself. The shield's own. */
#ifndef CG_FRONTS_COAP_SHIELDED_H
#define CG_FRONTS_COAP_SHIELDED_H

#include "fronts/coap/layer.h"
#include "fronts/coap/oscore_clients.h"
#include "fronts/coap/shield.h"
#include "fronts/coap/token.h"

/* A request that was opened, until the front has heard of it. */
struct cg_coap_opened {
    struct cg_coap_request request;
    struct cg_oscore_binding binding;
    uint64_t number; /* for the first response */
    bool is_late;    /* the peer that brought it is not telling of it any more */
};

/* What the responses on a token are bound to: the latest request on it (RFC 8613 §4.1.3.5.1). */
struct cg_coap_strand {
    struct cg_coap_token token;
    struct cg_oscore_binding binding;
    uint64_t number; /* for the next response, where has_number */
    bool has_number;
    unsigned runs; /* exchanges on it, and requests of further layers that wait */
    UT_hash_handle hh;
};

struct cg_coap_shielded {
    struct cg_coap_peer peer;
    const struct cg_coap_shield_options *shield; /* borrowed */
    struct cg_coap_transport transport;          /* the peer's: it knows who the client is */
    struct cg_coap_peer *outer;                  /* a transport's, or one with a layer less */
    unsigned layers;                             /* that are taken off, this one among them */
    struct cg_oscore_client *client;             /* a reference */
    struct cg_coap_strand *strands;
    struct cg_coap_strand *current; /* the front is hearing of a request on it */
    bool is_late;                   /* that is told of later than it came */
    enum cg_type type;              /* of that request */
    bool holds_outer;
    unsigned waiting;              /* requests that wait for a number */
    struct cg_coap_shielded *next; /* of the same outer peer */
};

/* NULL: no memory. */
struct cg_coap_shielded *cg_coap_shielded_new(const struct cg_coap_shield_options *shield, struct cg_coap_peer *outer,
                                              struct cg_oscore_client *client);
/* The front has heard that it is gone, and nothing waits. */
void cg_coap_shielded_free(struct cg_coap_shielded *shielded);
/* The front hears of the request; what it answers is protected. CG_E_NO_MEMORY: it has heard nothing. */
int cg_coap_shielded_tell(struct cg_coap_shielded *shielded, const struct cg_coap_peer_ops *ops, void *ctx,
                          const struct cg_coap_opened *opened) CG_MUST_CHECK;
/* A response that is not the front's, instead of telling it. */
void cg_coap_shielded_answer(struct cg_coap_shielded *shielded, const struct cg_coap_opened *opened,
                             const struct cg_coap_message *response);
/* How many layers of OSCORE are taken off what comes by that peer; a transport's: 0. */
unsigned cg_coap_shielded_layers(const struct cg_coap_peer *peer);
bool cg_coap_shielded_has(const struct cg_coap_shielded *shielded, struct cg_slice token);

#endif
