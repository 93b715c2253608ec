/* Frames. The hard thing: what says how long a frame is may itself be cut anywhere, so it is measured again with every
 * byte until it is whole, and nothing is kept of a frame whose header already says too much. */
#include "wire/frame.h"

#include "base/check.h"

#include <limits.h>

enum {
    MARKER = 0xff,
    EXTEND_1 = 13, /* one byte more, plus 13; of lengths and of tokens */
    EXTEND_2 = 14, /* two, plus 269 */
    EXTEND_4 = 15, /* four, plus 65805; of lengths alone */
    OFFSET_1 = 13,
    OFFSET_2 = 269,
    OFFSET_4 = 65805,
};

/* How many bytes extend a nibble. */
static size_t extension_of(unsigned nibble) {
    return nibble == EXTEND_4 ? 4 : nibble == EXTEND_2 ? 2 : nibble == EXTEND_1 ? 1 : 0;
}

static uint64_t read_extended(unsigned nibble, const uint8_t *at) {
    uint64_t value = 0;
    for (size_t i = 0; i < extension_of(nibble); i++) value = value << 8 | at[i];
    switch (nibble) {
    case EXTEND_1: return value + OFFSET_1;
    case EXTEND_2: return value + OFFSET_2;
    case EXTEND_4: return value + OFFSET_4;
    default: return nibble;
    }
}

/* Where the parts of a frame are. */
struct layout {
    size_t code_at, token_at;
    uint64_t token_len, len; /* the latter of the whole frame */
};

static int lay_out(struct cg_slice bytes, struct layout *layout) {
    if (bytes.len == 0) return CG_PENDING;
    unsigned length = bytes.data[0] >> 4, token = bytes.data[0] & 15;
    if (token > EXTEND_2) return CG_E_FORMAT;
    layout->code_at = 1 + extension_of(length);
    layout->token_at = layout->code_at + 1 + extension_of(token);
    if (bytes.len < layout->token_at) return CG_PENDING;
    layout->token_len = read_extended(token, bytes.data + layout->code_at + 1);
    layout->len = layout->token_at + layout->token_len + read_extended(length, bytes.data + 1);
    return CG_OK;
}

int cg_frame_measure(struct cg_slice bytes, uint64_t *len) {
    struct layout layout;
    int err = lay_out(bytes, &layout);
    if (err == CG_OK) *len = layout.len;
    return err;
}

int cg_frame_parse(struct cg_frame *frame, struct cg_slice whole) {
    struct layout layout;
    struct cg_msg msg;
    *frame = (struct cg_frame){0};
    int err = lay_out(whole, &layout);
    CG_CHECK(err == CG_OK && layout.len == whole.len);
    size_t body_at = layout.token_at + (size_t)layout.token_len;
    frame->code = whole.data[layout.code_at];
    frame->token = cg_slice_of(whole.data + layout.token_at, (size_t)layout.token_len);
    if (frame->token.len > CG_EXTENDED_TOKEN_MAX) return CG_E_TOO_BIG;
    err = cg_msg_parse_body(&msg, cg_slice_of(whole.data + body_at, whole.len - body_at));
    if (err < 0) return err;
    frame->options = msg.options;
    frame->payload = msg.payload;
    return CG_OK;
}

/* ---- Out ---- */

static unsigned nibble_of(uint64_t value) {
    return value < OFFSET_1 ? (unsigned)value : value < OFFSET_2 ? EXTEND_1 : value < OFFSET_4 ? EXTEND_2 : EXTEND_4;
}

static uint8_t *put_extended(uint8_t *to, unsigned nibble, uint64_t value) {
    static const uint32_t offsets[] = {[EXTEND_1] = OFFSET_1, [EXTEND_2] = OFFSET_2, [EXTEND_4] = OFFSET_4};
    if (nibble < EXTEND_1) return to;
    value -= offsets[nibble];
    for (size_t left = extension_of(nibble); left-- > 0;) *to++ = (uint8_t)(value >> 8 * left);
    return to;
}

static uint8_t *put(uint8_t *to, struct cg_slice bytes) {
    if (bytes.len > 0) memcpy(to, bytes.data, bytes.len);
    return to + bytes.len;
}

static size_t body_size(const struct cg_frame *frame) {
    return frame->options.len + (frame->payload.len > 0) + frame->payload.len;
}

size_t cg_frame_size(const struct cg_frame *frame) {
    size_t body = body_size(frame);
    return 2 + extension_of(nibble_of(body)) + extension_of(nibble_of(frame->token.len)) + frame->token.len + body;
}

int cg_frame_emit(const struct cg_frame *frame, uint8_t *bytes, size_t cap) {
    size_t len = cg_frame_size(frame), body = body_size(frame);
    unsigned length = nibble_of(body), token = nibble_of(frame->token.len);
    if (len > cap || len > INT_MAX || token > EXTEND_2) return CG_E_TOO_BIG;
    *bytes++ = (uint8_t)(length << 4 | token);
    bytes = put_extended(bytes, length, body);
    *bytes++ = frame->code;
    bytes = put_extended(bytes, token, frame->token.len);
    bytes = put(put(bytes, frame->token), frame->options);
    if (frame->payload.len == 0) return (int)len;
    *bytes++ = MARKER;
    put(bytes, frame->payload);
    return (int)len;
}

/* ---- In ---- */

void cg_frame_reader_init(struct cg_frame_reader *reader, size_t max) {
    *reader = (struct cg_frame_reader){.max = max};
    cg_buf_init(&reader->partial, max);
}

void cg_frame_reader_fini(struct cg_frame_reader *reader) { cg_buf_fini(&reader->partial); }

static void let_go(struct cg_frame_reader *reader) {
    if (!reader->is_handed_out) return;
    reader->is_handed_out = false;
    cg_buf_fini(&reader->partial);
    cg_buf_init(&reader->partial, reader->max);
}

/* CG_OK: the frame that begins with `bytes` has that length, which is no more than may be. */
static int measure(const struct cg_frame_reader *reader, struct cg_slice bytes, size_t *len) {
    uint64_t wanted;
    int err = cg_frame_measure(bytes, &wanted);
    if (err != CG_OK) return err;
    if (wanted > reader->max) return CG_E_TOO_BIG;
    *len = (size_t)wanted;
    return CG_OK;
}

static struct cg_slice cut(struct cg_slice *bytes, size_t len) {
    struct cg_slice part = cg_slice_of(bytes->data, len);
    *bytes = cg_slice_of(bytes->data + len, bytes->len - len);
    return part;
}

static int keep(struct cg_frame_reader *reader, struct cg_slice *bytes, size_t len) {
    if (len > bytes->len) len = bytes->len;
    cg_buf_put_slice(&reader->partial, cut(bytes, len));
    return cg_buf_error(&reader->partial);
}

/* A frame that began before: its header byte by byte, and then as much as it still needs. */
static int go_on(struct cg_frame_reader *reader, struct cg_slice *bytes, struct cg_slice *whole) {
    size_t len = 0;
    int err;
    while ((err = measure(reader, cg_buf_slice(&reader->partial), &len)) == CG_PENDING && bytes->len > 0) {
        if ((err = keep(reader, bytes, 1)) < 0) return err;
    }
    if (err == CG_OK) err = keep(reader, bytes, len - reader->partial.len);
    if (err != CG_OK) return err;
    if (reader->partial.len < len) return CG_PENDING;
    reader->is_handed_out = true;
    *whole = cg_buf_slice(&reader->partial);
    return CG_OK;
}

int cg_frame_reader_next(struct cg_frame_reader *reader, struct cg_slice *bytes, struct cg_slice *whole) {
    size_t len = 0;
    let_go(reader);
    if (bytes->len == 0) return CG_PENDING;
    if (reader->partial.len > 0) return go_on(reader, bytes, whole);
    int err = measure(reader, *bytes, &len);
    if (err < 0) return err;
    if (err == CG_PENDING || bytes->len < len) {
        err = keep(reader, bytes, bytes->len);
        return err < 0 ? err : CG_PENDING;
    }
    *whole = cut(bytes, len);
    return CG_OK;
}

size_t cg_frame_reader_held(const struct cg_frame_reader *reader) { return reader->partial.cap; }
