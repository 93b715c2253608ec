/* Acknowledgements that wait a little for the response, to carry it (RFC 7252 §5.2.1): a datagram instead of three. One
 * a client at most. All wait equally long, so that a line is all that their order needs. The message layer's own. */
#ifndef CG_FRONTS_COAP_SOON_H
#define CG_FRONTS_COAP_SOON_H

#include "fronts/coap/token.h"

#define CG_COAP_SOON_US 50000 /* well below ACK_TIMEOUT, so that no client sends its request again meanwhile */

/* Zero-initialise before first use. */
struct cg_coap_soon {
    uint64_t until_us; /* 0: none waits */
    uint16_t mid;      /* of the request */
    struct cg_coap_token token;
    struct cg_coap_soon *prev, *next; /* utlist: those that wait, longest first */
};

/* When its time is over. None waits there yet. */
uint64_t cg_coap_soon_put(struct cg_coap_soon **line, struct cg_coap_soon *soon, uint16_t mid, struct cg_slice token,
                          uint64_t now_us);
/* False: none waited. Its Message ID stays readable. */
bool cg_coap_soon_take(struct cg_coap_soon **line, struct cg_coap_soon *soon);
/* Whether it waits for a response with this token. */
bool cg_coap_soon_is(const struct cg_coap_soon *soon, struct cg_slice token);

#endif
