/* A reply that goes out while answers come in. The hard thing: a reader that is too slow must cost nobody else
 * anything, and a fast one must not be taken for slow because a thousand members answered at once. So events are made
 * only while the reader's queue has room; the answers behind them wait where they are anyway. The stream closes when
 * its queue is full and its reader takes nothing for a while. */
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "reply/host.h"
#include "reply/sink.h"

enum { IDLE_US = 15 * 1000000, STALL_US = 5 * 1000000 };

struct cg_stream {
    struct cg_sink sink;
    struct cg_reply_to to;
    struct cg_outq *queue; /* a reference; NULL: not begun */
    bool begun;            /* the head of the reply is out */
    bool full;             /* there was no room when it was last asked for */
    uint64_t idle_us;      /* when the silence is to be broken */
    uint64_t stall_us;     /* when the reader is too slow that has taken nothing more than ... */
    uint64_t taken;        /* ... these bytes */
};

static struct cg_stream *stream_of(struct cg_sink *sink) { return CG_CONTAINER(sink, struct cg_stream, sink); }

/* Queues an event that `err` says was made. */
static int put(struct cg_stream *stream, const struct cg_view *view, int err, struct cg_buf *event,
               struct cg_problem *problem) {
    if (err == CG_OK) err = cg_outq_put(stream->queue, event);
    cg_buf_fini(event);
    stream->idle_us = view->now_us + IDLE_US;
    if (err == CG_OK) return CG_OK;
    problem->retry_after = 1;
    if (err != CG_E_INTERNAL) return cg_problem_memory_full(problem);
    return cg_problem_set(problem, err, "the encoder gave up");
}

static int put_event(struct cg_stream *stream, const struct cg_view *view, enum cg_stream_event which,
                     struct cg_problem *problem) {
    struct cg_body event;
    cg_buf_init(&event.bytes, 0);
    int err = cg_encode_event(&stream->to, view, which, &event);
    return put(stream, view, err, &event.bytes, problem);
}

static void on_taken(void *ctx) {
    struct cg_stream *stream = ctx;
    if (!stream->full || !cg_outq_has_room(stream->queue)) return;
    stream->full = false;
    cg_sink_wake(&stream->sink);
}

static void tell_head(struct cg_stream *stream, const struct cg_view *view, const struct cg_body *first) {
    struct cg_reply reply = {.status = 200,
                             .streams = true,
                             .summary = view->summary,
                             .body = stream->queue,
                             .observes = view->request->observes};
    memcpy(reply.content_type, first->content_type, sizeof reply.content_type);
    memcpy(reply.exchange_id, view->exchange, sizeof reply.exchange_id);
    stream->begun = true;
    stream->to.front->reply(stream->to.front_ctx, &reply);
}

static int stream_begin(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_stream *stream = stream_of(sink);
    stream->queue = cg_outq_new(view->config->limits.stream_queue, stream->to.quota);
    if (stream->queue == NULL) return cg_problem_no_memory(problem);
    struct cg_body first;
    cg_buf_init(&first.bytes, 0);
    int err = cg_encode_event(&stream->to, view, CG_STREAM_BEGIN, &first);
    err = put(stream, view, err, &first.bytes, problem);
    if (err < 0) return err;
    stream->queue->on_taken = on_taken;
    stream->queue->on_taken_ctx = stream;
    tell_head(stream, view, &first);
    return CG_OK;
}

static bool has_room(struct cg_stream *stream) {
    stream->full = !cg_outq_has_room(stream->queue);
    return !stream->full;
}

/* The end is an event, too. */
static bool stream_has_room(struct cg_sink *sink, enum cg_sink_word word) {
    (void)word;
    return has_room(stream_of(sink));
}

static void trust_reader(struct cg_stream *stream, uint64_t now_us) {
    stream->taken = stream->queue->taken;
    stream->stall_us = now_us + STALL_US;
}

static int stream_answer(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                         struct cg_problem *problem) {
    struct cg_stream *stream = stream_of(sink);
    struct cg_body event;
    trust_reader(stream, view->now_us);
    cg_buf_init(&event.bytes, 0);
    int err = cg_encode_answer(&stream->to, view, answer, &event);
    return put(stream, view, err, &event.bytes, problem);
}

/* The queue is full, and was full before. */
static uint64_t watch_reader(struct cg_stream *stream, uint64_t now_us) {
    if (stream->taken != stream->queue->taken) {
        trust_reader(stream, now_us);
    } else if (now_us >= stream->stall_us) {
        return CG_SINK_CLOSED;
    }
    return stream->stall_us;
}

static uint64_t stream_look(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_stream *stream = stream_of(sink);
    if (!has_room(stream)) return watch_reader(stream, view->now_us);
    trust_reader(stream, view->now_us);
    if (view->now_us < stream->idle_us) return stream->idle_us;
    if (put_event(stream, view, CG_STREAM_IDLE, problem) < 0) return CG_SINK_CLOSED;
    return stream->idle_us;
}

static void close_queue(struct cg_stream *stream) {
    if (stream->queue == NULL) return;
    stream->queue->on_taken = NULL;
    cg_outq_end(stream->queue);
    cg_outq_unref(stream->queue);
}

/* Where nobody waits for answers there is no stream, but the word that the request went out. */
static unsigned reply_without_stream(struct cg_stream *stream, const struct cg_view *view, struct cg_problem *problem) {
    const struct cg_reply_to *to = &stream->to;
    struct cg_body none = {0};
    if (problem->err == 0 && cg_reply_whole(to, view, 204, &none, problem)) return 204;
    return cg_reply_problem(to->front, to->front_ctx, problem, view->exchange);
}

/* Its head is long out, so whatever happened is told in it. */
static unsigned end_stream(struct cg_stream *stream, const struct cg_view *view, enum cg_sink_end how,
                           struct cg_problem *problem, bool *cut) {
    *cut = how == CG_SINK_CUT || put_event(stream, view, CG_STREAM_END, problem) < 0;
    return 200;
}

static void stream_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how,
                       struct cg_problem *problem, struct cg_sink_ending *ending) {
    struct cg_stream *stream = stream_of(sink);
    if (how != CG_SINK_LEFT) {
        ending->status = stream->begun ? end_stream(stream, view, how, problem, &ending->cut)
                                       : reply_without_stream(stream, view, problem);
    }
    close_queue(stream);
    free(stream);
}

static const struct cg_sink_ops stream_ops = {
    .begin = stream_begin,
    .has_room = stream_has_room,
    .answer = stream_answer,
    .look = stream_look,
    .end = stream_end,
};

struct cg_sink *cg_stream_new(const struct cg_reply_to *to) {
    struct cg_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) return NULL;
    stream->sink.ops = &stream_ops;
    stream->to = *to;
    return &stream->sink;
}
