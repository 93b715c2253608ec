/* Header fields of answers. The hard thing: nothing that a member sent may be anything but a value, so its bytes stand
 * there in base64 or hexadecimal only. */
#include "reply/fields.h"

#include "reply/lend.h"
#include "wire/msg.h"

const char *cg_via_name(uint8_t via) {
    static const char *const names[] = {[CASTGATE_VIA_MULTICAST] = "multicast",
                                        [CASTGATE_VIA_UNICAST] = "unicast",
                                        [CASTGATE_VIA_CACHE] = "cache",
                                        [CASTGATE_VIA_NEXT_HOP] = "next-hop"};
    return names[via];
}

const char *cg_verified_name(uint8_t verified) { return verified == CASTGATE_VERIFIED_SOURCE ? "source" : "none"; }

void cg_fields_init(struct cg_fields *fields) {
    fields->count = 0;
    cg_buf_init(&fields->text, 0);
}

void cg_fields_fini(struct cg_fields *fields) { cg_buf_fini(&fields->text); }

/* Its value is what is put into the buffer that this returns, until `end`. */
static struct cg_buf *begin(struct cg_fields *fields, const char *name) {
    fields->list[fields->count++] = (struct cg_field){.name = name, .at = fields->text.len};
    return &fields->text;
}

static void end(struct cg_fields *fields) { cg_buf_put_u8(&fields->text, 0); }

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

void cg_put_byte_sequence(struct cg_buf *to, struct castgate_slice bytes) {
    cg_buf_put_u8(to, ':');
    cg_buf_put_base64(to, cg_borrow(bytes));
    cg_buf_put_u8(to, ':');
}

static void put_content_type(struct cg_fields *fields, const struct castgate_answer *answer) {
    if (answer->media_type.len == 0) return;
    cg_buf_put_slice(begin(fields, "Content-Type"), cg_borrow(answer->media_type));
    end(fields);
}

/* RFC 8613 §11.2: "AA" stands for the empty option. */
static void put_oscore(struct cg_fields *fields, const struct castgate_answer *answer) {
    struct cg_msg msg = {.options = cg_borrow(answer->options)};
    struct cg_slice option;
    if (!cg_msg_find(&msg, CG_OPT_OSCORE, &option)) return;
    struct cg_buf *value = begin(fields, "OSCORE");
    if (option.len == 0) cg_buf_put_str(value, "AA");
    cg_buf_put_base64url(value, option);
    end(fields);
}

/* An opaque-tag is text: the bytes as hex. */
static void put_etag(struct cg_fields *fields, const struct castgate_answer *answer) {
    if (answer->etag.len == 0) return;
    struct cg_buf *value = begin(fields, "ETag");
    cg_buf_put_u8(value, '"');
    cg_buf_put_hex(value, cg_borrow(answer->etag));
    cg_buf_put_u8(value, '"');
    end(fields);
}

/* With 503 it says when to come again, too (RFC 8075 §7, note 8). */
static void put_max_age(struct cg_fields *fields, const struct castgate_answer *answer) {
    if (!answer->has_max_age) return;
    struct cg_buf *value = begin(fields, "Cache-Control");
    cg_buf_put_str(value, "max-age=");
    cg_buf_put_decimal(value, answer->max_age);
    end(fields);
    if (answer->status != 503) return;
    cg_buf_put_decimal(begin(fields, "Retry-After"), answer->max_age);
    end(fields);
}

static void put_reply_from(struct cg_fields *fields, const struct castgate_answer *answer) {
    if (answer->reply_from.len == 0) return;
    cg_put_byte_sequence(begin(fields, "Reply-From"), answer->reply_from);
    end(fields);
}

/* Said by a header of its own, or of no use to the client once its blocks are put together. */
static bool is_said_elsewhere(uint16_t number) {
    switch (number) {
    case CG_OPT_ETAG:
    case CG_OPT_OSCORE:
    case CG_OPT_CONTENT_FORMAT:
    case CG_OPT_MAX_AGE:
    case CG_OPT_BLOCK1:
    case CG_OPT_BLOCK2:
    case CG_OPT_SIZE2: return true;
    default: return false;
    }
}

void cg_put_castgate_options(struct cg_buf *to, const struct castgate_answer *answer) {
    struct cg_msg msg = {.options = cg_borrow(answer->options)};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool first = true;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (is_said_elsewhere(opt.number)) continue;
        if (!first) cg_buf_put_str(to, ", ");
        first = false;
        cg_buf_put_decimal(to, opt.number);
        cg_buf_put_str(to, ";v=");
        cg_put_byte_sequence(to, cg_lend(opt.value));
    }
}

static void put_options(struct cg_fields *fields, const struct castgate_answer *answer) {
    size_t at = fields->text.len;
    cg_put_castgate_options(&fields->text, answer);
    if (fields->text.len == at) return;
    fields->list[fields->count++] = (struct cg_field){.name = "Castgate-Options", .at = at};
    end(fields);
}

/* Castgate-Member: "NAME";verified=source;kid=:EQ==:;via=multicast;ms=12 */
static void put_member(struct cg_fields *fields, const struct castgate_answer *answer) {
    struct cg_buf *value = begin(fields, "Castgate-Member");
    put_string(value, answer->member);
    cg_buf_put_str(value, ";verified=");
    cg_buf_put_str(value, cg_verified_name(answer->verified));
    if (answer->has_kid) {
        cg_buf_put_str(value, ";kid=");
        cg_put_byte_sequence(value, answer->kid);
    }
    cg_buf_put_str(value, ";via=");
    cg_buf_put_str(value, cg_via_name(answer->via));
    cg_buf_put_str(value, ";ms=");
    cg_buf_put_decimal(value, answer->ms);
    end(fields);
}

bool cg_fields_describe(struct cg_fields *fields, const struct castgate_answer *answer) {
    cg_buf_clear(&fields->text);
    fields->count = 0;
    put_content_type(fields, answer);
    put_oscore(fields, answer);
    put_etag(fields, answer);
    put_max_age(fields, answer);
    put_reply_from(fields, answer);
    put_options(fields, answer);
    put_member(fields, answer);
    return !fields->text.failed;
}
