#include "fronts_coap/fake_listener.h"

#include "fronts/coap/to_coap.h"

#include <stdio.h>
#include <string.h>

static void CG_PRINTF(2, 3) hear(struct listener *listener, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof listener->heard - listener->len;
    int len = vsnprintf(listener->heard + listener->len, room, format, arguments);
    va_end(arguments);
    assert_true(len >= 0 && (size_t)len < room);
    listener->len += (size_t)len;
}

static void hear_options(struct listener *listener, struct cg_slice options) {
    struct cg_msg msg;
    struct cg_opt_iter iter;
    struct cg_opt opt;
    assert_int_equal(cg_msg_parse_body(&msg, options), CG_OK); /* well-formed, and nothing behind them */
    assert_int_equal(msg.payload.len, 0);
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        hear(listener, " %u:", opt.number);
        for (size_t i = 0; i < opt.value.len; i++) hear(listener, "%02x", opt.value.data[i]);
    }
}

/* Long payloads by their length. */
static void hear_payload(struct listener *listener, struct cg_slice payload) {
    if (payload.len > 64) {
        hear(listener, " %zu bytes", payload.len);
    } else if (payload.len > 0) {
        hear(listener, " %.*s", (int)payload.len, (const char *)payload.data);
    }
}

static int on_respond(void *ctx, const struct cg_coap_message *response, enum cg_type type) {
    struct listener *listener = ctx;
    char code[5];
    if (listener->refuses < 0) return listener->refuses;
    if (cg_to_coap_size(response) > listener->largest) return CG_E_TOO_BIG;
    assert_true(cg_slice_equal(response->token, listener->to.token));
    cg_code_text(response->code, code);
    hear(listener, "%s %s", type == CG_CON ? "CON" : "NON", code);
    hear_options(listener, response->options);
    hear_payload(listener, response->payload);
    hear(listener, "\n");
    listener->responses++;
    listener->confirmable += type == CG_CON;
    listener->last_size = cg_to_coap_size(response);
    return CG_OK;
}

static void on_keep(void *ctx, const struct cg_view *view, const struct cg_answer *answer, struct cg_slice options,
                    struct cg_slice etag) {
    struct listener *listener = ctx;
    struct cg_msg msg = {.options = options};
    struct cg_slice value;
    assert_true(cg_msg_find(&msg, CG_OPT_ETAG, &value) && cg_slice_equal(value, etag));
    assert_false(cg_msg_find(&msg, CG_OPT_BLOCK2, &value));
    assert_false(cg_msg_find(&msg, CG_OPT_SIZE2, &value));
    assert_string_equal(view->mapping->path, "/lamps");
    listener->kept++;
    listener->keeps = answer->payload;
    listener->etag_len = etag.len;
    memcpy(listener->etag, etag.data, etag.len);
}

static void on_over(void *ctx, const struct cg_problem *problem) {
    struct listener *listener = ctx;
    char code[5];
    listener->overs++;
    listener->problem = *problem;
    if (problem->err == 0) {
        hear(listener, "over\n");
        return;
    }
    cg_code_text(cg_err_info(problem->err)->coap_code, code);
    hear(listener, "over %s\n", code);
}

static const struct cg_separate_ops ops = {.respond = on_respond, .keep = on_keep, .over = on_over};

struct cg_request *listener_new(struct listener *listener, struct world *world, struct cg_outbox *outbox) {
    struct call call;
    *listener = (struct listener){.world = world, .largest = 65507};
    listener->outbox = outbox != NULL ? cg_outbox_ref(outbox) : cg_outbox_new();
    assert_non_null(listener->outbox);
    listener->to = (struct cg_separate_to){.room = CG_COAP_MESSAGE_MAX,
                                           .ops = &ops,
                                           .ctx = listener,
                                           .outbox = listener->outbox,
                                           .token = cg_slice_str("t"),
                                           .now_us = world->now_us};
    struct cg_request *request = world_new(world, &call, "/lamps");
    request->scheme = CG_CRI_COAP;
    request->finishing = CG_FINISH_BY_TIME;
    request->needs_timeout = request->has_timeout = true;
    request->timeout_s = 2;
    listener->ticket = call.ticket;
    return request;
}

void listener_go(struct listener *listener) {
    struct world *world = listener->world;
    struct cg_sink *sink = cg_separate_new(&listener->to);
    assert_non_null(sink);
    cg_gateway_start(world->gateway, listener->ticket, sink, world->now_us);
    world_run(world);
}

void listener_begin(struct listener *listener, struct world *world) {
    listener_new(listener, world, NULL);
    listener_go(listener);
}

const char *listener_take(struct listener *listener) {
    static char taken[sizeof listener->heard];
    memcpy(taken, listener->heard, listener->len);
    taken[listener->len] = '\0';
    listener->len = 0;
    return taken;
}

void listener_acknowledges(struct listener *listener) {
    cg_outbox_settled(listener->outbox, listener->to.token, listener->world->now_us);
    world_run(listener->world);
}

void listener_fini(struct listener *listener) {
    assert_int_equal(listener->overs, 1);
    cg_outbox_unref(listener->outbox);
}

char *fill_payload(char *text, size_t len) {
    for (size_t i = 0; i < len; i++) text[i] = (char)('a' + i % 26);
    text[len] = '\0';
    return text;
}
