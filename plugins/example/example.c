/* An encoder as a loadable plugin: the reply as text/csv (RFC 4180), one line for each member that answered. README.md
 * tells how to build and load it. The hard thing: a member may send any bytes, so each field is quoted where it must
 * be, and what is no text is written in hexadecimal digits, in a column of its own. */
#include <castgate/plugin.h>

#include <stdio.h>
#include <string.h>

/* One reply being written. A failure sticks, so that it is asked for once, at the end. */
struct out {
    const struct castgate_host *host;
    struct castgate_call *call;
    bool failed;
};

static void put(struct out *out, const void *data, size_t len) {
    struct castgate_slice bytes = {.data = data, .len = len};
    if (!out->failed && !out->host->write(out->call, bytes)) out->failed = true;
}

static void put_text(struct out *out, const char *text) { put(out, text, strlen(text)); }

static void put_number(struct out *out, unsigned number) {
    char digits[12];
    put(out, digits, (size_t)snprintf(digits, sizeof digits, "%u", number));
}

/* Quotes around it, quotes inside doubled (RFC 4180 section 2, rules 5 to 7). */
static void put_quoted(struct out *out, struct castgate_slice field) {
    const char *at = field.data, *end = at + field.len;
    put_text(out, "\"");
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        size_t len = (size_t)((quote == NULL ? end : quote) - at);
        put(out, at, len);
        if (quote == NULL) break;
        put_text(out, "\"\"");
        at = quote + 1;
    }
    put_text(out, "\"");
}

static bool must_be_quoted(struct castgate_slice field) {
    const char *bytes = field.data;
    for (size_t i = 0; i < field.len; i++) {
        if (bytes[i] == '"' || bytes[i] == ',' || bytes[i] == '\r' || bytes[i] == '\n') return true;
    }
    return false;
}

static void put_field(struct out *out, struct castgate_slice field) {
    if (must_be_quoted(field)) {
        put_quoted(out, field);
    } else {
        put(out, field.data, field.len);
    }
}

static void put_hex(struct out *out, struct castgate_slice bytes) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes.data;
    for (size_t i = 0; i < bytes.len; i++) {
        const char pair[] = {digits[at[i] >> 4], digits[at[i] & 15]};
        put(out, pair, sizeof pair);
    }
}

/* How many bytes the character at `at` has, 0 when there is none: UTF-8 without control characters, tab and line ends
 * aside. */
static size_t character(const unsigned char *at, size_t left) {
    if (at[0] < 0x80) return at[0] >= 0x20 ? at[0] != 0x7f : at[0] == '\t' || at[0] == '\r' || at[0] == '\n';
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || len > left) return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
    }
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool beyond = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return overlong || beyond ? 0 : len;
}

static bool is_text(struct castgate_slice bytes) {
    const unsigned char *at = bytes.data;
    for (size_t i = 0, len; i < bytes.len; i += len) {
        len = character(at + i, bytes.len - i);
        if (len == 0) return false;
    }
    return true;
}

static void put_line(struct out *out, const struct castgate_answer *answer) {
    put_field(out, answer->member);
    put_text(out, ",");
    put_field(out, answer->from);
    put_text(out, ",");
    put_number(out, answer->status);
    put_text(out, ",");
    put_number(out, answer->ms);
    put_text(out, ",");
    put_field(out, answer->media_type);
    put_text(out, ",");
    if (is_text(answer->payload)) {
        put_field(out, answer->payload);
        put_text(out, ",");
    } else {
        put_text(out, ",");
        put_hex(out, answer->payload);
    }
    put_text(out, "\r\n");
}

static int encode(const struct castgate_host *host, struct castgate_call *call) {
    static const char type[] = "text/csv; charset=utf-8; header=present";
    struct castgate_slice content_type = {.data = type, .len = sizeof type - 1};
    struct out out = {.host = host, .call = call};
    struct castgate_answer answer;
    host->content_type(call, content_type);
    put_text(&out, "member,from,status,ms,content_type,body,body_hex\r\n");
    for (size_t i = 0; host->answer(call, i, &answer); i++) put_line(&out, &answer);
    return out.failed ? -1 : 0;
}

static const struct castgate_encoder encoder = {.media_type = "text/csv", .encode = encode};

/* The one symbol that castgate looks for. */
extern const struct castgate_plugin castgate_plugin;
const struct castgate_plugin castgate_plugin = {
    .major = CASTGATE_PLUGIN_MAJOR,
    .minor = CASTGATE_PLUGIN_MINOR,
    .kind = CASTGATE_ENCODER,
    .size = sizeof(struct castgate_plugin),
    .name = "example",
    .ops.encoder = &encoder,
};
