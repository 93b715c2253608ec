/* What a stream does in TLS: the handshake, a step a turn, and records, as they come and as they go. */
#include "io/stream_inside.h"

/* ---- The handshake ---- */

void cg_stream_begin_handshake(struct cg_stream *stream) {
    stream->state = CG_STREAM_SHAKING;
    stream->streams->figures.handshakes++;
    cg_stream_get_in_line(stream); /* who connects begins */
}

static void end_handshake(struct cg_stream *stream) {
    stream->streams->figures.handshakes--;
    stream->streams->figures.shaken++;
    cg_stream_be_open(stream);
}

void cg_stream_step_handshake(struct cg_stream *stream) {
    struct cg_buf raw = cg_stream_detach(&stream->raw);
    stream->tls.in = cg_buf_slice(&raw);
    int result = cg_tls_handshake(&stream->tls);
    struct cg_slice rest = stream->tls.in;
    stream->tls.in = CG_SLICE_NONE;
    if (stream->tls.out.len > 0) cg_stream_be_dirty(stream);
    if (result < 0) {
        cg_stream_fail(stream, CG_STREAM_HANDSHAKE, cg_tls_reason(&stream->tls));
    } else if (cg_stream_keep(stream, &stream->raw, rest) && result == CG_OK) {
        end_handshake(stream);
    }
    cg_buf_fini(&raw);
    if (stream->state == CG_STREAM_OPEN) cg_stream_go_on(stream);
    if (stream->state == CG_STREAM_SHAKING && stream->is_paused) cg_stream_read_on(stream);
}

/* ---- Records ---- */

/* What is there, until its owner leaves some of it. */
void cg_stream_read_sealed(struct cg_stream *stream, struct cg_slice bytes) {
    uint8_t *plain = stream->streams->plain;
    bool all = true;
    int len = 0;
    stream->tls.in = bytes;
    while (all && (len = cg_tls_read(&stream->tls, plain, CG_STREAM_PLAIN_MAX)) > 0) {
        all = cg_stream_deliver(stream, cg_slice_of(plain, (size_t)len), &stream->plain);
    }
    struct cg_slice rest = stream->tls.in;
    stream->tls.in = CG_SLICE_NONE;
    if (!all) {
        if (stream->state == CG_STREAM_OPEN) (void)cg_stream_keep(stream, &stream->raw, rest);
        return;
    }
    if (len == CG_E_STOPPING) {
        cg_stream_fail(stream, CG_STREAM_CLOSED, "it said goodbye");
    } else if (len < 0 || cg_stream_waits(stream) > CG_STREAM_QUEUE_MAX + CG_STREAM_SEALED_AT_ONCE) {
        cg_stream_fail(stream, CG_STREAM_BROKEN, len < 0 ? cg_tls_reason(&stream->tls) : "it takes nothing");
    } else if (stream->tls.out.len > 0) {
        cg_stream_be_dirty(stream);
    }
}

int cg_stream_seal_some(struct cg_stream *stream) {
    size_t len = stream->out.len < CG_STREAM_SEALED_AT_ONCE ? stream->out.len : CG_STREAM_SEALED_AT_ONCE;
    int err = cg_tls_write(&stream->tls, cg_slice_of(stream->out.data, len));
    if (err < 0) return UV_ENOMEM;
    memmove(stream->out.data, stream->out.data + len, stream->out.len - len);
    stream->out.len -= len;
    return 0;
}

void cg_stream_seal_the_end(struct cg_stream *stream) {
    int err = cg_tls_write(&stream->tls, cg_buf_slice(&stream->out));
    cg_buf_fini(&stream->out);
    if (err == CG_OK) cg_tls_say_goodbye(&stream->tls);
}
