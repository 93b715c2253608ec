/* A member's answer as the whole reply. The hard thing: it stands where the gateway's own words stand otherwise, so
 * what only makes sense to whom the gateway is (a status without its precondition) is not passed on. */
#include "reply/own.h"

#include "base/text.h"
#include "reply/fields.h"
#include "reply/host.h"
#include "reply/lend.h"
#include "wire/content_format.h"

#include <stdio.h>
#include <string.h>

enum { FORMAT_TEXT = 0 };

bool cg_own_is_wanted(const struct cg_reply_to *to, const struct cg_view *view) {
    return view->member != NULL && !to->is_named && view->summary.answered > 0;
}

/* RFC 7967 §2.1: a bit for each class that is not wanted, 2 for 2.xx. */
static bool is_suppressed(const struct cg_view *view, uint8_t code) {
    return (view->request->no_response & 1u << ((code >> 5) - 1)) != 0;
}

/* RFC 7252 §5.5.2: what explains an error is text, which goes without saying in CoAP alone. */
static void put_type(struct cg_body *body, const struct castgate_answer *answer) {
    struct cg_slice payload = cg_borrow(answer->payload);
    bool is_diagnostic = answer->format == CASTGATE_FORMAT_NONE && answer->code >= CG_CODE(4, 0) && payload.len > 0;
    if (is_diagnostic && cg_utf8_valid(payload)) {
        snprintf(body->content_type, sizeof body->content_type, "%s", cg_format_media_type(FORMAT_TEXT));
    } else {
        snprintf(body->content_type, sizeof body->content_type, "%.*s", (int)answer->media_type.len,
                 answer->media_type.len == 0 ? "" : (const char *)answer->media_type.data);
    }
}

/* What somebody else's HTTP takes as a field: servers and clients bound a head to 8 KiB, often. */
enum { FIELD_MAX = 4096 };

/* A member decides how long they are, and the head has no room for all of them; the encoders' forms have. */
static void drop_long_fields(struct cg_fields *fields) {
    size_t kept = 0;
    for (size_t i = 0; i < fields->count; i++) {
        if (strlen(cg_fields_value(fields, i)) <= FIELD_MAX) fields->list[kept++] = fields->list[i];
    }
    fields->count = kept;
}

static unsigned pass_on(const struct cg_reply_to *to, const struct cg_view *view, const struct castgate_answer *answer,
                        struct cg_problem *problem) {
    struct cg_body body = {0};
    struct cg_fields fields;
    unsigned status = is_suppressed(view, answer->code) ? 204 : answer->status;
    cg_buf_init(&body.bytes, 0);
    cg_fields_init(&fields);
    body.fields = &fields;
    if (status != 204) {
        put_type(&body, answer);
        cg_buf_put(&body.bytes, answer->payload.data, answer->payload.len);
    }
    bool made = cg_fields_describe(&fields, answer) && !body.bytes.failed;
    if (made) drop_long_fields(&fields);
    if (!made) cg_problem_no_memory(problem);
    if (made) made = cg_reply_whole(to, view, status, &body, problem);
    cg_fields_fini(&fields);
    cg_buf_fini(&body.bytes);
    return made ? status : 0;
}

unsigned cg_own_reply(const struct cg_reply_to *to, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_reading reading;
    struct castgate_answer answer;
    unsigned status = 0;
    cg_reading_init(&reading, view);
    if (!cg_reading_answer(&reading, 0, &answer)) {
        cg_problem_set(problem, CG_E_INTERNAL, "the member's answer is lost");
    } else if (answer.status == 304) {
        cg_problem_set(problem, CG_E_CODE, "the member says that something is still valid, and was not asked that");
    } else {
        status = pass_on(to, view, &answer, problem);
    }
    cg_reading_fini(&reading);
    return status;
}
