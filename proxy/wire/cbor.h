/* The little CBOR (RFC 8949) that OSCORE and multipart-core need: definite lengths, written and read over the caller's
 * bytes. libcbor's streaming callbacks are not used here: their signatures differ between Debian 12's and 13's
 * versions. */
#ifndef CG_WIRE_CBOR_H
#define CG_WIRE_CBOR_H

#include "base/err.h"
#include "base/slice.h"

enum cg_cbor_major {
    CG_CBOR_UINT = 0,
    CG_CBOR_NEGATIVE = 1, /* the value is -1 - number */
    CG_CBOR_BYTES = 2,
    CG_CBOR_TEXT = 3,
    CG_CBOR_ARRAY = 4,
    CG_CBOR_MAP = 5,
    CG_CBOR_TAG = 6,
    CG_CBOR_SIMPLE = 7, /* number is the simple value, or CG_CBOR_FLOAT for any float */
};

#define CG_CBOR_HEAD_MAX 9
#define CG_CBOR_FALSE    20
#define CG_CBOR_TRUE     21
#define CG_CBOR_NULL     22
#define CG_CBOR_FLOAT    UINT64_MAX

/* The failure is sticky: without room nothing more is written and `failed` is set. */
struct cg_cbor_writer {
    uint8_t *data;
    size_t len;
    size_t cap;
    bool failed;
};

static inline struct cg_cbor_writer cg_cbor_writer(uint8_t *data, size_t cap) {
    return (struct cg_cbor_writer){.data = data, .len = 0, .cap = cap, .failed = false};
}

size_t cg_cbor_head_len(uint64_t number);
void cg_cbor_put_head(struct cg_cbor_writer *to, enum cg_cbor_major major, uint64_t number); /* shortest form */
void cg_cbor_put_int(struct cg_cbor_writer *to, int64_t number);
void cg_cbor_put_simple(struct cg_cbor_writer *to, uint8_t value); /* CG_CBOR_FALSE, _TRUE, _NULL */
void cg_cbor_put_bytes(struct cg_cbor_writer *to, struct cg_slice bytes);
void cg_cbor_put_text(struct cg_cbor_writer *to, const char *text);

/* One data item's head; for byte and text strings with their content. */
struct cg_cbor_item {
    enum cg_cbor_major major;
    uint64_t number;       /* value, length, count of elements or pairs, tag number */
    struct cg_slice bytes; /* strings only */
};

/* Takes one head (and a string's content) off *rest. CG_E_FORMAT: truncated, reserved, or of indefinite length. */
int cg_cbor_next(struct cg_slice *rest, struct cg_cbor_item *item) CG_MUST_CHECK;
/* Takes what belongs to `item` off *rest: the elements of an array or map, the content of a tag, `depth` levels at
 * most. */
int cg_cbor_skip(struct cg_slice *rest, const struct cg_cbor_item *item, int depth) CG_MUST_CHECK;
/* True when the item is that integer. */
bool cg_cbor_is_int(const struct cg_cbor_item *item, int64_t number);

#endif
