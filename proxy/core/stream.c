/* A reply that goes out while answers come in. The hard thing: a reader that is too slow must cost nobody else
 * anything, and a fast one must not be taken for slow because a thousand members answered at once. So events are made
 * only while the reader's queue has room; the answers behind them wait in the tally, where they are anyway. A stream is
 * cut, with a counted reason, when its queue is full and its reader takes nothing for a while. */
#include "core/state.h"

enum { IDLE_US = 15 * 1000000, STALL_US = 5 * 1000000 };

bool cg_stream_is_wanted(const struct cg_exchange *exchange) {
    return exchange->request.encoder->begin != NULL && exchange->timeout_us > 0;
}

/* Hands an event on, or ends the stream and says why in the exchange's problem. */
static bool put(struct cg_gateway *gateway, struct cg_exchange *exchange, int err, struct cg_buf *event) {
    if (err == CG_OK) err = cg_outq_put(exchange->stream, event);
    cg_buf_fini(event);
    exchange->idle_us = gateway->now_us + IDLE_US;
    if (err == CG_OK) return true;
    exchange->cut = true;
    exchange->problem.retry_after = 1;
    cg_problem_set(&exchange->problem, err,
                   err == CG_E_INTERNAL ? "the encoder gave up" : "answers fill the memory (limits.total_memory)");
    return false;
}

static bool put_event(struct cg_gateway *gateway, struct cg_exchange *exchange, enum cg_stream_event which,
                      struct cg_reply *reply) {
    struct cg_buf event;
    cg_buf_init(&event, 0);
    int err = cg_encode_event(gateway, exchange, which, reply, &event);
    return put(gateway, exchange, err, &event);
}

static void put_answer(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_held_answer *held) {
    struct cg_reply reply = {0};
    struct cg_buf event;
    cg_buf_init(&event, 0);
    cg_exchange_summarise(gateway, exchange, &reply.summary);
    int err = cg_encode_answer(gateway, exchange, held, &reply, &event);
    put(gateway, exchange, err, &event);
}

static void on_taken(void *ctx) {
    struct cg_exchange *exchange = ctx;
    bool waited = exchange->unsent != NULL || exchange->drain_us != 0;
    if (waited && cg_outq_has_room(exchange->stream)) cg_gateway_wake(exchange->gateway, exchange);
}

bool cg_stream_begin(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    exchange->last_unsent = &exchange->unsent;
    exchange->stream = cg_outq_new(exchange->config->limits.stream_queue, &gateway->quota);
    if (exchange->stream == NULL) {
        cg_problem_no_memory(&exchange->problem);
        return false;
    }
    struct cg_reply reply = {.status = 200, .streams = true, .body = exchange->stream};
    memcpy(reply.exchange_id, exchange->id, sizeof reply.exchange_id);
    cg_exchange_summarise(gateway, exchange, &reply.summary);
    if (!put_event(gateway, exchange, CG_STREAM_BEGIN, &reply)) return false;
    exchange->stream->on_taken = on_taken;
    exchange->stream->on_taken_ctx = exchange;
    exchange->front->reply(exchange->front_ctx, &reply);
    return true;
}

void cg_stream_answer(struct cg_gateway *gateway, struct cg_exchange *exchange, struct cg_held_answer *held) {
    cg_gateway_wake(gateway, exchange);
    if (held->unsent) return; /* what it says now is what will be told */
    held->unsent = true;
    held->next_unsent = NULL;
    *exchange->last_unsent = held;
    exchange->last_unsent = &held->next_unsent;
}

static struct cg_held_answer *next_unsent(struct cg_exchange *exchange) {
    struct cg_held_answer *held = exchange->unsent;
    exchange->unsent = held->next_unsent;
    if (exchange->unsent == NULL) exchange->last_unsent = &exchange->unsent;
    held->unsent = false;
    return held;
}

static void break_silence(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (gateway->now_us < exchange->idle_us) return;
    struct cg_reply reply = {0};
    cg_exchange_summarise(gateway, exchange, &reply.summary);
    put_event(gateway, exchange, CG_STREAM_IDLE, &reply);
}

static void trust_reader(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    exchange->taken = exchange->stream->taken;
    exchange->stall_us = gateway->now_us + STALL_US;
}

/* The queue is full, and was full before. */
static void watch_reader(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (exchange->taken != exchange->stream->taken) {
        trust_reader(gateway, exchange);
    } else if (gateway->now_us >= exchange->stall_us) {
        cg_stream_cut(exchange);
    }
}

uint64_t cg_stream_turn(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (cg_outq_has_room(exchange->stream)) trust_reader(gateway, exchange);
    while (exchange->unsent != NULL && !exchange->cut && cg_outq_has_room(exchange->stream)) {
        put_answer(gateway, exchange, next_unsent(exchange));
    }
    if (exchange->cut) return UINT64_MAX;
    if (!cg_outq_has_room(exchange->stream)) {
        watch_reader(gateway, exchange);
        return exchange->stall_us;
    }
    break_silence(gateway, exchange);
    return exchange->idle_us;
}

bool cg_stream_is_drained(const struct cg_exchange *exchange) {
    return exchange->unsent == NULL && cg_outq_has_room(exchange->stream);
}

void cg_stream_cut(struct cg_exchange *exchange) {
    exchange->cut = true;
    exchange->mapping->stats->streams_cut++;
}

void cg_stream_end(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct castgate_summary *summary) {
    struct cg_reply reply = {.summary = *summary};
    if (!exchange->cut) put_event(gateway, exchange, CG_STREAM_END, &reply);
    cg_stream_close(exchange);
}

void cg_stream_close(struct cg_exchange *exchange) {
    if (exchange->stream == NULL) return;
    exchange->stream->on_taken = NULL;
    cg_outq_end(exchange->stream);
    cg_outq_unref(exchange->stream);
    exchange->stream = NULL;
}
