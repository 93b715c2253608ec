/* What a client gets to see of what an exchange collected. The hard thing: what is told is borrowed from here, so a
 * reading must hold every text it made for the item it is at. */
#include "reply/view.h"
#include "base/text.h"
#include "model/stand_in.h"
#include "reply/lend.h"
#include "wire/content_format.h"
#include "wire/http_status.h"

#include <stdio.h>

enum { ETAG_MAX = 8 }; /* RFC 7252 §5.10.6; one of another length is ignored (§5.4.3) */

void cg_reading_init(struct cg_reading *reading, const struct cg_view *view) {
    *reading = (struct cg_reading){.view = view};
    cg_buf_init(&reading->options, 0);
    cg_buf_init(&reading->stand_in, 0);
}

void cg_reading_fini(struct cg_reading *reading) {
    cg_buf_fini(&reading->options);
    cg_buf_fini(&reading->stand_in);
}

static struct castgate_slice lend_media_type(struct cg_reading *reading, uint32_t format) {
    if (format == CASTGATE_FORMAT_NONE) return (struct castgate_slice){0};
    const char *known = cg_format_media_type((uint16_t)format);
    if (known != NULL) return cg_lend_text(known);
    int len =
        snprintf(reading->media_type, sizeof reading->media_type, "application/coap-payload;cf=%u", (unsigned)format);
    return (struct castgate_slice){.data = reading->media_type, .len = (size_t)len};
}

static struct castgate_slice lend_address(struct cg_reading *reading, const struct cg_addr *addr) {
    if (addr->family == CG_FAMILY_NONE) return (struct castgate_slice){0};
    return (struct castgate_slice){.data = reading->from, .len = cg_addr_emit(addr, reading->from)};
}

/* RFC 8613 §11.1, §11.2: what a member protected for the client is 200 and application/oscore, whatever is inside. */
static void describe_protected(struct castgate_answer *out) {
    out->format = CG_FORMAT_OSCORE;
    out->media_type = cg_lend_text(cg_format_media_type(CG_FORMAT_OSCORE));
    out->status = 200;
}

/* A member may say itself where it is, in the very option that the gateway leaves out (GCP §3). What cannot be taken
 * out for lack of memory takes the others with it. */
static struct cg_slice without_reply_from(struct cg_reading *reading, struct cg_slice options) {
    struct cg_msg msg = {.options = options};
    uint16_t reply_from = reading->view->config->options.reply_from;
    struct cg_slice value;
    if (!cg_msg_find(&msg, reply_from, &value)) return options;
    cg_buf_clear(&reading->options);
    size_t room = options.len + 8; /* one delta becomes larger, and a code stands before */
    uint8_t *at = cg_buf_reserve(&reading->options, room);
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
static void hide(struct cg_reading *reading, const struct cg_answer *held, struct castgate_answer *out) {
    size_t len = cg_decimal_emit(reading->from, held->number);
    out->member = (struct castgate_slice){.data = reading->from, .len = len};
    out->from = out->kid = (struct castgate_slice){0};
    out->has_kid = false;
    out->options = cg_lend(without_reply_from(reading, held->options));
}

/* As the client has named it, else as it has reached it (RFC 7252 §5.10.1: what Uri-Host and Uri-Port say that are left
 * out). */
static struct cg_cri_origin origin_of(const struct cg_request *request, char text[CG_ADDR_TEXT_MAX]) {
    struct cg_cri_origin origin = {.scheme = request->scheme, .host = request->host, .port = request->port};
    if (origin.port == 0) origin.port = request->reached.port;
    if (origin.host.len == 0) origin.host = cg_slice_of(text, cg_addr_emit_ip(&request->reached, text));
    return origin;
}

/* GCP §8.2: as the next hop has it. */
static struct castgate_slice kept_reply_from(const struct cg_reading *reading, const struct cg_answer *held) {
    const struct cg_msg msg = {.options = held->options};
    struct cg_slice value;
    return cg_msg_find(&msg, reading->view->config->options.reply_from, &value) ? cg_lend(value)
                                                                                : (struct castgate_slice){0};
}

/* GCP §5.1: where the proxy stands in for the members, it is the proxy that leads to them; which of those that nobody
 * has configured has no name there. A target URI is the client's own way to them. */
struct castgate_slice cg_reading_reply_from(struct cg_reading *reading, const struct cg_answer *held) {
    const struct cg_view *view = reading->view;
    const struct cg_request *request = view->request;
    if (view->mapping->anonymise) return (struct castgate_slice){0};
    if (held->via == CASTGATE_VIA_NEXT_HOP) return kept_reply_from(reading, held);
    if (!cg_view_is_personal(view) || request->forward) {
        return (struct castgate_slice){.data = reading->reply_from,
                                       .len = cg_cri_emit_addr(reading->reply_from, &held->from)};
    }
    char text[CG_ADDR_TEXT_MAX];
    const struct cg_cri_origin origin = origin_of(request, text);
    cg_buf_clear(&reading->stand_in);
    bool is_known = held->member != NULL && origin.host.len > 0 &&
                    cg_cri_emit_stand_in(&reading->stand_in, &origin, cg_slice_str(view->mapping->path),
                                         cg_slice_str(CG_STAND_IN_MARKER), cg_slice_str(held->member->name));
    return is_known ? cg_lend(cg_buf_slice(&reading->stand_in)) : (struct castgate_slice){0};
}

/* Of what a next hop handed on, where it is from is said beside. */
static struct cg_slice passed_on(struct cg_reading *reading, const struct cg_answer *held) {
    return held->via == CASTGATE_VIA_NEXT_HOP ? without_reply_from(reading, held->options) : held->options;
}

void cg_reading_describe(struct cg_reading *reading, const struct cg_answer *held, struct castgate_answer *out) {
    struct cg_msg msg = {.options = held->options, .payload = held->payload};
    uint32_t format, max_age;
    struct cg_slice etag = CG_SLICE_NONE;
    bool has_format = cg_msg_find_uint(&msg, CG_OPT_CONTENT_FORMAT, &format) && format <= UINT16_MAX;
    bool has_max_age = cg_msg_find_uint(&msg, CG_OPT_MAX_AGE, &max_age);
    bool has_etag = cg_msg_find(&msg, CG_OPT_ETAG, &etag) && etag.len <= ETAG_MAX;
    struct castgate_slice from = lend_address(reading, &held->from);
    *out = (struct castgate_answer){
        .member = held->member == NULL ? from : cg_lend_text(held->member->name),
        .from = from,
        .reply_from = cg_reading_reply_from(reading, held),
        .kid = cg_lend(held->kid),
        .media_type = lend_media_type(reading, has_format ? format : CASTGATE_FORMAT_NONE),
        .etag = cg_lend(has_etag ? etag : CG_SLICE_NONE),
        .options = cg_lend(passed_on(reading, held)),
        .payload = cg_lend(held->payload),
        .format = has_format ? format : CASTGATE_FORMAT_NONE,
        .max_age = has_max_age ? max_age : 60,
        .ms = held->ms,
        .status = cg_http_status_from_code(held->code, held->payload.len > 0),
        .code = held->code,
        .verified = held->verified,
        .via = held->via,
        .has_kid = held->has_kid,
        .has_max_age = has_max_age,
        .is_notification = held->is_notification,
    };
    if (reading->view->mapping->anonymise) hide(reading, held, out);
    struct cg_slice oscore;
    if (cg_msg_find(&msg, CG_OPT_OSCORE, &oscore)) describe_protected(out);
}

bool cg_reading_answer(struct cg_reading *reading, size_t index, struct castgate_answer *out) {
    if (index < reading->answer_index || (index == 0 && reading->answer_index == 0)) {
        reading->next_answer = reading->view->answers;
        reading->answer_index = 0;
    }
    while (reading->next_answer != NULL && reading->answer_index < index) {
        reading->next_answer = reading->next_answer->next;
        reading->answer_index++;
    }
    if (reading->next_answer == NULL) return false;
    cg_reading_describe(reading, reading->next_answer, out);
    return true;
}

static bool has_answered(const struct cg_view *view, const struct cg_member *member) {
    if (view->member != NULL) return view->summary.answered > 0; /* it may be in no list */
    return view->answered != NULL && cg_member_set_has(view->answered, member);
}

bool cg_reading_missing(struct cg_reading *reading, size_t index, struct castgate_missing *out) {
    size_t count;
    const struct cg_member *members = cg_mapping_awaited(reading->view->mapping, reading->view->member, &count);
    if (reading->view->mapping->anonymise) return false; /* the summary says how many */
    if (index < reading->missing_index) reading->next_member = reading->missing_index = 0;
    for (; reading->next_member < count; reading->next_member++) {
        const struct cg_member *member = &members[reading->next_member];
        if (has_answered(reading->view, member)) continue;
        if (reading->missing_index < index) {
            reading->missing_index++;
            continue;
        }
        *out = (struct castgate_missing){
            .member = cg_lend_text(member->name),
            .from = lend_address(reading, &member->addr),
            .cause = cg_cause_names[cg_cause_of_member(&reading->view->signs, member)],
        };
        return true;
    }
    return false;
}

bool cg_reading_rejected(struct cg_reading *reading, size_t index, struct castgate_rejected *out) {
    if (index < reading->refusal_index || index == 0) {
        reading->next_refusal = reading->view->refusals;
        reading->refusal_index = 0;
    }
    while (reading->next_refusal != NULL && reading->refusal_index < index) {
        reading->next_refusal = reading->next_refusal->next;
        reading->refusal_index++;
    }
    const struct cg_refusal *refusal = reading->next_refusal;
    if (refusal == NULL) return false;
    *out = (struct castgate_rejected){.from = lend_address(reading, &refusal->from),
                                      .kid = cg_lend(refusal->kid),
                                      .gid = cg_lend(refusal->gid),
                                      .reason = cg_lend_text(refusal->reason),
                                      .diagnostic = cg_lend(refusal->diagnostic),
                                      .code = refusal->code};
    if (reading->view->mapping->anonymise) out->from = out->kid = (struct castgate_slice){0};
    return true;
}
