/* What is to go out by a stream. All of a turn goes in one piece: plain bytes as they were written, of TLS what was
 * sealed of them, some at a time. The hard thing is a peer that is slow: what the kernel does not take at once flies
 * until it does, nothing follows it before, and a peer that has taken nothing for a while is gone. */
#include "base/check.h"
#include "base/container.h"
#include "io/stream_inside.h"

size_t cg_stream_waits(const struct cg_stream *stream) {
    return stream->out.len + (cg_stream_has_tls(stream) ? stream->tls.out.len : 0) +
           (stream->is_flying ? uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp) : 0);
}

void cg_stream_watch_flight(struct cg_stream *stream) {
    if (stream->state != CG_STREAM_OPEN) return;
    if (stream->is_flying) {
        cg_stream_set_deadline(stream, stream->streams->limits.stalled_us);
    } else {
        cg_stream_drop_deadline(stream);
    }
}

static void on_written(uv_write_t *write, int status);

/* The rest of a piece that the socket did not take whole, until it does. */
static int let_fly(struct cg_stream *stream, struct cg_buf *piece, size_t from) {
    struct cg_buf emptied = stream->flying;
    stream->flying = *piece;
    *piece = emptied;
    cg_buf_clear(piece);
    uv_buf_t rest = uv_buf_init((char *)stream->flying.data + from, (unsigned)(stream->flying.len - from));
    int err = uv_write(&stream->write, (uv_stream_t *)&stream->tcp, &rest, 1, on_written);
    stream->is_flying = err == 0;
    stream->flying_left = stream->flying.len - from;
    cg_stream_watch_flight(stream);
    return err;
}

/* CG_OK: all of it is out; CG_PENDING: it flies; negative: libuv's error. */
static int send_piece(struct cg_stream *stream, struct cg_buf *piece) {
    uv_buf_t bytes = uv_buf_init((char *)piece->data, (unsigned)piece->len);
    int sent = piece->len == 0 ? 0 : uv_try_write((uv_stream_t *)&stream->tcp, &bytes, 1);
    if (sent < 0 && sent != UV_EAGAIN) return sent;
    if (sent < 0) sent = 0;
    if ((size_t)sent < piece->len) {
        int err = let_fly(stream, piece, (size_t)sent);
        return err == 0 ? CG_PENDING : err;
    }
    cg_buf_fini(piece); /* one that is idle holds nothing */
    return CG_OK;
}

static int send_sealed(struct cg_stream *stream) {
    int err = send_piece(stream, &stream->tls.out);
    while (err == CG_OK && stream->out.len > 0 && stream->state != CG_STREAM_SHAKING) {
        err = cg_stream_seal_some(stream);
        if (err == 0) err = send_piece(stream, &stream->tls.out);
    }
    if (stream->out.len == 0) cg_buf_fini(&stream->out);
    return err;
}

static bool is_to_be_sent(const struct cg_stream *stream) {
    return stream->state != CG_STREAM_CONNECTING && stream->state < CG_STREAM_LINGERING;
}

void cg_stream_flush(struct cg_stream *stream) {
    if (stream->is_flying || !is_to_be_sent(stream)) return;
    int err = cg_stream_has_tls(stream) ? send_sealed(stream) : send_piece(stream, &stream->out);
    if (err < 0) {
        cg_stream_fail(stream, CG_STREAM_BROKEN, uv_strerror(err));
    } else if (err == CG_OK) {
        cg_stream_on_all_out(stream);
    }
}

static void on_written(uv_write_t *write, int status) {
    struct cg_stream *stream = CG_CONTAINER(write, struct cg_stream, write);
    stream->is_flying = false;
    if (stream->state == CG_STREAM_CLOSING) return;
    cg_buf_fini(&stream->flying);
    cg_stream_watch_flight(stream);
    if (status < 0) {
        cg_stream_fail(stream, CG_STREAM_BROKEN, uv_strerror(status));
    } else {
        cg_stream_flush(stream);
    }
}

int cg_stream_write(struct cg_stream *stream, struct cg_slice bytes) {
    CG_CHECK(cg_stream_is_owned(stream));
    if (cg_stream_waits(stream) + bytes.len > CG_STREAM_QUEUE_MAX) return CG_E_OVERLOAD;
    uint8_t *to = cg_buf_reserve(&stream->out, bytes.len);
    if (to == NULL) {
        stream->out.failed = false; /* what is there goes all the same */
        return CG_E_NO_MEMORY;
    }
    if (bytes.len > 0) memcpy(to, bytes.data, bytes.len);
    stream->out.len += bytes.len;
    stream->was_busy = true;
    cg_stream_be_dirty(stream);
    return CG_OK;
}
