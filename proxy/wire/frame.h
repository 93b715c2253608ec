/* CoAP messages as a byte stream carries them (RFC 8323 §3.2), with extended tokens (RFC 8974 §2): a length in front
 * instead of type and Message ID. Bytes in, messages out, wherever the stream is cut. */
#ifndef CG_WIRE_FRAME_H
#define CG_WIRE_FRAME_H

#include "base/buf.h"
#include "wire/envelope.h"

struct cg_frame {
    uint8_t code;
    struct cg_slice token;   /* these three point into the frame */
    struct cg_slice options; /* encoded, well-formed */
    struct cg_slice payload; /* empty: none */
};

/* How long the frame that begins with `bytes` is, header included. CG_PENDING: they are too few to tell. CG_E_FORMAT:
 * the reserved token length (15). */
int cg_frame_measure(struct cg_slice bytes, uint64_t *len) CG_MUST_CHECK;
/* One whole frame. CG_E_FORMAT: its options are malformed, or the payload marker has nothing behind it. CG_E_TOO_BIG:
 * a token of more than CG_EXTENDED_TOKEN_MAX bytes; code and token are set, what is behind it is not looked at. */
int cg_frame_parse(struct cg_frame *frame, struct cg_slice whole) CG_MUST_CHECK;
/* The length, or CG_E_TOO_BIG for `cap`. */
int cg_frame_emit(const struct cg_frame *frame, uint8_t *bytes, size_t cap) CG_MUST_CHECK;
/* What it takes, emitted. */
size_t cg_frame_size(const struct cg_frame *frame);

/* Puts frames together from pieces. Holds no memory between frames. */
struct cg_frame_reader {
    struct cg_buf partial; /* the beginning of a frame */
    size_t max;            /* bytes of a frame; longer ones are refused by their header */
    bool is_handed_out;    /* `partial` is a whole frame, which the caller has had */
};

void cg_frame_reader_init(struct cg_frame_reader *reader, size_t max);
void cg_frame_reader_fini(struct cg_frame_reader *reader);

/* Takes the next frame from the front of *bytes, which lose what was used. CG_OK: `whole` is one, borrowed until the
 * next call (of the bytes themselves where it lay in them whole). CG_PENDING: all were used, and more are needed.
 * CG_E_FORMAT, as cg_frame_measure; CG_E_TOO_BIG: longer than `max`; CG_E_NO_MEMORY: the stream cannot be read any
 * further. */
int cg_frame_reader_next(struct cg_frame_reader *reader, struct cg_slice *bytes, struct cg_slice *whole) CG_MUST_CHECK;
/* Bytes of memory that it holds. */
size_t cg_frame_reader_held(const struct cg_frame_reader *reader);

#endif
