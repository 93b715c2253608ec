/* Scrapes in slices. The hard thing is a reader that stops reading: its reply waits in the middle, and must neither
 * hold its connection for ever nor look whole. */
#include "fronts/admin/scrape.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"

enum {
    LINES = 1500, /* a slice: a millisecond or so */
    QUEUE = 128 << 10,
    ALL_QUEUES = 32 << 20,
    LOOK_MS = 5000,
    LOOKS = 12, /* without a byte taken: a minute */
};

struct cg_scrape {
    struct cg_scrape *prev, *next;
    struct cg_scrapes *scrapes;
    struct cg_http_call *call;
    struct cg_outq *queue;
    struct cg_stats_cursor cursor;
    uint64_t taken; /* at the last look */
    unsigned looks; /* in vain */
};

static const struct cg_http_head head = {.status = 200, .content_type = "text/plain; version=0.0.4"};

/* ---- One scrape ---- */

static void free_scrape(struct cg_scrape *scrape) {
    if (scrape->queue != NULL) scrape->queue->on_taken = NULL;
    cg_outq_unref(scrape->queue);
    free(scrape);
}

static struct cg_scrape *new_scrape(struct cg_scrapes *scrapes, struct cg_http_call *call, enum cg_stats_view view) {
    struct cg_scrape *scrape = calloc(1, sizeof *scrape);
    if (scrape == NULL) return NULL;
    scrape->scrapes = scrapes;
    scrape->call = call;
    scrape->cursor.view = view;
    scrape->queue = cg_outq_new(QUEUE, &scrapes->quota);
    if (scrape->queue != NULL) return scrape;
    free_scrape(scrape);
    return NULL;
}

/* 1: there is more. */
static int write_slice(struct cg_scrape *scrape) {
    const struct cg_scrapes *scrapes = scrape->scrapes;
    struct cg_buf slice;
    cg_buf_init(&slice, 0);
    bool more = cg_stats_emit(&slice, scrapes->stats, scrapes->totals, &scrape->cursor, LINES);
    if (!more) scrapes->rest(scrapes->ctx, &slice);
    int err = cg_outq_put(scrape->queue, &slice);
    return err < 0 ? err : more;
}

/* ---- All of them ---- */

static void on_turn(uv_idle_t *turn);
static void on_patience(uv_timer_t *patience);

static void on_taken(void *ctx) {
    struct cg_scrapes *scrapes = ctx;
    CG_CHECK(uv_idle_start(&scrapes->turn, on_turn) == 0);
}

static void add(struct cg_scrapes *scrapes, struct cg_scrape *scrape) {
    uint64_t ms = scrapes->look_ms;
    if (scrapes->all == NULL) CG_CHECK(uv_timer_start(&scrapes->patience, on_patience, ms, ms) == 0);
    DL_APPEND(scrapes->all, scrape);
    scrape->queue->on_taken = on_taken;
    scrape->queue->on_taken_ctx = scrapes;
}

static void end(struct cg_scrapes *scrapes, struct cg_scrape *scrape) {
    DL_DELETE(scrapes->all, scrape);
    free_scrape(scrape);
    if (scrapes->all != NULL) return;
    uv_timer_stop(&scrapes->patience);
    uv_idle_stop(&scrapes->turn);
}

static void go_on(struct cg_scrapes *scrapes, struct cg_scrape *scrape) {
    int more = write_slice(scrape);
    if (more > 0) return;
    if (more == 0)
        cg_outq_end(scrape->queue);
    else
        cg_outq_break(scrape->queue);
    end(scrapes, scrape);
}

static struct cg_scrape *next_with_room(const struct cg_scrapes *scrapes) {
    struct cg_scrape *scrape;
    DL_FOREACH(scrapes->all, scrape) {
        if (cg_outq_has_room(scrape->queue)) return scrape;
    }
    return NULL;
}

static void on_turn(uv_idle_t *turn) {
    struct cg_scrapes *scrapes = turn->data;
    struct cg_scrape *scrape = next_with_room(scrapes);
    if (scrape == NULL) {
        uv_idle_stop(turn);
        return;
    }
    DL_DELETE(scrapes->all, scrape);
    DL_APPEND(scrapes->all, scrape);
    go_on(scrapes, scrape);
}

static bool is_stuck(struct cg_scrape *scrape) {
    scrape->looks = scrape->queue->taken == scrape->taken ? scrape->looks + 1 : 0;
    scrape->taken = scrape->queue->taken;
    return scrape->looks >= LOOKS;
}

static void on_patience(uv_timer_t *patience) {
    struct cg_scrapes *scrapes = patience->data;
    struct cg_scrape *scrape, *next;
    DL_FOREACH_SAFE(scrapes->all, scrape, next) {
        if (!is_stuck(scrape)) continue;
        cg_outq_break(scrape->queue);
        end(scrapes, scrape);
    }
}

/* ---- Outside ---- */

static void refuse(struct cg_http_call *call) {
    struct cg_problem problem = {0};
    (void)cg_problem_no_memory(&problem);
    cg_http_call_reply_problem(call, &problem, NULL);
}

/* What fits into one slice has a length, and is done with. */
void cg_scrapes_serve(struct cg_scrapes *scrapes, struct cg_http_call *call, enum cg_stats_view view) {
    struct cg_scrape *scrape = new_scrape(scrapes, call, view);
    int more = scrape == NULL ? CG_E_NO_MEMORY : write_slice(scrape);
    if (more < 0) {
        refuse(call);
    } else {
        if (more == 0) cg_outq_end(scrape->queue);
        cg_http_call_reply_queue(call, &head, scrape->queue);
    }
    if (more > 0) {
        add(scrapes, scrape);
        on_taken(scrapes);
    } else if (scrape != NULL) {
        free_scrape(scrape);
    }
}

void cg_scrapes_forget(struct cg_scrapes *scrapes, const struct cg_http_call *call) {
    struct cg_scrape *scrape;
    DL_FOREACH(scrapes->all, scrape) {
        if (scrape->call != call) continue;
        end(scrapes, scrape);
        return;
    }
}

void cg_scrapes_open(struct cg_scrapes *scrapes, uv_loop_t *uv) {
    if (scrapes->look_ms == 0) scrapes->look_ms = LOOK_MS;
    scrapes->quota = (struct cg_quota){.max = ALL_QUEUES};
    CG_CHECK(uv_idle_init(uv, &scrapes->turn) == 0);
    CG_CHECK(uv_timer_init(uv, &scrapes->patience) == 0);
    scrapes->turn.data = scrapes->patience.data = scrapes;
    scrapes->open_handles = 2;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct cg_scrapes *scrapes = handle->data;
    if (--scrapes->open_handles == 0) scrapes->on_closed(scrapes->ctx);
}

void cg_scrapes_close(struct cg_scrapes *scrapes, void (*on_closed)(void *ctx)) {
    CG_CHECK(scrapes->all == NULL);
    scrapes->on_closed = on_closed;
    uv_close((uv_handle_t *)&scrapes->turn, on_handle_closed);
    uv_close((uv_handle_t *)&scrapes->patience, on_handle_closed);
}
