/* Group-ETag. The hard thing: any deviation makes the whole field one that is not there, so nothing is taken before all
 * of it is read; and items may have parameters, which mean nothing here and must be well-formed all the same. */
#include "fronts/http/group_etag.h"

#include "base/text.h"

#include <string.h>

enum { TEXT_MAX = 12 /* of eight bytes in base64 */ };

struct tags {
    uint8_t bytes[CG_GROUP_ETAGS_MAX][CG_GROUP_ETAG_MAX];
    size_t len[CG_GROUP_ETAGS_MAX];
    size_t count; /* read, of which so many are kept as there is room for */
};

static bool is_at(struct cg_slice rest, char c) { return rest.len > 0 && rest.data[0] == (uint8_t)c; }

static void skip(struct cg_slice *rest, size_t len) {
    rest->data += len;
    rest->len -= len;
}

static bool skip_one(struct cg_slice *rest, char c) {
    if (!is_at(*rest, c)) return false;
    skip(rest, 1);
    return true;
}

static void skip_blanks(struct cg_slice *rest) {
    while (is_at(*rest, ' ') || is_at(*rest, '\t')) skip(rest, 1);
}

/* Up to the next such character, which is passed over; false: there is none. */
static bool take_until(struct cg_slice *rest, char end, struct cg_slice *taken) {
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->data, end, rest->len);
    if (at == NULL) return false;
    *taken = cg_slice_of(rest->data, (size_t)(at - rest->data));
    skip(rest, taken->len + 1);
    return true;
}

/* RFC 9651 §4.2.7: padding may be left out. False: no base64, or not 1 to 8 bytes. */
static bool decode(struct cg_slice text, uint8_t bytes[CG_GROUP_ETAG_MAX], size_t *len) {
    uint8_t url[TEXT_MAX];
    while (text.len > 0 && text.data[text.len - 1] == '=') text.len--;
    if (text.len == 0 || text.len > TEXT_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '-' || c == '_') return false;
        if (c == '+') c = '-';
        if (c == '/') c = '_';
        url[i] = c;
    }
    return cg_base64url_parse(cg_slice_of(url, text.len), bytes, CG_GROUP_ETAG_MAX, len) == CG_OK && *len > 0;
}

/* Parameters (RFC 9651 §4.2.3.2) */

static bool is_of_key(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '*';
}

static bool skip_key(struct cg_slice *rest) {
    bool begins = rest->len > 0 && ((rest->data[0] >= 'a' && rest->data[0] <= 'z') || rest->data[0] == '*');
    while (rest->len > 0 && is_of_key(rest->data[0])) skip(rest, 1);
    return begins;
}

static bool skip_string(struct cg_slice *rest) {
    for (skip(rest, 1); rest->len > 0; skip(rest, 1)) {
        if (is_at(*rest, '"')) return skip_one(rest, '"');
        if (is_at(*rest, '\\')) skip(rest, 1);
        if (rest->len == 0 || rest->data[0] < 0x20 || rest->data[0] > 0x7e) return false;
    }
    return false;
}

/* Numbers, dates, tokens and booleans: none of them has what ends an item. */
static bool skip_word(struct cg_slice *rest) {
    size_t len = 0;
    while (len < rest->len && rest->data[len] > 0x20 && rest->data[len] < 0x7f &&
           strchr(",;\"", rest->data[len]) == NULL)
        len++;
    skip(rest, len);
    return len > 0;
}

static bool skip_value(struct cg_slice *rest) {
    struct cg_slice ignored;
    if (is_at(*rest, '"')) return skip_string(rest);
    if (skip_one(rest, ':')) return take_until(rest, ':', &ignored);
    return skip_word(rest);
}

static bool skip_parameters(struct cg_slice *rest) {
    while (skip_one(rest, ';')) {
        while (is_at(*rest, ' ')) skip(rest, 1);
        if (!skip_key(rest)) return false;
        if (skip_one(rest, '=') && !skip_value(rest)) return false;
    }
    return true;
}

/* The list */

static bool take_item(struct cg_slice *rest, struct tags *tags) {
    struct cg_slice text;
    uint8_t beyond[CG_GROUP_ETAG_MAX];
    size_t beyond_len;
    bool fits = tags->count < CG_GROUP_ETAGS_MAX;
    if (!skip_one(rest, ':') || !take_until(rest, ':', &text)) return false;
    if (!decode(text, fits ? tags->bytes[tags->count] : beyond, fits ? &tags->len[tags->count] : &beyond_len))
        return false;
    tags->count += fits;
    return skip_parameters(rest);
}

static bool take_list(struct cg_slice rest, struct tags *tags) {
    skip_blanks(&rest);
    for (;;) {
        if (!take_item(&rest, tags)) return false;
        skip_blanks(&rest);
        if (rest.len == 0) return true;
        if (!skip_one(&rest, ',')) return false;
        skip_blanks(&rest);
    }
}

static bool take_all(const struct cg_http_message *message, struct tags *tags) {
    for (size_t i = 0; i < message->field_count; i++) {
        const struct cg_http_field *field = &message->fields[i];
        if (cg_slice_is_nocase(field->name, "Group-ETag") && !take_list(field->value, tags)) return false;
    }
    return tags->count > 0;
}

bool cg_http_take_group_etags(struct cg_request *request, struct cg_arena *arena,
                              const struct cg_http_message *message) {
    struct tags tags = {.count = 0};
    if (!take_all(message, &tags)) return true;
    struct cg_slice *list = cg_arena_alloc(arena, tags.count * sizeof *list);
    if (list == NULL) return false;
    for (size_t i = 0; i < tags.count; i++) {
        list[i] = cg_arena_copy(arena, cg_slice_of(tags.bytes[i], tags.len[i]));
        if (list[i].data == NULL) return false;
    }
    request->group_etags = list;
    request->group_etag_count = tags.count;
    return true;
}

void cg_http_group_etag(char value[CG_HTTP_GROUP_ETAG_MAX], const uint8_t tag[CG_GROUP_ETAG_MAX]) {
    value[0] = ':';
    cg_base64_emit(value + 1, cg_slice_of(tag, CG_GROUP_ETAG_MAX));
    memcpy(value + 1 + cg_base64_len(CG_GROUP_ETAG_MAX), ":", 2);
}
