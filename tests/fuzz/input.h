/* What every fuzz target needs: the input taken apart front to back. A short input reads as zeros, so that every prefix
 * of an interesting input is an input, too. Violations end the process by CG_CHECK, which the fuzzer reports. */
#ifndef CG_FUZZ_INPUT_H
#define CG_FUZZ_INPUT_H

#include <stdlib.h>

#include "base/check.h"
#include "base/slice.h"

/* The entry of libFuzzer and of replay_main.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t len;
};

static inline uint8_t input_u8(struct input *input) {
    if (input->len == 0) return 0;
    input->len--;
    return *input->data++;
}

static inline uint16_t input_u16(struct input *input) {
    uint16_t high = input_u8(input);
    return (uint16_t)(high << 8 | input_u8(input));
}

/* At most `len` of the next bytes, borrowed. */
static inline struct cg_slice input_bytes(struct input *input, size_t len) {
    if (len > input->len) len = input->len;
    struct cg_slice bytes = cg_slice_of(input->data, len);
    if (len > 0) input->data += len;
    input->len -= len;
    return bytes;
}

/* What stands before the next `separator` (which is dropped) or the end, borrowed. */
static inline struct cg_slice input_until(struct input *input, char separator) {
    const uint8_t *at = input->len == 0 ? NULL : memchr(input->data, separator, input->len);
    if (at == NULL) return input_bytes(input, input->len);
    struct cg_slice bytes = input_bytes(input, (size_t)(at - input->data));
    input_u8(input);
    return bytes;
}

/* The same bytes in a block of exactly their size, so that the sanitizer sees each byte read too far. The caller frees.
 */
static inline struct cg_slice input_exact(struct cg_slice bytes) {
    uint8_t *copy = malloc(bytes.len + (bytes.len == 0));
    CG_CHECK(copy != NULL);
    if (bytes.len > 0) memcpy(copy, bytes.data, bytes.len);
    return cg_slice_of(copy, bytes.len);
}

static inline void input_free(struct cg_slice exact) { free((void *)(uintptr_t)exact.data); }

#endif
