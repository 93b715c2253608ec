/* What the streams of one owner share: whose turn it is, and time. The hard thing: a handshake's step costs as much as
 * a hundred requests, and what a stream hears may put it, or another, in line again or end it; so lines are looked at
 * anew after each, and who gets in line meanwhile has the next turn. */
#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "io/loop.h"
#include "io/stream_inside.h"

/* ---- Time ---- */

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
        cg_stream_run_deadline(CG_CONTAINER(first, struct cg_stream, deadline));
    }
    arm(streams);
}

void cg_stream_set_deadline(struct cg_stream *stream, uint64_t in_us) {
    cg_heap_set(&stream->streams->deadlines, &stream->deadline, cg_loop_now_us() + in_us);
    arm(stream->streams);
}

void cg_stream_drop_deadline(struct cg_stream *stream) {
    cg_heap_remove(&stream->streams->deadlines, &stream->deadline);
}

/* ---- Lines ---- */

static void on_idle(uv_idle_t *idle);

static void be_busy(struct cg_streams *streams) { CG_CHECK(uv_idle_start(&streams->idle, on_idle) == 0); }

static struct cg_stream **line_of(struct cg_stream *stream) {
    return stream->state == CG_STREAM_SHAKING ? &stream->streams->shaking : &stream->streams->resumed;
}

void cg_stream_get_in_line(struct cg_stream *stream) {
    if (stream->is_in_line) return;
    stream->is_in_line = true;
    DL_APPEND2(*line_of(stream), stream, turn_prev, turn_next);
    be_busy(stream->streams);
}

void cg_stream_get_out_of_line(struct cg_stream *stream) {
    if (!stream->is_in_line) return;
    stream->is_in_line = false;
    DL_DELETE2(*line_of(stream), stream, turn_prev, turn_next);
}

void cg_stream_be_dirty(struct cg_stream *stream) {
    if (stream->is_dirty) return;
    stream->is_dirty = true;
    DL_APPEND2(stream->streams->dirty, stream, dirty_prev, dirty_next);
    be_busy(stream->streams);
}

void cg_stream_be_clean(struct cg_stream *stream) {
    if (!stream->is_dirty) return;
    stream->is_dirty = false;
    DL_DELETE2(stream->streams->dirty, stream, dirty_prev, dirty_next);
}

/* ---- Turns ---- */

static void flush_all(struct cg_streams *streams) {
    while (streams->dirty != NULL) {
        struct cg_stream *stream = streams->dirty;
        cg_stream_be_clean(stream);
        cg_stream_flush(stream);
    }
}

static void step_one_handshake(struct cg_streams *streams) {
    struct cg_stream *stream = streams->shaking;
    if (stream == NULL) return;
    cg_stream_get_out_of_line(stream);
    cg_stream_step_handshake(stream);
}

/* Those that are in line now. */
static void resume_all(struct cg_streams *streams) {
    struct cg_stream *stream;
    size_t left = 0;
    DL_FOREACH2(streams->resumed, stream, turn_next) left++;
    for (; left > 0 && (stream = streams->resumed) != NULL; left--) {
        cg_stream_get_out_of_line(stream);
        cg_stream_go_on(stream);
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

void cg_streams_on_handle_closed(struct cg_streams *streams) {
    if (--streams->open_handles > 0) return;
    if (streams->on_closed != NULL) streams->on_closed(streams->on_closed_ctx);
    cg_heap_fini(&streams->deadlines);
    OPENSSL_cleanse(streams->plain, sizeof streams->plain);
    free(streams);
}

static void on_uv_closed(uv_handle_t *handle) { cg_streams_on_handle_closed(handle->data); }

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
    while (streams->left != NULL) cg_stream_close_now(streams->left);
    uv_close((uv_handle_t *)&streams->idle, on_uv_closed);
    uv_close((uv_handle_t *)&streams->timer, on_uv_closed);
}

const struct cg_stream_figures *cg_streams_figures(const struct cg_streams *streams) { return &streams->figures; }
