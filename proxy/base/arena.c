/* Chained blocks that double from 1 KiB to 64 KiB: a small exchange stays small, a large one allocates rarely. The
 * first is of a size that the C library has at hand without looking for it. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum { FIRST_BLOCK = 1024, LARGEST_BLOCK = 65536 };

struct cg_arena_block {
    struct cg_arena_block *next;
    size_t size; /* of the whole block, header included */
    size_t at;   /* next free byte */
};

void cg_arena_init(struct cg_arena *arena, size_t max, struct cg_quota *quota) {
    *arena = (struct cg_arena){.max = max, .quota = quota};
}

void cg_arena_fini(struct cg_arena *arena) {
    while (arena->blocks != NULL) {
        struct cg_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    if (arena->quota != NULL) arena->quota->used -= arena->used;
    arena->used = 0;
}

static bool fits_itself(const struct cg_arena *arena, size_t size) { return size <= arena->max - arena->used; }

static bool may_take(const struct cg_arena *arena, size_t size) {
    const struct cg_quota *quota = arena->quota;
    return fits_itself(arena, size) &&
           (quota == NULL || (quota->used < quota->max && size <= quota->max - quota->used));
}

bool cg_arena_charge(struct cg_arena *arena, size_t size) {
    if (!may_take(arena, size)) {
        arena->quota_refused = fits_itself(arena, size);
        return false;
    }
    arena->used += size;
    if (arena->quota != NULL) arena->quota->used += size;
    return true;
}

void cg_arena_discharge(struct cg_arena *arena, size_t size) {
    arena->used -= size;
    if (arena->quota != NULL) arena->quota->used -= size;
}

static struct cg_arena_block *add_block(struct cg_arena *arena, size_t payload) {
    size_t size = FIRST_BLOCK;
    if (arena->blocks != NULL) size = arena->blocks->size * 2 < LARGEST_BLOCK ? arena->blocks->size * 2 : LARGEST_BLOCK;
    size_t header = (sizeof(struct cg_arena_block) + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (size < header + payload || !may_take(arena, size)) size = header + payload;
    if (!cg_arena_charge(arena, size)) return NULL;
    struct cg_arena_block *block = malloc(size);
    if (block == NULL) {
        cg_arena_discharge(arena, size);
        return NULL;
    }
    *block = (struct cg_arena_block){.next = arena->blocks, .size = size, .at = header};
    arena->blocks = block;
    return block;
}

void *cg_arena_alloc(struct cg_arena *arena, size_t size) {
    if (size > arena->max) {
        arena->quota_refused = false;
        return NULL;
    }
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct cg_arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->at < size) {
        block = add_block(arena, size);
        if (block == NULL) return NULL;
    }
    void *at = (uint8_t *)block + block->at;
    block->at += size;
    return at;
}

void *cg_arena_zalloc(struct cg_arena *arena, size_t size) {
    void *at = cg_arena_alloc(arena, size);
    return at == NULL ? NULL : memset(at, 0, size);
}

struct cg_slice cg_arena_copy(struct cg_arena *arena, struct cg_slice slice) {
    if (slice.len == 0) return CG_SLICE_NONE;
    void *at = cg_arena_alloc(arena, slice.len);
    if (at == NULL) return CG_SLICE_NONE;
    return cg_slice_of(memcpy(at, slice.data, slice.len), slice.len);
}
