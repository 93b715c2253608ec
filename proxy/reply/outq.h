/* Bytes on their way to one client: a reference-counted queue of blocks between a sink, which writes, and a front,
 * which reads. It outlives the sink, and is charged to the shared quota until the front has taken the bytes. */
#ifndef CG_REPLY_OUTQ_H
#define CG_REPLY_OUTQ_H

#include "base/arena.h"
#include "base/buf.h"
#include "reply/bytes.h"

struct cg_outq_block;

struct cg_outq {
    unsigned references;
    struct cg_outq_block *first, *last;
    size_t len;     /* bytes queued */
    size_t charged; /* of them, those that are charged to this queue: not the ones in common */
    size_t max;     /* bytes; a writer that can wait does so while as many are queued: cg_outq_has_room */
    uint64_t taken; /* bytes that the reader has dropped so far */
    struct cg_quota *quota;
    bool ended;  /* nothing more will come */
    bool broken; /* although something should have: the client is to see that its reply is cut off */
    /* Called after bytes or the end arrived; set by the reader, may be NULL. It must only schedule work. */
    void (*on_change)(void *ctx);
    void *on_change_ctx;
    /* Called after the reader dropped something; set by the writer, who takes it back before its unref. May be NULL. It
     * must only schedule work. */
    void (*on_taken)(void *ctx);
    void *on_taken_ctx;
};

struct cg_outq *cg_outq_new(size_t max, struct cg_quota *quota); /* one reference; NULL: out of memory */
struct cg_outq *cg_outq_ref(struct cg_outq *queue);
void cg_outq_unref(struct cg_outq *queue);

/* So a queue holds less than max and one put more: what is larger than max alone still finds its way, once the queue is
 * empty. */
static inline bool cg_outq_has_room(const struct cg_outq *queue) { return queue->len < queue->max; }

/* Takes over the buffer's memory. CG_E_NO_MEMORY when the quota's limit is reached; the buffer then is emptied. */
int cg_outq_put(struct cg_outq *queue, struct cg_buf *bytes) CG_MUST_CHECK;
/* Takes a reference. CG_E_NO_MEMORY. */
int cg_outq_put_common(struct cg_outq *queue, struct cg_bytes *bytes) CG_MUST_CHECK;
void cg_outq_end(struct cg_outq *queue);

/* Ends it before its time. */
void cg_outq_break(struct cg_outq *queue);

/* The first block's unread bytes (empty when there are none), and dropping the first `len` of them. */
struct cg_slice cg_outq_peek(const struct cg_outq *queue);
/* The unread bytes of all blocks, at most `max` of them; returns how many there are. */
size_t cg_outq_peek_all(const struct cg_outq *queue, struct cg_slice *list, size_t max);
void cg_outq_drop(struct cg_outq *queue, size_t len);

#endif
