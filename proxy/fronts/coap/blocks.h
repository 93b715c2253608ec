/* What Block options and `Accept: 62` make of a request before it becomes an exchange: it may be one block of several
 * that come, or ask for one of a body that is here; nothing is asked of anybody then. */
#ifndef CG_FRONTS_COAP_BLOCKS_H
#define CG_FRONTS_COAP_BLOCKS_H

#include "fronts/coap/bodies.h"
#include "fronts/coap/from_coap.h"
#include "fronts/coap/to_coap.h"
#include "fronts/coap/uploads.h"
#include "reply/view.h"

struct cg_coap_blocks {
    struct cg_coap_uploads uploads;
    struct cg_coap_bodies bodies;
};

/* They have no more than a part of the quota. */
void cg_coap_blocks_init(struct cg_coap_blocks *blocks, struct cg_quota *quota);
void cg_coap_blocks_fini(struct cg_coap_blocks *blocks);
/* Drops what is over its time, some of it. */
void cg_coap_blocks_expire(struct cg_coap_blocks *blocks, uint64_t now_us);

struct cg_coap_block_answer {
    struct cg_coap_message message;
    uint8_t options[CG_COAP_OPTIONS_MAX]; /* of the message */
    bool aggregates;                      /* the request is for one response with all answers: aggregate.h */
};

/* A converted request, with its client. CG_OK: it is to become an exchange; its payload is whole, and what is consumed
 * here is taken from its options. CG_PENDING: `answer` has what the client gets. Negative, with from->problem: who may
 * not send it hears that with the first block. */
int cg_coap_blocks_take(struct cg_coap_blocks *blocks, const struct cg_from_coap *from,
                        const struct cg_coap_extras *extras, uint64_t now_us,
                        struct cg_coap_block_answer *answer) CG_MUST_CHECK;

/* A group's member has sent `request`'s client an answer that went by its first block: keeps it for who asks that
 * member for the rest. `options` and `etag` are those of each block. */
void cg_coap_blocks_keep(struct cg_coap_blocks *blocks, const struct cg_view *view, const struct cg_answer *answer,
                         struct cg_slice options, struct cg_slice etag);

#endif
