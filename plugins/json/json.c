/* The reply as one JSON document. The hard thing: a member's own JSON is embedded as it is, so it must first be proved to be
 * exactly one well-formed value. */
#include "builtin.h"
#include "lend.h"

#include <jansson.h>

#include "base/buf.h"
#include "base/text.h"
#include "wire/content_format.h"
#include "wire/msg.h"

static void put_key(struct cg_buf *to, const char *key) {
    if (to->len > 0 && to->data[to->len - 1] != '{') cg_buf_put_u8(to, ',');
    cg_buf_put_u8(to, '"');
    cg_buf_put_str(to, key);
    cg_buf_put_str(to, "\":");
}

static void put_text(struct cg_buf *to, const char *key, struct castgate_slice text) {
    put_key(to, key);
    cg_buf_put_json(to, cg_borrow(text));
}

static void put_number(struct cg_buf *to, const char *key, uint64_t number) {
    put_key(to, key);
    cg_buf_put_decimal(to, number);
}

/* null where it is empty */
static void put_text_or_null(struct cg_buf *to, const char *key, struct castgate_slice text) {
    if (text.len > 0) {
        put_text(to, key, text);
    } else {
        put_key(to, key);
        cg_buf_put_str(to, "null");
    }
}

static void put_hex(struct cg_buf *to, const char *key, bool present, struct castgate_slice bytes) {
    put_key(to, key);
    if (!present) {
        cg_buf_put_str(to, "null");
        return;
    }
    cg_buf_put_u8(to, '"');
    cg_buf_put_hex(to, cg_borrow(bytes));
    cg_buf_put_u8(to, '"');
}

static bool is_json(struct castgate_slice payload) {
    json_error_t error;
    json_t *value = json_loadb(payload.data, payload.len, JSON_DECODE_ANY, &error);
    json_decref(value);
    return value != NULL;
}

static void put_body(struct cg_buf *to, const struct castgate_answer *answer) {
    if (answer->payload.len == 0) return;
    struct cg_slice payload = cg_borrow(answer->payload);
    bool has_format = answer->format != CASTGATE_FORMAT_NONE;
    bool text = !has_format || cg_format_is_text((uint16_t)answer->format); /* without format: a diagnostic text, perhaps */
    if (has_format && cg_format_is_json((uint16_t)answer->format) && is_json(answer->payload)) {
        put_key(to, "json");
        cg_buf_put_slice(to, payload);
    } else if (text && cg_utf8_valid(payload)) {
        put_text(to, "body", answer->payload);
    } else {
        put_key(to, "body_base64");
        cg_buf_put_u8(to, '"');
        cg_buf_put_base64(to, payload);
        cg_buf_put_u8(to, '"');
    }
}

/* Shown elsewhere, or of no use to the client once its blocks are put together. */
static bool is_shown_option(uint16_t number) {
    return number != CG_OPT_CONTENT_FORMAT && number != CG_OPT_BLOCK2 && number != CG_OPT_SIZE2;
}

/* {"4": ["hex", …], …}: repeated options are in order. */
static void put_options(struct cg_buf *to, const struct castgate_answer *answer) {
    struct cg_msg msg = {.options = cg_borrow(answer->options)};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    uint16_t open = 0;
    put_key(to, "options");
    cg_buf_put_u8(to, '{');
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (!is_shown_option(opt.number)) continue;
        if (open == opt.number) {
            cg_buf_put_u8(to, ',');
        } else {
            if (open != 0) cg_buf_put_str(to, "],");
            cg_buf_put_u8(to, '"');
            cg_buf_put_decimal(to, opt.number);
            cg_buf_put_str(to, "\":[");
            open = opt.number;
        }
        cg_buf_put_u8(to, '"');
        cg_buf_put_hex(to, opt.value);
        cg_buf_put_u8(to, '"');
    }
    cg_buf_put_str(to, open != 0 ? "]}" : "}");
}

static void put_answer(struct cg_buf *to, const struct castgate_answer *answer) {
    char code[5];
    cg_code_text(answer->code, code);
    cg_buf_put_u8(to, '{');
    put_text(to, "member", answer->member);
    put_text_or_null(to, "from", answer->from);
    put_hex(to, "kid", answer->has_kid, answer->kid);
    put_text(to, "verified", cg_lend_text(cg_verified_name(answer->verified)));
    put_text(to, "via", cg_lend_text(cg_via_name(answer->via)));
    put_number(to, "ms", answer->ms);
    put_text(to, "code", cg_lend_text(code));
    put_number(to, "status", answer->status);
    put_text_or_null(to, "content_type", answer->media_type);
    put_body(to, answer);
    put_options(to, answer);
    cg_buf_put_u8(to, '}');
}

static void put_missing(struct cg_buf *to, const struct castgate_missing *missing) {
    cg_buf_put_u8(to, '{');
    put_text(to, "member", missing->member);
    put_text_or_null(to, "from", missing->from);
    cg_buf_put_u8(to, '}');
}

static void put_rejected(struct cg_buf *to, const struct castgate_rejected *rejected) {
    cg_buf_put_u8(to, '{');
    put_text_or_null(to, "from", rejected->from);
    put_hex(to, "kid", rejected->kid.len > 0, rejected->kid);
    put_hex(to, "gid", rejected->gid.len > 0, rejected->gid);
    put_text(to, "reason", rejected->reason);
    cg_buf_put_u8(to, '}');
}

static void put_summary(struct cg_buf *to, const struct castgate_summary *summary) {
    put_key(to, "summary");
    cg_buf_put_u8(to, '{');
    put_number(to, "answered", summary->answered);
    put_number(to, "failed", summary->failed);
    put_number(to, "missing", summary->missing);
    put_number(to, "late", summary->late);
    put_number(to, "duplicates", summary->duplicates);
    put_number(to, "rejected", summary->rejected);
    put_number(to, "expected", summary->expected);
    put_number(to, "kernel_drops", summary->kernel_drops);
    put_text(to, "ended_by", cg_lend_text(summary->ended_by));
    put_number(to, "ms", summary->ms);
    cg_buf_put_u8(to, '}');
}

/* Writes what is in the buffer and empties it. */
static bool flush(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *buf) {
    bool written = !buf->failed && host->write(call, (struct castgate_slice){.data = buf->data, .len = buf->len});
    cg_buf_clear(buf);
    return written;
}

static bool put_answers(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *buf) {
    struct castgate_answer answer;
    for (size_t i = 0; host->answer(call, i, &answer); i++) {
        if (i > 0) cg_buf_put_u8(buf, ',');
        put_answer(buf, &answer);
        if (!flush(host, call, buf)) return false;
    }
    return true;
}

static int json_encode(const struct castgate_host *host, struct castgate_call *call) {
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    cg_buf_put_u8(&buf, '{');
    put_text(&buf, "exchange", host->exchange(call));
    put_text(&buf, "mapping", host->mapping(call));
    put_summary(&buf, host->summary(call));
    cg_buf_put_str(&buf, ",\"answers\":[");
    bool written = put_answers(host, call, &buf);
    cg_buf_put_str(&buf, "],\"missing\":[");
    struct castgate_missing missing;
    for (size_t i = 0; host->missing(call, i, &missing); i++) {
        if (i > 0) cg_buf_put_u8(&buf, ',');
        put_missing(&buf, &missing);
    }
    cg_buf_put_str(&buf, "],\"rejected\":[");
    struct castgate_rejected rejected;
    for (size_t i = 0; host->rejected(call, i, &rejected); i++) {
        if (i > 0) cg_buf_put_u8(&buf, ',');
        put_rejected(&buf, &rejected);
    }
    cg_buf_put_str(&buf, "]}\n");
    written = flush(host, call, &buf) && written;
    cg_buf_fini(&buf);
    return written ? 0 : -1;
}

static const struct castgate_encoder json_encoder = {
    .media_type = "application/json",
    .empty_is_204 = false,
    .encode = json_encode,
};

const struct castgate_plugin cg_plugin_json = {
    .major = CASTGATE_PLUGIN_MAJOR,
    .minor = CASTGATE_PLUGIN_MINOR,
    .kind = CASTGATE_ENCODER,
    .size = sizeof(struct castgate_plugin),
    .name = "json",
    .ops.encoder = &json_encoder,
};
