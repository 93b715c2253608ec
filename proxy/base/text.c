/* Text conversions; strict, because what they parse comes from outside. */
#include "base/text.h"

void cg_base64_emit(char *to, struct cg_slice bytes) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;
    for (; at + 3 <= bytes.len; at += 3) {
        uint32_t group = (uint32_t)bytes.data[at] << 16 | (uint32_t)bytes.data[at + 1] << 8 | bytes.data[at + 2];
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        *to++ = alphabet[group >> 6 & 63];
        *to++ = alphabet[group & 63];
    }
    size_t rest = bytes.len - at;
    if (rest == 0) return;
    uint32_t group = (uint32_t)bytes.data[at] << 16 | (rest == 2 ? (uint32_t)bytes.data[at + 1] << 8 : 0);
    *to++ = alphabet[group >> 18];
    *to++ = alphabet[group >> 12 & 63];
    *to++ = rest == 2 ? alphabet[group >> 6 & 63] : '=';
    *to++ = '=';
}

size_t cg_base64url_emit(char *to, struct cg_slice bytes) {
    size_t len = (bytes.len * 8 + 5) / 6;
    cg_base64_emit(to, bytes);
    for (size_t i = 0; i < len; i++) to[i] = to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i];
    return len;
}

static int base64url_digit(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    if (c == '_') return 63;
    return -1;
}

int cg_base64url_parse(struct cg_slice text, uint8_t *to, size_t cap, size_t *len) {
    if (text.len % 4 == 1) return CG_E_FORMAT;
    uint32_t bits = 0;
    unsigned have = 0;
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64url_digit(text.data[i]);
        if (digit < 0) return CG_E_FORMAT;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        if (*len == cap) return CG_E_TOO_BIG;
        to[(*len)++] = (uint8_t)(bits >> have);
        bits &= (1u << have) - 1;
    }
    return bits == 0 ? CG_OK : CG_E_FORMAT; /* left-over bits must be zero: one text for one value */
}

int cg_hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int cg_hex_parse(struct cg_slice text, uint8_t *to, size_t cap, size_t *len) {
    if (text.len % 2 != 0) return CG_E_FORMAT;
    if (text.len / 2 > cap) return CG_E_TOO_BIG;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = cg_hex_digit(text.data[i]), low = cg_hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0) return CG_E_FORMAT;
        to[i / 2] = (uint8_t)(high << 4 | low);
    }
    *len = text.len / 2;
    return CG_OK;
}

size_t cg_utf8_sequence(const uint8_t *data, size_t len) {
    if (len == 0) return 0;
    uint8_t first = data[0];
    if (first < 0x80) return 1;
    size_t want;
    uint32_t point, least;
    if (first >= 0xc2 && first <= 0xdf) {
        want = 2, point = first & 0x1f, least = 0x80;
    } else if ((first & 0xf0) == 0xe0) {
        want = 3, point = first & 0x0f, least = 0x800;
    } else if (first >= 0xf0 && first <= 0xf4) {
        want = 4, point = first & 0x07, least = 0x10000;
    } else {
        return 0;
    }
    if (len < want) return 0;
    for (size_t i = 1; i < want; i++) {
        if ((data[i] & 0xc0) != 0x80) return 0;
        point = point << 6 | (data[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point >= least && point <= 0x10ffff && !surrogate ? want : 0;
}

bool cg_utf8_valid(struct cg_slice text) {
    for (size_t at = 0; at < text.len;) {
        size_t sequence = cg_utf8_sequence(text.data + at, text.len - at);
        if (sequence == 0) return false;
        at += sequence;
    }
    return true;
}

struct cg_slice cg_utf8_without_mark(struct cg_slice text) {
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    if (text.len < sizeof mark || memcmp(text.data, mark, sizeof mark) != 0) return text;
    return cg_slice_of(text.data + sizeof mark, text.len - sizeof mark);
}

bool cg_next_line(struct cg_slice *rest, struct cg_slice *line) {
    if (rest->len == 0) return false;
    const uint8_t *end = memchr(rest->data, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data), taken = len + (end != NULL);
    *line = cg_slice_of(rest->data, len);
    *rest = cg_slice_of(rest->data + taken, rest->len - taken);
    return true;
}

int cg_decimal_parse(struct cg_slice text, uint64_t max, uint64_t *number) {
    if (text.len == 0) return CG_E_FORMAT;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return CG_E_FORMAT;
        unsigned digit = text.data[i] - '0';
        if (value > (max - digit) / 10 || digit > max) return CG_E_FORMAT;
        value = value * 10 + digit;
    }
    *number = value;
    return CG_OK;
}

size_t cg_decimal_emit(char to[CG_DECIMAL_MAX], uint64_t number) {
    char digits[CG_DECIMAL_MAX];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    memcpy(to, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

bool cg_slice_equal_nocase(struct cg_slice a, struct cg_slice b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        if (cg_ascii_lower((char)a.data[i]) != cg_ascii_lower((char)b.data[i])) return false;
    }
    return true;
}

static struct cg_slice start_of(struct cg_slice text, size_t len) {
    return cg_slice_of(text.data, text.len < len ? text.len : len);
}

bool cg_slice_starts(struct cg_slice text, const char *prefix) {
    return cg_slice_is(start_of(text, strlen(prefix)), prefix);
}

bool cg_slice_starts_nocase(struct cg_slice text, const char *prefix) {
    return cg_slice_is_nocase(start_of(text, strlen(prefix)), prefix);
}

bool cg_is_token_char(uint8_t c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}
