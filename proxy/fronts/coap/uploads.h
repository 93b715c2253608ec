/* Requests whose payload comes in blocks (Block1, RFC 7959 §2.5): put together block by block, in order, one body for
 * each client, request and Request-Tag (RFC 9175 §3); how long and how much, kept.h says. Nothing goes to a group
 * before the last block is here. */
#ifndef CG_FRONTS_COAP_UPLOADS_H
#define CG_FRONTS_COAP_UPLOADS_H

#include "base/buf.h"
#include "fronts/coap/kept.h"
#include "wire/block.h"

struct cg_coap_uploads {
    struct cg_keep keep;
    struct cg_buf whole; /* the latest */
};

/* So many bytes in all, charged to the quota. */
void cg_coap_uploads_init(struct cg_coap_uploads *uploads, size_t max, struct cg_quota *quota);
void cg_coap_uploads_fini(struct cg_coap_uploads *uploads);

/* A request with Block1. */
struct cg_coap_upload {
    const struct cg_request *request; /* who sends it: client, peer, from, reached, scheme; whom access let in */
    const struct cg_coap_message *message;
    struct cg_block block1;
    size_t max; /* bytes that the whole may have */
};

/* CG_OK: *whole is the request's payload, valid until the next call. CG_PENDING: others are to come (2.31). Negative,
 * with *problem: CG_E_INCOMPLETE (4.08: blocks before it are not here, or no more), CG_E_TOO_BIG (4.13),
 * CG_E_BAD_REQUEST (4.00), CG_E_NO_MEMORY (5.03). */
int cg_coap_uploads_take(struct cg_coap_uploads *uploads, const struct cg_coap_upload *upload, uint64_t now_us,
                         struct cg_slice *whole, struct cg_problem *problem) CG_MUST_CHECK;

#endif
