/* The CoAP message codec. The hard thing: it runs once for every answer of a burst, so a message is validated in one
 * pass that copies nothing, and whatever walks the options afterwards relies on that pass and checks nothing again. */
#include "wire/msg.h"

#include "base/check.h"

#include <limits.h>
#include <string.h>

enum {
    HEADER_LEN = 4,
    VERSION = 1,
    MARKER = 0xff,
    EXTEND_1 = 13, /* nibble: one byte follows, plus 13 */
    EXTEND_2 = 14, /* nibble: two bytes follow, plus 269 */
    OFFSET_1 = 13,
    OFFSET_2 = 269,
};

static const char *const method_names[] = {
    [CG_GET] = "GET",     [CG_POST] = "POST",   [CG_PUT] = "PUT",       [CG_DELETE] = "DELETE",
    [CG_FETCH] = "FETCH", [CG_PATCH] = "PATCH", [CG_IPATCH] = "iPATCH",
};

enum { METHOD_END = sizeof method_names / sizeof *method_names };

const char *cg_method_name(unsigned code) { return code < METHOD_END ? method_names[code] : NULL; }

unsigned cg_method_code(const char *name) {
    for (unsigned code = CG_GET; code < METHOD_END; code++) {
        if (strcmp(method_names[code], name) == 0) return code;
    }
    return 0;
}

/* The value of an option's delta or length nibble, with the bytes that extend it; false when it is 15 or cut off. */
static bool read_extended(const uint8_t **at, const uint8_t *end, uint32_t *nibble) {
    if (*nibble < EXTEND_1) return true;
    if (*nibble == EXTEND_1) {
        if (*at == end) return false;
        *nibble = OFFSET_1 + *(*at)++;
        return true;
    }
    if (*nibble != EXTEND_2 || end - *at < 2) return false;
    *nibble = OFFSET_2 + ((uint32_t)(*at)[0] << 8 | (*at)[1]);
    *at += 2;
    return true;
}

/* The end of the well-formed options that begin at `at`: the payload marker or `end`; NULL on a format error. */
static const uint8_t *skip_options(const uint8_t *at, const uint8_t *end) {
    uint32_t number = 0;
    while (at < end && *at != MARKER) {
        uint32_t delta = *at >> 4, len = *at & 15;
        at++;
        if (!read_extended(&at, end, &delta) || !read_extended(&at, end, &len)) return NULL;
        number += delta; /* each delta is below 2^17, and the sum is checked every time: no overflow */
        if (number > UINT16_MAX || len > (size_t)(end - at)) return NULL;
        at += len;
    }
    return at;
}

int cg_msg_parse_body(struct cg_msg *msg, struct cg_slice body) {
    msg->options = CG_SLICE_NONE;
    msg->payload = CG_SLICE_NONE;
    if (body.len == 0) return CG_OK;
    const uint8_t *end = body.data + body.len;
    const uint8_t *marker = skip_options(body.data, end);
    if (marker == NULL || end - marker == 1) return CG_E_FORMAT;
    msg->options = cg_slice_of(body.data, (size_t)(marker - body.data));
    if (marker < end) msg->payload = cg_slice_of(marker + 1, (size_t)(end - marker - 1));
    return CG_OK;
}

int cg_msg_parse(struct cg_msg *msg, struct cg_slice datagram) {
    *msg = (struct cg_msg){.type = CG_NON};
    const uint8_t *data = datagram.data;
    if (datagram.len < HEADER_LEN || data[0] >> 6 != VERSION) return CG_E_FORMAT;
    msg->type = data[0] >> 4 & 3;
    msg->code = data[1];
    msg->mid = (uint16_t)(data[2] << 8 | data[3]);
    size_t token_len = data[0] & 15;
    if (token_len > CG_TOKEN_MAX || token_len > datagram.len - HEADER_LEN) return CG_E_FORMAT;
    msg->token.len = (uint8_t)token_len;
    memcpy(msg->token.bytes, data + HEADER_LEN, token_len);
    if (msg->code == CG_EMPTY) return datagram.len == HEADER_LEN ? CG_OK : CG_E_FORMAT;
    size_t behind = HEADER_LEN + token_len;
    return cg_msg_parse_body(msg, cg_slice_of(data + behind, datagram.len - behind));
}

int cg_msg_parse_inner(struct cg_msg *msg, struct cg_slice plaintext) {
    *msg = (struct cg_msg){0};
    if (plaintext.len == 0) return CG_E_FORMAT;
    msg->code = plaintext.data[0];
    return cg_msg_parse_body(msg, cg_slice_of(plaintext.data + 1, plaintext.len - 1));
}

void cg_opt_iter_init(struct cg_opt_iter *iter, const struct cg_msg *msg) {
    *iter = (struct cg_opt_iter){.rest = msg->options};
}

bool cg_opt_next(struct cg_opt_iter *iter, struct cg_opt *opt) {
    if (iter->rest.len == 0) return false;
    const uint8_t *at = iter->rest.data, *end = at + iter->rest.len;
    uint32_t delta = *at >> 4, len = *at & 15;
    at++;
    bool whole = read_extended(&at, end, &delta) && read_extended(&at, end, &len) && len <= (size_t)(end - at);
    CG_CHECK(whole); /* the options of a message that was parsed */
    iter->number = (uint16_t)(iter->number + delta);
    iter->rest = cg_slice_of(at + len, (size_t)(end - at) - len);
    *opt = (struct cg_opt){.number = iter->number, .value = cg_slice_of(at, len)};
    return true;
}

bool cg_msg_find(const struct cg_msg *msg, uint16_t number, struct cg_slice *value) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, msg);
    while (cg_opt_next(&iter, &opt) && opt.number <= number) {
        if (opt.number != number) continue;
        *value = opt.value;
        return true;
    }
    return false;
}

bool cg_msg_find_uint(const struct cg_msg *msg, uint16_t number, uint32_t *value) {
    struct cg_slice bytes;
    if (!cg_msg_find(msg, number, &bytes) || bytes.len > 4) return false;
    *value = cg_uint_parse(bytes);
    return true;
}

/* Room for `len` more bytes, already counted; NULL when there is none or something failed before. */
static uint8_t *take(struct cg_msg_writer *writer, size_t len) {
    if (writer->failed || len > writer->cap - writer->len) {
        writer->failed = true;
        return NULL;
    }
    uint8_t *at = writer->data + writer->len;
    writer->len += len;
    return at;
}

void cg_msg_begin(struct cg_msg_writer *writer, uint8_t *data, size_t cap, enum cg_type type, uint8_t code,
                  uint16_t mid, struct cg_token token) {
    CG_CHECK(token.len <= CG_TOKEN_MAX);
    *writer = (struct cg_msg_writer){.data = data, .cap = cap};
    uint8_t *to = take(writer, HEADER_LEN + (size_t)token.len);
    if (to == NULL) return;
    to[0] = (uint8_t)(VERSION << 6 | type << 4 | token.len);
    to[1] = code;
    to[2] = (uint8_t)(mid >> 8);
    to[3] = (uint8_t)mid;
    memcpy(to + HEADER_LEN, token.bytes, token.len);
}

void cg_msg_begin_inner(struct cg_msg_writer *writer, uint8_t *data, size_t cap, uint8_t code) {
    *writer = (struct cg_msg_writer){.data = data, .cap = cap};
    uint8_t *to = take(writer, 1);
    if (to != NULL) *to = code;
}

/* The nibble of a delta or length; the bytes that extend it go to `extension`, their count (0 to 2) to *extended. */
static uint8_t nibble_emit(uint32_t value, uint8_t extension[2], size_t *extended) {
    *extended = 0;
    if (value < OFFSET_1) return (uint8_t)value;
    if (value < OFFSET_2) {
        extension[0] = (uint8_t)(value - OFFSET_1);
        *extended = 1;
        return EXTEND_1;
    }
    extension[0] = (uint8_t)((value - OFFSET_2) >> 8);
    extension[1] = (uint8_t)(value - OFFSET_2);
    *extended = 2;
    return EXTEND_2;
}

void cg_msg_put_opt(struct cg_msg_writer *writer, uint16_t number, struct cg_slice value) {
    if (writer->ended || number < writer->last_option || value.len > OFFSET_2 + UINT16_MAX) {
        writer->failed = true;
        return;
    }
    uint8_t delta[2] = {0}, len[2] = {0};
    size_t delta_bytes, len_bytes;
    uint8_t delta_nibble = nibble_emit((uint32_t)(number - writer->last_option), delta, &delta_bytes);
    uint8_t len_nibble = nibble_emit((uint32_t)value.len, len, &len_bytes);
    uint8_t *to = take(writer, 1 + delta_bytes + len_bytes + value.len);
    if (to == NULL) return;
    *to++ = (uint8_t)(delta_nibble << 4 | len_nibble);
    memcpy(to, delta, delta_bytes);
    memcpy(to + delta_bytes, len, len_bytes);
    if (value.len > 0) memcpy(to + delta_bytes + len_bytes, value.data, value.len);
    writer->last_option = number;
}

void cg_opts_insert(struct cg_opts *opts, uint16_t number, struct cg_slice value) {
    struct cg_opt *list = opts->list;
    size_t at = opts->count++;
    for (; at > 0 && list[at - 1].number > number; at--) list[at] = list[at - 1];
    list[at] = (struct cg_opt){.number = number, .value = value};
}

void cg_msg_put_uint(struct cg_msg_writer *writer, uint16_t number, uint32_t value) {
    uint8_t bytes[4];
    cg_msg_put_opt(writer, number, cg_uint_emit(value, bytes));
}

void cg_msg_put_payload(struct cg_msg_writer *writer, struct cg_slice payload) {
    if (writer->ended || payload.len > SIZE_MAX - 1) {
        writer->failed = true;
        return;
    }
    writer->ended = true;
    if (payload.len == 0) return;
    uint8_t *to = take(writer, payload.len + 1);
    if (to == NULL) return;
    *to = MARKER;
    memcpy(to + 1, payload.data, payload.len);
}

int cg_msg_end(const struct cg_msg_writer *writer) {
    return writer->failed || writer->len > INT_MAX ? CG_E_TOO_BIG : (int)writer->len;
}

uint32_t cg_uint_parse(struct cg_slice value) {
    CG_CHECK(value.len <= 4);
    uint32_t number = 0;
    for (size_t i = 0; i < value.len; i++) number = number << 8 | value.data[i];
    return number;
}

struct cg_slice cg_uint_emit(uint32_t value, uint8_t bytes[4]) {
    size_t len = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (len > 0 || value >> shift != 0) bytes[len++] = (uint8_t)(value >> shift);
    }
    return cg_slice_of(bytes, len);
}

void cg_code_text(uint8_t code, char text[5]) {
    unsigned detail = code & 31;
    text[0] = (char)('0' + (code >> 5));
    text[1] = '.';
    text[2] = (char)('0' + detail / 10);
    text[3] = (char)('0' + detail % 10);
    text[4] = '\0';
}
