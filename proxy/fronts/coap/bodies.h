/* Bodies of which clients have got the first block, kept so that the others come from the same body (RFC 7959 §2.4) and
 * nobody is asked again for them; how long and how much, kept.h says. */
#ifndef CG_FRONTS_COAP_BODIES_H
#define CG_FRONTS_COAP_BODIES_H

#include "fronts/coap/kept.h"
#include "reply/bytes.h"

#define CG_COAP_ETAG_MAX 8 /* bytes */

/* A response but for what says which block of it a message carries: Block2, Size2 and ETag. */
struct cg_coap_body {
    uint8_t code;
    struct cg_slice options; /* encoded; copied, those three may be among them */
    struct cg_bytes *bytes;  /* the payload; a reference is taken */
    struct cg_slice etag;    /* 1 to 8 bytes; copied */
};

struct cg_coap_bodies {
    struct cg_keep keep;
};

/* So many bytes in all. What is kept beside the payloads, which are charged already, is charged to the quota. */
void cg_coap_bodies_init(struct cg_coap_bodies *bodies, size_t max, struct cg_quota *quota);
void cg_coap_bodies_fini(struct cg_coap_bodies *bodies);

/* An entity-tag for bytes that have none: the same for the same bytes. */
void cg_coap_body_make_etag(uint8_t etag[CG_COAP_ETAG_MAX], struct cg_slice payload);

/* Keeps it for whoever asks as `request` does, instead of what was kept for that before. CG_E_NO_MEMORY: no memory, or
 * it is more than a client's share. */
int cg_coap_bodies_keep(struct cg_coap_bodies *bodies, const struct cg_request *request,
                        const struct cg_coap_body *body, uint64_t now_us) CG_MUST_CHECK;
/* What the request asks for a further block of; valid until the next call. NULL: gone, or never here. */
const struct cg_coap_body *cg_coap_bodies_find(const struct cg_coap_bodies *bodies, const struct cg_request *request,
                                               uint64_t now_us);

#endif
