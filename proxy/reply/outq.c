/* The queue of bytes to one client. The hard thing: who frees what. A block's memory belongs to the queue from put to
 * drop; the queue lives as long as either side holds it. */
#include "reply/outq.h"
#include "base/check.h"

#include <stdlib.h>

struct cg_outq_block {
    struct cg_outq_block *next;
    uint8_t *data;
    size_t len;
    size_t at; /* bytes already dropped */
};

struct cg_outq *cg_outq_new(size_t max, struct cg_quota *quota) {
    struct cg_outq *queue = calloc(1, sizeof *queue);
    if (queue == NULL) return NULL;
    queue->references = 1;
    queue->max = max;
    queue->quota = quota;
    return queue;
}

struct cg_outq *cg_outq_ref(struct cg_outq *queue) {
    queue->references++;
    return queue;
}

void cg_outq_unref(struct cg_outq *queue) {
    if (queue == NULL || --queue->references > 0) return;
    cg_outq_drop(queue, queue->len);
    free(queue);
}

static bool may_take(const struct cg_quota *quota, size_t len) {
    return quota == NULL || (quota->used <= quota->max && len <= quota->max - quota->used);
}

int cg_outq_put(struct cg_outq *queue, struct cg_buf *bytes) {
    CG_CHECK(!queue->ended);
    if (bytes->failed || !may_take(queue->quota, bytes->len)) goto fail;
    if (bytes->len == 0) return CG_OK;
    struct cg_outq_block *block = malloc(sizeof *block);
    if (block == NULL) goto fail;
    *block = (struct cg_outq_block){0};
    block->data = cg_buf_detach(bytes, &block->len);
    if (queue->last == NULL) {
        queue->first = block;
    } else {
        queue->last->next = block;
    }
    queue->last = block;
    queue->len += block->len;
    if (queue->quota != NULL) queue->quota->used += block->len;
    if (queue->on_change != NULL) queue->on_change(queue->on_change_ctx);
    return CG_OK;
fail:
    cg_buf_fini(bytes);
    return CG_E_NO_MEMORY;
}

void cg_outq_end(struct cg_outq *queue) {
    queue->ended = true;
    if (queue->on_change != NULL) queue->on_change(queue->on_change_ctx);
}

struct cg_slice cg_outq_peek(const struct cg_outq *queue) {
    const struct cg_outq_block *block = queue->first;
    if (block == NULL) return CG_SLICE_NONE;
    return cg_slice_of(block->data + block->at, block->len - block->at);
}

void cg_outq_drop(struct cg_outq *queue, size_t len) {
    CG_CHECK(len <= queue->len);
    queue->len -= len;
    queue->taken += len;
    if (queue->quota != NULL) queue->quota->used -= len;
    while (len > 0) {
        struct cg_outq_block *block = queue->first;
        size_t here = block->len - block->at < len ? block->len - block->at : len;
        block->at += here;
        len -= here;
        if (block->at < block->len) break;
        queue->first = block->next;
        if (queue->first == NULL) queue->last = NULL;
        free(block->data);
        free(block);
    }
    if (queue->on_taken != NULL) queue->on_taken(queue->on_taken_ctx);
}
