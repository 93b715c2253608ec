/* Text for a terminal. The hard thing: control characters are not only those of ASCII. */
#include "app/discover/shown.h"

#include "base/text.h"

#define CUT "..."

uint32_t cg_code_point(const uint8_t *bytes, size_t len) {
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = bytes[0] & first_bits[len];
    for (size_t i = 1; i < len; i++) point = point << 6 | (bytes[i] & 0x3f);
    return point;
}

/* Controls of Latin-1; what joins, parts, or turns the direction of writing; marks, tags and what is no character. */
bool cg_is_shown(uint32_t point) {
    static const struct {
        uint32_t first, last;
    } hidden[] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},
                  {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
                  {0xe000, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xffff}, {0xe0000, 0x10ffff}};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        if (point >= hidden[i].first && point <= hidden[i].last) return false;
    }
    return true;
}

static size_t characters(struct cg_slice text) {
    size_t count = 0;
    for (size_t at = 0; at < text.len; count++) {
        size_t len = cg_utf8_sequence(text.data + at, text.len - at);
        at += len > 0 ? len : 1;
    }
    return count;
}

static size_t put_character(struct cg_buf *to, struct cg_slice rest) {
    size_t len = cg_utf8_sequence(rest.data, rest.len);
    if (len > 0 && cg_is_shown(cg_code_point(rest.data, len))) {
        cg_buf_put(to, rest.data, len);
    } else {
        cg_buf_put_u8(to, '?');
    }
    return len > 0 ? len : 1;
}

size_t cg_put_shown(struct cg_buf *to, struct cg_slice text, size_t most) {
    size_t all = characters(text), count = all;
    if (all > most) count = most > strlen(CUT) ? most - strlen(CUT) : 0;
    for (size_t i = 0, at = 0; i < count; i++) at += put_character(to, cg_slice_of(text.data + at, text.len - at));
    if (all <= most) return all;
    cg_buf_put_str(to, CUT);
    return count + strlen(CUT);
}

void cg_put_cell(struct cg_buf *to, struct cg_slice text, size_t width) {
    for (size_t used = cg_put_shown(to, text, width); used < width + 2; used++) cg_buf_put_u8(to, ' ');
}
