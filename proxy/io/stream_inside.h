/* A stream as its own files see it; nobody else includes this. `stream.c` opens, reads and ends one, `stream_queue.c`
 * has what is to go out, `stream_tls.c` what is done in TLS, and `streams.c` knows whose turn it is, and when.
 *
 * An owner may end a stream from inside anything that it hears of it, and libuv gives a handle's memory back later: so
 * one that is over stays until its handle is closed, and whoever has called its owner looks at `state` before going
 * on. */
#ifndef CG_IO_STREAM_INSIDE_H
#define CG_IO_STREAM_INSIDE_H

#include "base/buf.h"
#include "base/heap.h"
#include "io/stream.h"
#include "io/tls.h"

enum {
    CG_STREAM_READ_MAX = 65536,  /* bytes that are read at once */
    CG_STREAM_PLAIN_MAX = 16384, /* of a TLS record */
    CG_STREAM_SEALED_AT_ONCE = 65536,
};

enum cg_stream_state {
    CG_STREAM_CONNECTING,
    CG_STREAM_SHAKING,
    CG_STREAM_OPEN,
    CG_STREAM_LEAVING,   /* its owner has left: what waits goes out */
    CG_STREAM_LINGERING, /* all is out, and the peer is to close */
    CG_STREAM_CLOSING,   /* libuv has the handle */
};

struct cg_stream {
    struct cg_streams *streams;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    const struct cg_stream_ops *ops;
    void *ctx;
    struct cg_tls tls; /* ssl NULL: none */
    enum cg_stream_state state;
    struct cg_buf raw;   /* what came and was not looked at */
    struct cg_buf plain; /* what was read of TLS and not taken */
    struct cg_buf out;   /* what is to go, as its owner wrote it */
    struct cg_buf flying;
    size_t flying_left; /* when it was last looked at */
    bool is_flying, is_paused, was_busy;
    bool wants_rest;             /* its owner has asked for what it leaves untaken */
    struct cg_deadline deadline; /* of opening, of a peer that takes nothing, of lingering */
    struct cg_stream *dirty_prev, *dirty_next;
    struct cg_stream *turn_prev, *turn_next; /* in line, for a handshake's step or to go on reading */
    struct cg_stream *left_prev, *left_next;
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
    struct cg_stream *left;                      /* by their owners, in that order */
    unsigned left_count;
    unsigned open_handles;
    bool is_closing;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
    uint8_t in[CG_STREAM_READ_MAX], plain[CG_STREAM_PLAIN_MAX]; /* of the one whose turn it is */
};

static inline bool cg_stream_has_tls(const struct cg_stream *stream) { return stream->tls.ssl != NULL; }
static inline bool cg_stream_is_owned(const struct cg_stream *stream) { return stream->state <= CG_STREAM_OPEN; }

/* Takes what is kept there out of it. */
static inline struct cg_buf cg_stream_detach(struct cg_buf *kept) {
    struct cg_buf detached = *kept;
    cg_buf_init(kept, 0);
    return detached;
}

/* ---- streams.c: turns and time ---- */

void cg_stream_set_deadline(struct cg_stream *stream, uint64_t in_us);
void cg_stream_drop_deadline(struct cg_stream *stream);
/* For a step of its handshake or, when it is open, for what it was told to leave. */
void cg_stream_get_in_line(struct cg_stream *stream);
void cg_stream_get_out_of_line(struct cg_stream *stream);
/* It has something to send. */
void cg_stream_be_dirty(struct cg_stream *stream);
void cg_stream_be_clean(struct cg_stream *stream);
void cg_streams_on_handle_closed(struct cg_streams *streams);

/* ---- stream.c: one of them ---- */

/* It is over; the owner hears why, unless it has left. */
void cg_stream_fail(struct cg_stream *stream, enum cg_stream_end why, const char *detail);
void cg_stream_close_now(struct cg_stream *stream); /* whatever state it was in, and nobody hears of it */
void cg_stream_run_deadline(struct cg_stream *stream);
void cg_stream_be_open(struct cg_stream *stream); /* and its owner hears of it */
void cg_stream_on_all_out(struct cg_stream *stream);
/* True: its owner took all of it. */
bool cg_stream_deliver(struct cg_stream *stream, struct cg_slice bytes, struct cg_buf *rest);
/* False: there was no memory for it, and the stream is over. */
bool cg_stream_keep(struct cg_stream *stream, struct cg_buf *where, struct cg_slice rest);
void cg_stream_read_on(struct cg_stream *stream);
/* What was left before, and then what comes. */
void cg_stream_go_on(struct cg_stream *stream);

/* ---- stream_queue.c: what is to go out ---- */

void cg_stream_flush(struct cg_stream *stream);
/* The deadline of a peer that takes nothing; opening and leaving have one of their own. */
void cg_stream_watch_flight(struct cg_stream *stream);

/* ---- stream_tls.c: what is done in TLS ---- */

void cg_stream_begin_handshake(struct cg_stream *stream);
void cg_stream_step_handshake(struct cg_stream *stream);
void cg_stream_read_sealed(struct cg_stream *stream, struct cg_slice bytes);
/* Some of what waits becomes records. 0, or libuv's error. */
int cg_stream_seal_some(struct cg_stream *stream);
/* All of it does, and the last word. */
void cg_stream_seal_the_end(struct cg_stream *stream);
#endif
