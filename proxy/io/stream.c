/* One stream: how it is opened, from either end, read, and left. The hard thing: an owner may end a stream from inside
 * anything that it hears of it, and libuv gives a handle's memory back later; so a stream that is over stays until its
 * handle is closed, and whoever has called its owner looks at its state before going on. */
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "io/endpoint.h"
#include "io/stream_inside.h"

enum {
    RAW_MAX = 65536, /* of a handshake's that wait for its turn: a flight is shorter */
    LEFT_MAX = 256,  /* that their owners have left and whose peers are waited for */
    KEEPALIVE_S = 60,
};

const struct cg_stream_limits cg_stream_usual_limits = {
    .opening_us = 15 * UINT64_C(1000000), .stalled_us = 60 * UINT64_C(1000000), .linger_us = 2 * UINT64_C(1000000)};

/* ---- Ends ---- */

static void free_stream(struct cg_stream *stream) {
    if (cg_stream_has_tls(stream)) cg_tls_fini(&stream->tls);
    cg_buf_fini(&stream->raw);
    cg_buf_fini(&stream->plain);
    cg_buf_fini(&stream->out);
    cg_buf_fini(&stream->flying);
    free(stream);
}

static void on_tcp_closed(uv_handle_t *handle) {
    struct cg_stream *stream = handle->data;
    struct cg_streams *streams = stream->streams;
    free_stream(stream);
    cg_streams_on_handle_closed(streams);
}

void cg_stream_close_now(struct cg_stream *stream) {
    struct cg_streams *streams = stream->streams;
    if (stream->state == CG_STREAM_CLOSING) return;
    cg_stream_get_out_of_line(stream);
    cg_stream_be_clean(stream);
    cg_stream_drop_deadline(stream);
    if (stream->state == CG_STREAM_SHAKING) streams->figures.handshakes--;
    if (!cg_stream_is_owned(stream)) {
        DL_DELETE2(streams->left, stream, left_prev, left_next);
        streams->left_count--;
    }
    stream->state = CG_STREAM_CLOSING;
    uv_close((uv_handle_t *)&stream->tcp, on_tcp_closed);
}

void cg_stream_fail(struct cg_stream *stream, enum cg_stream_end why, const char *detail) {
    bool is_heard = cg_stream_is_owned(stream);
    if (stream->state == CG_STREAM_SHAKING) stream->streams->figures.failed++;
    bool may_have_alert = stream->state == CG_STREAM_OPEN && cg_stream_has_tls(stream) && why == CG_STREAM_BROKEN;
    if (why == CG_STREAM_HANDSHAKE || may_have_alert) {
        cg_stream_end(stream); /* so that the alert goes out */
    } else {
        cg_stream_close_now(stream);
    }
    if (is_heard) stream->ops->closed(stream->ctx, why, detail);
}

/* ---- Leaving ---- */

/* Nobody counts it any more, so of those the first goes where they are many, and however slowly its peer takes what
 * waits, there is an end. */
static void leave(struct cg_stream *stream) {
    struct cg_streams *streams = stream->streams;
    if (stream->state == CG_STREAM_SHAKING) streams->figures.handshakes--;
    stream->state = CG_STREAM_LEAVING;
    DL_APPEND2(streams->left, stream, left_prev, left_next);
    streams->left_count++;
    cg_stream_set_deadline(stream, streams->limits.stalled_us);
    cg_stream_be_dirty(stream);
    if (streams->left_count > LEFT_MAX) cg_stream_close_now(streams->left);
}

static void on_shut(uv_shutdown_t *shutdown, int status) { (void)shutdown, (void)status; }

/* The kernel resets a connection that is closed with unread bytes, which can destroy the last words on their way. */
static void shut(struct cg_stream *stream) {
    stream->state = CG_STREAM_LINGERING;
    cg_stream_set_deadline(stream, stream->streams->limits.linger_us);
    if (uv_shutdown(&stream->shutdown, (uv_stream_t *)&stream->tcp, on_shut) != 0) {
        cg_stream_close_now(stream);
    } else {
        cg_stream_read_on(stream);
    }
}

void cg_stream_on_all_out(struct cg_stream *stream) {
    bool was_busy = stream->was_busy;
    stream->was_busy = false;
    if (stream->state == CG_STREAM_LEAVING) {
        shut(stream);
    } else if (was_busy && stream->state == CG_STREAM_OPEN) {
        stream->ops->drained(stream->ctx);
    }
}

void cg_stream_end(struct cg_stream *stream) {
    if (!cg_stream_is_owned(stream)) return;
    cg_stream_get_out_of_line(stream);
    if (stream->state == CG_STREAM_CONNECTING) {
        cg_stream_close_now(stream);
        return;
    }
    cg_buf_fini(&stream->raw);
    cg_buf_fini(&stream->plain);
    if (cg_stream_has_tls(stream)) cg_stream_seal_the_end(stream);
    leave(stream);
}

void cg_stream_run_deadline(struct cg_stream *stream) {
    size_t left = cg_stream_waits(stream);
    if (stream->state < CG_STREAM_OPEN) {
        cg_stream_fail(stream, CG_STREAM_LATE, "it was not done in time");
    } else if (stream->state > CG_STREAM_OPEN) {
        cg_stream_close_now(stream);
    } else if (left < stream->flying_left) {
        stream->flying_left = left;
        cg_stream_set_deadline(stream, stream->streams->limits.stalled_us);
    } else {
        cg_stream_fail(stream, CG_STREAM_STALLED, "it takes nothing");
    }
}

/* ---- Bytes in ---- */

static void pause_reading(struct cg_stream *stream) {
    stream->is_paused = true;
    uv_read_stop((uv_stream_t *)&stream->tcp);
}

bool cg_stream_keep(struct cg_stream *stream, struct cg_buf *where, struct cg_slice rest) {
    cg_buf_put_slice(where, rest);
    if (!where->failed) return true;
    cg_stream_fail(stream, CG_STREAM_BROKEN, "no memory");
    return false;
}

bool cg_stream_deliver(struct cg_stream *stream, struct cg_slice bytes, struct cg_buf *rest) {
    stream->wants_rest = false;
    size_t taken = stream->ops->received(stream->ctx, bytes);
    if (stream->state != CG_STREAM_OPEN) return false;
    CG_CHECK(taken <= bytes.len);
    if (taken == bytes.len) return true;
    if (!cg_stream_keep(stream, rest, cg_slice_of(bytes.data + taken, bytes.len - taken))) return false;
    pause_reading(stream);
    if (stream->wants_rest) cg_stream_get_in_line(stream);
    return false;
}

static void take(struct cg_stream *stream, struct cg_slice bytes) {
    switch (stream->state) {
    case CG_STREAM_SHAKING:
        if (!cg_stream_keep(stream, &stream->raw, bytes)) return;
        if (stream->raw.len > RAW_MAX) pause_reading(stream);
        cg_stream_get_in_line(stream);
        break;
    case CG_STREAM_OPEN:
        if (cg_stream_has_tls(stream)) {
            cg_stream_read_sealed(stream, bytes);
        } else {
            (void)cg_stream_deliver(stream, bytes, &stream->raw);
        }
        break;
    default: break; /* nobody listens any more */
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    const struct cg_stream *stream = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)stream->streams->in, CG_STREAM_READ_MAX);
}

static void on_read(uv_stream_t *tcp, ssize_t len, const uv_buf_t *buf) {
    struct cg_stream *stream = tcp->data;
    if (len > 0) {
        take(stream, cg_slice_of(buf->base, (size_t)len));
    } else if (len == UV_EOF) {
        cg_stream_fail(stream, CG_STREAM_CLOSED, "it closed");
    } else if (len < 0) {
        cg_stream_fail(stream, CG_STREAM_BROKEN, uv_strerror((int)len));
    }
}

void cg_stream_read_on(struct cg_stream *stream) {
    stream->is_paused = false;
    int err = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
    if (err < 0 && err != UV_EALREADY) cg_stream_fail(stream, CG_STREAM_BROKEN, uv_strerror(err));
}

void cg_stream_go_on(struct cg_stream *stream) {
    struct cg_buf plain = cg_stream_detach(&stream->plain), raw = cg_stream_detach(&stream->raw);
    bool goes_on = plain.len == 0 || cg_stream_deliver(stream, cg_buf_slice(&plain), &stream->plain);
    if (!goes_on && stream->state == CG_STREAM_OPEN) (void)cg_stream_keep(stream, &stream->raw, cg_buf_slice(&raw));
    if (goes_on && raw.len > 0) take(stream, cg_buf_slice(&raw));
    cg_buf_fini(&plain);
    cg_buf_fini(&raw);
    bool waits = stream->raw.len > 0 || stream->plain.len > 0;
    if (stream->state == CG_STREAM_OPEN && !waits) cg_stream_read_on(stream);
}

void cg_stream_resume(struct cg_stream *stream) {
    stream->wants_rest = true;
    if (stream->state == CG_STREAM_OPEN && stream->is_paused) cg_stream_get_in_line(stream);
}

/* ---- Opening ---- */

/* A handle that has nothing to handle yet. NULL: no memory. */
static struct cg_stream *new_stream(struct cg_streams *streams, SSL *ssl, const struct cg_stream_ops *ops, void *ctx) {
    struct cg_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    if (ssl != NULL && !cg_tls_init(&stream->tls, ssl)) {
        free(stream);
        return NULL;
    }
    CG_CHECK(uv_tcp_init(streams->uv, &stream->tcp) == 0);
    stream->tcp.data = stream;
    stream->streams = streams;
    stream->ops = ops;
    stream->ctx = ctx;
    streams->open_handles++;
    return stream;
}

/* 0, or libuv's error. */
static int read_first(struct cg_stream *stream) {
    /* Without either it works, too. */
    (void)uv_tcp_nodelay(&stream->tcp, 1);
    (void)uv_tcp_keepalive(&stream->tcp, 1, KEEPALIVE_S);
    return uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
}

void cg_stream_be_open(struct cg_stream *stream) {
    stream->state = CG_STREAM_OPEN;
    cg_stream_watch_flight(stream);
    if (stream->out.len > 0) cg_stream_be_dirty(stream);
    stream->ops->opened(stream->ctx);
}

struct cg_stream *cg_stream_open(struct cg_streams *streams, int fd, SSL *ssl, const struct cg_stream_ops *ops,
                                 void *ctx) {
    struct cg_stream *stream = new_stream(streams, ssl, ops, ctx);
    int err = stream == NULL ? UV_ENOMEM : uv_tcp_open(&stream->tcp, fd);
    if (err != 0) close(fd);
    if (err == 0) err = read_first(stream);
    if (err != 0) {
        if (stream != NULL) cg_stream_close_now(stream);
        return NULL;
    }
    stream->state = CG_STREAM_OPEN;
    if (ssl != NULL) {
        cg_stream_set_deadline(stream, streams->limits.opening_us);
        cg_stream_begin_handshake(stream);
    }
    return stream;
}

static void on_connected(uv_connect_t *connect, int status) {
    struct cg_stream *stream = CG_CONTAINER(connect, struct cg_stream, connect);
    if (stream->state == CG_STREAM_CLOSING) return;
    int err = status == 0 ? read_first(stream) : status;
    if (err != 0) {
        cg_stream_fail(stream, CG_STREAM_UNREACHED, uv_strerror(err));
    } else if (cg_stream_has_tls(stream)) {
        cg_stream_begin_handshake(stream);
    } else {
        cg_stream_be_open(stream);
    }
}

struct cg_stream *cg_stream_connect(struct cg_streams *streams, const struct cg_addr *to, SSL *ssl,
                                    const struct cg_stream_ops *ops, void *ctx, struct cg_problem *problem) {
    union cg_endpoint endpoint;
    char text[CG_ADDR_TEXT_MAX];
    struct cg_stream *stream = new_stream(streams, ssl, ops, ctx);
    if (stream == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    (void)cg_endpoint_from_addr(&endpoint, to);
    int err = uv_tcp_connect(&stream->connect, &stream->tcp, &endpoint.any, on_connected);
    if (err != 0) {
        cg_stream_close_now(stream);
        cg_addr_emit(to, text);
        cg_problem_set(problem, CG_E_INTERNAL, "cannot connect to %s (TCP): %s", text, uv_strerror(err));
        return NULL;
    }
    cg_stream_set_deadline(stream, streams->limits.opening_us);
    return stream;
}
