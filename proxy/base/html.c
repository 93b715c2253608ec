/* Pages. The hard thing: what stands in them is mostly a stranger's words, which must be seen as what they are and do
 * nothing; escaping sees to that, and the policy (html.h) to whatever escaping might ever miss. */
#include "base/html.h"

#include "base/text.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

const char cg_html_style[] =
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:60rem;padding:0 1rem}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border-top:1px solid #8886;padding:.4rem 1rem .4rem 0;text-align:left;vertical-align:top}"
    "pre{font:.9rem/1.5 ui-monospace,monospace;margin:0;white-space:pre-wrap}"
    "body{overflow-wrap:anywhere}th{min-width:9rem}td:first-of-type{white-space:nowrap}"
    "small{font-size:.85rem;opacity:.8}"
    "@media(max-width:40rem){tr{border-top:1px solid #8886;display:block;padding:.5rem 0}"
    "th,td{border:0;display:block;padding:.1rem 0}}";

void cg_html_begin(struct cg_buf *to, struct cg_slice title) {
    cg_buf_put_str(to, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
    cg_html_put(to, title);
    cg_buf_put_str(to, "</title><style>");
    cg_buf_put_str(to, cg_html_style);
    cg_buf_put_str(to, "</style></head><body>\n<h1>");
    cg_html_put(to, title);
    cg_buf_put_str(to, "</h1>\n");
}

void cg_html_end(struct cg_buf *to) { cg_buf_put_str(to, "</body></html>\n"); }

/* How a byte of ASCII is written; NULL: as it is. */
static const char *escape_of(uint8_t byte) {
    switch (byte) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    case 0x7f: return "\xe2\x90\xa1"; /* U+2421 */
    default: return NULL;
    }
}

/* A control character's picture (U+2400 and following). */
static void put_picture(struct cg_buf *to, uint8_t byte) {
    const uint8_t picture[] = {0xe2, 0x90, (uint8_t)(0x80 + byte)};
    cg_buf_put(to, picture, sizeof picture);
}

static bool is_plain(uint8_t byte) {
    return byte == '\n' || byte == '\t' || (byte >= ' ' && byte < 0x80 && escape_of(byte) == NULL);
}

static size_t plain_run(struct cg_slice text) {
    size_t len = 0;
    while (len < text.len && is_plain(text.data[len])) len++;
    return len;
}

/* The first character, which is not plain. Returns its length. */
static size_t put_other(struct cg_buf *to, struct cg_slice text) {
    uint8_t byte = text.data[0];
    if (byte < ' ') {
        put_picture(to, byte);
        return 1;
    }
    if (byte < 0x80) {
        cg_buf_put_str(to, escape_of(byte));
        return 1;
    }
    size_t len = cg_utf8_sequence(text.data, text.len);
    bool is_control = len == 2 && byte == 0xc2 && text.data[1] < 0xa0; /* C1 */
    if (len == 0 || is_control) {
        cg_buf_put_str(to, REPLACEMENT);
    } else {
        cg_buf_put(to, text.data, len);
    }
    return len == 0 ? 1 : len;
}

void cg_html_put(struct cg_buf *to, struct cg_slice text) {
    while (text.len > 0) {
        size_t len = plain_run(text);
        if (len > 0) cg_buf_put(to, text.data, len);
        if (len == 0) len = put_other(to, text);
        text = cg_slice_of(text.data + len, text.len - len);
    }
}
