/* What a CoAP client gets, as messages: a member's answer (GCP §3.4.1: with Reply-From), an error with its diagnostic
 * (RFC 7252 §5.9). Emitted into the caller's bytes; no socket, no table. */
#ifndef CG_FRONTS_COAP_TO_COAP_H
#define CG_FRONTS_COAP_TO_COAP_H

#include "fronts/coap/peer.h"
#include "model/request.h"
#include "wire/block.h"

#define CG_COAP_OPTIONS_MAX 4096 /* bytes of a response's options, encoded */

/* Header, token with its extended length (RFC 8974 §2.1), options, marker and payload: what a message takes. */
size_t cg_to_coap_size(const struct cg_coap_message *message);

/* The options that a response to the client has, of those of a member's answer: what this hop consumes is taken out,
 * Reply-From is put in, Observe in a notification, Block2, ETag and Size2 where the payload goes in blocks. Returns the
 * length, or CG_E_TOO_BIG. */
struct cg_to_coap {
    const struct cg_option_numbers *numbers;
    struct cg_slice options;       /* the answer's, encoded, well-formed */
    struct cg_slice reply_from;    /* empty: none */
    const uint32_t *observe;       /* a notification's number towards this client (RFC 7641 §4.4); NULL: it is none */
    const struct cg_block *block1; /* the request's, as the response to its last block says it again; NULL: none */
    const struct cg_block *block2; /* NULL: none */
    struct cg_slice etag;          /* instead of the answer's own; empty: that */
    uint32_t size2;                /* 0: not said */
    struct cg_slice group_etag;    /* empty: none */
};
int cg_to_coap_options(const struct cg_to_coap *to, uint8_t *bytes, size_t cap) CG_MUST_CHECK;

/* An error: code by its row in base/err.def, Multicast-Timeout (empty) where it is missing, Max-Age with retry_after,
 * Size1 with at_most (RFC 7252 §5.9.2.9), Reply-From where somebody's answer is meant (empty: none), and the detail as
 * diagnostic payload, as far as there is room. `bytes` holds options and payload; *message borrows them. */
void cg_to_coap_problem(const struct cg_option_numbers *numbers, const struct cg_problem *problem,
                        struct cg_slice reply_from, struct cg_slice token, uint8_t *bytes, size_t cap,
                        struct cg_coap_message *message);

/* Whether the client's No-Response option bars a response with that code (RFC 7967 §2.1): of its bits the second is for
 * 2.xx, and so on. What asks for the next block (2.31) is no outcome yet. */
bool cg_coap_is_barred(uint32_t no_response, uint8_t code);

/* As log lines have it: 401 for 4.01. */
static inline unsigned cg_coap_status(uint8_t code) { return 100u * (code >> 5) + (code & 31u); }

#endif
