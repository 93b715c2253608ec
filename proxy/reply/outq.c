/* The queue of bytes to one client. The hard thing: who frees what. A block's memory belongs to the queue from put to
 * drop; the queue lives as long as either side holds it. */
#include "reply/outq.h"
#include "base/check.h"

#include <stdlib.h>

struct cg_outq_block {
    struct cg_outq_block *next;
    uint8_t *own;            /* the bytes; NULL: they are ... */
    struct cg_bytes *common; /* ... these */
    size_t len;
    size_t at; /* bytes already dropped */
};

struct cg_outq *cg_outq_new(size_t max, struct cg_quota *quota) {
    struct cg_outq *queue = malloc(sizeof *queue);
    if (queue == NULL) return NULL;
    *queue = (struct cg_outq){.references = 1, .max = max, .quota = quota};
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

/* NULL: no memory. */
static struct cg_outq_block *new_block(void) {
    struct cg_outq_block *block = malloc(sizeof *block);
    if (block != NULL) *block = (struct cg_outq_block){0};
    return block;
}

static void append(struct cg_outq *queue, struct cg_outq_block *block) {
    if (queue->last == NULL) {
        queue->first = block;
    } else {
        queue->last->next = block;
    }
    queue->last = block;
    queue->len += block->len;
    if (queue->on_change != NULL) queue->on_change(queue->on_change_ctx);
}

static void charge(struct cg_outq *queue, size_t len) {
    queue->charged += len;
    if (queue->quota != NULL) queue->quota->used += len;
}

static void discharge(struct cg_outq *queue, size_t len) {
    queue->charged -= len;
    if (queue->quota != NULL) queue->quota->used -= len;
}

int cg_outq_put(struct cg_outq *queue, struct cg_buf *bytes) {
    CG_CHECK(!queue->ended);
    bool may = !bytes->failed && cg_quota_has_room(queue->quota, bytes->len);
    if (may && bytes->len == 0) return CG_OK;
    struct cg_outq_block *block = may ? new_block() : NULL;
    if (block == NULL) {
        cg_buf_fini(bytes);
        return CG_E_NO_MEMORY;
    }
    block->own = cg_buf_detach(bytes, &block->len);
    charge(queue, block->len);
    append(queue, block);
    return CG_OK;
}

int cg_outq_put_common(struct cg_outq *queue, struct cg_bytes *bytes) {
    CG_CHECK(!queue->ended);
    if (bytes->len == 0) return CG_OK;
    struct cg_outq_block *block = new_block();
    if (block == NULL) return CG_E_NO_MEMORY;
    block->common = cg_bytes_ref(bytes);
    block->len = bytes->len;
    append(queue, block);
    return CG_OK;
}

void cg_outq_end(struct cg_outq *queue) {
    queue->ended = true;
    if (queue->on_change != NULL) queue->on_change(queue->on_change_ctx);
}

static struct cg_slice rest_of(const struct cg_outq_block *block) {
    const uint8_t *data = block->own != NULL ? block->own : block->common->data;
    return cg_slice_of(data + block->at, block->len - block->at);
}

void cg_outq_break(struct cg_outq *queue) {
    queue->broken = true;
    cg_outq_end(queue);
}

struct cg_slice cg_outq_peek(const struct cg_outq *queue) {
    return queue->first == NULL ? CG_SLICE_NONE : rest_of(queue->first);
}

size_t cg_outq_peek_all(const struct cg_outq *queue, struct cg_slice *list, size_t max) {
    size_t count = 0;
    for (const struct cg_outq_block *block = queue->first; block != NULL; block = block->next, count++) {
        if (count < max) list[count] = rest_of(block);
    }
    return count;
}

static void drop_first(struct cg_outq *queue) {
    struct cg_outq_block *block = queue->first;
    queue->first = block->next;
    if (queue->first == NULL) queue->last = NULL;
    free(block->own);
    cg_bytes_unref(block->common);
    free(block);
}

void cg_outq_drop(struct cg_outq *queue, size_t len) {
    CG_CHECK(len <= queue->len);
    queue->len -= len;
    queue->taken += len;
    while (len > 0) {
        struct cg_outq_block *block = queue->first;
        size_t here = block->len - block->at < len ? block->len - block->at : len;
        if (block->own != NULL) discharge(queue, here);
        block->at += here;
        len -= here;
        if (block->at == block->len) drop_first(queue);
    }
    if (queue->on_taken != NULL) queue->on_taken(queue->on_taken_ctx);
}
