/* The reply as a small page for people who follow a link: text only. The hard thing: nearly everything on it is
 * somebody else's, so nothing gets there but through cg_html_put, and what is no text is shown as base64. */
#include "base/html.h"
#include "base/text.h"
#include "builtin.h"
#include "lend.h"
#include "reply/fields.h"
#include "wire/content_format.h"
#include "wire/msg.h"

static void put(struct cg_buf *to, struct castgate_slice text) { cg_html_put(to, cg_borrow(text)); }

/* A member's or a stranger's word within a line: whatever direction it sets ends with it. */
static void put_word(struct cg_buf *to, struct castgate_slice text) {
    cg_buf_put_str(to, "<bdi>");
    put(to, text);
    cg_buf_put_str(to, "</bdi>");
}

/* Behind a comma, what there is. */
static void put_detail(struct cg_buf *to, const char *label, struct castgate_slice text) {
    if (text.len == 0) return;
    cg_buf_put_str(to, ", ");
    cg_buf_put_str(to, label);
    put_word(to, text);
}

/* Where the name is not the address already. */
static void put_address(struct cg_buf *to, const char *label, struct castgate_slice member,
                        struct castgate_slice from) {
    if (!cg_slice_equal(cg_borrow(member), cg_borrow(from))) put_detail(to, label, from);
}

static void put_hex_detail(struct cg_buf *to, const char *label, struct castgate_slice bytes) {
    cg_buf_put_str(to, ", ");
    cg_buf_put_str(to, label);
    cg_buf_put_hex(to, cg_borrow(bytes));
}

static void put_code(struct cg_buf *to, uint8_t code) {
    char text[5];
    cg_code_text(code, text);
    cg_buf_put_str(to, text);
}

/* Writes what is in the buffer and empties it. */
static int flush(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *buf) {
    int result = cg_write_out(host, call, buf);
    cg_buf_clear(buf);
    return result;
}

/* ---- How it went ---- */

static const char *plural(uint32_t count) { return count == 1 ? "" : "s"; }

static void put_outcome(struct cg_buf *to, const struct castgate_summary *summary) {
    cg_buf_put_decimal(to, summary->answered);
    if (summary->expected > 0) cg_buf_printf(to, " of %u", (unsigned)summary->expected);
    uint32_t members = summary->expected > 0 ? summary->expected : summary->answered;
    cg_buf_printf(to, " member%s answered", plural(members));
    if (summary->failed > 0) cg_buf_printf(to, ", %u with an error", (unsigned)summary->failed);
    if (summary->missing > 0) cg_buf_printf(to, "; %u missing", (unsigned)summary->missing);
    if (summary->rejected > 0)
        cg_buf_printf(to, "; %u answer%s rejected", (unsigned)summary->rejected, plural(summary->rejected));
    cg_buf_put_str(to, ".");
}

#define PUT_COUNT(name) cg_buf_put_str(to, " " #name "="), cg_buf_put_decimal(to, summary->name);
#define PUT_TEXT(name)  cg_buf_put_str(to, " " #name "="), put(to, cg_lend_text(summary->name));
#define PUT_OPTIONAL(name)                                                                                             \
    if (summary->name > 0) PUT_COUNT(name)

static void put_figures(struct cg_buf *to, const struct castgate_summary *summary) {
    CASTGATE_SUMMARY_FIGURES(PUT_COUNT, PUT_TEXT, PUT_OPTIONAL)
}
#undef PUT_COUNT
#undef PUT_TEXT
#undef PUT_OPTIONAL

static int html_head(const struct castgate_host *host, struct castgate_call *call) {
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    cg_html_begin(&buf, cg_borrow(host->mapping(call)));
    cg_buf_put_str(&buf, "<p>");
    put_outcome(&buf, host->summary(call));
    cg_buf_put_str(&buf, "</p>\n<p><small>exchange=");
    put(&buf, host->exchange(call));
    put_figures(&buf, host->summary(call));
    cg_buf_put_str(&buf, "</small></p>\n");
    int result = flush(host, call, &buf);
    cg_buf_fini(&buf);
    return result;
}

/* ---- Answers ---- */

static bool is_text(const struct castgate_answer *answer) {
    bool has_format = answer->format != CASTGATE_FORMAT_NONE; /* without: a diagnostic text, perhaps */
    bool says_so =
        !has_format || cg_format_is_text((uint16_t)answer->format) || cg_format_is_json((uint16_t)answer->format);
    return says_so && cg_utf8_valid(cg_borrow(answer->payload));
}

/* A line end that follows the tag would not be shown, so there is one that is not. */
static void put_payload(struct cg_buf *to, const struct castgate_answer *answer) {
    if (answer->payload.len == 0) return;
    if (is_text(answer)) {
        cg_buf_put_str(to, "<pre dir=\"auto\">\n");
        put(to, answer->payload);
        cg_buf_put_str(to, "</pre>");
        return;
    }
    cg_buf_printf(to, "<small>%zu byte%s, in base64:</small><pre>\n", answer->payload.len,
                  answer->payload.len == 1 ? "" : "s");
    cg_buf_put_base64(to, cg_borrow(answer->payload));
    cg_buf_put_str(to, "</pre>");
}

static void put_options(struct cg_buf *to, const struct castgate_answer *answer) {
    size_t before = to->len;
    cg_buf_put_str(to, "<br>Castgate-Options: ");
    size_t head = to->len;
    cg_put_castgate_options(to, answer);
    if (to->len == head) to->len = before;
}

static void put_details(struct cg_buf *to, const struct castgate_answer *answer) {
    struct cg_msg msg = {.options = cg_borrow(answer->options)};
    struct cg_slice oscore;
    cg_buf_printf(to, "<small>%s, %u ms", cg_via_name(answer->via), (unsigned)answer->ms);
    put_address(to, "from ", answer->member, answer->from);
    put_detail(to, "verified=", cg_lend_text(cg_verified_name(answer->verified)));
    if (answer->has_kid) put_hex_detail(to, "kid ", answer->kid);
    put_detail(to, "", answer->media_type);
    if (answer->etag.len > 0) put_hex_detail(to, "ETag ", answer->etag);
    if (answer->has_max_age) cg_buf_printf(to, ", good for %u s", (unsigned)answer->max_age);
    if (cg_msg_find(&msg, CG_OPT_OSCORE, &oscore)) put_hex_detail(to, "OSCORE ", cg_lend(oscore));
    put_options(to, answer);
    cg_buf_put_str(to, "</small>");
}

static void put_answer(struct cg_buf *to, const struct castgate_answer *answer) {
    cg_buf_put_str(to, "<tr><th scope=\"row\">");
    put_word(to, answer->member);
    cg_buf_put_str(to, "</th><td>");
    put_code(to, answer->code);
    cg_buf_put_str(to, "</td><td>");
    put_payload(to, answer);
    put_details(to, answer);
    cg_buf_put_str(to, "</td></tr>\n");
}

static int put_answers(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *buf) {
    struct castgate_answer answer;
    cg_buf_put_str(buf, "<h2>Answers</h2>\n<table>\n");
    for (size_t i = 0; host->answer(call, i, &answer); i++) {
        put_answer(buf, &answer);
        int result = flush(host, call, buf);
        if (result != 0) return result;
    }
    cg_buf_put_str(buf, "</table>\n");
    return 0;
}

/* ---- Who did not answer, and who was not heard ---- */

static void put_list_begin(struct cg_buf *to, const char *heading) {
    cg_buf_printf(to, "<h2>%s</h2>\n<ul>\n", heading);
}

static void put_missing(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *to) {
    struct castgate_missing missing;
    size_t count = 0;
    for (; host->missing(call, count, &missing); count++) {
        if (count == 0) put_list_begin(to, "Missing");
        cg_buf_put_str(to, "<li>");
        put_word(to, missing.member);
        put_address(to, "", missing.member, missing.from);
        put_detail(to, "", cg_lend_text(missing.cause));
        cg_buf_put_str(to, "</li>\n");
    }
    if (count > 0) cg_buf_put_str(to, "</ul>\n");
}

static void put_refusal(struct cg_buf *to, const struct castgate_rejected *rejected) {
    cg_buf_put_str(to, "<li>");
    put(to, rejected->reason);
    put_detail(to, "from ", rejected->from);
    if (rejected->kid.len > 0) put_hex_detail(to, "kid ", rejected->kid);
    if (rejected->gid.len > 0) put_hex_detail(to, "Gid ", rejected->gid);
    if (rejected->code != CG_EMPTY) {
        cg_buf_put_str(to, ", ");
        put_code(to, rejected->code);
    }
    put_detail(to, "says: ", rejected->diagnostic);
    cg_buf_put_str(to, "</li>\n");
}

static void put_rejected(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *to) {
    struct castgate_rejected rejected;
    size_t count = 0;
    for (; host->rejected(call, count, &rejected); count++) {
        if (count == 0) put_list_begin(to, "Rejected");
        put_refusal(to, &rejected);
    }
    if (count > 0) cg_buf_put_str(to, "</ul>\n");
}

static int html_encode(const struct castgate_host *host, struct castgate_call *call) {
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    host->content_type(call, cg_lend_text(CG_HTML_CONTENT_TYPE));
    int result = put_answers(host, call, &buf);
    if (result == 0) {
        put_missing(host, call, &buf);
        put_rejected(host, call, &buf);
        cg_html_end(&buf);
        result = flush(host, call, &buf);
    }
    cg_buf_fini(&buf);
    return result;
}

static const struct castgate_encoder html_encoder = {
    .media_type = CG_HTML_TYPE,
    .empty_is_204 = true,
    .tells_silence = true, /* whoever followed a link wants to see who is missing */
    .encode = html_encode,
    .encode_is_common = true,
    .head = html_head,
};

const struct castgate_plugin cg_plugin_html = {
    .major = CASTGATE_PLUGIN_MAJOR,
    .minor = CASTGATE_PLUGIN_MINOR,
    .kind = CASTGATE_ENCODER,
    .size = sizeof(struct castgate_plugin),
    .name = "html",
    .ops.encoder = &html_encoder,
};
