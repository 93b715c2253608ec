/* What makes two messages of a client belong together: the same endpoint asks for the same. For blocks of one body in
 * either direction (RFC 7959 §2.4, §2.5; RFC 9175 §3), whatever their tokens. */
#ifndef CG_FRONTS_COAP_KEY_H
#define CG_FRONTS_COAP_KEY_H

#include "fronts/coap/peer.h"
#include "model/request.h"

struct cg_coap_key {
    uint8_t digest[32];
};

/* For what is fetched in blocks: the client and its endpoint, and the Cache-Key (RFC 7252 §5.6) of a converted request:
 * method, target, options but ETag and Observe. Its payload is another key, of all zeros where there is none: follow-up
 * requests may leave it out. False: no memory. */
bool cg_coap_key_of_request(struct cg_coap_key *key, const struct cg_request *request) CG_MUST_CHECK;
void cg_coap_key_of_payload(struct cg_coap_key *key, struct cg_slice payload);
/* For what is sent in blocks: the client and its endpoint as the request tells them, code and options of the message
 * but those that may differ from block to block. So Request-Tag tells uploads apart. False: no memory. */
bool cg_coap_key_of_upload(struct cg_coap_key *key, const struct cg_request *request,
                           const struct cg_coap_message *message) CG_MUST_CHECK;

static inline bool cg_coap_key_equal(const struct cg_coap_key *a, const struct cg_coap_key *b) {
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

#endif
