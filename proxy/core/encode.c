/* The host's side of an encoder: the plugin ABI's services over one exchange that is being replied to. The hard thing:
 * what the encoder gets is borrowed from here, so this object must hold every text it made for one answer. */
#include "core/state.h"
#include "base/check.h"
#include "wire/content_format.h"
#include "wire/cri.h"
#include "wire/http_status.h"

#include <stdio.h>

enum { ETAG_MAX = 8 }; /* RFC 7252 §5.10.6; one of another length is ignored (§5.4.3) */

struct castgate_call {
    struct cg_gateway *gateway;
    struct cg_exchange *exchange;
    struct cg_reply *reply;
    struct cg_buf *body;
    struct cg_held_answer *next_answer; /* item `answer_index` */
    size_t answer_index;
    const struct cg_refusal *next_refusal;
    size_t refusal_index;
    size_t next_member; /* where to look for missing item `missing_index` */
    size_t missing_index;
    char from[CG_ADDR_TEXT_MAX];
    uint8_t reply_from[CG_CRI_ADDR_MAX];
    char media_type[48];
    struct cg_buf options; /* of an answer whose options are not lent as they are */
};

static struct castgate_slice lend(struct cg_slice slice) {
    return (struct castgate_slice){.data = slice.data, .len = slice.len};
}

static struct castgate_slice lend_text(const char *text) {
    return (struct castgate_slice){.data = text, .len = strlen(text)};
}

static struct castgate_slice host_exchange(struct castgate_call *call) { return lend_text(call->exchange->id); }

static struct castgate_slice host_mapping(struct castgate_call *call) {
    return lend_text(call->exchange->mapping->name);
}

static const struct castgate_summary *host_summary(struct castgate_call *call) { return &call->reply->summary; }

static struct castgate_slice lend_media_type(struct castgate_call *call, uint32_t format) {
    if (format == CASTGATE_FORMAT_NONE) return (struct castgate_slice){0};
    const char *known = cg_format_media_type((uint16_t)format);
    if (known != NULL) return lend_text(known);
    int len = snprintf(call->media_type, sizeof call->media_type, "application/coap-payload;cf=%u", (unsigned)format);
    return (struct castgate_slice){.data = call->media_type, .len = (size_t)len};
}

static struct castgate_slice lend_address(struct castgate_call *call, const struct cg_addr *addr) {
    if (addr->family == CG_FAMILY_NONE) return (struct castgate_slice){0};
    return (struct castgate_slice){.data = call->from, .len = cg_addr_emit(addr, call->from)};
}

/* RFC 8613 §11.1, §11.2: what a member protected for the client is 200 and application/oscore, whatever is inside. */
static void describe_protected(struct castgate_answer *out) {
    out->format = CG_FORMAT_OSCORE;
    out->media_type = lend_text(cg_format_media_type(CG_FORMAT_OSCORE));
    out->status = 200;
}

/* A member may say itself where it is, in the very option that the gateway leaves out (GCP §3). What cannot be taken
 * out for lack of memory takes the others with it. */
static struct cg_slice without_reply_from(struct castgate_call *call, struct cg_slice options) {
    struct cg_msg msg = {.options = options};
    uint16_t reply_from = call->exchange->config->options.reply_from;
    struct cg_slice value;
    if (!cg_msg_find(&msg, reply_from, &value)) return options;
    cg_buf_clear(&call->options);
    size_t room = options.len + 8; /* one delta becomes larger, and a code stands before */
    uint8_t *at = cg_buf_reserve(&call->options, room);
    if (at == NULL) return CG_SLICE_NONE;
    struct cg_msg_writer writer;
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_msg_begin_inner(&writer, at, room, CG_EMPTY);
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (opt.number != reply_from) cg_msg_put_opt(&writer, opt.number, opt.value);
    }
    int len = cg_msg_end(&writer);
    return len < 1 ? CG_SLICE_NONE : cg_slice_of(at + 1, (size_t)len - 1);
}

/* R19: a member is only a member: neither kid nor address leaves, but a number that means nothing beyond this reply. */
static void hide(struct castgate_call *call, const struct cg_held_answer *held, struct castgate_answer *out) {
    int len = snprintf(call->from, sizeof call->from, "%u", (unsigned)held->number);
    out->member = (struct castgate_slice){.data = call->from, .len = (size_t)len};
    out->from = out->reply_from = out->kid = (struct castgate_slice){0};
    out->has_kid = false;
    out->options = lend(without_reply_from(call, held->options));
}

static void describe(struct castgate_call *call, const struct cg_held_answer *held, struct castgate_answer *out) {
    struct cg_msg msg = {.options = held->options, .payload = held->payload};
    uint32_t format, max_age;
    struct cg_slice etag = CG_SLICE_NONE;
    bool has_format = cg_msg_find_uint(&msg, CG_OPT_CONTENT_FORMAT, &format) && format <= UINT16_MAX;
    bool has_max_age = cg_msg_find_uint(&msg, CG_OPT_MAX_AGE, &max_age);
    bool has_etag = cg_msg_find(&msg, CG_OPT_ETAG, &etag) && etag.len <= ETAG_MAX;
    struct castgate_slice from = lend_address(call, &held->from);
    *out = (struct castgate_answer){
        .member = held->member == NULL ? from : lend_text(held->member->name),
        .from = from,
        .reply_from = {.data = call->reply_from, .len = cg_cri_emit_addr(call->reply_from, &held->from)},
        .kid = lend(held->kid),
        .media_type = lend_media_type(call, has_format ? format : CASTGATE_FORMAT_NONE),
        .etag = lend(has_etag ? etag : CG_SLICE_NONE),
        .options = lend(held->options),
        .payload = lend(held->payload),
        .format = has_format ? format : CASTGATE_FORMAT_NONE,
        .max_age = has_max_age ? max_age : 60,
        .ms = held->ms,
        .status = cg_http_status_from_code(held->code, held->payload.len > 0),
        .code = held->code,
        .verified = held->verified,
        .via = held->via,
        .has_kid = held->has_kid,
        .has_max_age = has_max_age,
    };
    if (call->exchange->mapping->anonymise) hide(call, held, out);
    struct cg_slice oscore;
    if (cg_msg_find(&msg, CG_OPT_OSCORE, &oscore)) describe_protected(out);
}

static bool host_answer(struct castgate_call *call, size_t index, struct castgate_answer *out) {
    if (index < call->answer_index || (index == 0 && call->answer_index == 0)) {
        call->next_answer = call->exchange->tally.answers;
        call->answer_index = 0;
    }
    while (call->next_answer != NULL && call->answer_index < index) {
        call->next_answer = call->next_answer->hh.next;
        call->answer_index++;
    }
    if (call->next_answer == NULL) return false;
    describe(call, call->next_answer, out);
    return true;
}

static bool host_missing(struct castgate_call *call, size_t index, struct castgate_missing *out) {
    const struct cg_mapping *mapping = call->exchange->mapping;
    if (mapping->anonymise) return false; /* the summary says how many */
    if (index < call->missing_index) call->next_member = call->missing_index = 0;
    for (; call->next_member < mapping->member_count; call->next_member++) {
        const struct cg_member *member = &mapping->members[call->next_member];
        if (cg_tally_has_seen(&call->exchange->tally, member)) continue;
        if (call->missing_index < index) {
            call->missing_index++;
            continue;
        }
        *out = (struct castgate_missing){.member = lend_text(member->name), .from = lend_address(call, &member->addr)};
        return true;
    }
    return false;
}

static bool host_rejected(struct castgate_call *call, size_t index, struct castgate_rejected *out) {
    if (index < call->refusal_index || index == 0) {
        call->next_refusal = call->exchange->tally.refusals;
        call->refusal_index = 0;
    }
    while (call->next_refusal != NULL && call->refusal_index < index) {
        call->next_refusal = call->next_refusal->next;
        call->refusal_index++;
    }
    const struct cg_refusal *refusal = call->next_refusal;
    if (refusal == NULL) return false;
    *out = (struct castgate_rejected){.from = lend_address(call, &refusal->from),
                                      .kid = lend(refusal->kid),
                                      .gid = lend(refusal->gid),
                                      .reason = lend_text(refusal->reason),
                                      .diagnostic = lend(refusal->diagnostic),
                                      .code = refusal->code};
    if (call->exchange->mapping->anonymise) out->from = out->kid = (struct castgate_slice){0};
    return true;
}

static void host_random(struct castgate_call *call, void *to, size_t len) {
    call->gateway->port->random(call->gateway->port->ctx, to, len);
}

static void host_content_type(struct castgate_call *call, struct castgate_slice text) {
    size_t room = sizeof call->reply->content_type - 1;
    size_t len = text.len < room ? text.len : room;
    if (len > 0) memcpy(call->reply->content_type, text.data, len);
    call->reply->content_type[len] = 0;
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

static void begin_call(struct castgate_call *call, struct cg_gateway *gateway, struct cg_exchange *exchange,
                       struct cg_reply *reply, struct cg_buf *body) {
    *call = (struct castgate_call){.gateway = gateway, .exchange = exchange, .reply = reply, .body = body};
    cg_buf_init(&call->options, 0);
    host_content_type(call, lend_text(exchange->request.encoder->media_type));
}

static int end_call(struct castgate_call *call, int result) {
    cg_buf_fini(&call->options);
    if (call->body->failed || result == CASTGATE_NO_MEMORY) return CG_E_NO_MEMORY;
    return result == 0 ? CG_OK : CG_E_INTERNAL;
}

int cg_encode_whole(struct cg_gateway *gateway, struct cg_exchange *exchange, struct cg_reply *reply,
                    struct cg_buf *body) {
    struct castgate_call call;
    begin_call(&call, gateway, exchange, reply, body);
    return end_call(&call, exchange->request.encoder->encode(&host, &call));
}

int cg_encode_event(struct cg_gateway *gateway, struct cg_exchange *exchange, enum cg_stream_event event,
                    struct cg_reply *reply, struct cg_buf *body) {
    const struct castgate_encoder *encoder = exchange->request.encoder;
    int (*const operations[])(const struct castgate_host *, struct castgate_call *) = {
        [CG_STREAM_BEGIN] = encoder->begin, [CG_STREAM_IDLE] = encoder->idle, [CG_STREAM_END] = encoder->end};
    struct castgate_call call;
    begin_call(&call, gateway, exchange, reply, body);
    return end_call(&call, operations[event](&host, &call));
}

int cg_encode_answer(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_held_answer *held,
                     struct cg_reply *reply, struct cg_buf *body) {
    struct castgate_call call;
    begin_call(&call, gateway, exchange, reply, body);
    struct castgate_answer answer;
    describe(&call, held, &answer);
    return end_call(&call, exchange->request.encoder->answer(&host, &call, &answer));
}
