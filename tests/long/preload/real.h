/* What stands behind an interposed allocator: the next one in the order of libraries, be it libc's or a sanitizer's.
 * The hard thing: finding it may allocate. That memory comes from a small room of its own and is never given back. */
#ifndef CG_TEST_PRELOAD_REAL_H
#define CG_TEST_PRELOAD_REAL_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct real {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
    int (*posix_memalign)(void **block, size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
};

static struct real real;

static _Alignas(16) uint8_t early[65536];
static size_t early_used;

static void *early_alloc(size_t size) {
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded > sizeof early - early_used) __builtin_trap();
    void *at = early + early_used;
    early_used += rounded;
    return at;
}

static bool is_early(const void *block) {
    return (const uint8_t *)block >= early && (const uint8_t *)block < early + sizeof early;
}

/* POSIX has objects for what dlsym returns; a function's address is copied out of it. */
static void find(const char *name, void *function, size_t len) {
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, len);
}

/* False: it is being found, by this very thread. */
static bool real_is_there(void) {
    static bool finding;
    if (real.malloc != NULL && !finding) return true;
    if (finding) return false;
    finding = true;
    find("free", &real.free, sizeof real.free);
    find("calloc", &real.calloc, sizeof real.calloc);
    find("realloc", &real.realloc, sizeof real.realloc);
    find("posix_memalign", &real.posix_memalign, sizeof real.posix_memalign);
    find("aligned_alloc", &real.aligned_alloc, sizeof real.aligned_alloc);
    find("malloc", &real.malloc, sizeof real.malloc);
    finding = false;
    return true;
}

static void *real_realloc(void *block, size_t size) {
    if (!is_early(block)) return real.realloc(block, size);
    void *moved = real.malloc(size);
    size_t rest = (size_t)(early + sizeof early - (uint8_t *)block);
    if (moved != NULL) memcpy(moved, block, size < rest ? size : rest);
    return moved;
}

#endif
