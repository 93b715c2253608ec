/* The reply as an event stream (WHATWG HTML "Server-sent events"): an `answer` event for each answer as it comes, then
 * `summary`. Two hard things. An event is lines, so everything in it is JSON on one line, and nothing a member sent can
 * begin another event. And a browser takes the end of a stream for a fault, and asks again, naming the last ID that it
 * was given: only a summary has one, of a form that says so by itself, since nothing is remembered of a stream that is
 * over, least of all over a restart. */
#include "builtin.h"
#include "json/json_write.h"
#include "lend.h"

#define RETRY_MS   "10000" /* a stream that broke is one more request to the group: not three seconds later */
#define SUMMARY_ID "-summary"

enum { EXCHANGE_ID_LEN = 16 }; /* hexadecimal digits */

static int write_out(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *event) {
    int result = cg_write_out(host, call, event);
    cg_buf_fini(event);
    return result;
}

static void begin_answer(struct cg_buf *event) {
    cg_buf_init(event, 0);
    cg_buf_put_str(event, "event: answer\ndata: ");
}

static int end_event(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *event) {
    cg_buf_put_str(event, "\n\n");
    return write_out(host, call, event);
}

/* ID: the exchange's and a word. */
static void begin_summary(struct cg_buf *event, struct castgate_slice exchange) {
    cg_buf_init(event, 0);
    cg_buf_put_str(event, "event: summary\nid: ");
    cg_buf_put_slice(event, cg_borrow(exchange));
    cg_buf_put_str(event, SUMMARY_ID "\ndata: ");
}

static bool sse_has_ended(struct castgate_slice last_event_id) {
    const char *id = last_event_id.data;
    if (last_event_id.len != EXCHANGE_ID_LEN + sizeof SUMMARY_ID - 1) return false;
    for (size_t i = 0; i < EXCHANGE_ID_LEN; i++) {
        if ((id[i] < '0' || id[i] > '9') && (id[i] < 'a' || id[i] > 'f')) return false;
    }
    return memcmp(id + EXCHANGE_ID_LEN, SUMMARY_ID, sizeof SUMMARY_ID - 1) == 0;
}

static int write_comment(const struct castgate_host *host, struct castgate_call *call, const char *text) {
    struct cg_buf comment;
    cg_buf_init(&comment, 0);
    cg_buf_put_str(&comment, ": ");
    cg_buf_put_str(&comment, text);
    cg_buf_put_str(&comment, "\n\n");
    return write_out(host, call, &comment);
}

static int sse_begin(const struct castgate_host *host, struct castgate_call *call) {
    return write_comment(host, call, "sent\nretry: " RETRY_MS); /* at once, so that the head goes out */
}

static int sse_idle(const struct castgate_host *host, struct castgate_call *call) {
    return write_comment(host, call, "waiting");
}

static int sse_answer(const struct castgate_host *host, struct castgate_call *call,
                      const struct castgate_answer *answer) {
    struct cg_buf event;
    begin_answer(&event);
    cg_json_put_answer(&event, answer);
    return end_event(host, call, &event);
}

static void put_lists(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *to) {
    struct castgate_missing missing;
    cg_json_put_key(to, "missing");
    cg_buf_put_u8(to, '[');
    for (size_t i = 0; host->missing(call, i, &missing); i++) {
        if (i > 0) cg_buf_put_u8(to, ',');
        cg_json_put_missing(to, &missing);
    }
    cg_buf_put_u8(to, ']');
    struct castgate_rejected rejected;
    cg_json_put_key(to, "rejected");
    cg_buf_put_u8(to, '[');
    for (size_t i = 0; host->rejected(call, i, &rejected); i++) {
        if (i > 0) cg_buf_put_u8(to, ',');
        cg_json_put_rejected(to, &rejected);
    }
    cg_buf_put_u8(to, ']');
}

static int sse_end(const struct castgate_host *host, struct castgate_call *call) {
    struct cg_buf event;
    begin_summary(&event, host->exchange(call));
    cg_buf_put_u8(&event, '{');
    cg_json_put_text(&event, "exchange", host->exchange(call));
    cg_json_put_text(&event, "mapping", host->mapping(call));
    cg_json_put_key(&event, "summary");
    cg_json_put_summary(&event, host->summary(call));
    put_lists(host, call, &event);
    cg_buf_put_u8(&event, '}');
    return end_event(host, call, &event);
}

static const struct castgate_encoder sse_encoder = {
    .media_type = "text/event-stream",
    .begin = sse_begin,
    .answer = sse_answer,
    .idle = sse_idle,
    .end = sse_end,
    .has_ended = sse_has_ended,
};

const struct castgate_plugin cg_plugin_sse = {
    .major = CASTGATE_PLUGIN_MAJOR,
    .minor = CASTGATE_PLUGIN_MINOR,
    .kind = CASTGATE_ENCODER,
    .size = sizeof(struct castgate_plugin),
    .name = "sse",
    .ops.encoder = &sse_encoder,
};
