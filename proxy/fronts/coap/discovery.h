/* GET /.well-known/core (RFC 7252 §7.2, RFC 6690 §4; R20): the list of links (model/links.h) as a response. */
#ifndef CG_FRONTS_COAP_DISCOVERY_H
#define CG_FRONTS_COAP_DISCOVERY_H

#include "fronts/coap/serve.h"

/* 2.05 with all of the list, or with the block that is asked for; none at all is told, too. Of `to` it takes numbers,
 * block2 and token. `bytes` has the message's options, CG_COAP_OPTIONS_MAX of them at the most, and its payload is of
 * `links`. CG_E_BAD_REQUEST with *problem: there is no such block. */
int cg_coap_discovery_response(struct cg_slice links, const struct cg_coap_serve *to, uint8_t *bytes,
                               struct cg_coap_message *message, struct cg_problem *problem) CG_MUST_CHECK;

#endif
