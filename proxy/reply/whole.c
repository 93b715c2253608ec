/* A reply that is made when collecting has ended, from all that there is then. The hard thing: thousands may wait for
 * the same answers, so what their replies have in common is made once and left on the round's shelf. */
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "reply/host.h"
#include "reply/outcome.h"
#include "reply/own.h"
#include "reply/sink.h"

struct cg_whole {
    struct cg_sink sink;
    struct cg_reply_to to;
};

/* Some encoders have something to say where nobody answered. */
static unsigned choose_status(const struct cg_whole *whole, const struct cg_view *view) {
    unsigned status = cg_outcome_status(view);
    return status == 204 && view->expects_answers && !whole->to.encoder->empty_is_204 ? 200 : status;
}

/* Bytes for all who get the same answers. */
struct cg_rendition {
    struct cg_shelved shelved; /* by its encoder */
    struct cg_bytes *bytes;
    char content_type[CG_CONTENT_TYPE_MAX];
};

static void drop_rendition(struct cg_shelved *shelved) {
    struct cg_rendition *rendition = CG_CONTAINER(shelved, struct cg_rendition, shelved);
    cg_bytes_unref(rendition->bytes);
    free(rendition);
}

static int render(const struct cg_reply_to *to, const struct cg_view *view, struct cg_rendition **made) {
    struct cg_body body = {0};
    cg_buf_init(&body.bytes, 0);
    int err = cg_encode_answers(to, view, &body);
    if (err < 0) {
        cg_buf_fini(&body.bytes);
        return err;
    }
    struct cg_bytes *bytes = cg_bytes_new(&body.bytes, to->quota);
    struct cg_rendition *rendition = bytes == NULL ? NULL : malloc(sizeof *rendition);
    if (rendition == NULL) {
        cg_bytes_unref(bytes);
        return CG_E_NO_MEMORY;
    }
    *rendition = (struct cg_rendition){
        .shelved = {.key = to->encoder, .size = sizeof *rendition + bytes->len, .drop = drop_rendition},
        .bytes = bytes,
    };
    memcpy(rendition->content_type, body.content_type, sizeof rendition->content_type);
    cg_shelf_put(view->shelf, &rendition->shelved);
    *made = rendition;
    return CG_OK;
}

/* Behind the head, from the shelf; made where nobody has left it there. */
static int take_common(const struct cg_reply_to *to, const struct cg_view *view, struct cg_body *body) {
    struct cg_shelved *found = cg_shelf_find(view->shelf, to->encoder);
    struct cg_rendition *rendition = found == NULL ? NULL : CG_CONTAINER(found, struct cg_rendition, shelved);
    int err = found == NULL ? render(to, view, &rendition) : CG_OK;
    if (err < 0) return err;
    body->common = cg_bytes_ref(rendition->bytes);
    memcpy(body->content_type, rendition->content_type, sizeof body->content_type);
    return CG_OK;
}

static bool is_common(const struct cg_reply_to *to, const struct cg_view *view) {
    if (!to->encoder->encode_is_common || cg_view_is_personal(view)) return false;
    return view->is_shared || cg_shelf_find(view->shelf, to->encoder) != NULL;
}

/* False: *problem says why not. */
static bool encode(const struct cg_reply_to *to, const struct cg_view *view, struct cg_body *body,
                   struct cg_problem *problem) {
    int err = cg_encode_head(to, view, body);
    if (err == CG_OK) err = is_common(to, view) ? take_common(to, view, body) : cg_encode_answers(to, view, body);
    if (err == CG_OK) return true;
    problem->retry_after = 1;
    cg_problem_set(problem, err,
                   err == CG_E_INTERNAL ? "the encoder gave up" : "the reply does not fit the memory limits");
    return false;
}

/* Returns the status, or 0 with *problem set. */
static unsigned reply_bytes(const struct cg_whole *whole, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_body body = {0};
    cg_buf_init(&body.bytes, 0);
    unsigned status = choose_status(whole, view);
    bool made = status == 204 || encode(&whole->to, view, &body, problem);
    if (made) made = cg_reply_whole(&whole->to, view, status, &body, problem);
    cg_buf_fini(&body.bytes);
    cg_bytes_unref(body.common);
    return made ? status : 0;
}

static bool tells_silence(const struct castgate_encoder *encoder) {
    return encoder->tells_silence || !encoder->empty_is_204;
}

/* Its client has it all. */
static unsigned reply_valid(const struct cg_reply_to *to, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_body none = {0};
    return cg_reply_whole(to, view, 304, &none, problem) ? 304 : 0;
}

/* The same; or the status, with *problem set to what it says that was not wrong with the reply but with the group. */
static unsigned reply(const struct cg_whole *whole, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_problem silence = {0};
    if (view->is_valid) return reply_valid(&whole->to, view, problem);
    if (cg_own_is_wanted(&whole->to, view)) return cg_own_reply(&whole->to, view, problem);
    bool silent = cg_outcome_is_silence(view);
    if (silent) cg_outcome_silence(view, &silence);
    bool is_document = silent && !tells_silence(whole->to.encoder);
    unsigned status = is_document ? cg_reply_silence(&whole->to, view, &silence) : reply_bytes(whole, view, problem);
    if (silent && status != 0) *problem = silence;
    return status;
}

static void whole_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how,
                      struct cg_problem *problem, struct cg_sink_ending *ending) {
    struct cg_whole *whole = CG_CONTAINER(sink, struct cg_whole, sink);
    const struct cg_reply_to *to = &whole->to;
    if (how != CG_SINK_LEFT) {
        if (problem->err == 0) ending->status = reply(whole, view, problem);
        if (ending->status == 0) ending->status = cg_reply_problem(to->front, to->front_ctx, problem, view->exchange);
    }
    free(whole);
}

static const struct cg_sink_ops whole_ops = {.end = whole_end};

struct cg_sink *cg_whole_new(const struct cg_reply_to *to) {
    struct cg_whole *whole = malloc(sizeof *whole);
    if (whole == NULL) return NULL;
    *whole = (struct cg_whole){.sink = {.ops = &whole_ops}, .to = *to};
    return &whole->sink;
}
