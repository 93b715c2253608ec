/* Connections by TCP, plain or in TLS, whichever end of them: bytes in order. What is bounded here is what one of them
 * may hold and how long it may take; how many there are is its owner's.
 *
 * What is written goes out when the loop is back, all of a turn in one piece. A peer that does not read is not read
 * either, once its owner leaves bytes untaken, and is gone when it has taken nothing for a while. A handshake's step
 * costs as much as a hundred requests, so of those one is made in a turn. */
#ifndef CG_IO_STREAM_H
#define CG_IO_STREAM_H

#include <openssl/ssl.h>
#include <uv.h>

#include "base/err.h"
#include "base/slice.h"
#include "model/request.h"
#include "wire/addr.h"

#define CG_STREAM_QUEUE_MAX (256 * 1024) /* bytes that wait for the peer */

struct cg_streams; /* what those of one owner share: turns and time */
struct cg_stream;

enum cg_stream_end {
    CG_STREAM_CLOSED,    /* the peer has */
    CG_STREAM_BROKEN,    /* the network, or what came is no TLS */
    CG_STREAM_UNREACHED, /* connecting failed: the detail says why */
    CG_STREAM_HANDSHAKE, /* failed: the detail says why */
    CG_STREAM_LATE,      /* connecting, or the handshake, was not done in time */
    CG_STREAM_STALLED,   /* the peer has taken nothing for too long */
    CG_STREAM_ENDS
};

struct cg_stream_ops {
    /* It is connected, and the handshake is done; not told of a socket that was when it came, without TLS. */
    void (*opened)(void *ctx);
    /* Borrowed. How many of them were taken: where it is not all, the rest comes again after cg_stream_resume. The
     * stream may be ended in it. */
    size_t (*received)(void *ctx, struct cg_slice bytes);
    /* Nothing waits for the peer any more. */
    void (*drained)(void *ctx);
    /* Nothing more is heard of it, and `stream` is not to be used. `detail` is OpenSSL's or libuv's word. */
    void (*closed)(void *ctx, enum cg_stream_end why, const char *detail);
};

struct cg_stream_limits {
    uint64_t opening_us; /* until it must be connected, and the handshake done */
    uint64_t stalled_us; /* without anything taken by the peer, while something waits; of one that was left: in all */
    uint64_t linger_us;  /* for the peer to hear the last words */
};
extern const struct cg_stream_limits cg_stream_usual_limits;

struct cg_streams *cg_streams_open(uv_loop_t *uv, const struct cg_stream_limits *limits); /* NULL: no memory */
/* None is in use any more: those that were left are closed. Then on_closed (may be NULL). */
void cg_streams_close(struct cg_streams *streams, void (*on_closed)(void *ctx), void *ctx);
/* Handshakes that are under way; those that are over, with what became of them. */
struct cg_stream_figures {
    uint32_t handshakes;
    uint64_t shaken, failed;
};
const struct cg_stream_figures *cg_streams_figures(const struct cg_streams *streams);

/* Of a socket that is connected. It and `ssl` (NULL: no TLS; else set to accept or to connect) are owned from here on,
 * whatever comes of it. NULL: no memory. */
struct cg_stream *cg_stream_open(struct cg_streams *streams, int fd, SSL *ssl, const struct cg_stream_ops *ops,
                                 void *ctx);
/* To there; `ssl` as above. NULL: *problem says why. */
struct cg_stream *cg_stream_connect(struct cg_streams *streams, const struct cg_addr *to, SSL *ssl,
                                    const struct cg_stream_ops *ops, void *ctx, struct cg_problem *problem);
/* Copied; goes once it is open. CG_E_OVERLOAD: too much waits already; CG_E_NO_MEMORY: it did not go, and nothing of
 * it. */
int cg_stream_write(struct cg_stream *stream, struct cg_slice bytes) CG_MUST_CHECK;
size_t cg_stream_waits(const struct cg_stream *stream); /* bytes that do, for the peer */
/* What was left untaken comes again, in a later turn. */
void cg_stream_resume(struct cg_stream *stream);
/* Nothing is heard of it any more. What waits goes out, the peer hears that it was all, and is given some time to; one
 * that is not connected yet is closed. */
void cg_stream_end(struct cg_stream *stream);

#endif
