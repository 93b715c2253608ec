/* A CoAP client's request in the core's own terms: the forward proxy's forms (Proxy-Uri; Proxy-Scheme, Proxy-Cri,
 * Proxy-Scheme-Number with Uri-*), the reverse proxy's (Uri-Path, Uri-Path-Abbrev, Uri-Host), and what a hop consumes
 * (GCP §3.2, RFC 7252 §5.7, §5.10; RFC 8768; RFC 9175). Bytes in, struct out: no socket, no table. */
#ifndef CG_FRONTS_COAP_FROM_COAP_H
#define CG_FRONTS_COAP_FROM_COAP_H

#include "base/arena.h"
#include "fronts/coap/peer.h"
#include "model/request.h"
#include "wire/block.h"

/* What kind of thing the message is. */
enum cg_coap_meant {
    CG_COAP_REQUEST,   /* to be run as an exchange */
    CG_COAP_STOP,      /* the Early Stop Request's form: GET, Multicast-Timeout 0, no target (GCP §3.1.3) */
    CG_COAP_DISCOVERY, /* GET /.well-known/core of this gateway */
};

/* What the front needs beside the request itself. Slices point into the message or the arena. */
struct cg_coap_extras {
    enum cg_coap_meant meant;
    bool has_block1, has_block2, has_accept, has_observe;
    struct cg_block block1, block2;
    uint32_t accept;             /* Content-Format; where the mapping aggregates, 62 is consumed */
    uint32_t observe;            /* 0: register, 1: cancel (RFC 7641 §2) */
    struct cg_slice request_tag; /* data NULL: none; the first of them */
    struct cg_slice echo;        /* data NULL: none; consumed, never forwarded */
};

struct cg_from_coap {
    const struct cg_config *config;
    const struct cg_coap_message *message;
    struct cg_arena *arena;     /* the request's bytes live there */
    struct cg_request *request; /* peer, from, reached, client, proof, is_remote, may_be_anonymous are the front's */
    struct cg_problem *problem;
    bool is_by_stream; /* by TCP or TLS */
    size_t room;       /* bytes of a message that the client takes */
};

/* Two steps, so that who may not ask at all hears that first (REQ2): `head` reads where the request goes to (path,
 * host, port, forward, method), `rest` everything else. Negative with *problem; the err's CoAP code says how
 * (4.00, 4.02, 4.04, 4.05, 5.05, 5.08). */
int cg_from_coap_head(const struct cg_from_coap *from, struct cg_coap_extras *extras) CG_MUST_CHECK;
int cg_from_coap_rest(const struct cg_from_coap *from, struct cg_coap_extras *extras) CG_MUST_CHECK;

#endif
