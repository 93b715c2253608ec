/* A next hop by TCP (RFC 8323). Two things are hard. A stream acknowledges nothing, and the core wants to know of each
 * request that it has arrived: so behind those of a turn goes a Ping, whose Pong comes when they were dealt with
 * (§5.4.1). And the other end may be gone without a word, so it is asked for one when it was quiet for long. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "hops/convert.h"
#include "hops/hop.h"
#include "io/loop.h"
#include "io/tls_terms.h"
#include "wire/reliable.h"

enum {
    MESSAGES_AT_ONCE = 64, /* that are dealt with in a turn of the loop */
    WAITS_MAX = 64 * 1024, /* bytes that the next hop has not taken, before it is sent more */
};

static const struct cg_capabilities ours = {.max_message_size = CG_HOP_MESSAGE_MAX, .token_max = CG_TOKEN_MAX};

struct cg_hop_stream {
    struct cg_hop_way way;
    struct cg_stream *stream; /* NULL: closed */
    struct cg_reliable reliable;
    bool has_begun; /* our CSM is sent */
    bool is_full;   /* the core was told to wait */
    bool is_inside; /* what came is being dealt with */
    bool is_mute;   /* a message of ours about the connection did not go out: it cannot go on without */
    bool ping_runs;
    bool owes_ping; /* requests have gone out since */
    bool is_in_line;
    uint64_t pinged; /* requests that had gone out before the Ping */
    uint64_t heard_us, pinged_us;
    struct cg_hop_timer timer;
    struct cg_hop_stream *prev, *next; /* of those that owe a Ping */
};

static struct cg_hop_stream *of_way(struct cg_hop_way *way) { return CG_CONTAINER(way, struct cg_hop_stream, way); }
static struct cg_hop_connections *all_of(const struct cg_hop_stream *stream) { return stream->way.all; }

/* ---- Ends ---- */

static void get_out_of_line(struct cg_hop_stream *stream) {
    if (stream->is_in_line) DL_DELETE(all_of(stream)->owing, stream);
    stream->is_in_line = false;
}

static void free_stream(struct cg_hop_stream *stream) {
    CG_CHECK(!stream->is_inside);
    get_out_of_line(stream);
    cg_hop_clear_timer(all_of(stream), &stream->timer);
    if (stream->has_begun) cg_reliable_fini(&stream->reliable);
    if (stream->stream != NULL) cg_stream_end(stream->stream);
    free(stream);
}

static void lose(struct cg_hop_stream *stream, const char *why) {
    cg_hop_lost(&stream->way, why);
    free_stream(stream);
}

static void say_release(struct cg_hop_stream *stream) {
    uint8_t bytes[CG_SIGNAL_MAX];
    if (stream->stream == NULL || !stream->has_begun) return;
    size_t len = cg_signal_emit_release("nothing more is asked", bytes);
    (void)(cg_stream_write(stream->stream, cg_slice_of(bytes, len)) == CG_OK); /* else it sees the end alone */
}

static void end(struct cg_hop_way *way) {
    struct cg_hop_stream *stream = of_way(way);
    say_release(stream);
    free_stream(stream);
}

static void lose_mute(struct cg_hop_stream *stream) { lose(stream, "what it is to be told does not go out"); }

/* ---- Pings ---- */

/* Of one that is released no Ping changes the time. */
static void look_in(struct cg_hop_stream *stream, uint64_t in_us) {
    if (!stream->reliable.is_released) cg_hop_set_timer(all_of(stream), &stream->timer, in_us);
}

static void ping(struct cg_hop_stream *stream) {
    uint8_t bytes[CG_SIGNAL_MAX];
    size_t len = cg_signal_emit_ping(bytes);
    if (cg_stream_write(stream->stream, cg_slice_of(bytes, len)) < 0) {
        look_in(stream, all_of(stream)->limits.quiet_us); /* behind the next request, or then */
        return;
    }
    stream->pinged = cg_connection_requests(all_of(stream)->engine);
    stream->pinged_us = cg_loop_now_us();
    stream->ping_runs = true;
    stream->owes_ping = false;
    look_in(stream, all_of(stream)->limits.pong_us);
}

static void owe_ping(struct cg_hop_stream *stream) {
    stream->owes_ping = true;
    if (stream->is_in_line || stream->ping_runs) return;
    stream->is_in_line = true;
    DL_APPEND(all_of(stream)->owing, stream);
    cg_hop_run_soon(all_of(stream));
}

void cg_hop_streams_ping(struct cg_hop_connections *all) {
    while (all->owing != NULL) {
        struct cg_hop_stream *stream = all->owing;
        get_out_of_line(stream);
        ping(stream);
    }
}

static void on_pong(void *ctx) {
    struct cg_hop_stream *stream = ctx;
    if (!stream->ping_runs) return;
    stream->ping_runs = false;
    look_in(stream, all_of(stream)->limits.quiet_us);
    cg_hop_reached(&stream->way, stream->pinged);
    if (stream->owes_ping) owe_ping(stream);
}

/* ---- Time ---- */

static void be_quiet(struct cg_hop_stream *stream) {
    if (cg_hop_is_used(&stream->way)) {
        ping(stream);
    } else {
        say_release(stream);
        cg_hop_idle(&stream->way);
        free_stream(stream);
    }
}

static void on_due(struct cg_hop_timer *timer) {
    struct cg_hop_stream *stream = CG_CONTAINER(timer, struct cg_hop_stream, timer);
    struct cg_hop_connections *all = all_of(stream);
    const uint64_t quiet_until_us = stream->heard_us + all->limits.quiet_us;
    if (!stream->has_begun) {
        lose(stream, "it does not answer in time");
    } else if (!stream->reliable.is_open) {
        lose(stream, "it has not said in time what it can (CSM, RFC 8323 5.3)");
    } else if (stream->reliable.is_released) {
        lose(stream, "it has released the connection, and not answered in time");
    } else if (stream->ping_runs) {
        lose(stream, "it answers no Ping");
    } else if (cg_loop_now_us() < quiet_until_us) {
        cg_hop_set_timer(all, timer, quiet_until_us - cg_loop_now_us());
    } else {
        be_quiet(stream);
    }
}

/* ---- What the next hop says ---- */

static void on_emit(void *ctx, struct cg_slice frame) {
    struct cg_hop_stream *stream = ctx;
    if (cg_stream_write(stream->stream, frame) < 0) stream->is_mute = true;
}

/* It is a client at the wrong end. */
static void on_request(void *ctx, const struct cg_frame *request, size_t size) {
    const struct cg_frame refusal = {.code = CG_CODE(5, 1), .token = request->token};
    uint8_t bytes[CG_SIGNAL_MAX];
    int len = cg_frame_emit(&refusal, bytes, sizeof bytes);
    (void)size;
    if (len > 0) on_emit(ctx, cg_slice_of(bytes, (size_t)len));
}

static void on_response(void *ctx, const struct cg_frame *response) {
    struct cg_hop_stream *stream = ctx;
    struct cg_hop_connections *all = all_of(stream);
    int len = cg_hop_from_stream(response, all->in, sizeof all->in);
    if (len > 0) cg_hop_received(&stream->way, cg_slice_of(all->in, (size_t)len));
}

static void on_csm(void *ctx) {
    struct cg_hop_stream *stream = ctx;
    cg_hop_set_timer(all_of(stream), &stream->timer, all_of(stream)->limits.quiet_us);
    cg_hop_opened(&stream->way);
}

static void on_released(void *ctx) {
    struct cg_hop_stream *stream = ctx;
    cg_hop_released(&stream->way, stream->reliable.hold_off_s);
    cg_hop_set_timer(all_of(stream), &stream->timer, all_of(stream)->limits.release_us);
}

static const struct cg_reliable_ops reliable_ops = {.emit = on_emit,
                                                    .request = on_request,
                                                    .response = on_response,
                                                    .pong = on_pong,
                                                    .opened = on_csm,
                                                    .released = on_released};

static const char *word_for(enum cg_reliable_cause cause) {
    switch (cause) {
    case CG_RELIABLE_ABORTED: return "it has aborted the connection";
    case CG_RELIABLE_TOO_LARGE: return "it has sent a message above Max-Message-Size";
    case CG_RELIABLE_NO_MEMORY: return "no memory";
    default: return "what it sends is no CoAP over TCP";
    }
}

static size_t on_received(void *ctx, struct cg_slice bytes) {
    struct cg_hop_stream *stream = ctx;
    const size_t len = bytes.len;
    enum cg_reliable_step step = CG_RELIABLE_NEXT;
    stream->heard_us = cg_loop_now_us();
    stream->is_inside = true;
    for (unsigned left = MESSAGES_AT_ONCE; step == CG_RELIABLE_NEXT && left > 0; left--)
        step = cg_reliable_take(&stream->reliable, &bytes);
    stream->is_inside = false;
    if (step == CG_RELIABLE_ENDS) {
        lose(stream, word_for(stream->reliable.cause));
        return len;
    }
    if (stream->is_mute) {
        lose_mute(stream);
        return len;
    }
    if (bytes.len > 0) cg_stream_resume(stream->stream);
    return len - bytes.len;
}

/* ---- What the stream says ---- */

static void on_opened(void *ctx) {
    struct cg_hop_stream *stream = ctx;
    stream->has_begun = true;
    cg_reliable_begin(&stream->reliable, &reliable_ops, stream, &ours);
    if (stream->is_mute) lose_mute(stream);
}

static void on_drained(void *ctx) {
    struct cg_hop_stream *stream = ctx;
    if (!stream->is_full) return;
    stream->is_full = false;
    cg_hop_has_room(&stream->way);
}

static void on_closed(void *ctx, enum cg_stream_end why, const char *detail) {
    static const char *const words[CG_STREAM_ENDS] = {[CG_STREAM_CLOSED] = "it has closed the connection",
                                                      [CG_STREAM_LATE] = "it does not answer in time",
                                                      [CG_STREAM_STALLED] = "it takes nothing any more"};
    struct cg_hop_stream *stream = ctx;
    stream->stream = NULL;
    lose(stream, words[why] != NULL ? words[why] : detail);
}

static const struct cg_stream_ops stream_ops = {
    .opened = on_opened, .received = on_received, .drained = on_drained, .closed = on_closed};

/* ---- The core's side ---- */

static int has_room(struct cg_hop_way *way) {
    struct cg_hop_stream *stream = of_way(way);
    stream->is_full = cg_stream_waits(stream->stream) > WAITS_MAX;
    return stream->is_full ? CG_PENDING : CG_OK;
}

static int emit(struct cg_hop_way *way, struct cg_slice datagram, struct cg_problem *problem) {
    struct cg_hop_stream *stream = of_way(way);
    struct cg_hop_connections *all = all_of(stream);
    const uint32_t most = stream->reliable.theirs.max_message_size;
    int len = cg_hop_to_stream(datagram, all->out, most < sizeof all->out ? most : sizeof all->out);
    if (len == 0) return CG_OK;
    if (len < 0)
        return cg_problem_set(problem, CG_E_TOO_BIG, "the next hop %s takes messages of %u bytes at most",
                              way->hop->origin, (unsigned)most);
    int err = cg_stream_write(stream->stream, cg_slice_of(all->out, (size_t)len));
    if (err < 0) return cg_problem_set(problem, err, "the next hop %s takes requests too slowly", way->hop->origin);
    owe_ping(stream);
    return CG_OK;
}

static const struct cg_hop_way_ops way_ops = {.has_room = has_room, .emit = emit, .end = end};

/* NULL: no memory. */
static SSL *make_ssl(const struct cg_hop *hop) {
    SSL *ssl = SSL_new(hop->context);
    if (ssl != NULL && cg_tls_expect(ssl, hop->host)) {
        SSL_set_connect_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    return NULL;
}

static bool connect_to(struct cg_hop_stream *stream, const struct cg_hop *hop, struct cg_problem *problem) {
    SSL *ssl = hop->context == NULL ? NULL : make_ssl(hop);
    if (hop->context != NULL && ssl == NULL) {
        cg_problem_no_memory(problem);
        return false;
    }
    stream->stream = cg_stream_connect(hop->all->streams, &hop->addr, ssl, &stream_ops, stream, problem);
    return stream->stream != NULL;
}

struct cg_hop_way *cg_hop_stream_new(struct cg_hop *hop, struct cg_problem *problem) {
    struct cg_hop_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) cg_problem_no_memory(problem);
    if (stream == NULL || !connect_to(stream, hop, problem)) {
        free(stream);
        return NULL;
    }
    stream->way = (struct cg_hop_way){.ops = &way_ops, .hop = hop, .all = hop->all};
    stream->timer.due = on_due;
    cg_hop_set_timer(hop->all, &stream->timer, hop->all->limits.opening_us);
    return &stream->way;
}
