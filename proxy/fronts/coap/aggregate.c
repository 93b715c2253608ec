/* One response for all. The hard thing: its blocks must come from the same bytes however long the client takes, so they
 * are kept before the first one goes; where they cannot be, the client hears that, not half of the answers. */
#include "fronts/coap/aggregate.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "fronts/coap/serve.h"
#include "reply/host.h"
#include "wire/content_format.h"

struct cg_aggregate {
    struct cg_sink sink;
    struct cg_aggregate_to to; /* its slices and blocks point to those below */
    struct cg_coap_token token;
    struct cg_block block1, block2;
};

/* Content-Format 62 */
static const uint8_t format_option[] = {0xc1, CG_FORMAT_MULTIPART_CORE};

const struct castgate_encoder *cg_aggregate_encoder(const struct cg_encoder_list *encoders) {
    for (size_t i = 0; i < encoders->count; i++) {
        const struct castgate_encoder *encoder = encoders->plugins[i]->ops.encoder;
        if (strcmp(encoder->media_type, "application/multipart-core") == 0) return encoder;
    }
    return NULL;
}

/* One reference. NULL, with *problem. */
static struct cg_bytes *encode(const struct cg_aggregate_to *to, const struct cg_view *view,
                               struct cg_problem *problem) {
    const struct cg_reply_to reply = {.encoder = to->encoder, .quota = to->quota, .port = to->port};
    struct cg_body body = {0};
    cg_buf_init(&body.bytes, view->config->limits.exchange_memory);
    int err = cg_encode_head(&reply, view, &body);
    if (err == CG_OK) err = cg_encode_answers(&reply, view, &body);
    if (err < 0) cg_buf_fini(&body.bytes);
    struct cg_bytes *bytes = err < 0 ? NULL : cg_bytes_new(&body.bytes, to->quota);
    if (bytes == NULL) {
        problem->retry_after = 1;
        cg_problem_set(problem, CG_E_NO_MEMORY, "the reply does not fit the memory limits");
    }
    return bytes;
}

static int keep(const struct cg_aggregate *aggregate, const struct cg_view *view, const struct cg_coap_body *body,
                struct cg_problem *problem) {
    struct cg_coap_bodies *bodies = aggregate->to.bodies;
    if (bodies != NULL && cg_coap_bodies_keep(bodies, view->request, body, view->now_us) == CG_OK) return CG_OK;
    problem->retry_after = 1;
    return cg_problem_set(problem, CG_E_NO_MEMORY, "there is no room for the blocks of the reply");
}

static struct cg_slice group_etag_of(const struct cg_view *view) {
    return view->has_group_etag ? cg_slice_of(view->group_etag, sizeof view->group_etag) : CG_SLICE_NONE;
}

/* Returns the response's code; 0: it did not go, or *problem is to be told. */
static uint8_t send(const struct cg_aggregate *aggregate, const struct cg_view *view, struct cg_bytes *bytes,
                    struct cg_problem *problem) {
    uint8_t options[CG_COAP_OPTIONS_MAX], etag[CG_COAP_ETAG_MAX];
    const struct cg_aggregate_to *to = &aggregate->to;
    struct cg_coap_message message;
    const struct cg_coap_body body = {.code = CG_CODE(2, 5),
                                      .options = cg_slice_of(format_option, sizeof format_option),
                                      .bytes = bytes,
                                      .etag = cg_slice_of(etag, sizeof etag)};
    const struct cg_coap_serve serve = {.numbers = &view->config->options,
                                        .code = body.code,
                                        .options = body.options,
                                        .payload = cg_slice_of(bytes->data, bytes->len),
                                        .etag = body.etag,
                                        .group_etag = group_etag_of(view),
                                        .block1 = to->block1,
                                        .block2 = to->block2,
                                        .room = to->room,
                                        .token = to->token};
    cg_coap_body_make_etag(etag, serve.payload);
    int more = cg_coap_serve(&serve, options, &message);
    if (more < 0) {
        cg_problem_set(problem, more, "there is no such block of the reply");
        return 0;
    }
    if (more > 0 && keep(aggregate, view, &body, problem) < 0) return 0;
    return to->ops->respond(to->ctx, &message, to->type) < 0 ? 0 : message.code;
}

/* Its client has it all. */
static uint8_t send_valid(const struct cg_aggregate *aggregate, const struct cg_view *view) {
    uint8_t options[CG_COAP_OPTIONS_MAX];
    const struct cg_aggregate_to *to = &aggregate->to;
    struct cg_coap_message message;
    const struct cg_coap_serve serve = {.numbers = &view->config->options,
                                        .code = CG_CODE(2, 3),
                                        .group_etag = group_etag_of(view),
                                        .room = to->room,
                                        .token = to->token};
    bool is_made = cg_coap_serve(&serve, options, &message) >= 0;
    return is_made && to->ops->respond(to->ctx, &message, to->type) >= 0 ? message.code : 0;
}

static bool is_wanted(const struct cg_view *view) {
    return view->expects_answers && !cg_coap_is_barred(view->request->no_response, CG_CODE(2, 5));
}

static void tell(const struct cg_aggregate *aggregate, const struct cg_view *view, struct cg_problem *problem,
                 struct cg_sink_ending *ending) {
    struct cg_bytes *bytes = view->is_valid ? NULL : encode(&aggregate->to, view, problem);
    uint8_t code = 0;
    if (view->is_valid) code = send_valid(aggregate, view);
    if (bytes != NULL) code = send(aggregate, view, bytes, problem);
    cg_bytes_unref(bytes);
    ending->status = code == 0 ? 0 : cg_coap_status(code);
    ending->cut = code == 0 && problem->err == 0;
}

static void aggregate_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how,
                          struct cg_problem *problem, struct cg_sink_ending *ending) {
    struct cg_aggregate *aggregate = CG_CONTAINER(sink, struct cg_aggregate, sink);
    const struct cg_problem none = {0};
    bool is_there = how != CG_SINK_LEFT;
    if (is_there && problem->err == 0 && is_wanted(view)) tell(aggregate, view, problem, ending);
    if (is_there && problem->err < 0) ending->status = cg_coap_status(cg_err_info(problem->err)->coap_code);
    aggregate->to.ops->over(aggregate->to.ctx, is_there ? problem : &none);
    free(aggregate);
}

static const struct cg_sink_ops aggregate_ops = {.end = aggregate_end};

static const struct cg_block *copy_block(struct cg_block *to, const struct cg_block *block) {
    if (block != NULL) *to = *block;
    return block == NULL ? NULL : to;
}

struct cg_sink *cg_aggregate_new(const struct cg_aggregate_to *to) {
    struct cg_aggregate *aggregate = calloc(1, sizeof *aggregate);
    if (aggregate == NULL || !cg_coap_token_set(&aggregate->token, to->token)) {
        free(aggregate);
        return NULL;
    }
    aggregate->sink.ops = &aggregate_ops;
    aggregate->to = *to;
    aggregate->to.token = cg_coap_token_slice(&aggregate->token);
    aggregate->to.block1 = copy_block(&aggregate->block1, to->block1);
    aggregate->to.block2 = copy_block(&aggregate->block2, to->block2);
    return &aggregate->sink;
}
