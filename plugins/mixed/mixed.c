/* multipart/mixed of application/http: the HTTP batch response of GCP, one part per member's answer. The hard thing:
 * nothing that a member sent may end its part early, so the boundary is drawn again until it occurs in no payload. */
#include "builtin.h"
#include "lend.h"

#include "base/buf.h"
#include "reply/fields.h"
#include "wire/content_format.h"
#include "wire/http_status.h"
#include "wire/multipart.h"

static bool occurs(const struct castgate_host *host, struct castgate_call *call, const struct cg_boundary *boundary) {
    struct castgate_answer answer;
    for (size_t i = 0; host->answer(call, i, &answer); i++) {
        if (cg_boundary_occurs(boundary, cg_borrow(answer.payload))) return true;
    }
    return false;
}

static void choose_boundary(const struct castgate_host *host, struct castgate_call *call,
                            struct cg_boundary *boundary) {
    uint8_t random[16];
    do {
        host->random(call, random, sizeof random);
        cg_boundary_init(boundary, random);
    } while (occurs(host, call, boundary));
}

static void tell_content_type(const struct castgate_host *host, struct castgate_call *call,
                              const struct cg_boundary *boundary) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_buf_put_str(&text, "multipart/mixed; boundary=");
    cg_buf_put_str(&text, boundary->text);
    host->content_type(call, (struct castgate_slice){.data = text.data, .len = text.len});
    cg_buf_fini(&text);
}

static bool put_headers(struct cg_buf *to, struct cg_fields *fields, const struct castgate_answer *answer) {
    if (!cg_fields_describe(fields, answer)) {
        to->failed = true;
        return false;
    }
    for (size_t i = 0; i < fields->count; i++) {
        struct cg_slice value = cg_slice_str(cg_fields_value(fields, i));
        if (cg_multipart_put_header(to, fields->list[i].name, value) < 0) return false;
    }
    return !to->failed;
}

static const char *reason_of(const struct castgate_answer *answer) {
    if (answer->format == CG_FORMAT_OSCORE) return cg_http_reason(answer->status);
    return cg_http_reason_from_code(answer->code, answer->payload.len > 0);
}

static int mixed_encode(const struct castgate_host *host, struct castgate_call *call) {
    struct cg_boundary boundary;
    choose_boundary(host, call, &boundary);
    tell_content_type(host, call, &boundary);
    int result;
    struct cg_buf part;
    struct cg_fields fields;
    cg_buf_init(&part, 0);
    cg_fields_init(&fields);
    struct castgate_answer answer;
    for (size_t i = 0; host->answer(call, i, &answer); i++) {
        cg_buf_clear(&part);
        cg_multipart_begin_part(&part, &boundary, answer.status, reason_of(&answer));
        if (!put_headers(&part, &fields, &answer)) {
            result = part.failed ? CASTGATE_NO_MEMORY : -1;
            goto out;
        }
        cg_multipart_end_part(&part, answer.status, cg_borrow(answer.payload));
        result = cg_write_out(host, call, &part);
        if (result != 0) goto out;
    }
    cg_buf_clear(&part);
    cg_multipart_end(&part, &boundary);
    result = cg_write_out(host, call, &part);
out:
    cg_buf_fini(&part);
    cg_fields_fini(&fields);
    return result;
}

static const struct castgate_encoder mixed_encoder = {
    .media_type = "multipart/mixed",
    .empty_is_204 = true,
    .encode = mixed_encode,
    .encode_is_common = true,
};

const struct castgate_plugin cg_plugin_mixed = {
    .major = CASTGATE_PLUGIN_MAJOR,
    .minor = CASTGATE_PLUGIN_MINOR,
    .kind = CASTGATE_ENCODER,
    .size = sizeof(struct castgate_plugin),
    .name = "mixed",
    .ops.encoder = &mixed_encoder,
};
