/* A reply that is made when collecting has ended, from all that there is then. */
#include <stdlib.h>

#include "base/container.h"
#include "reply/host.h"
#include "reply/sink.h"

struct cg_whole {
    struct cg_sink sink;
    struct cg_reply_to to;
};

static bool has_body(const struct cg_whole *whole, const struct cg_view *view) {
    bool nobody = view->summary.answered == 0 && whole->to.encoder->empty_is_204;
    return view->expects_answers && !nobody;
}

/* False: *problem says why not. */
static bool encode(const struct cg_whole *whole, const struct cg_view *view, struct cg_body *body,
                   struct cg_problem *problem) {
    int err = cg_encode_whole(&whole->to, view, body);
    if (err == CG_OK) return true;
    problem->retry_after = 1;
    cg_problem_set(problem, err,
                   err == CG_E_INTERNAL ? "the encoder gave up" : "the reply does not fit the memory limits");
    return false;
}

/* Returns the status, or 0 with *problem set. */
static unsigned reply(const struct cg_whole *whole, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_body body = {0};
    cg_buf_init(&body.bytes, 0);
    unsigned status = has_body(whole, view) ? 200 : 204;
    bool made = status == 204 || encode(whole, view, &body, problem);
    if (made) made = cg_reply_whole(&whole->to, view, status, &body, problem);
    cg_buf_fini(&body.bytes);
    return made ? status : 0;
}

static void whole_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how,
                      struct cg_problem *problem, struct cg_sink_ending *ending) {
    struct cg_whole *whole = CG_CONTAINER(sink, struct cg_whole, sink);
    const struct cg_reply_to *to = &whole->to;
    if (how != CG_SINK_LEFT) {
        if (problem->err == 0) ending->status = reply(whole, view, problem);
        if (problem->err < 0) ending->status = cg_reply_problem(to->front, to->front_ctx, problem, view->exchange);
    }
    free(whole);
}

static const struct cg_sink_ops whole_ops = {.end = whole_end};

struct cg_sink *cg_whole_new(const struct cg_reply_to *to) {
    struct cg_whole *whole = calloc(1, sizeof *whole);
    if (whole == NULL) return NULL;
    whole->sink.ops = &whole_ops;
    whole->to = *to;
    return &whole->sink;
}
