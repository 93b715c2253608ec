/* A reply that goes out while answers come in. The hard thing: a reader that is too slow must cost nobody else anything, so what it
 * has not taken is bounded, and beyond the bound its stream ends with a counted reason. */
#include "core/state.h"

enum { IDLE_US = 15 * 1000000 };

bool cg_stream_is_wanted(const struct cg_exchange *exchange) {
    return exchange->request.encoder->begin != NULL && exchange->timeout_us > 0;
}

/* Hands bytes on and sets the time of the next sign of life. */
static bool put(struct cg_gateway *gateway, struct cg_exchange *exchange, struct cg_buf *bytes, int err) {
    if (err == CG_OK) err = cg_outq_put(exchange->stream, bytes);
    cg_buf_fini(bytes);
    exchange->idle_us = gateway->now_us + IDLE_US;
    return err == CG_OK;
}

/* What a reader that is too slow, or a lack of memory, leads to: the stream ends here. */
static void give_up(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    exchange->overflown = true;
    exchange->mapping->stats->streams_cut++;
    cg_gateway_wake(gateway, exchange);
}

bool cg_stream_begin(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    exchange->stream = cg_outq_new(exchange->config->limits.stream_queue, &gateway->quota);
    struct cg_reply reply = {.status = 200, .streams = true, .body = exchange->stream};
    memcpy(reply.exchange_id, exchange->id, sizeof reply.exchange_id);
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    int err = exchange->stream == NULL ? CG_E_NO_MEMORY
                                       : cg_encode_event(gateway, exchange, CG_STREAM_BEGIN, &reply, &bytes);
    if (exchange->stream == NULL || !put(gateway, exchange, &bytes, err)) {
        exchange->problem.retry_after = 1;
        cg_problem_set(&exchange->problem, CG_E_NO_MEMORY, "the reply does not fit the memory limits");
        return false;
    }
    exchange->front->reply(exchange->front_ctx, &reply);
    return true;
}

void cg_stream_answer(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_held_answer *held) {
    if (exchange->overflown) return;
    struct cg_reply reply = {0};
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    cg_exchange_summarise(gateway, exchange, &reply.summary);
    int err = cg_encode_answer(gateway, exchange, held, &reply, &bytes);
    if (!put(gateway, exchange, &bytes, err)) give_up(gateway, exchange);
}

static bool put_event(struct cg_gateway *gateway, struct cg_exchange *exchange, enum cg_stream_event event,
                      const struct castgate_summary *summary) {
    struct cg_reply reply = {.summary = *summary};
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    int err = cg_encode_event(gateway, exchange, event, &reply, &bytes);
    return put(gateway, exchange, &bytes, err);
}

void cg_stream_idle(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (exchange->overflown || gateway->now_us < exchange->idle_us) return;
    struct castgate_summary summary;
    cg_exchange_summarise(gateway, exchange, &summary);
    if (!put_event(gateway, exchange, CG_STREAM_IDLE, &summary)) give_up(gateway, exchange);
}

void cg_stream_end(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct castgate_summary *summary) {
    if (!exchange->overflown && !put_event(gateway, exchange, CG_STREAM_END, summary)) {
        exchange->mapping->stats->streams_cut++;
    }
    cg_outq_end(exchange->stream);
    cg_outq_unref(exchange->stream);
    exchange->stream = NULL;
}
