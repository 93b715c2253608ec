/* multipart/mixed of application/http: the HTTP batch response of GCP, one part per member's answer. The hard thing:
 * nothing that a member sent may end its part early, so the boundary is drawn again until it occurs in no payload. */
#include "builtin.h"
#include "lend.h"
#include "mixed/options.h"

#include "base/buf.h"
#include "wire/content_format.h"
#include "wire/http_status.h"
#include "wire/msg.h"
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

/* An RFC 9651 string: quotes and backslashes escaped; the host's names and addresses are printable ASCII. */
static void put_string(struct cg_buf *to, struct castgate_slice text) {
    const char *bytes = text.data;
    cg_buf_put_u8(to, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\') cg_buf_put_u8(to, '\\');
        cg_buf_put_u8(to, (uint8_t)bytes[i]);
    }
    cg_buf_put_u8(to, '"');
}

/* Castgate-Member: "NAME";verified=source;kid=:EQ==:;via=multicast;ms=12 */
static void put_member(struct cg_buf *to, const struct castgate_answer *answer) {
    put_string(to, answer->member);
    cg_buf_put_str(to, ";verified=");
    cg_buf_put_str(to, cg_verified_name(answer->verified));
    if (answer->has_kid) {
        cg_buf_put_str(to, ";kid=");
        cg_put_byte_sequence(to, answer->kid);
    }
    cg_buf_put_str(to, ";via=");
    cg_buf_put_str(to, cg_via_name(answer->via));
    cg_buf_put_str(to, ";ms=");
    cg_buf_put_decimal(to, answer->ms);
}

/* One header of a part, its value first made in `value`, which is emptied again. */
static bool put_header(struct cg_buf *to, const char *name, struct cg_buf *value) {
    if (value->failed) to->failed = true;
    bool put = !to->failed && cg_multipart_put_header(to, name, cg_buf_slice(value)) == CG_OK;
    cg_buf_clear(value);
    return put;
}

static bool put_etag(struct cg_buf *to, struct cg_buf *value, struct castgate_slice etag) {
    if (etag.len == 0) return true;
    cg_buf_put_u8(value, '"'); /* an opaque-tag is text: the bytes as hex */
    cg_buf_put_hex(value, cg_borrow(etag));
    cg_buf_put_u8(value, '"');
    return put_header(to, "ETag", value);
}

/* RFC 8613 §11.2: "AA" stands for the empty option. */
static bool put_oscore(struct cg_buf *to, struct cg_buf *value, const struct castgate_answer *answer) {
    struct cg_msg msg = {.options = cg_borrow(answer->options)};
    struct cg_slice option;
    if (!cg_msg_find(&msg, CG_OPT_OSCORE, &option)) return true;
    if (option.len == 0) cg_buf_put_str(value, "AA");
    cg_buf_put_base64url(value, option);
    return put_header(to, "OSCORE", value);
}

static bool put_options(struct cg_buf *to, struct cg_buf *value, const struct castgate_answer *answer) {
    cg_put_castgate_options(value, answer);
    return value->len == 0 || put_header(to, "Castgate-Options", value);
}

static bool put_headers(struct cg_buf *to, struct cg_buf *value, const struct castgate_answer *answer) {
    if (answer->media_type.len > 0) {
        cg_buf_put_slice(value, cg_borrow(answer->media_type));
        if (!put_header(to, "Content-Type", value)) return false;
    }
    if (!put_oscore(to, value, answer) || !put_etag(to, value, answer->etag)) return false;
    if (answer->has_max_age) {
        cg_buf_put_str(value, "max-age=");
        cg_buf_put_decimal(value, answer->max_age);
        if (!put_header(to, "Cache-Control", value)) return false;
    }
    if (answer->has_max_age && answer->status == 503) { /* RFC 8075 §7, note 8 */
        cg_buf_put_decimal(value, answer->max_age);
        if (!put_header(to, "Retry-After", value)) return false;
    }
    if (answer->reply_from.len > 0) {
        cg_put_byte_sequence(value, answer->reply_from);
        if (!put_header(to, "Reply-From", value)) return false;
    }
    if (!put_options(to, value, answer)) return false;
    put_member(value, answer);
    return put_header(to, "Castgate-Member", value);
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
    struct cg_buf part, value;
    cg_buf_init(&part, 0);
    cg_buf_init(&value, 0);
    struct castgate_answer answer;
    for (size_t i = 0; host->answer(call, i, &answer); i++) {
        cg_buf_clear(&part);
        cg_multipart_begin_part(&part, &boundary, answer.status, reason_of(&answer));
        if (!put_headers(&part, &value, &answer)) {
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
    cg_buf_fini(&value);
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
