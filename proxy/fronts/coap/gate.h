/* Who is let in: clients whose address is known to be real. All others get a challenge (echo.h) and nothing else, and
 * nothing is kept of them (RFC 9175 §2.4, RFC 10020 §6.3.1). */
#ifndef CG_FRONTS_COAP_GATE_H
#define CG_FRONTS_COAP_GATE_H

#include "fronts/coap/echo.h"
#include "fronts/coap/peer.h"

struct cg_coap_gate {
    struct cg_coap_echo echo;
    uint64_t challenged;
    uint64_t unchallenged; /* even the shortest challenge would have been too long */
};

/* The peer is proven, or proves itself by this message. */
bool cg_coap_gate_lets_in(struct cg_coap_gate *gate, struct cg_coap_peer *peer, const struct cg_coap_message *message,
                          uint64_t now_us);
/* The answer to a request of one that is not: 4.01 with an Echo, no more than three times what came; or none. */
void cg_coap_gate_challenge(struct cg_coap_gate *gate, struct cg_coap_peer *peer, const struct cg_coap_request *request,
                            uint64_t now_us);

#endif
