/* A borrowed view of bytes: never owns, never freed, valid as long as what it points into. */
#ifndef CG_BASE_SLICE_H
#define CG_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cg_slice {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;
};

#define CG_SLICE_NONE ((struct cg_slice){.data = NULL, .len = 0})

static inline struct cg_slice cg_slice_of(const void *data, size_t len) {
    const struct cg_slice slice = {(const uint8_t *)data, len}; /* as C++ can read it, too */
    return slice;
}

static inline struct cg_slice cg_slice_str(const char *text) { return cg_slice_of(text, strlen(text)); }

static inline bool cg_slice_equal(struct cg_slice a, struct cg_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* In a time that depends on the length alone. */
static inline bool cg_is_same_secret(const void *a, const void *b, size_t len) {
    const volatile uint8_t *x = (const volatile uint8_t *)a, *y = (const volatile uint8_t *)b;
    uint8_t differ = 0;
    for (size_t i = 0; i < len; i++) differ |= (uint8_t)(x[i] ^ y[i]);
    return differ == 0;
}

static inline bool cg_slice_is(struct cg_slice a, const char *text) { return cg_slice_equal(a, cg_slice_str(text)); }

#endif
