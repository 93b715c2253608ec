/* The message layer of CoAP over datagrams (RFC 7252 §4), the same for UDP and DTLS: what comes is parsed, told apart
 * from duplicates, acknowledged or rejected; what goes is numbered and, where it is Confirmable, sent again. Requests
 * go to the front (peer.h), whichever transport brought them (transport.h). It has no socket and no clock: those are
 * its host's. */
#ifndef CG_FRONTS_COAP_MESSAGE_H
#define CG_FRONTS_COAP_MESSAGE_H

#include "fronts/coap/transport.h"

/* Whoever drives it. */
struct cg_coap_host {
    uint64_t (*now_us)(void *ctx); /* monotonic */
    void (*random)(void *ctx, void *bytes, size_t len);
    /* Something is due then, earlier than what was said before: cg_coap_messages_turn is to be called. */
    void (*arm)(void *ctx, uint64_t at_us);
};

/* What came of datagrams, as in the metrics. */
struct cg_coap_counters {
    uint64_t received;        /* datagrams */
    uint64_t requests;        /* handed to the front */
    uint64_t duplicates;      /* of requests that came before */
    uint64_t malformed;       /* no message, or none that a client may send */
    uint64_t rejected;        /* by a Reset of ours: malformed, pings, responses to nothing */
    uint64_t refused;         /* requests: no memory, too many remotes, too long a token */
    uint64_t sent;            /* datagrams, retransmissions included */
    uint64_t dropped;         /* that did not go */
    uint64_t retransmissions; /* of Confirmable messages */
    uint64_t resets;          /* that came */
    uint64_t unacknowledged;  /* Confirmable messages that were given up */
};

struct cg_coap_messages_options {
    const struct cg_coap_peer_ops *ops; /* the front's */
    void *ctx;
    const struct cg_coap_host *host;
    void *host_ctx;
    size_t memory;  /* bytes for what is remembered of requests; 0: 64 MiB */
    size_t remotes; /* at once, those of sessions left out; 0: 100 000 */
};

struct cg_coap_messages *cg_coap_messages_new(const struct cg_coap_messages_options *options); /* NULL: no memory */
/* Does what is due. */
void cg_coap_messages_turn(struct cg_coap_messages *messages);
const struct cg_coap_counters *cg_coap_messages_counters(const struct cg_coap_messages *messages);
uint64_t cg_coap_messages_forgotten(const struct cg_coap_messages *messages); /* requests, before their time */
size_t cg_coap_messages_remotes(const struct cg_coap_messages *messages);     /* remembered ones, without sessions */
/* Sessions have ended. Every other peer is `gone`. NULL is fine. */
void cg_coap_messages_free(struct cg_coap_messages *messages);

#endif
