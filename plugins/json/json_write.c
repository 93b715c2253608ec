/* What the JSON reply and the event stream have in common: answers, counts and refusals as JSON on one line. The hard
 * thing: a member's own JSON is embedded as it is, so it must first be proved to be exactly one well-formed value, and
 * no deeper than readers go: one member's brackets must not make the others' answers unreadable. */
#include "json/json_write.h"
#include "json/links.h"
#include "lend.h"

#include "base/json.h"
#include "base/text.h"
#include "reply/fields.h"
#include "wire/content_format.h"
#include "wire/msg.h"

void cg_json_put_key(struct cg_buf *to, const char *key) {
    if (to->len > 0 && to->data[to->len - 1] != '{') cg_buf_put_u8(to, ',');
    cg_buf_put_u8(to, '"');
    cg_buf_put_str(to, key);
    cg_buf_put_str(to, "\":");
}

void cg_json_put_text(struct cg_buf *to, const char *key, struct castgate_slice text) {
    cg_json_put_key(to, key);
    cg_buf_put_json(to, cg_borrow(text));
}

static void put_number(struct cg_buf *to, const char *key, uint64_t number) {
    cg_json_put_key(to, key);
    cg_buf_put_decimal(to, number);
}

/* null where it is empty */
static void put_text_or_null(struct cg_buf *to, const char *key, struct castgate_slice text) {
    if (text.len > 0) {
        cg_json_put_text(to, key, text);
    } else {
        cg_json_put_key(to, key);
        cg_buf_put_str(to, "null");
    }
}

static void put_hex(struct cg_buf *to, const char *key, bool present, struct castgate_slice bytes) {
    cg_json_put_key(to, key);
    if (!present) {
        cg_buf_put_str(to, "null");
        return;
    }
    cg_buf_put_u8(to, '"');
    cg_buf_put_hex(to, cg_borrow(bytes));
    cg_buf_put_u8(to, '"');
}

/* JSON has line ends only where white space may stand; a space does as well and keeps an event stream's framing. */
static void put_on_one_line(struct cg_buf *to, struct cg_slice json) {
    uint8_t *at = cg_buf_reserve(to, json.len);
    if (at == NULL) return;
    for (size_t i = 0; i < json.len; i++) at[i] = json.data[i] == '\n' || json.data[i] == '\r' ? ' ' : json.data[i];
    to->len += json.len;
}

static void put_body(struct cg_buf *to, const struct castgate_answer *answer) {
    if (answer->payload.len == 0) return;
    struct cg_slice payload = cg_borrow(answer->payload);
    bool has_format = answer->format != CASTGATE_FORMAT_NONE;
    bool text =
        !has_format || cg_format_is_text((uint16_t)answer->format); /* without format: a diagnostic text, perhaps */
    if (has_format && cg_format_is_json((uint16_t)answer->format) && cg_json_valid(payload)) {
        cg_json_put_key(to, "json");
        put_on_one_line(to, payload);
    } else if (text && cg_utf8_valid(payload)) {
        cg_json_put_text(to, "body", answer->payload);
    } else {
        cg_json_put_key(to, "body_base64");
        cg_buf_put_u8(to, '"');
        cg_buf_put_base64(to, payload);
        cg_buf_put_u8(to, '"');
    }
}

/* Shown elsewhere, or of no use to the client once its blocks are put together. */
static bool is_shown_option(uint16_t number) {
    switch (number) {
    case CG_OPT_CONTENT_FORMAT:
    case CG_OPT_BLOCK1:
    case CG_OPT_BLOCK2:
    case CG_OPT_SIZE2: return false;
    default: return true;
    }
}

/* {"4": ["hex", …], …}: repeated options are in order. */
static void put_options(struct cg_buf *to, const struct castgate_answer *answer) {
    struct cg_msg msg = {.options = cg_borrow(answer->options)};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    uint32_t open = UINT32_MAX; /* none: a member may send option 0, too */
    cg_json_put_key(to, "options");
    cg_buf_put_u8(to, '{');
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (!is_shown_option(opt.number)) continue;
        if (open == opt.number) {
            cg_buf_put_u8(to, ',');
        } else {
            if (open != UINT32_MAX) cg_buf_put_str(to, "],");
            cg_buf_put_u8(to, '"');
            cg_buf_put_decimal(to, opt.number);
            cg_buf_put_str(to, "\":[");
            open = opt.number;
        }
        cg_buf_put_u8(to, '"');
        cg_buf_put_hex(to, opt.value);
        cg_buf_put_u8(to, '"');
    }
    cg_buf_put_str(to, open != UINT32_MAX ? "]}" : "}");
}

void cg_json_put_answer(struct cg_buf *to, const struct castgate_answer *answer) {
    char code[5];
    cg_code_text(answer->code, code);
    cg_buf_put_u8(to, '{');
    cg_json_put_text(to, "member", answer->member);
    put_text_or_null(to, "from", answer->from);
    put_hex(to, "kid", answer->has_kid, answer->kid);
    cg_json_put_text(to, "verified", cg_lend_text(cg_verified_name(answer->verified)));
    cg_json_put_text(to, "via", cg_lend_text(cg_via_name(answer->via)));
    put_number(to, "ms", answer->ms);
    cg_json_put_text(to, "code", cg_lend_text(code));
    put_number(to, "status", answer->status);
    put_text_or_null(to, "content_type", answer->media_type);
    if (answer->is_notification) {
        cg_json_put_key(to, "notification");
        cg_buf_put_str(to, "true");
    }
    put_body(to, answer);
    if (answer->format == CG_FORMAT_LINKS) cg_json_put_links(to, cg_borrow(answer->payload));
    put_options(to, answer);
    cg_buf_put_u8(to, '}');
}

void cg_json_put_missing(struct cg_buf *to, const struct castgate_missing *missing) {
    cg_buf_put_u8(to, '{');
    cg_json_put_text(to, "member", missing->member);
    put_text_or_null(to, "from", missing->from);
    cg_json_put_text(to, "cause", cg_lend_text(missing->cause));
    cg_buf_put_u8(to, '}');
}

/* null where there is none */
static void put_code(struct cg_buf *to, uint8_t code) {
    char text[5];
    cg_code_text(code, text);
    put_text_or_null(to, "code", cg_lend_text(code == CG_EMPTY ? "" : text));
}

void cg_json_put_rejected(struct cg_buf *to, const struct castgate_rejected *rejected) {
    cg_buf_put_u8(to, '{');
    put_text_or_null(to, "from", rejected->from);
    put_hex(to, "kid", rejected->kid.len > 0, rejected->kid);
    put_hex(to, "gid", rejected->gid.len > 0, rejected->gid);
    cg_json_put_text(to, "reason", rejected->reason);
    put_code(to, rejected->code);
    put_text_or_null(to, "diagnostic", rejected->diagnostic);
    cg_buf_put_u8(to, '}');
}

#define PUT_COUNT(name) put_number(to, #name, summary->name);
#define PUT_TEXT(name)  cg_json_put_text(to, #name, cg_lend_text(summary->name));
#define PUT_OPTIONAL(name)                                                                                             \
    if (summary->name > 0) PUT_COUNT(name)

void cg_json_put_summary(struct cg_buf *to, const struct castgate_summary *summary) {
    cg_buf_put_u8(to, '{');
    CASTGATE_SUMMARY_FIGURES(PUT_COUNT, PUT_TEXT, PUT_OPTIONAL)
    cg_buf_put_u8(to, '}');
}
#undef PUT_COUNT
#undef PUT_TEXT
#undef PUT_OPTIONAL
