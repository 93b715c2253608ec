/* Streams. The hard thing: an owner may end a stream from inside anything that it hears of it, and libuv gives a
 * handle's memory back later; so a stream that is over stays until its handle is closed, and whoever has called its
 * owner looks at its state before going on. */
#include "io/stream.h"

#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "base/heap.h"
#include "io/loop.h"
#include "io/tls.h"

enum {
    READ_MAX = 65536,  /* bytes that are read at once */
    PLAIN_MAX = 16384, /* of a TLS record */
    RAW_MAX = 65536,   /* of a handshake's that wait for its turn: a flight is shorter */
    SEALED_AT_ONCE = 65536,
    LINGERING_MAX = 256,
    KEEPALIVE_S = 60,
};

const struct cg_stream_limits cg_stream_usual_limits = {
    .handshake_us = 15 * UINT64_C(1000000), .stalled_us = 60 * UINT64_C(1000000), .linger_us = 2 * UINT64_C(1000000)};

enum state {
    SHAKING,
    OPEN,
    LEAVING,   /* its owner has left: what waits goes out */
    LINGERING, /* all is out, and the peer is to close */
    CLOSING,   /* libuv has the handle */
};

struct cg_stream {
    struct cg_streams *streams;
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    const struct cg_stream_ops *ops;
    void *ctx;
    struct cg_tls tls; /* ssl NULL: none */
    enum state state;
    struct cg_buf raw;   /* what came and was not looked at */
    struct cg_buf plain; /* what was read of TLS and not taken */
    struct cg_buf out;   /* what is to go, as its owner wrote it */
    struct cg_buf flying;
    size_t flying_left; /* when it was last looked at */
    bool is_flying, is_paused, was_busy;
    bool wants_rest;             /* its owner has asked for what it leaves untaken */
    struct cg_deadline deadline; /* of the handshake, of a peer that takes nothing, of lingering */
    struct cg_stream *dirty_prev, *dirty_next;
    struct cg_stream *turn_prev, *turn_next; /* in line, for a handshake's step or to go on reading */
    struct cg_stream *linger_prev, *linger_next;
    bool is_dirty, is_in_line;
};

struct cg_streams {
    struct cg_stream_limits limits;
    struct cg_stream_figures figures;
    uv_loop_t *uv;
    uv_idle_t idle;
    uv_timer_t timer;
    uint64_t armed_us;
    struct cg_heap deadlines;
    struct cg_stream *dirty, *shaking, *resumed; /* utlist heads */
    struct cg_stream *lingering;
    unsigned lingering_count;
    unsigned open_handles;
    bool is_closing;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
    uint8_t in[READ_MAX], plain[PLAIN_MAX];
};

static bool has_tls(const struct cg_stream *stream) { return stream->tls.ssl != NULL; }
static bool is_owned(const struct cg_stream *stream) { return stream->state <= OPEN; }

/* ---- Time ---- */

static void run_deadline(struct cg_stream *stream);

static void on_timer(uv_timer_t *timer);

static void arm(struct cg_streams *streams) {
    const struct cg_deadline *first = cg_heap_first(&streams->deadlines);
    if (first == NULL || first->at_us >= streams->armed_us || streams->is_closing) return;
    uint64_t now = cg_loop_now_us();
    streams->armed_us = first->at_us;
    uv_update_time(streams->uv);
    CG_CHECK(uv_timer_start(&streams->timer, on_timer, first->at_us > now ? (first->at_us - now) / 1000 + 1 : 0, 0) ==
             0);
}

static void on_timer(uv_timer_t *timer) {
    struct cg_streams *streams = timer->data;
    struct cg_deadline *first;
    uint64_t now = cg_loop_now_us();
    streams->armed_us = UINT64_MAX;
    while ((first = cg_heap_first(&streams->deadlines)) != NULL && first->at_us <= now) {
        cg_heap_remove(&streams->deadlines, first);
        run_deadline(CG_CONTAINER(first, struct cg_stream, deadline));
    }
    arm(streams);
}

static void set_deadline(struct cg_stream *stream, uint64_t in_us) {
    cg_heap_set(&stream->streams->deadlines, &stream->deadline, cg_loop_now_us() + in_us);
    arm(stream->streams);
}

/* ---- Turns ---- */

static void on_idle(uv_idle_t *idle);

static void be_busy(struct cg_streams *streams) { CG_CHECK(uv_idle_start(&streams->idle, on_idle) == 0); }

static struct cg_stream **line_of(struct cg_stream *stream) {
    return stream->state == SHAKING ? &stream->streams->shaking : &stream->streams->resumed;
}

static void get_in_line(struct cg_stream *stream) {
    if (stream->is_in_line) return;
    stream->is_in_line = true;
    DL_APPEND2(*line_of(stream), stream, turn_prev, turn_next);
    be_busy(stream->streams);
}

static void get_out_of_line(struct cg_stream *stream) {
    if (!stream->is_in_line) return;
    stream->is_in_line = false;
    DL_DELETE2(*line_of(stream), stream, turn_prev, turn_next);
}

static void be_dirty(struct cg_stream *stream) {
    if (stream->is_dirty) return;
    stream->is_dirty = true;
    DL_APPEND2(stream->streams->dirty, stream, dirty_prev, dirty_next);
    be_busy(stream->streams);
}

static void be_clean(struct cg_stream *stream) {
    if (!stream->is_dirty) return;
    stream->is_dirty = false;
    DL_DELETE2(stream->streams->dirty, stream, dirty_prev, dirty_next);
}

/* ---- Ends ---- */

static void on_handle_closed(struct cg_streams *streams) {
    if (--streams->open_handles > 0) return;
    if (streams->on_closed != NULL) streams->on_closed(streams->on_closed_ctx);
    cg_heap_fini(&streams->deadlines);
    OPENSSL_cleanse(streams->plain, sizeof streams->plain);
    free(streams);
}

static void free_stream(struct cg_stream *stream) {
    if (has_tls(stream)) cg_tls_fini(&stream->tls);
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
    on_handle_closed(streams);
}

/* Whatever state it was in. */
static void close_now(struct cg_stream *stream) {
    struct cg_streams *streams = stream->streams;
    if (stream->state == CLOSING) return;
    get_out_of_line(stream);
    be_clean(stream);
    cg_heap_remove(&streams->deadlines, &stream->deadline);
    if (stream->state == SHAKING) streams->figures.handshakes--;
    if (stream->state == LINGERING) {
        DL_DELETE2(streams->lingering, stream, linger_prev, linger_next);
        streams->lingering_count--;
    }
    stream->state = CLOSING;
    uv_close((uv_handle_t *)&stream->tcp, on_tcp_closed);
}

/* The owner hears of it, unless it has left. */
static void fail(struct cg_stream *stream, enum cg_stream_end why, const char *detail) {
    bool is_heard = is_owned(stream);
    if (stream->state == SHAKING) stream->streams->figures.failed++;
    if (why == CG_STREAM_HANDSHAKE) {
        cg_stream_end(stream); /* so that the alert goes out */
    } else {
        close_now(stream);
    }
    if (is_heard) stream->ops->closed(stream->ctx, why, detail);
}

/* ---- Bytes out ---- */

static void on_written(uv_write_t *write, int status);

size_t cg_stream_waits(const struct cg_stream *stream) {
    return stream->out.len + (has_tls(stream) ? stream->tls.out.len : 0) +
           (stream->is_flying ? uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp) : 0);
}

/* A handshake has a time of its own. */
static void watch_flight(struct cg_stream *stream) {
    if (stream->is_flying) {
        set_deadline(stream, stream->streams->limits.stalled_us);
    } else {
        cg_heap_remove(&stream->streams->deadlines, &stream->deadline);
    }
}

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
    if (stream->state != SHAKING) watch_flight(stream);
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

/* Some of what waits becomes records. */
static int seal_some(struct cg_stream *stream) {
    size_t len = stream->out.len < SEALED_AT_ONCE ? stream->out.len : SEALED_AT_ONCE;
    int err = cg_tls_write(&stream->tls, cg_slice_of(stream->out.data, len));
    if (err < 0) return UV_ENOMEM;
    memmove(stream->out.data, stream->out.data + len, stream->out.len - len);
    stream->out.len -= len;
    return 0;
}

static int send_sealed(struct cg_stream *stream) {
    int err = send_piece(stream, &stream->tls.out);
    while (err == CG_OK && stream->out.len > 0 && stream->state != SHAKING) {
        err = seal_some(stream);
        if (err == 0) err = send_piece(stream, &stream->tls.out);
    }
    if (stream->out.len == 0) cg_buf_fini(&stream->out);
    return err;
}

static void on_all_out(struct cg_stream *stream);

static void flush(struct cg_stream *stream) {
    if (stream->is_flying || stream->state >= LINGERING) return;
    int err = has_tls(stream) ? send_sealed(stream) : send_piece(stream, &stream->out);
    if (err < 0) {
        fail(stream, CG_STREAM_BROKEN, uv_strerror(err));
    } else if (err == CG_OK) {
        on_all_out(stream);
    }
}

static void on_written(uv_write_t *write, int status) {
    struct cg_stream *stream = CG_CONTAINER(write, struct cg_stream, write);
    stream->is_flying = false;
    if (stream->state == CLOSING) return;
    cg_buf_fini(&stream->flying);
    if (stream->state != SHAKING) watch_flight(stream);
    if (status < 0) {
        fail(stream, CG_STREAM_BROKEN, uv_strerror(status));
    } else {
        flush(stream);
    }
}

int cg_stream_write(struct cg_stream *stream, struct cg_slice bytes) {
    CG_CHECK(is_owned(stream));
    if (cg_stream_waits(stream) + bytes.len > CG_STREAM_QUEUE_MAX) return CG_E_OVERLOAD;
    uint8_t *to = cg_buf_reserve(&stream->out, bytes.len);
    if (to == NULL) {
        stream->out.failed = false; /* what is there goes all the same */
        return CG_E_NO_MEMORY;
    }
    if (bytes.len > 0) memcpy(to, bytes.data, bytes.len);
    stream->out.len += bytes.len;
    stream->was_busy = true;
    be_dirty(stream);
    return CG_OK;
}

/* ---- Leaving ---- */

/* Those that were told first go, where many are to be waited for. */
static void linger(struct cg_stream *stream) {
    struct cg_streams *streams = stream->streams;
    stream->state = LINGERING;
    DL_APPEND2(streams->lingering, stream, linger_prev, linger_next);
    streams->lingering_count++;
    set_deadline(stream, streams->limits.linger_us);
    if (streams->lingering_count > LINGERING_MAX) close_now(streams->lingering);
}

static void on_shut(uv_shutdown_t *shutdown, int status) { (void)shutdown, (void)status; }

static void read_on(struct cg_stream *stream);

/* The kernel resets a connection that is closed with unread bytes, which can destroy the last words on their way. */
static void shut(struct cg_stream *stream) {
    linger(stream);
    if (stream->state != LINGERING) return;
    if (uv_shutdown(&stream->shutdown, (uv_stream_t *)&stream->tcp, on_shut) != 0) {
        close_now(stream);
    } else {
        read_on(stream);
    }
}

static void on_all_out(struct cg_stream *stream) {
    bool was_busy = stream->was_busy;
    stream->was_busy = false;
    if (stream->state == LEAVING) {
        shut(stream);
    } else if (was_busy && stream->state == OPEN) {
        stream->ops->drained(stream->ctx);
    }
}

void cg_stream_end(struct cg_stream *stream) {
    if (!is_owned(stream)) return;
    get_out_of_line(stream);
    if (stream->state == SHAKING) {
        stream->streams->figures.handshakes--;
        watch_flight(stream);
    }
    stream->state = LEAVING;
    cg_buf_fini(&stream->raw);
    cg_buf_fini(&stream->plain);
    if (!has_tls(stream)) {
        be_dirty(stream);
        return;
    }
    int err = cg_tls_write(&stream->tls, cg_slice_of(stream->out.data, stream->out.len));
    cg_buf_fini(&stream->out);
    if (err == CG_OK) cg_tls_say_goodbye(&stream->tls);
    be_dirty(stream);
}

static void run_deadline(struct cg_stream *stream) {
    size_t left = cg_stream_waits(stream);
    if (stream->state == SHAKING) {
        fail(stream, CG_STREAM_LATE, "it was not done in time");
    } else if (stream->state == LINGERING) {
        close_now(stream);
    } else if (left < stream->flying_left) {
        stream->flying_left = left;
        set_deadline(stream, stream->streams->limits.stalled_us);
    } else {
        fail(stream, CG_STREAM_STALLED, "it takes nothing");
    }
}

/* ---- Bytes in ---- */

static void pause_reading(struct cg_stream *stream) {
    stream->is_paused = true;
    uv_read_stop((uv_stream_t *)&stream->tcp);
}

/* False: there is no memory for it, and the stream is over. */
static bool keep(struct cg_stream *stream, struct cg_buf *where, struct cg_slice rest) {
    cg_buf_put_slice(where, rest);
    if (!where->failed) return true;
    fail(stream, CG_STREAM_BROKEN, "no memory");
    return false;
}

/* True: all of it was taken. */
static bool deliver(struct cg_stream *stream, struct cg_slice bytes, struct cg_buf *rest) {
    stream->wants_rest = false;
    size_t taken = stream->ops->received(stream->ctx, bytes);
    if (stream->state != OPEN) return false;
    CG_CHECK(taken <= bytes.len);
    if (taken == bytes.len) return true;
    if (!keep(stream, rest, cg_slice_of(bytes.data + taken, bytes.len - taken))) return false;
    pause_reading(stream);
    if (stream->wants_rest) get_in_line(stream);
    return false;
}

/* What is there, until its owner leaves some of it. */
static void read_sealed(struct cg_stream *stream, struct cg_slice bytes) {
    uint8_t *plain = stream->streams->plain;
    bool all = true;
    int len = 0;
    stream->tls.in = bytes;
    while (all && (len = cg_tls_read(&stream->tls, plain, PLAIN_MAX)) > 0) {
        all = deliver(stream, cg_slice_of(plain, (size_t)len), &stream->plain);
    }
    struct cg_slice rest = stream->tls.in;
    stream->tls.in = CG_SLICE_NONE;
    if (!all) {
        if (stream->state == OPEN) (void)keep(stream, &stream->raw, rest);
        return;
    }
    if (len == CG_E_STOPPING) {
        fail(stream, CG_STREAM_CLOSED, "it said goodbye");
    } else if (len < 0 || cg_stream_waits(stream) > CG_STREAM_QUEUE_MAX + SEALED_AT_ONCE) {
        fail(stream, CG_STREAM_BROKEN, len < 0 ? cg_tls_reason() : "it takes nothing");
    } else if (stream->tls.out.len > 0) {
        be_dirty(stream);
    }
}

static void take(struct cg_stream *stream, struct cg_slice bytes) {
    switch (stream->state) {
    case SHAKING:
        if (!keep(stream, &stream->raw, bytes)) return;
        if (stream->raw.len > RAW_MAX) pause_reading(stream);
        get_in_line(stream);
        break;
    case OPEN:
        if (has_tls(stream)) {
            read_sealed(stream, bytes);
        } else {
            (void)deliver(stream, bytes, &stream->raw);
        }
        break;
    default: break; /* nobody listens any more */
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    const struct cg_stream *stream = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)stream->streams->in, READ_MAX);
}

static void on_read(uv_stream_t *tcp, ssize_t len, const uv_buf_t *buf) {
    struct cg_stream *stream = tcp->data;
    if (len > 0) {
        take(stream, cg_slice_of(buf->base, (size_t)len));
    } else if (len == UV_EOF) {
        fail(stream, CG_STREAM_CLOSED, "it closed");
    } else if (len < 0) {
        fail(stream, CG_STREAM_BROKEN, uv_strerror((int)len));
    }
}

static void read_on(struct cg_stream *stream) {
    stream->is_paused = false;
    int err = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
    if (err < 0 && err != UV_EALREADY) fail(stream, CG_STREAM_BROKEN, uv_strerror(err));
}

/* Takes what is kept there out of it. */
static struct cg_buf detach(struct cg_buf *kept) {
    struct cg_buf detached = *kept;
    cg_buf_init(kept, 0);
    return detached;
}

/* What was left before, and then what comes. */
static void go_on(struct cg_stream *stream) {
    struct cg_buf plain = detach(&stream->plain), raw = detach(&stream->raw);
    bool goes_on = plain.len == 0 || deliver(stream, cg_buf_slice(&plain), &stream->plain);
    if (!goes_on && stream->state == OPEN) (void)keep(stream, &stream->raw, cg_buf_slice(&raw));
    if (goes_on && raw.len > 0) take(stream, cg_buf_slice(&raw));
    cg_buf_fini(&plain);
    cg_buf_fini(&raw);
    bool waits = stream->raw.len > 0 || stream->plain.len > 0;
    if (stream->state == OPEN && !waits) read_on(stream);
}

void cg_stream_resume(struct cg_stream *stream) {
    stream->wants_rest = true;
    if (stream->state == OPEN && stream->is_paused) get_in_line(stream);
}

/* ---- Handshakes ---- */

static void open_up(struct cg_stream *stream) {
    struct cg_streams *streams = stream->streams;
    streams->figures.handshakes--;
    streams->figures.shaken++;
    stream->state = OPEN;
    watch_flight(stream);
    if (stream->out.len > 0) be_dirty(stream);
    stream->ops->opened(stream->ctx);
}

static void step_handshake(struct cg_stream *stream) {
    struct cg_buf raw = detach(&stream->raw);
    stream->tls.in = cg_buf_slice(&raw);
    int result = cg_tls_handshake(&stream->tls);
    struct cg_slice rest = stream->tls.in;
    stream->tls.in = CG_SLICE_NONE;
    if (stream->tls.out.len > 0) be_dirty(stream);
    if (result < 0) {
        fail(stream, CG_STREAM_HANDSHAKE, cg_tls_reason());
    } else if (keep(stream, &stream->raw, rest) && result == CG_OK) {
        open_up(stream);
    }
    cg_buf_fini(&raw);
    if (stream->state == OPEN) go_on(stream);
    if (stream->state == SHAKING && stream->is_paused) read_on(stream);
}

/* ---- Turns, again ---- */

static void flush_all(struct cg_streams *streams) {
    while (streams->dirty != NULL) {
        struct cg_stream *stream = streams->dirty;
        be_clean(stream);
        flush(stream);
    }
}

static void step_one_handshake(struct cg_streams *streams) {
    struct cg_stream *stream = streams->shaking;
    if (stream == NULL) return;
    get_out_of_line(stream);
    step_handshake(stream);
}

/* Those that are in line now; who gets in line meanwhile has the next turn. */
static void resume_all(struct cg_streams *streams) {
    struct cg_stream *stream;
    size_t left = 0;
    DL_FOREACH2(streams->resumed, stream, turn_next) left++;
    for (; left > 0 && (stream = streams->resumed) != NULL; left--) {
        get_out_of_line(stream);
        go_on(stream);
    }
}

static void on_idle(uv_idle_t *idle) {
    struct cg_streams *streams = idle->data;
    flush_all(streams);
    step_one_handshake(streams);
    resume_all(streams);
    if (streams->dirty == NULL && streams->shaking == NULL && streams->resumed == NULL) uv_idle_stop(idle);
}

/* ---- Opening and closing ---- */

static void on_uv_closed(uv_handle_t *handle) { on_handle_closed(handle->data); }

struct cg_streams *cg_streams_open(uv_loop_t *uv, const struct cg_stream_limits *limits) {
    struct cg_streams *streams = calloc(1, sizeof *streams);
    if (streams == NULL) return NULL;
    streams->limits = *limits;
    streams->uv = uv;
    streams->armed_us = UINT64_MAX;
    cg_heap_init(&streams->deadlines);
    CG_CHECK(uv_idle_init(uv, &streams->idle) == 0 && uv_timer_init(uv, &streams->timer) == 0);
    streams->idle.data = streams->timer.data = streams;
    streams->open_handles = 2;
    return streams;
}

void cg_streams_close(struct cg_streams *streams, void (*on_closed)(void *ctx), void *ctx) {
    streams->on_closed = on_closed;
    streams->on_closed_ctx = ctx;
    flush_all(streams);
    streams->is_closing = true;
    while (streams->lingering != NULL) close_now(streams->lingering);
    struct cg_deadline *first;
    while ((first = cg_heap_first(&streams->deadlines)) != NULL) {
        close_now(CG_CONTAINER(first, struct cg_stream, deadline)); /* it flies, to a peer that takes its time */
    }
    uv_close((uv_handle_t *)&streams->idle, on_uv_closed);
    uv_close((uv_handle_t *)&streams->timer, on_uv_closed);
}

const struct cg_stream_figures *cg_streams_figures(const struct cg_streams *streams) { return &streams->figures; }

static struct cg_stream *new_stream(struct cg_streams *streams, SSL *ssl) {
    struct cg_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    stream->streams = streams;
    if (ssl == NULL || cg_tls_init(&stream->tls, ssl)) return stream;
    free(stream);
    return NULL;
}

struct cg_stream *cg_stream_open(struct cg_streams *streams, int fd, SSL *ssl, const struct cg_stream_ops *ops,
                                 void *ctx) {
    struct cg_stream *stream = new_stream(streams, ssl);
    if (stream == NULL || uv_tcp_init(streams->uv, &stream->tcp) != 0) {
        if (stream != NULL) free_stream(stream);
        close(fd);
        return NULL;
    }
    stream->tcp.data = stream;
    stream->ops = ops;
    stream->ctx = ctx;
    stream->state = has_tls(stream) ? SHAKING : OPEN;
    streams->open_handles++;
    streams->figures.handshakes += has_tls(stream);
    if (uv_tcp_open(&stream->tcp, fd) != 0) {
        close(fd);
        close_now(stream);
        return NULL;
    }
    /* Without either it works, too. */
    (void)uv_tcp_nodelay(&stream->tcp, 1);
    (void)uv_tcp_keepalive(&stream->tcp, 1, KEEPALIVE_S);
    if (uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read) != 0) {
        close_now(stream);
        return NULL;
    }
    if (has_tls(stream)) {
        set_deadline(stream, streams->limits.handshake_us);
        get_in_line(stream); /* who connects begins */
    }
    return stream;
}
