/* A scanner over RFC 8259's grammar. The hard thing: a parser that makes values of the text refuses what its own values
 * cannot hold (integers beyond 64 bits, 1e400, \u0000, lone surrogates), so the same device's answer would change its
 * form with its reading. Nothing is made here, nothing recurses, and what is open is one bit a level. */
#include "base/json.h"

#include <string.h>

#include "base/text.h"

struct scan {
    const uint8_t *at, *end;
    uint64_t objects; /* of the open levels, one bit each, the innermost lowest: it is an object */
    unsigned depth;
};

_Static_assert(CG_JSON_DEPTH_MAX <= 64, "a level is a bit");

static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static bool is_next(const struct scan *scan, char byte) { return scan->at < scan->end && *scan->at == (uint8_t)byte; }

static bool take(struct scan *scan, char byte) {
    if (!is_next(scan, byte)) return false;
    scan->at++;
    return true;
}

static void skip_space(struct scan *scan) {
    while (is_next(scan, ' ') || is_next(scan, '\t') || is_next(scan, '\n') || is_next(scan, '\r')) scan->at++;
}

static bool take_word(struct scan *scan, const char *word) {
    size_t len = strlen(word);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0) return false;
    scan->at += len;
    return true;
}

static bool take_digits(struct scan *scan) {
    const uint8_t *from = scan->at;
    while (scan->at < scan->end && is_digit(*scan->at)) scan->at++;
    return scan->at > from;
}

static bool take_number(struct scan *scan) {
    take(scan, '-');
    if (!take(scan, '0') && !take_digits(scan)) return false;
    if (take(scan, '.') && !take_digits(scan)) return false;
    if (!take(scan, 'e') && !take(scan, 'E')) return true;
    if (!take(scan, '+')) take(scan, '-');
    return take_digits(scan);
}

static bool take_hex4(struct scan *scan) {
    uint8_t bytes[2];
    size_t len;
    if (scan->end - scan->at < 4 || cg_hex_parse(cg_slice_of(scan->at, 4), bytes, sizeof bytes, &len) < 0) return false;
    scan->at += 4;
    return true;
}

static bool take_escape(struct scan *scan) {
    if (scan->at == scan->end) return false;
    uint8_t byte = *scan->at++;
    return byte == 'u' ? take_hex4(scan) : byte != 0 && strchr("\"\\/bfnrt", byte) != NULL;
}

static bool take_string(struct scan *scan) {
    if (!take(scan, '"')) return false;
    while (scan->at < scan->end) {
        if (take(scan, '"')) return true;
        if (take(scan, '\\')) {
            if (!take_escape(scan)) return false;
            continue;
        }
        size_t len = cg_utf8_sequence(scan->at, (size_t)(scan->end - scan->at));
        if (len == 0 || *scan->at < 0x20) return false;
        scan->at += len;
    }
    return false;
}

static bool is_in_object(const struct scan *scan) { return scan->depth > 0 && (scan->objects & 1) != 0; }

static bool open_level(struct scan *scan, bool is_object) {
    if (scan->depth == CG_JSON_DEPTH_MAX) return false;
    scan->depth++;
    scan->objects = scan->objects << 1 | (is_object ? 1 : 0);
    return true;
}

static void close_level(struct scan *scan) {
    scan->depth--;
    scan->objects >>= 1;
}

static bool take_close(struct scan *scan) {
    skip_space(scan);
    if (!take(scan, is_in_object(scan) ? '}' : ']')) return false;
    close_level(scan);
    return true;
}

/* What stands before a value: a name in an object. */
static bool take_name(struct scan *scan) {
    skip_space(scan);
    if (!is_in_object(scan)) return true;
    if (!take_string(scan)) return false;
    skip_space(scan);
    if (!take(scan, ':')) return false;
    skip_space(scan);
    return true;
}

static bool take_scalar(struct scan *scan) {
    if (is_next(scan, '"')) return take_string(scan);
    return take_word(scan, "true") || take_word(scan, "false") || take_word(scan, "null") || take_number(scan);
}

/* Down to the first value that is whole: a scalar, or an empty array or object. */
static bool take_value(struct scan *scan) {
    for (;;) {
        bool is_object = is_next(scan, '{');
        if (!is_object && !is_next(scan, '[')) return take_scalar(scan);
        scan->at++;
        if (!open_level(scan, is_object)) return false;
        if (take_close(scan)) return true;
        if (!take_name(scan)) return false;
    }
}

bool cg_json_valid(struct cg_slice text) {
    if (text.len == 0) return false;
    struct scan scan = {.at = text.data, .end = text.data + text.len};
    skip_space(&scan);
    if (!take_value(&scan)) return false;
    while (scan.depth > 0) {
        if (take_close(&scan)) continue;
        if (!take(&scan, ',') || !take_name(&scan) || !take_value(&scan)) return false;
    }
    skip_space(&scan);
    return scan.at == scan.end;
}
