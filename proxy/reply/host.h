/* Bytes of a reply, made by an encoder. */
#ifndef CG_REPLY_HOST_H
#define CG_REPLY_HOST_H

#include "base/buf.h"
#include "reply/bytes.h"
#include "reply/reply.h"
#include "reply/view.h"

struct cg_body {
    struct cg_buf bytes;            /* what the encoder writes is appended */
    struct cg_bytes *common;        /* a reference to what follows them; NULL: nothing does */
    const struct cg_fields *fields; /* borrowed; NULL: none (struct cg_reply) */
    char content_type[CG_CONTENT_TYPE_MAX];
};

enum cg_stream_event { CG_STREAM_BEGIN, CG_STREAM_IDLE, CG_STREAM_END };

/* CG_E_NO_MEMORY, or CG_E_INTERNAL where the encoder gave up. */
int cg_encode_head(const struct cg_reply_to *to, const struct cg_view *view, struct cg_body *body) CG_MUST_CHECK;
int cg_encode_answers(const struct cg_reply_to *to, const struct cg_view *view, struct cg_body *body) CG_MUST_CHECK;
int cg_encode_event(const struct cg_reply_to *to, const struct cg_view *view, enum cg_stream_event event,
                    struct cg_body *body) CG_MUST_CHECK;
int cg_encode_answer(const struct cg_reply_to *to, const struct cg_view *view, const struct cg_answer *held,
                     struct cg_body *body) CG_MUST_CHECK;

#endif
