/* Why: OSCORE's info arrays, external_aad and credentials are CBOR, and so is a reply in one message. Hard: the reader
 * runs on hostile bytes, so every length is compared with what is left before it is used, and nesting is bounded. */
#include "wire/cbor.h"

size_t cg_cbor_head_len(uint64_t number) {
    if (number < 24) return 1;
    if (number <= UINT8_MAX) return 2;
    if (number <= UINT16_MAX) return 3;
    return number <= UINT32_MAX ? 5 : 9;
}

static uint8_t *reserve(struct cg_cbor_writer *to, size_t len) {
    if (to->failed || to->cap - to->len < len) {
        to->failed = true;
        return NULL;
    }
    uint8_t *at = to->data + to->len;
    to->len += len;
    return at;
}

void cg_cbor_put_head(struct cg_cbor_writer *to, enum cg_cbor_major major, uint64_t number) {
    size_t len = cg_cbor_head_len(number);
    uint8_t *at = reserve(to, len);
    if (at == NULL) return;
    static const uint8_t additional[CG_CBOR_HEAD_MAX + 1] = {[2] = 24, [3] = 25, [5] = 26, [9] = 27};
    at[0] = (uint8_t)((major << 5) | (len == 1 ? number : additional[len]));
    for (size_t i = len - 1; i > 0; i--, number >>= 8) at[i] = (uint8_t)number;
}

void cg_cbor_put_int(struct cg_cbor_writer *to, int64_t number) {
    if (number >= 0)
        cg_cbor_put_head(to, CG_CBOR_UINT, (uint64_t)number);
    else
        cg_cbor_put_head(to, CG_CBOR_NEGATIVE, (uint64_t)(-1 - number));
}

void cg_cbor_put_simple(struct cg_cbor_writer *to, uint8_t value) { cg_cbor_put_head(to, CG_CBOR_SIMPLE, value); }

static void put_string(struct cg_cbor_writer *to, enum cg_cbor_major major, struct cg_slice bytes) {
    cg_cbor_put_head(to, major, bytes.len);
    uint8_t *at = reserve(to, bytes.len);
    if (at != NULL && bytes.len > 0) memcpy(at, bytes.data, bytes.len);
}

void cg_cbor_put_bytes(struct cg_cbor_writer *to, struct cg_slice bytes) { put_string(to, CG_CBOR_BYTES, bytes); }

void cg_cbor_put_text(struct cg_cbor_writer *to, const char *text) { put_string(to, CG_CBOR_TEXT, cg_slice_str(text)); }

static void advance(struct cg_slice *rest, size_t len) {
    rest->data += len;
    rest->len -= len;
}

int cg_cbor_next(struct cg_slice *rest, struct cg_cbor_item *item) {
    if (rest->len == 0) return CG_E_FORMAT;
    uint8_t additional = rest->data[0] & 0x1f;
    if (additional > 27) return CG_E_FORMAT; /* 28 to 30 are reserved, 31 is an indefinite length or a break */
    size_t more = additional < 24 ? 0 : (size_t)1 << (additional - 24);
    if (rest->len - 1 < more) return CG_E_FORMAT;
    item->major = (enum cg_cbor_major)(rest->data[0] >> 5);
    item->number = more == 0 ? additional : 0;
    for (size_t i = 1; i <= more; i++) item->number = item->number << 8 | rest->data[i];
    if (item->major == CG_CBOR_SIMPLE && more == 1 && item->number < 32) return CG_E_FORMAT;
    if (item->major == CG_CBOR_SIMPLE && more > 1) item->number = CG_CBOR_FLOAT;
    item->bytes = CG_SLICE_NONE;
    advance(rest, 1 + more);
    if (item->major != CG_CBOR_BYTES && item->major != CG_CBOR_TEXT) return CG_OK;
    if (item->number > rest->len) return CG_E_FORMAT;
    item->bytes = cg_slice_of(rest->data, (size_t)item->number);
    advance(rest, item->bytes.len);
    return CG_OK;
}

int cg_cbor_skip(struct cg_slice *rest, const struct cg_cbor_item *item, int depth) {
    uint64_t inside;
    switch (item->major) {
    case CG_CBOR_TAG: inside = 1; break;
    case CG_CBOR_ARRAY: inside = item->number; break;
    case CG_CBOR_MAP:
        if (item->number > rest->len) return CG_E_FORMAT; /* keeps the doubling below from overflowing */
        inside = item->number * 2;
        break;
    default: return CG_OK;
    }
    if (depth == 0) return CG_E_FORMAT;
    for (; inside > 0; inside--) {
        struct cg_cbor_item child;
        int err = cg_cbor_next(rest, &child);
        if (err == CG_OK) err = cg_cbor_skip(rest, &child, depth - 1);
        if (err != CG_OK) return err;
    }
    return CG_OK;
}

bool cg_cbor_is_int(const struct cg_cbor_item *item, int64_t number) {
    if (number >= 0) return item->major == CG_CBOR_UINT && item->number == (uint64_t)number;
    return item->major == CG_CBOR_NEGATIVE && item->number == (uint64_t)(-1 - number);
}
