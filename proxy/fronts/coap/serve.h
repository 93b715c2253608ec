/* A response's body as messages: all of it where it fits, else the block that is asked for (RFC 7959 §2.4), of the
 * largest size that goes, or several at once (BERT, RFC 8323 §6). */
#ifndef CG_FRONTS_COAP_SERVE_H
#define CG_FRONTS_COAP_SERVE_H

#include "fronts/coap/to_coap.h"

struct cg_coap_serve {
    const struct cg_option_numbers *numbers;
    uint8_t code;
    struct cg_slice options; /* encoded; Block2, Size2 and, for blocks, ETag take the place of those among them */
    struct cg_slice payload, etag;
    struct cg_slice group_etag;    /* empty: none */
    struct cg_slice reply_from;    /* empty: none */
    const struct cg_block *block2; /* the request's; NULL: it has none */
    const struct cg_block *block1; /* the request's, said again (RFC 7959 §2.3); NULL: it has none */
    struct cg_slice token;         /* borrowed by the message */
    size_t room;                   /* bytes of a message: cg_coap_peer_room */
};

/* `bytes` gets the message's options, CG_COAP_OPTIONS_MAX of them at the most; its payload is the body's. Returns 1
 * where the message is a block and others follow, CG_OK where none does, CG_E_BAD_REQUEST: there is no such block;
 * CG_E_TOO_BIG: the options alone fill a message. */
int cg_coap_serve(const struct cg_coap_serve *serve, uint8_t *bytes, struct cg_coap_message *message) CG_MUST_CHECK;

#endif
