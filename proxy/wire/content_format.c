/* The table of Content-Formats. The hard thing: some numbers differ only in a parameter of the media type, so a media
 * type without it has none of these numbers, while for all others parameters say nothing. */
#include "wire/content_format.h"

#include "base/text.h"

#define COAP_PAYLOAD "application/coap-payload"

enum row_kind { BINARY, TEXT, JSON };

struct row {
    uint16_t format;
    uint8_t kind;      /* enum row_kind; JSON is text too */
    const char *whole; /* as HTTP writes it */
    const char *type;  /* without parameters */
    const char *name;  /* the parameter that tells formats of one type apart, or NULL */
    const char *value;
};

#define PLAIN(format, kind, type)                                                                                      \
    { format, kind, type, type, NULL, NULL }
#define PARAM(format, kind, type, name, value)                                                                         \
    { format, kind, type "; " name "=" value, type, name, value }
#define COSE(format, value)                                                                                            \
    { format, BINARY, "application/cose; cose-type=\"" value "\"", "application/cose", "cose-type", value }

/* IANA's registry, in ascending order. Formats with a content coding (11050, 11060) are left out: as HTTP they would
 * need Content-Encoding. */
static const struct row rows[] = {
    {0, TEXT, "text/plain; charset=utf-8", "text/plain", NULL, NULL},
    COSE(16, "cose-encrypt0"),
    COSE(17, "cose-mac0"),
    COSE(18, "cose-sign1"),
    PLAIN(19, BINARY, "application/ace+cbor"),
    PLAIN(21, BINARY, "image/gif"),
    PLAIN(22, BINARY, "image/jpeg"),
    PLAIN(23, BINARY, "image/png"),
    PLAIN(40, TEXT, "application/link-format"),
    PLAIN(41, TEXT, "application/xml"),
    PLAIN(42, BINARY, "application/octet-stream"),
    PLAIN(47, BINARY, "application/exi"),
    PLAIN(50, JSON, "application/json"),
    PLAIN(51, JSON, "application/json-patch+json"),
    PLAIN(52, JSON, "application/merge-patch+json"),
    PLAIN(60, BINARY, "application/cbor"),
    PLAIN(61, BINARY, "application/cwt"),
    PLAIN(62, BINARY, "application/multipart-core"),
    PLAIN(63, BINARY, "application/cbor-seq"),
    COSE(96, "cose-encrypt"),
    COSE(97, "cose-mac"),
    COSE(98, "cose-sign"),
    PLAIN(101, BINARY, "application/cose-key"),
    PLAIN(102, BINARY, "application/cose-key-set"),
    PLAIN(110, JSON, "application/senml+json"),
    PLAIN(111, JSON, "application/sensml+json"),
    PLAIN(112, BINARY, "application/senml+cbor"),
    PLAIN(113, BINARY, "application/sensml+cbor"),
    PLAIN(114, BINARY, "application/senml-exi"),
    PLAIN(115, BINARY, "application/sensml-exi"),
    PLAIN(256, JSON, "application/coap-group+json"),
    PLAIN(257, BINARY, "application/concise-problem-details+cbor"),
    PLAIN(258, BINARY, "application/swid+cbor"),
    PLAIN(271, BINARY, "application/dots+cbor"),
    PLAIN(272, BINARY, "application/missing-blocks+cbor-seq"),
    PARAM(280, BINARY, "application/pkcs7-mime", "smime-type", "server-generated-key"),
    PARAM(281, BINARY, "application/pkcs7-mime", "smime-type", "certs-only"),
    PLAIN(284, BINARY, "application/pkcs8"),
    PLAIN(285, BINARY, "application/csrattrs"),
    PLAIN(286, BINARY, "application/pkcs10"),
    PLAIN(287, BINARY, "application/pkix-cert"),
    PLAIN(310, TEXT, "application/senml+xml"),
    PLAIN(311, TEXT, "application/sensml+xml"),
    PLAIN(320, JSON, "application/senml-etch+json"),
    PLAIN(322, BINARY, "application/senml-etch+cbor"),
    PLAIN(432, JSON, "application/td+json"),
    PLAIN(10000, BINARY, "application/vnd.ocf+cbor"),
    PLAIN(10001, BINARY, "application/oscore"),
    PLAIN(10002, TEXT, "application/javascript"),
    PLAIN(11542, BINARY, "application/vnd.oma.lwm2m+tlv"),
    PLAIN(11543, JSON, "application/vnd.oma.lwm2m+json"),
    PLAIN(11544, BINARY, "application/vnd.oma.lwm2m+cbor"),
    PLAIN(20000, TEXT, "text/css"),
    PLAIN(30000, TEXT, "image/svg+xml"),
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const struct row *find_format(uint16_t format) {
    size_t low = 0, high = ROW_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (rows[middle].format == format) return &rows[middle];
        if (rows[middle].format < format) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const char *cg_format_media_type(uint16_t format) {
    const struct row *row = find_format(format);
    return row == NULL ? NULL : row->whole;
}

bool cg_format_is_json(uint16_t format) {
    const struct row *row = find_format(format);
    return row != NULL && row->kind == JSON;
}

bool cg_format_is_text(uint16_t format) {
    const struct row *row = find_format(format);
    return row != NULL && row->kind != BINARY;
}

static void skip(struct cg_slice *rest, size_t count) { *rest = cg_slice_of(rest->data + count, rest->len - count); }

static void skip_spaces(struct cg_slice *rest) {
    while (rest->len > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t')) skip(rest, 1);
}

static bool take_byte(struct cg_slice *rest, char byte) {
    if (rest->len == 0 || rest->data[0] != (uint8_t)byte) return false;
    skip(rest, 1);
    return true;
}

static bool take_token(struct cg_slice *rest, struct cg_slice *token) {
    size_t len = 0;
    while (len < rest->len && cg_is_token_char(rest->data[len])) len++;
    *token = cg_slice_of(rest->data, len);
    if (len > 0) skip(rest, len);
    return len > 0;
}

/* A quoted string (RFC 9110 §5.6.4), without its quotes. Escapes stay as they are: no value that is looked for has one.
 */
static bool take_quoted(struct cg_slice *rest, struct cg_slice *value) {
    if (!take_byte(rest, '"')) return false;
    for (size_t i = 0; i < rest->len; i++) {
        uint8_t c = rest->data[i];
        if (c == '"') {
            *value = cg_slice_of(rest->data, i);
            skip(rest, i + 1);
            return true;
        }
        if (c == '\\' && ++i == rest->len) return false;
        if ((rest->data[i] < ' ' && rest->data[i] != '\t') || rest->data[i] == 0x7f) return false;
    }
    return false;
}

static bool take_value(struct cg_slice *rest, struct cg_slice *value) {
    return rest->len > 0 && rest->data[0] == '"' ? take_quoted(rest, value) : take_token(rest, value);
}

struct parameter {
    struct cg_slice name;
    struct cg_slice value;
};

/* The next "; name=value" (RFC 9110 §5.6.6). False at the end; *good turns false when the text is malformed. */
static bool next_parameter(struct cg_slice *rest, struct parameter *parameter, bool *good) {
    for (;;) {
        skip_spaces(rest);
        if (rest->len == 0) return false;
        *good = take_byte(rest, ';');
        if (!*good) return false;
        skip_spaces(rest);
        if (rest->len == 0 || rest->data[0] == ';') continue; /* an empty parameter is allowed */
        *good = take_token(rest, &parameter->name) && take_byte(rest, '=') && take_value(rest, &parameter->value);
        return *good;
    }
}

/* The value of a parameter, or an empty one when it is absent. CG_E_MEDIA_TYPE when the parameters are malformed. */
static int find_parameter(struct cg_slice parameters, const char *name, struct cg_slice *value) {
    struct parameter parameter;
    bool good = true;
    *value = CG_SLICE_NONE;
    while (next_parameter(&parameters, &parameter, &good)) {
        if (value->data == NULL && cg_slice_is_nocase(parameter.name, name)) *value = parameter.value;
    }
    return good ? CG_OK : CG_E_MEDIA_TYPE;
}

/* "application/coap-payload;cf=N" (RFC 8075 §6.2). */
static int parse_coap_payload(struct cg_slice parameters, uint16_t *format) {
    struct cg_slice value;
    uint64_t number;
    int err = find_parameter(parameters, "cf", &value);
    if (err < 0 || cg_decimal_parse(value, UINT16_MAX, &number) < 0) return CG_E_MEDIA_TYPE;
    *format = (uint16_t)number;
    return CG_OK;
}

static int parse_text_plain(struct cg_slice parameters, uint16_t *format) {
    struct cg_slice charset;
    int err = find_parameter(parameters, "charset", &charset);
    if (err < 0) return err;
    bool utf8 = charset.data == NULL || cg_slice_is_nocase(charset, "utf-8") || cg_slice_is_nocase(charset, "us-ascii");
    *format = 0;
    return utf8 ? CG_OK : CG_E_MEDIA_TYPE;
}

static int parse_by_table(struct cg_slice type, struct cg_slice parameters, uint16_t *format) {
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &rows[i];
        if (!cg_slice_is_nocase(type, row->type)) continue;
        struct cg_slice value;
        int err = find_parameter(parameters, row->name == NULL ? "" : row->name, &value);
        if (err < 0) return err;
        if (row->name != NULL && !cg_slice_is_nocase(value, row->value)) continue;
        *format = row->format;
        return CG_OK;
    }
    return CG_E_MEDIA_TYPE;
}

/* The type without its parameters, which are left in *rest. */
static int take_type(struct cg_slice *rest, struct cg_slice *type) {
    struct cg_slice main_type, sub_type;
    skip_spaces(rest);
    if (!take_token(rest, &main_type) || !take_byte(rest, '/') || !take_token(rest, &sub_type)) return CG_E_MEDIA_TYPE;
    *type = cg_slice_of(main_type.data, main_type.len + 1 + sub_type.len);
    return CG_OK;
}

bool cg_format_is_by_number(struct cg_slice media_type) {
    struct cg_slice type;
    return take_type(&media_type, &type) == CG_OK && cg_slice_is_nocase(type, COAP_PAYLOAD);
}

int cg_format_from_media_type(struct cg_slice media_type, uint16_t *format) {
    struct cg_slice rest = media_type, type;
    int err = take_type(&rest, &type);
    if (err < 0) return err;
    if (cg_slice_is_nocase(type, COAP_PAYLOAD)) return parse_coap_payload(rest, format);
    if (cg_slice_is_nocase(type, "text/plain")) return parse_text_plain(rest, format);
    return parse_by_table(type, rest, format);
}
