/* The log. The hard thing: whatever bytes come in, exactly one well-formed line goes out. */
#include "base/log.h"
#include "base/check.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static enum cg_log_level least_level = CG_LOG_INFO;
static cg_log_stamp_fn *stamp_with;
static struct cg_log_out *_Atomic taken_by; /* NULL: stderr */

static const char *const level_names[] = {"debug", "info", "warning", "error"};

enum { TAIL_ROOM = sizeof " truncated=true\n" + 1 };

void cg_log_set_level(enum cg_log_level least) { least_level = least; }

void cg_log_stamp_with(cg_log_stamp_fn *stamp) { stamp_with = stamp; }

size_t cg_log_stamp(char to[CG_LOG_STAMP_MAX], enum cg_log_level level) {
    return stamp_with == NULL ? 0 : stamp_with(to, level);
}

void cg_log_to(struct cg_log_out *out) {
    atomic_store(&taken_by, out);
    cg_check_tell_by(cg_log_last_words); /* a bug is told behind what was said before */
}

static void hand_on(const char *line, size_t len) {
    struct cg_log_out *out = atomic_load(&taken_by);
    if (out != NULL) {
        out->put(out, line, len);
    } else {
        ssize_t written = write(STDERR_FILENO, line, len);
        (void)written; /* nobody is left to tell */
    }
}

static void settle(void) {
    struct cg_log_out *out = atomic_load(&taken_by);
    if (out != NULL) out->settle(out);
}

/* Settled first, so that there is room for them. */
void cg_log_last_words(const char *lines, size_t len) {
    settle();
    if (len == 0) return;
    hand_on(lines, len);
    settle();
}

static bool put(struct cg_log_line *line, const char *text, size_t len) {
    if (line->len + len > sizeof line->text - TAIL_ROOM) return false;
    memcpy(line->text + line->len, text, len);
    line->len += len;
    return true;
}

/* Printable ASCII but ", = and \, of which nothing needs quotes: a bit each. */
static bool is_plain_char(uint8_t c) {
    static const uint64_t plain[2] = {UINT64_MAX << '!' & ~(UINT64_C(1) << '"' | UINT64_C(1) << '='),
                                      ~(UINT64_C(1) << ('\\' - 64) | UINT64_C(1) << (0x7f - 64))};
    return c < 128 && (plain[c / 64] >> c % 64 & 1) != 0;
}

static bool is_plain(struct cg_slice value) {
    size_t i = 0;
    while (i < value.len && is_plain_char(value.data[i])) i++;
    return value.len > 0 && i == value.len;
}

static bool put_escaped(struct cg_log_line *line, struct cg_slice value) {
    bool fits = put(line, "\"", 1);
    if (!fits) return false;
    for (size_t i = 0; fits && i < value.len; i++) {
        uint8_t c = value.data[i];
        char escaped[5];
        int len;
        if (c == '"' || c == '\\') {
            len = snprintf(escaped, sizeof escaped, "\\%c", c);
        } else if (c < ' ' || c >= 0x7f) {
            len = snprintf(escaped, sizeof escaped, "\\x%02x", c);
        } else {
            escaped[0] = (char)c, len = 1;
        }
        fits = put(line, escaped, (size_t)len);
    }
    line->text[line->len++] = '"'; /* cut or not, the value is closed: TAIL_ROOM keeps this byte free */
    return fits;
}

static void put_after(struct cg_log_line *line, const char *space, const char *key, struct cg_slice value) {
    if (!line->wanted) return;
    size_t before = line->len;
    bool fits = put(line, space, strlen(space)) && put(line, key, strlen(key)) && put(line, "=", 1);
    if (!fits) {
        line->len = before;
        line->wanted = false;
        return;
    }
    fits = is_plain(value) ? put(line, (const char *)value.data, value.len) : put_escaped(line, value);
    if (!fits) line->wanted = false; /* cg_log_end still writes what there is */
}

static void put_first(struct cg_log_line *line, const char *key, struct cg_slice value) {
    put_after(line, "", key, value); /* a stamp brings its own space */
}

static void put_pair(struct cg_log_line *line, const char *key, struct cg_slice value) {
    put_after(line, " ", key, value);
}

void cg_log_begin(struct cg_log_line *line, enum cg_log_level level, const char *event) {
    line->len = 0;
    line->wanted = level >= least_level;
    if (line->wanted) line->len = cg_log_stamp(line->text, level);
    put_first(line, "level", cg_slice_str(level_names[level]));
    put_pair(line, "event", cg_slice_str(event));
}

void cg_log_str(struct cg_log_line *line, const char *key, const char *value) {
    put_pair(line, key, cg_slice_str(value));
}

void cg_log_slice(struct cg_log_line *line, const char *key, struct cg_slice value) { put_pair(line, key, value); }

void cg_log_u64(struct cg_log_line *line, const char *key, uint64_t value) {
    char digits[CG_DECIMAL_MAX];
    put_pair(line, key, cg_slice_of(digits, cg_decimal_emit(digits, value)));
}

void cg_log_end(struct cg_log_line *line) {
    if (line->len == 0) return;
    if (!line->wanted) {
        memcpy(line->text + line->len, " truncated=true", sizeof " truncated=true" - 1);
        line->len += sizeof " truncated=true" - 1;
    }
    line->text[line->len++] = '\n';
    hand_on(line->text, line->len);
    line->len = 0;
}

void cg_log(enum cg_log_level level, const char *event, const char *format, ...) {
    if (level < least_level) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct cg_log_line line;
    cg_log_begin(&line, level, event);
    cg_log_str(&line, "msg", text);
    cg_log_end(&line);
}
