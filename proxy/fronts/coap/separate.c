/* Separate responses. The hard thing: a member's answer is as large as it likes, and what passes to the client depends
 * on its path; so a response is tried as it is, and then by its first block, of the largest size that goes.
 *
 * Notifications (RFC 7641) are the same, with numbers of ours: one sequence for all that goes to the token, since that
 * is what the client compares, whichever members it is from. */
#include "fronts/coap/separate.h"

#include <stdlib.h>

#include "base/container.h"
#include "exchange/gateway.h"
#include "fronts/coap/bodies.h"
#include "fronts/coap/serve.h"
#include "reply/lend.h"
#include "reply/outcome.h"

enum {
    RETRY_US = 10000,    /* where nothing could be sent just now */
    ORDER_BITS = 24,     /* of an Observe value */
    ORDER_UNIT_US = 1024 /* where the sequence of a token begins: above what its last one can have got to */
};

struct cg_separate {
    struct cg_sink sink;
    const struct cg_separate_ops *ops;
    void *ctx;
    struct cg_outbox_seat seat;
    struct cg_coap_token token;
    enum cg_type type;              /* of the request */
    bool is_single;                 /* it goes to one member, whose response is the only one */
    struct cg_block block2, block1; /* the request's */
    bool has_block1;
    uint8_t szx;       /* of the largest blocks that the client takes */
    bool has_szx;      /* it has said so */
    size_t room;       /* bytes of a message */
    uint64_t retry_us; /* nothing goes before; 0: it may */
    unsigned status;   /* of the latest response; 0: there was none */
    uint32_t order;    /* of the next notification */
    bool observes;     /* its client is to get notifications */
    bool has_notified; /* and has got one */
    bool is_cancelled; /* its client wants the present state, and no changes any more */
};

/* One answer on its way. */
struct outgoing {
    struct cg_separate *separate;
    const struct cg_view *view;
    const struct cg_answer *answer;
    struct cg_slice reply_from;
    const uint32_t *observe; /* NULL: it is no notification */
    uint8_t code;
    enum cg_type type;
    bool is_paced; /* it goes when the client's window lets it */
};

static struct cg_separate *separate_of(struct cg_sink *sink) { return CG_CONTAINER(sink, struct cg_separate, sink); }

static void on_turn(struct cg_outbox_seat *seat) { cg_sink_wake(&CG_CONTAINER(seat, struct cg_separate, seat)->sink); }

static uint64_t now_of(const struct cg_separate *separate) { return cg_gateway_now(separate->sink.gateway); }

/* One response */

static int respond(const struct outgoing *out, const struct cg_coap_message *response) {
    const struct cg_separate *separate = out->separate;
    return separate->ops->respond(separate->ctx, response, out->type);
}

/* GCP §7.3: of 2.05, where the response is one of a group's. */
static struct cg_slice group_etag_of(const struct outgoing *out) {
    bool has = out->view->has_group_etag && !out->separate->is_single && out->code == CG_CODE(2, 5);
    return has ? cg_slice_of(out->view->group_etag, sizeof out->view->group_etag) : CG_SLICE_NONE;
}

static int emit_options(const struct outgoing *out, const struct cg_block *block2, struct cg_slice etag,
                        uint8_t bytes[CG_COAP_OPTIONS_MAX], struct cg_slice *options) {
    const struct cg_to_coap to = {
        .numbers = &out->view->config->options,
        .options = out->answer->options,
        .reply_from = out->reply_from,
        .observe = out->observe,
        .block1 = out->separate->has_block1 ? &out->separate->block1 : NULL,
        .block2 = block2,
        .etag = etag,
        .size2 = (uint32_t)out->answer->payload.len,
        .group_etag = group_etag_of(out),
    };
    int len = cg_to_coap_options(&to, bytes, CG_COAP_OPTIONS_MAX);
    if (len < 0) return len;
    *options = cg_slice_of(bytes, (size_t)len);
    return CG_OK;
}

/* What a member protected for the client is the client's to put together: it is cut only where it does not go whole
 * (RFC 8613 §4.1.3.4.2). */
static bool may_go_whole(const struct outgoing *out, const struct cg_coap_message *response) {
    const struct cg_msg msg = {.options = out->answer->options};
    const struct cg_separate *separate = out->separate;
    const struct cg_block largest = {.szx = separate->szx};
    struct cg_slice oscore;
    if (cg_msg_find(&msg, CG_OPT_OSCORE, &oscore)) return true;
    bool is_bound = separate->has_szx || separate->room <= CG_COAP_MESSAGE_MAX;
    return (!is_bound || response->payload.len <= cg_block_size(&largest)) &&
           cg_to_coap_size(response) <= separate->room;
}

static int respond_whole(const struct outgoing *out) {
    uint8_t bytes[CG_COAP_OPTIONS_MAX];
    struct cg_coap_message response = {
        .code = out->code, .token = cg_coap_token_slice(&out->separate->token), .payload = out->answer->payload};
    int err = emit_options(out, NULL, CG_SLICE_NONE, bytes, &response.options);
    if (err < 0) return err;
    return may_go_whole(out, &response) ? respond(out, &response) : CG_E_TOO_BIG;
}

/* In blocks */

/* The member's, or else one that is the same for the same payload. */
static struct cg_slice etag_of(const struct cg_answer *answer, uint8_t made[CG_COAP_ETAG_MAX]) {
    const struct cg_msg msg = {.options = answer->options};
    struct cg_slice etag;
    if (cg_msg_find(&msg, CG_OPT_ETAG, &etag) && etag.len > 0 && etag.len <= CG_COAP_ETAG_MAX) return etag;
    cg_coap_body_make_etag(made, answer->payload);
    return cg_slice_of(made, CG_COAP_ETAG_MAX);
}

/* CG_E_TOO_BIG: not in blocks of that size. */
static int respond_block(const struct outgoing *out, uint8_t szx, struct cg_slice etag) {
    uint8_t bytes[CG_COAP_OPTIONS_MAX];
    const struct cg_block block = {.more = true, .szx = szx};
    struct cg_slice payload = out->answer->payload;
    if (payload.len <= cg_block_size(&block)) return CG_E_TOO_BIG; /* a block alone, and does not go */
    struct cg_coap_message response = {.code = out->code,
                                       .token = cg_coap_token_slice(&out->separate->token),
                                       .payload = cg_slice_of(payload.data, cg_block_size(&block))};
    int err = emit_options(out, &block, etag, bytes, &response.options);
    if (err < 0) return err;
    return cg_to_coap_size(&response) <= out->separate->room ? respond(out, &response) : CG_E_TOO_BIG;
}

static void keep(const struct outgoing *out, struct cg_slice etag) {
    uint8_t bytes[CG_COAP_OPTIONS_MAX];
    struct cg_slice options;
    const struct cg_separate *separate = out->separate;
    struct outgoing unicast = *out;
    unicast.reply_from = CG_SLICE_NONE;
    unicast.observe = NULL; /* RFC 7959 §2.6 */
    if (separate->ops->keep == NULL || emit_options(&unicast, NULL, etag, bytes, &options) < 0) return;
    separate->ops->keep(separate->ctx, out->view, out->answer, options, etag);
}

static int respond_first_block(const struct outgoing *out) {
    uint8_t made[CG_COAP_ETAG_MAX];
    struct cg_slice etag = etag_of(out->answer, made);
    int err = CG_E_TOO_BIG;
    for (int szx = out->separate->szx; err == CG_E_TOO_BIG && szx >= 0; szx--) {
        err = respond_block(out, (uint8_t)szx, etag);
    }
    if (err == CG_OK) keep(out, etag);
    return err;
}

/* In its place. */
static int respond_problem(const struct outgoing *out, int err, const char *why) {
    uint8_t bytes[CG_COAP_MESSAGE_MAX];
    struct cg_coap_message response;
    struct cg_problem problem = {0};
    cg_problem_set(&problem, err, "%s", why);
    cg_to_coap_problem(&out->view->config->options, &problem, out->reply_from,
                       cg_coap_token_slice(&out->separate->token), bytes, sizeof bytes, &response);
    int result = respond(out, &response);
    if (result != CG_E_TOO_BIG) return result;
    response.payload = CG_SLICE_NONE; /* a client that takes so little hears that much */
    return respond(out, &response);
}

/* A further block of one member's answer, which is not kept any more. */
static int respond_asked_block(const struct outgoing *out) {
    uint8_t bytes[CG_COAP_OPTIONS_MAX], made[CG_COAP_ETAG_MAX];
    const struct cg_separate *separate = out->separate;
    struct cg_coap_message response;
    const struct cg_coap_serve serve = {.numbers = &out->view->config->options,
                                        .code = out->code,
                                        .options = out->answer->options,
                                        .payload = out->answer->payload,
                                        .etag = etag_of(out->answer, made),
                                        .reply_from = out->reply_from,
                                        .block2 = &separate->block2,
                                        .room = separate->room,
                                        .token = cg_coap_token_slice(&separate->token)};
    int more = cg_coap_serve(&serve, bytes, &response);
    if (more < 0) return respond_problem(out, more, "the answer has no such block");
    int err = respond(out, &response);
    if (err == CG_OK && more > 0) keep(out, serve.etag);
    return err;
}

static int respond_as_fits(const struct outgoing *out) {
    bool is_error = out->code >= CG_CODE(4, 0); /* it tells of the request, whichever block that was for */
    if (out->separate->block2.number > 0 && !is_error) return respond_asked_block(out);
    int err = respond_whole(out);
    if (err == CG_E_TOO_BIG) err = respond_first_block(out);
    if (err != CG_E_TOO_BIG) return err;
    return respond_problem(out, CG_E_EMIT, "the answer's options are too large for a message");
}

/* RFC 7252 §5.7: what else it says may depend on what is not understood. */
static int respond_refused(const struct outgoing *out) {
    return respond_problem(out, CG_E_EMIT, "the answer has an option that is not understood and not safe to forward");
}

/* One for all: its client has them (GCP §7.3). */
static int respond_valid(const struct outgoing *out) {
    uint8_t bytes[CG_COAP_OPTIONS_MAX];
    const struct cg_to_coap to = {
        .numbers = &out->view->config->options,
        .group_etag = cg_slice_of(out->view->group_etag, sizeof out->view->group_etag),
    };
    struct cg_coap_message response = {.code = out->code, .token = cg_coap_token_slice(&out->separate->token)};
    int len = cg_to_coap_options(&to, bytes, sizeof bytes);
    if (len < 0) return len;
    response.options = cg_slice_of(bytes, (size_t)len);
    return respond(out, &response);
}

/* The sink */

static int separate_begin(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_separate *separate = separate_of(sink);
    (void)problem;
    separate->is_single = view->member != NULL;
    separate->observes = view->request->observes;
    separate->order = view->now_us / ORDER_UNIT_US % (1u << ORDER_BITS);
    if (separate->is_single && separate->ops->single != NULL) separate->ops->single(separate->ctx);
    return CG_OK;
}

/* The one that a request to a single member is about; what else comes from there has to wait for its turn. */
static bool is_the_response(const struct cg_separate *separate) { return separate->is_single && separate->status == 0; }

/* The end says nothing that would have to wait. */
static bool separate_has_room(struct cg_sink *sink, enum cg_sink_word word) {
    struct cg_separate *separate = separate_of(sink);
    if (word == CG_SINK_END) return true;
    if (now_of(separate) < separate->retry_us) return false;
    return is_the_response(separate) || cg_outbox_may_send(&separate->seat);
}

/* A single response is of the request's kind (RFC 7252 §5.2.2, §5.2.3), those of a group are the client's many. */
static enum cg_type type_of(const struct cg_separate *separate) {
    return is_the_response(separate) ? separate->type : cg_outbox_type(&separate->seat, now_of(separate));
}

/* A client that asks one member knows whom it has asked. */
static struct cg_slice reply_from_of(const struct cg_separate *separate, struct cg_reading *reading,
                                     const struct cg_answer *answer) {
    return separate->is_single ? CG_SLICE_NONE : cg_borrow(cg_reading_reply_from(reading, answer));
}

/* Taken, without a response. */
static int pass(struct cg_separate *separate) {
    cg_outbox_pass(&separate->seat);
    return CG_OK;
}

/* What became of it. */
static int note(const struct outgoing *out, int err) {
    struct cg_separate *separate = out->separate;
    uint64_t now_us = now_of(separate);
    if (err == CG_E_TOO_BIG) return pass(separate); /* nothing of it goes that way, however often it is tried */
    if (err < 0) {
        separate->retry_us = now_us + RETRY_US;
        return CG_PENDING;
    }
    separate->retry_us = 0;
    separate->status = cg_coap_status(out->code);
    if (out->observe != NULL) {
        separate->has_notified = true;
        separate->order = (separate->order + 1) % (1u << ORDER_BITS);
    }
    if (!out->is_paced) return CG_OK;
    cg_outbox_sent(&separate->seat, out->type, cg_coap_token_slice(&separate->token), now_us);
    return CG_OK;
}

static int send(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer, uint8_t code,
                int (*respond_with)(const struct outgoing *out)) {
    struct cg_separate *separate = separate_of(sink);
    struct cg_reading reading;
    bool is_notification = separate->observes && answer->is_notification && code == answer->code;
    if (cg_coap_is_barred(view->request->no_response, code)) return pass(separate);
    cg_reading_init(&reading, view);
    const struct outgoing out = {
        .separate = separate,
        .view = view,
        .answer = answer,
        .reply_from = reply_from_of(separate, &reading, answer),
        .observe = is_notification && !separate->is_cancelled ? &separate->order : NULL,
        .code = code,
        .type = type_of(separate),
        .is_paced = !is_the_response(separate),
    };
    int err = note(&out, respond_with(&out));
    cg_reading_fini(&reading);
    return err;
}

static int separate_answer(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                           struct cg_problem *problem) {
    (void)problem;
    if (!view->is_valid) return send(sink, view, answer, answer->code, respond_as_fits);
    bool is_said = separate_of(sink)->status != 0;
    return is_said ? pass(separate_of(sink)) : send(sink, view, answer, CG_CODE(2, 3), respond_valid);
}

static int separate_refused(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                            struct cg_problem *problem) {
    (void)problem;
    return send(sink, view, answer, cg_err_info(CG_E_EMIT)->coap_code, respond_refused);
}

/* Any one that is still true; NULL: there is none. */
static const struct cg_answer *find_notification(const struct cg_view *view) {
    const struct cg_answer *answer = view->answers;
    while (answer != NULL && !answer->is_notification) answer = answer->next;
    return answer;
}

/* Nothing has changed for so long that the client may be gone: it is told once more what it knows (RFC 7641 §4.5). */
static void ask_for_interest(struct cg_sink *sink, const struct cg_view *view) {
    const struct cg_answer *answer = find_notification(view);
    bool goes = answer != NULL && separate_has_room(sink, CG_SINK_ANSWER);
    if (goes) (void)send(sink, view, answer, answer->code, respond_as_fits); /* what does not go is tried again */
}

static uint64_t separate_look(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_separate *separate = separate_of(sink);
    (void)problem;
    if (separate->has_notified && view->now_us >= separate->seat.confirm_us) ask_for_interest(sink, view);
    if (separate->retry_us > view->now_us) return separate->retry_us;
    return separate->has_notified && separate->seat.confirm_us > view->now_us ? separate->seat.confirm_us : UINT64_MAX;
}

/* It would wait for changes that nobody will tell it of (RFC 7641 §4.2), and has not asked for that. */
static bool is_left_alone(const struct cg_separate *separate, const struct cg_view *view) {
    return separate->has_notified && !separate->is_cancelled && find_notification(view) != NULL;
}

/* What nothing else has told the client. */
static void judge(const struct cg_separate *separate, const struct cg_view *view, enum cg_sink_end how,
                  struct cg_problem *problem) {
    bool is_silent = view->expects_answers && view->summary.answered == 0 && separate->status == 0;
    if (problem->err < 0) return;
    if (how == CG_SINK_CUT) {
        cg_problem_set(problem, CG_E_OVERLOAD, "answers came faster than they were acknowledged: some are lost");
    } else if (is_left_alone(separate, view)) {
        cg_problem_set(problem, CG_E_STOPPING, "the observation has ended here, not at its members: observe again");
    } else if (view->member != NULL && is_silent) {
        cg_outcome_silence(view, problem); /* nobody else could have answered */
    }
}

/* RFC 7641 §4.1: what cancels is a request like any other, too. A group is not asked for it, and what the client has
 * protected is answered by whom it is for. */
static void tell_last_state(struct cg_sink *sink, const struct cg_view *view) {
    const struct cg_answer *answer = find_notification(view);
    if (answer == NULL || view->member == NULL || cg_request_is_protected(view->request)) return;
    separate_of(sink)->status = 0;
    (void)send(sink, view, answer, answer->code, respond_as_fits);
}

bool cg_separate_observes(struct cg_sink *sink) { return separate_of(sink)->observes; }

void cg_separate_cancel(struct cg_sink *sink, enum cg_type type) {
    struct cg_separate *separate = separate_of(sink);
    separate->is_cancelled = true;
    separate->type = type;
}

static void separate_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how,
                         struct cg_problem *problem, struct cg_sink_ending *ending) {
    struct cg_separate *separate = separate_of(sink);
    const struct cg_problem none = {0};
    if (how == CG_SINK_LEFT) {
        problem = NULL;
    } else {
        if (separate->is_cancelled) tell_last_state(sink, view);
        judge(separate, view, how, problem);
        ending->status = problem->err < 0 ? cg_coap_status(cg_err_info(problem->err)->coap_code) : separate->status;
    }
    separate->ops->over(separate->ctx, problem == NULL ? &none : problem);
    cg_outbox_leave_seat(&separate->seat);
    free(separate);
}

static const struct cg_sink_ops separate_ops = {
    .begin = separate_begin,
    .has_room = separate_has_room,
    .answer = separate_answer,
    .refused = separate_refused,
    .look = separate_look,
    .end = separate_end,
};

struct cg_sink *cg_separate_new(const struct cg_separate_to *to) {
    struct cg_separate *separate = calloc(1, sizeof *separate);
    if (separate == NULL || !cg_coap_token_set(&separate->token, to->token)) {
        free(separate);
        return NULL;
    }
    separate->sink.ops = &separate_ops;
    separate->ops = to->ops;
    separate->ctx = to->ctx;
    separate->type = to->type;
    separate->seat.wake = on_turn;
    separate->has_szx = to->block2 != NULL && to->block2->szx <= CG_BLOCK_SZX_MAX; /* BERT is no bound */
    separate->szx = separate->has_szx ? to->block2->szx : CG_BLOCK_SZX_MAX;
    separate->room = to->room;
    if (to->block2 != NULL) separate->block2 = *to->block2;
    if (to->block1 != NULL) separate->block1 = *to->block1;
    separate->has_block1 = to->block1 != NULL;
    cg_outbox_take_seat(to->outbox, &separate->seat, to->now_us);
    return &separate->sink;
}
