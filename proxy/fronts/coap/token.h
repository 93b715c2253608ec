/* A client's token, kept: 0 to 64 bytes (RFC 8974). Two are equal where all their bytes are: what is behind `len` is
 * zero, so that a whole struct serves as a key. */
#ifndef CG_FRONTS_COAP_TOKEN_H
#define CG_FRONTS_COAP_TOKEN_H

#include "fronts/coap/peer.h"

struct cg_coap_token {
    uint8_t len;
    uint8_t bytes[CG_COAP_TOKEN_MAX];
};

/* False: it is longer than that. */
bool cg_coap_token_set(struct cg_coap_token *token, struct cg_slice bytes);
static inline struct cg_slice cg_coap_token_slice(const struct cg_coap_token *token) {
    return cg_slice_of(token->bytes, token->len);
}

#endif
