/* Bytes on their way to one client: a reference-counted queue of blocks between an exchange, which writes, and a front,
 * which reads. It outlives the exchange, and is charged to the shared quota until the front has taken the bytes. */
#ifndef CG_CORE_OUTQ_H
#define CG_CORE_OUTQ_H

#include "base/arena.h"
#include "base/buf.h"

struct cg_outq_block;

struct cg_outq {
    unsigned references;
    struct cg_outq_block *first, *last;
    size_t len; /* bytes queued */
    size_t max; /* bytes; beyond, puts fail */
    struct cg_quota *quota;
    bool ended; /* nothing more will come */
    /* Called after bytes or the end arrived; set by the reader, may be NULL. It must only schedule work. */
    void (*on_change)(void *ctx);
    void *on_change_ctx;
};

struct cg_outq *cg_outq_new(size_t max, struct cg_quota *quota); /* one reference; NULL: out of memory */
struct cg_outq *cg_outq_ref(struct cg_outq *queue);
void cg_outq_unref(struct cg_outq *queue);

/* Takes over the buffer's memory. CG_E_NO_MEMORY when the queue's or the quota's limit is reached; the buffer then is emptied. */
int cg_outq_put(struct cg_outq *queue, struct cg_buf *bytes) CG_MUST_CHECK;
void cg_outq_end(struct cg_outq *queue);

/* The first block's unread bytes (empty when there are none), and dropping the first `len` of them. */
struct cg_slice cg_outq_peek(const struct cg_outq *queue);
void cg_outq_drop(struct cg_outq *queue, size_t len);

#endif
