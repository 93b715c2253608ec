/* CRIs. The hard thing: a CRI becomes a URI that is parsed again, so no text in it may turn into another part of the
 * URI (everything is percent-encoded by position), and only the one shape that GCP needs is read, item by item, without
 * a tree. */
#include "wire/cri.h"

#include "base/check.h"
#include "base/text.h"

#include <cbor.h>

enum item_kind { ITEM_OTHER, ITEM_ARRAY, ITEM_UNSIGNED, ITEM_NEGATIVE, ITEM_BYTES, ITEM_TEXT };

struct item {
    enum item_kind kind;
    uint64_t number;       /* an array's count, an integer n, or n of the negative -1 - n */
    struct cg_slice bytes; /* of a byte or text string */
};

struct scheme_number {
    uint8_t number; /* the scheme-id is -1 - number */
    enum cg_scheme scheme;
};

static const struct scheme_number scheme_numbers[] = {
    {0, CG_SCHEME_COAP},      {1, CG_SCHEME_COAPS},    {6, CG_SCHEME_COAP_TCP},
    {7, CG_SCHEME_COAPS_TCP}, {24, CG_SCHEME_COAP_WS}, {25, CG_SCHEME_COAPS_WS},
};

size_t cg_cri_emit_addr(uint8_t to[CG_CRI_ADDR_MAX], const struct cg_addr *addr) {
    struct cg_slice ip = cg_addr_ip(addr);
    CG_CHECK(ip.len > 0);
    bool with_port = addr->port != CG_COAP_PORT;
    size_t at = cbor_encode_array_start(2, to, CG_CRI_ADDR_MAX);
    at += cbor_encode_negint(0, to + at, CG_CRI_ADDR_MAX - at); /* -1: coap */
    at += cbor_encode_array_start(with_port ? 2 : 1, to + at, CG_CRI_ADDR_MAX - at);
    at += cbor_encode_bytestring_start(ip.len, to + at, CG_CRI_ADDR_MAX - at);
    memcpy(to + at, ip.data, ip.len);
    at += ip.len;
    if (with_port) at += cbor_encode_uint(addr->port, to + at, CG_CRI_ADDR_MAX - at);
    return at;
}

/* Reply-From of stand-ins */

enum { HEAD_MAX = 9 };

/* Scheme numbers of draft-ietf-core-href. */
static const struct {
    uint8_t number;
    uint16_t port;
} origin_schemes[] = {
    [CG_CRI_HTTP] = {2, 80},
    [CG_CRI_HTTPS] = {3, 443},
    [CG_CRI_COAP] = {0, CG_COAP_PORT},
    [CG_CRI_COAPS] = {1, CG_COAPS_PORT},
    [CG_CRI_COAP_TCP] = {6, CG_COAP_PORT},
    [CG_CRI_COAPS_TCP] = {7, CG_COAPS_PORT},
};

typedef size_t (*encode_fn)(size_t count, unsigned char *to, size_t cap);

static void put_head(struct cg_buf *to, encode_fn encode, size_t count) {
    uint8_t head[HEAD_MAX];
    cg_buf_put(to, head, encode(count, head, sizeof head));
}

static void put_text(struct cg_buf *to, struct cg_slice text) {
    put_head(to, cbor_encode_string_start, text.len);
    cg_buf_put_slice(to, text);
}

static void put_number(struct cg_buf *to, size_t (*encode)(uint64_t, unsigned char *, size_t), uint64_t number) {
    uint8_t head[HEAD_MAX];
    cg_buf_put(to, head, encode(number, head, sizeof head));
}

static size_t count_parts(struct cg_slice text, char separator) {
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++) count += text.data[i] == (uint8_t)separator;
    return count;
}

/* The part before the next separator; *text is what follows it. */
static struct cg_slice cut(struct cg_slice *text, char separator) {
    const uint8_t *end = text->len == 0 ? NULL : memchr(text->data, separator, text->len);
    size_t len = end == NULL ? text->len : (size_t)(end - text->data);
    struct cg_slice part = cg_slice_of(text->data, len);
    *text = end == NULL ? CG_SLICE_NONE : cg_slice_of(end + 1, text->len - len - 1);
    return part;
}

static void put_authority(struct cg_buf *to, const struct cg_cri_origin *origin) {
    struct cg_addr addr;
    bool has_port = origin->port != 0 && origin->port != origin_schemes[origin->scheme].port;
    bool is_literal = cg_addr_parse(&addr, origin->host, 1) == CG_OK;
    struct cg_slice labels = origin->host;
    size_t label_count = is_literal ? 1 : count_parts(labels, '.');
    put_head(to, cbor_encode_array_start, label_count + has_port);
    if (is_literal) {
        put_head(to, cbor_encode_bytestring_start, cg_addr_ip(&addr).len);
        cg_buf_put_slice(to, cg_addr_ip(&addr));
    }
    for (size_t i = 0; !is_literal && i < label_count; i++) put_text(to, cut(&labels, '.'));
    if (has_port) put_number(to, cbor_encode_uint, origin->port);
}

static int put_segment(struct cg_buf *to, struct cg_slice raw) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    int err = cg_uri_decode(raw, &text);
    if (err == CG_OK) put_text(to, cg_buf_slice(&text));
    cg_buf_fini(&text);
    return err;
}

static int put_path(struct cg_buf *to, struct cg_slice path, struct cg_slice marker, struct cg_slice name) {
    size_t count = count_parts(path, '/') - 1;
    int err = CG_OK;
    put_head(to, cbor_encode_array_start, 2);
    cg_buf_put_u8(to, 0xf5); /* discard: true */
    put_head(to, cbor_encode_array_start, count + 2);
    if (count > 0) cut(&path, '/');
    for (size_t i = 0; err == CG_OK && i < count; i++) err = put_segment(to, cut(&path, '/'));
    put_text(to, marker);
    put_text(to, name);
    return err;
}

bool cg_cri_emit_stand_in(struct cg_buf *to, const struct cg_cri_origin *origin, struct cg_slice path,
                          struct cg_slice marker, struct cg_slice name) {
    size_t before = to->len;
    put_head(to, cbor_encode_array_start, 2);
    put_number(to, cbor_encode_negint, origin_schemes[origin->scheme].number);
    put_authority(to, origin);
    bool is_made = put_path(to, path, marker, name) == CG_OK && !to->failed;
    if (!is_made) to->len = before;
    return is_made;
}

/* Reading */

static void set_integer(void *item, enum item_kind kind, uint64_t number) {
    *(struct item *)item = (struct item){.kind = kind, .number = number};
}

static void on_uint8(void *item, uint8_t number) { set_integer(item, ITEM_UNSIGNED, number); }
static void on_uint16(void *item, uint16_t number) { set_integer(item, ITEM_UNSIGNED, number); }
static void on_uint32(void *item, uint32_t number) { set_integer(item, ITEM_UNSIGNED, number); }
static void on_uint64(void *item, uint64_t number) { set_integer(item, ITEM_UNSIGNED, number); }
static void on_negint8(void *item, uint8_t number) { set_integer(item, ITEM_NEGATIVE, number); }
static void on_negint16(void *item, uint16_t number) { set_integer(item, ITEM_NEGATIVE, number); }
static void on_negint32(void *item, uint32_t number) { set_integer(item, ITEM_NEGATIVE, number); }
static void on_negint64(void *item, uint64_t number) { set_integer(item, ITEM_NEGATIVE, number); }

static void on_array(void *item, size_t count) { set_integer(item, ITEM_ARRAY, count); }

static void on_bytes(void *item, cbor_data data, size_t len) {
    *(struct item *)item = (struct item){.kind = ITEM_BYTES, .bytes = cg_slice_of(data, len)};
}

static void on_text(void *item, cbor_data data, size_t len) {
    *(struct item *)item = (struct item){.kind = ITEM_TEXT, .bytes = cg_slice_of(data, len)};
}

/* The next item's head with its string, if it is one. Indefinite lengths, maps, tags and simple values are ITEM_OTHER,
 * which no position of a CRI accepts; so is what is cut off or not CBOR. */
static struct item next_item(struct cg_slice *rest) {
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    callbacks.uint8 = on_uint8;
    callbacks.uint16 = on_uint16;
    callbacks.uint32 = on_uint32;
    callbacks.uint64 = on_uint64;
    callbacks.negint8 = on_negint8;
    callbacks.negint16 = on_negint16;
    callbacks.negint32 = on_negint32;
    callbacks.negint64 = on_negint64;
    callbacks.byte_string = on_bytes;
    callbacks.string = on_text;
    callbacks.array_start = on_array;
    struct item item = {.kind = ITEM_OTHER};
    if (rest->len == 0) return item;
    struct cbor_decoder_result result = cbor_stream_decode(rest->data, rest->len, &callbacks, &item);
    if (result.status != CBOR_DECODER_FINISHED) return (struct item){.kind = ITEM_OTHER};
    *rest = cg_slice_of(rest->data + result.read, rest->len - result.read);
    return item;
}

static bool read_array(struct cg_slice *rest, uint64_t *count) {
    struct item item = next_item(rest);
    *count = item.number;
    return item.kind == ITEM_ARRAY;
}

static bool is_text(const struct item *item) { return item->kind == ITEM_TEXT && cg_utf8_valid(item->bytes); }

bool cg_scheme_by_number(uint32_t number, enum cg_scheme *scheme) {
    for (size_t i = 0; i < sizeof scheme_numbers / sizeof scheme_numbers[0]; i++) {
        if (scheme_numbers[i].number != number) continue;
        *scheme = scheme_numbers[i].scheme;
        return true;
    }
    return false;
}

/* scheme-id, or scheme-name in its canonical form. */
static int convert_scheme(struct cg_slice *rest, struct cg_buf *text) {
    struct item item = next_item(rest);
    enum cg_scheme scheme;
    bool known = false;
    if (item.kind == ITEM_NEGATIVE)
        known = item.number <= UINT32_MAX && cg_scheme_by_number((uint32_t)item.number, &scheme);
    if (item.kind == ITEM_TEXT)
        known = cg_scheme_find(item.bytes, &scheme) && cg_slice_is(item.bytes, cg_scheme_name(scheme));
    if (!known) return item.kind == ITEM_NEGATIVE ? CG_E_PROXYING : CG_E_BAD_URI;
    cg_buf_put_str(text, cg_scheme_name(scheme));
    cg_buf_put_str(text, "://");
    return CG_OK;
}

static bool convert_ip(struct cg_slice ip, struct cg_buf *text) {
    if (ip.len != 4 && ip.len != 16) return false;
    struct cg_addr addr = {.family = ip.len == 4 ? CG_FAMILY_IPV4 : CG_FAMILY_IPV6};
    char digits[CG_ADDR_TEXT_MAX];
    memcpy(addr.ip, ip.data, ip.len);
    cg_addr_emit_ip(&addr, digits);
    if (ip.len == 16) cg_buf_put_u8(text, '[');
    cg_buf_put_str(text, digits);
    if (ip.len == 16) cg_buf_put_u8(text, ']');
    return true;
}

/* One label of a host-name; a dot inside cannot be expressed in a URI. */
static bool convert_label(struct cg_slice label, bool first, struct cg_buf *text) {
    if (label.len > 0 && memchr(label.data, '.', label.len) != NULL) return false;
    if (!first) cg_buf_put_u8(text, '.');
    cg_uri_encode(text, label, CG_URI_HOST);
    return true;
}

/* [host-ip / *label, ?port]. No userinfo (it begins with false), and no zone-id: the conversion of that is undefined.
 */
static bool convert_authority(struct cg_slice *rest, struct cg_buf *text) {
    uint64_t count;
    if (!read_array(rest, &count) || count == 0) return false;
    bool named = false;
    for (uint64_t i = 0; i < count; i++) {
        struct item item = next_item(rest);
        bool good = false;
        if (i > 0 && i == count - 1 && item.kind == ITEM_UNSIGNED && item.number <= UINT16_MAX) {
            cg_buf_put_u8(text, ':');
            cg_buf_put_decimal(text, item.number);
            good = true;
        } else if (i == 0 && item.kind == ITEM_BYTES) {
            good = convert_ip(item.bytes, text);
        } else if ((i == 0 || named) && is_text(&item)) {
            good = named = convert_label(item.bytes, i == 0, text);
        }
        if (!good) return false;
    }
    return true;
}

static bool convert_path(struct cg_slice *rest, struct cg_buf *text) {
    uint64_t count;
    if (!read_array(rest, &count)) return false;
    for (uint64_t i = 0; i < count; i++) {
        struct item item = next_item(rest);
        if (!is_text(&item) || cg_slice_is(item.bytes, ".") || cg_slice_is(item.bytes, "..")) return false;
        cg_buf_put_u8(text, '/');
        cg_uri_encode(text, item.bytes, CG_URI_SEGMENT);
    }
    return true;
}

static bool convert_query(struct cg_slice *rest, struct cg_buf *text) {
    uint64_t count;
    if (!read_array(rest, &count)) return false;
    for (uint64_t i = 0; i < count; i++) {
        struct item item = next_item(rest);
        if (!is_text(&item)) return false;
        cg_buf_put_u8(text, i == 0 ? '?' : '&');
        cg_uri_encode(text, item.bytes, CG_URI_ARGUMENT);
    }
    return true;
}

static bool convert_rest(struct cg_slice cbor, uint64_t sections, struct cg_buf *text) {
    return convert_authority(&cbor, text) && (sections < 3 || convert_path(&cbor, text)) &&
           (sections < 4 || convert_query(&cbor, text)) && cbor.len == 0;
}

static int convert(struct cg_slice cbor, struct cg_buf *text) {
    uint64_t sections;
    if (!read_array(&cbor, &sections) || sections < 2 || sections > 4) return CG_E_BAD_URI;
    int err = convert_scheme(&cbor, text);
    if (err < 0) return err;
    return convert_rest(cbor, sections, text) ? CG_OK : CG_E_BAD_URI;
}

int cg_cri_parse(struct cg_slice cbor, struct cg_buf *text) {
    size_t before = text->len;
    int err = convert(cbor, text);
    if (err == CG_OK && text->failed) err = CG_E_NO_MEMORY;
    if (err < 0) text->len = before;
    return err;
}
