/* The host's side of an encoder: the plugin ABI's services over one view. The hard thing: an encoder may be a
 * stranger's, so what it says is bounded here, and a call that failed for want of memory is told from one that gave up.
 */
#include "reply/host.h"

#include <string.h>

#include "reply/lend.h"

struct castgate_call {
    const struct cg_view *view;
    const struct cg_port *port;
    struct cg_reading reading;
    char *content_type;
    struct cg_buf *body;
};

static struct castgate_slice host_exchange(struct castgate_call *call) { return cg_lend_text(call->view->exchange); }

static struct castgate_slice host_mapping(struct castgate_call *call) {
    return cg_lend_text(call->view->mapping->name);
}

static const struct castgate_summary *host_summary(struct castgate_call *call) { return &call->view->summary; }

static bool host_answer(struct castgate_call *call, size_t index, struct castgate_answer *out) {
    return cg_reading_answer(&call->reading, index, out);
}

static bool host_missing(struct castgate_call *call, size_t index, struct castgate_missing *out) {
    return cg_reading_missing(&call->reading, index, out);
}

static bool host_rejected(struct castgate_call *call, size_t index, struct castgate_rejected *out) {
    return cg_reading_rejected(&call->reading, index, out);
}

static void host_random(struct castgate_call *call, void *to, size_t len) {
    call->port->random(call->port->ctx, to, len);
}

static void host_content_type(struct castgate_call *call, struct castgate_slice text) {
    size_t len = text.len < CG_CONTENT_TYPE_MAX - 1 ? text.len : CG_CONTENT_TYPE_MAX - 1;
    if (len > 0) memcpy(call->content_type, text.data, len);
    call->content_type[len] = 0;
}

static bool host_write(struct castgate_call *call, struct castgate_slice bytes) {
    cg_buf_put(call->body, bytes.data, bytes.len);
    return !call->body->failed;
}

static const struct castgate_host host = {
    .size = sizeof host,
    .exchange = host_exchange,
    .mapping = host_mapping,
    .summary = host_summary,
    .answer = host_answer,
    .missing = host_missing,
    .rejected = host_rejected,
    .random = host_random,
    .content_type = host_content_type,
    .write = host_write,
};

static void begin_call(struct castgate_call *call, const struct cg_reply_to *to, const struct cg_view *view,
                       struct cg_body *body) {
    *call = (struct castgate_call){
        .view = view, .port = to->port, .content_type = body->content_type, .body = &body->bytes};
    cg_reading_init(&call->reading, view);
    host_content_type(call, cg_lend_text(to->encoder->media_type));
}

static int end_call(struct castgate_call *call, int result) {
    cg_reading_fini(&call->reading);
    if (call->body->failed || result == CASTGATE_NO_MEMORY) return CG_E_NO_MEMORY;
    return result == 0 ? CG_OK : CG_E_INTERNAL;
}

static int encode(const struct cg_reply_to *to, const struct cg_view *view, struct cg_body *body,
                  int (*operation)(const struct castgate_host *, struct castgate_call *)) {
    struct castgate_call call;
    if (operation == NULL) return CG_OK;
    begin_call(&call, to, view, body);
    return end_call(&call, operation(&host, &call));
}

int cg_encode_head(const struct cg_reply_to *to, const struct cg_view *view, struct cg_body *body) {
    return encode(to, view, body, to->encoder->head);
}

int cg_encode_answers(const struct cg_reply_to *to, const struct cg_view *view, struct cg_body *body) {
    return encode(to, view, body, to->encoder->encode);
}

int cg_encode_event(const struct cg_reply_to *to, const struct cg_view *view, enum cg_stream_event event,
                    struct cg_body *body) {
    int (*const operations[])(const struct castgate_host *, struct castgate_call *) = {
        [CG_STREAM_BEGIN] = to->encoder->begin,
        [CG_STREAM_IDLE] = to->encoder->idle,
        [CG_STREAM_END] = to->encoder->end,
    };
    return encode(to, view, body, operations[event]);
}

int cg_encode_answer(const struct cg_reply_to *to, const struct cg_view *view, const struct cg_answer *held,
                     struct cg_body *body) {
    struct castgate_call call;
    struct castgate_answer answer;
    begin_call(&call, to, view, body);
    cg_reading_describe(&call.reading, held, &answer);
    return end_call(&call, to->encoder->answer(&host, &call, &answer));
}
