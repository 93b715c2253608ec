/* What every reply by an encoder has in common: the choice of its sink, and the words to the front. */
#include "reply/reply.h"

#include <string.h>

#include "reply/host.h"
#include "reply/outcome.h"
#include "reply/view.h"

struct cg_sink *cg_reply_new(const struct cg_reply_to *to) {
    return to->encoder->begin != NULL ? cg_stream_new(to) : cg_whole_new(to);
}

/* When it may be worth asking again: what is full now may soon not be, but a key that may not send waits for somebody
 * who does something about it. */
static uint32_t patience_s(int err) {
    switch (err) {
    case CG_E_KEY_REFUSED: return 60;
    case CG_E_STORE: return 10;
    default: return 1;
    }
}

unsigned cg_reply_problem(const struct cg_front *front, void *ctx, const struct cg_problem *problem,
                          const char *exchange_id) {
    struct cg_problem told = *problem;
    unsigned status = cg_err_info(problem->err)->http_status;
    if (status == 503 && told.retry_after == 0) told.retry_after = patience_s(problem->err);
    front->problem(ctx, &told, exchange_id);
    return status;
}

static struct cg_reply begin_reply(const struct cg_view *view, unsigned status) {
    struct cg_reply reply = {
        .status = (uint16_t)status, .summary = view->summary, .is_strict = cg_outcome_is_strict(view)};
    memcpy(reply.exchange_id, view->exchange, sizeof reply.exchange_id);
    return reply;
}

unsigned cg_reply_silence(const struct cg_reply_to *to, const struct cg_view *view, const struct cg_problem *silence) {
    struct cg_reply reply = begin_reply(view, cg_err_info(silence->err)->http_status);
    reply.problem = silence;
    to->front->reply(to->front_ctx, &reply);
    return reply.status;
}

/* GCP §9.3: of GET alone, which FETCH is not where it came as a POST. */
static bool has_group_etag(const struct cg_view *view) {
    return view->has_group_etag && view->request->method == CG_GET;
}

bool cg_reply_whole(const struct cg_reply_to *to, const struct cg_view *view, unsigned status, struct cg_body *body,
                    struct cg_problem *problem) {
    struct cg_reply reply = begin_reply(view, status);
    reply.body = cg_outq_new(SIZE_MAX, to->quota);
    bool queued = reply.body != NULL && cg_outq_put(reply.body, &body->bytes) == CG_OK;
    if (queued && body->common != NULL) queued = cg_outq_put_common(reply.body, body->common) == CG_OK;
    if (queued) {
        cg_outq_end(reply.body);
        memcpy(reply.content_type, body->content_type, sizeof reply.content_type);
        reply.fields = body->fields;
        reply.has_group_etag = has_group_etag(view);
        memcpy(reply.group_etag, view->group_etag, sizeof reply.group_etag);
        to->front->reply(to->front_ctx, &reply);
    } else {
        problem->retry_after = 1;
        cg_problem_set(problem, CG_E_NO_MEMORY, "the reply does not fit the memory limits");
    }
    cg_outq_unref(reply.body);
    return queued;
}
