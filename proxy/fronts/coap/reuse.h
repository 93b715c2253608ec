/* A message on a token on which something runs already: what it is about. The first rule that fits applies, as
 * docs/coap.md tells users; whatever fits none of the others is a new request too early (RFC 10020 §3.5.2). */
#ifndef CG_FRONTS_COAP_REUSE_H
#define CG_FRONTS_COAP_REUSE_H

#include "fronts/coap/peer.h"

/* What of a request tells whether another one is the same. */
#define CG_REQUEST_MARK 16 /* bytes of a hash */
struct cg_request_mark {
    uint8_t head[CG_REQUEST_MARK];       /* of method and options, but for those of single messages */
    uint8_t payload[CG_REQUEST_MARK];    /* of the payload */
    uint8_t protection[CG_REQUEST_MARK]; /* of the OSCORE option, where it has one */
    bool has_observe, has_block1, is_protected;
    uint32_t observe;      /* 0: register, 1: cancel (RFC 7641 §2) */
    uint32_t block_number; /* of Block1 */
};
void cg_request_mark(struct cg_request_mark *mark, const struct cg_coap_message *request);

enum cg_reuse {
    CG_REUSE_STOPS,     /* the Early Stop Request (GCP §5.1.3) */
    CG_REUSE_RENEWS,    /* the same request, Observe 0: what runs goes on, and is told all anew where it observes */
    CG_REUSE_CANCELS,   /* the same request, Observe 1: it ends */
    CG_REUSE_CONTINUES, /* a block of the body that it came with: nothing new */
    CG_REUSE_COLLIDES,  /* anything else: what runs ends, and nothing is forwarded */
};
enum cg_reuse cg_reuse_of(const struct cg_request_mark *running, const struct cg_request_mark *now, bool is_stop);

#endif
