/* What a request's head must be before anybody acts on it. The hard thing: libmicrohttpd 0.9.75 forgives a lot that
 * makes two readers see different requests (bare LF, folded lines, NUL bytes, spaces, repeated lengths, a space before
 * the colon), and its parser leaves no trace of it in what it reports, except where things stand in its buffer. So the
 * places are checked: in an honest head every part begins exactly where the one before ends. Later versions are strict
 * by themselves (and trim differently). */
#include "fronts/http/private.h"

#include <stdlib.h>

#include "base/text.h"

static int malformed(struct cg_problem *problem, const char *what) {
    return cg_problem_set(problem, CG_E_BAD_REQUEST, "%s", what);
}

/* ---- Places ---- */

/* The value stands behind its name's colon, which became a NUL, with nothing but spaces between. */
static bool follows_name(struct cg_http_field field) {
    const uint8_t *at = field.name.data + field.name.len + 1;
    while (at < field.value.data && (*at == ' ' || *at == '\t')) at++;
    return at == field.value.data;
}

/* A line ends in CR LF: two bytes further on the next thing begins. */
static bool is_layout_honest(const struct cg_http_call *call, const char *method, const char *version,
                             size_t head_size) {
    if (call->raw_target != method + strlen(method) + 1) return false;
    if (version != call->raw_target + call->target.len + 1) return false;
    const uint8_t *end = (const uint8_t *)version + strlen(version) + 2;
    for (size_t i = 0; i < call->message.field_count; i++) {
        struct cg_http_field field = call->fields[i];
        if (field.name.data != end || !follows_name(field)) return false;
        end = field.value.data + field.value.len + 2;
    }
    return end + 2 == (const uint8_t *)method + head_size;
}

static size_t head_size_of(const struct cg_http_call *call) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info == NULL ? 0 : info->header_size;
}

static bool has_honest_layout(const struct cg_http_call *call, const char *method, const char *version) {
    if (CG_MHD_IS_STRICT) return true;
    return is_layout_honest(call, method, version, head_size_of(call));
}

/* ---- Fields ---- */

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                const char *value, size_t value_len) {
    (void)kind;
    struct cg_http_call *call = cls;
    call->fields[call->message.field_count++] =
        (struct cg_http_field){cg_slice_of(name, name_len), cg_slice_of(value, value_len)};
    return MHD_YES;
}

static bool collect_fields(struct cg_http_call *call) {
    struct MHD_Connection *mhd = call->connection->mhd;
    int count = MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, NULL, NULL);
    if (count <= 0) return true;
    call->fields = malloc((size_t)count * sizeof *call->fields);
    if (call->fields == NULL) return false;
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_field, call);
    call->message.fields = call->fields;
    return true;
}

static bool is_name(struct cg_slice name) {
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        uint8_t lower = (uint8_t)cg_ascii_lower((char)c);
        bool plain = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL)) return false;
    }
    return name.len > 0;
}

static bool is_value(struct cg_slice value) {
    for (size_t i = 0; i < value.len; i++) {
        if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f) return false;
    }
    return true;
}

static int check_fields(const struct cg_http_call *call, struct cg_problem *problem) {
    for (size_t i = 0; i < call->message.field_count; i++) {
        if (!is_name(call->fields[i].name)) return malformed(problem, "a header field's name is malformed");
        if (!is_value(call->fields[i].value)) return malformed(problem, "a header field's value has a control byte");
    }
    return CG_OK;
}

/* ---- The body's length (RFC 9112 §6) ---- */

static int check_transfer_encoding(struct cg_http_call *call, struct cg_slice encoding, struct cg_problem *problem) {
    if (!cg_slice_is_nocase(encoding, "chunked")) return malformed(problem, "Transfer-Encoding can only be chunked");
    if (call->message.is_http_1_0) return malformed(problem, "HTTP/1.0 has no Transfer-Encoding");
    /* Chunks with odd line ends pass libmicrohttpd, so nothing behind such a body is ever read as a request. */
    call->must_close = true;
    return CG_OK;
}

static int check_framing(struct cg_http_call *call, uint64_t *content_length, struct cg_problem *problem) {
    struct cg_slice length, encoding;
    int has_length = cg_http_field(&call->message, "Content-Length", &length);
    int has_encoding = cg_http_field(&call->message, "Transfer-Encoding", &encoding);
    *content_length = UINT64_MAX;
    if (has_length == CG_E_BAD_REQUEST) return malformed(problem, "Content-Length is there more than once");
    if (has_encoding == CG_E_BAD_REQUEST) return malformed(problem, "Transfer-Encoding is there more than once");
    if (has_length == CG_OK && has_encoding == CG_OK) {
        return malformed(problem, "Content-Length and Transfer-Encoding exclude each other");
    }
    if (has_encoding == CG_OK) return check_transfer_encoding(call, encoding, problem);
    if (has_length == CG_OK && cg_decimal_parse(length, UINT64_MAX - 1, content_length) < 0) {
        return malformed(problem, "Content-Length is no number");
    }
    return CG_OK;
}

int cg_http_check_head(struct cg_http_call *call, const char *method, const char *version, uint64_t *content_length,
                       struct cg_problem *problem) {
    if (call->target.failed || !collect_fields(call)) {
        return cg_problem_no_memory(problem);
    }
    call->message.method = cg_slice_str(method);
    call->message.is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    call->message.target = cg_buf_slice(&call->target);
    if (!has_honest_layout(call, method, version)) {
        return malformed(problem,
                         "the request's head is malformed: lines end in CR LF, are not folded and have no NUL");
    }
    int err = check_fields(call, problem);
    if (err == CG_OK) err = check_framing(call, content_length, problem);
    if (err == CG_OK && head_size_of(call) > CG_HTTP_HEADER_MAX) {
        err = cg_problem_set(problem, CG_E_HEADERS_BIG, "request line and header fields are larger than %d bytes",
                             CG_HTTP_HEADER_MAX);
    }
    return err;
}
