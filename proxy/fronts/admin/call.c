/* What a resource asks of its call, and its replies. The hard thing is text of others: what a client sent goes into
 * headers and pointers, so it is checked where it is taken apart (route.c) and escaped where it is shown. */
#include "fronts/admin/private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "reply/encoders.h"

struct cg_manage *cg_admin_manage(const struct cg_admin_call *call) {
    return call->admin->source.manage;
}

void cg_admin_warnings(const struct cg_admin_call *call, struct cg_mistakes *warnings) {
    cg_admin_find_warnings(call->admin, warnings);
}

struct cg_groups *cg_admin_groups(const struct cg_admin_call *call) {
    return call->admin->source.groups;
}

struct cg_gateway *cg_admin_gateway(const struct cg_admin_call *call) {
    return call->admin->gateway;
}

struct cg_recorder *cg_admin_recorder(const struct cg_admin_call *call) {
    return call->admin->source.recorder;
}

const struct castgate_encoder *cg_admin_encoder(const struct cg_admin_call *call, const char *media_type) {
    const struct cg_encoder_list *list = call->admin->source.encoders;
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const struct castgate_encoder *encoder = list->plugins[i]->ops.encoder;
        if (strcmp(encoder->media_type, media_type) == 0) return encoder;
    }
    return NULL;
}

const struct cg_config *cg_admin_config(const struct cg_admin_call *call) {
    return cg_gateway_config(call->admin->gateway);
}

struct cg_worker *cg_admin_worker(const struct cg_admin_call *call) {
    return call->admin->source.worker;
}

const char *cg_admin_part(const struct cg_admin_call *call, size_t index) { return call->match.parts[index]; }

struct cg_author cg_admin_author(const struct cg_admin_call *call) {
    struct cg_author author;
    snprintf(author.who, sizeof author.who, "%s", call->who.name);
    cg_addr_emit_ip(cg_http_call_peer(call->http), author.from);
    return author;
}

void cg_admin_target(const struct cg_admin_call *call, char target[CG_ADMIN_TARGET_MAX]) {
    size_t part = 0, len = 0;
    for (const char *at = call->match.route->path + 1;
         *at != '\0' && len + CG_ADMIN_PART_MAX + 1 < CG_ADMIN_TARGET_MAX;) {
        if (*at == '{') {
            len += (size_t)snprintf(target + len, CG_ADMIN_TARGET_MAX - len, "%s", call->match.parts[part++]);
            at = strchr(at, '}') + 1;
        } else {
            target[len++] = *at++;
        }
    }
    target[len] = '\0';
}

/* ---- What is asked ---- */

/* False: more than fits, or not percent-encoded text. */
static bool decode(char value[CG_ADMIN_QUERY_MAX], struct cg_slice text) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i] == '+' ? ' ' : text.data[i];
        if (byte == '%') {
            if (text.len - i < 3) return false;
            int high = cg_hex_digit(text.data[i + 1]), low = cg_hex_digit(text.data[i + 2]);
            if (high < 0 || low < 0) return false;
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (byte == '\0' || len + 1 == CG_ADMIN_QUERY_MAX) return false;
        value[len++] = (char)byte;
    }
    value[len] = '\0';
    return cg_utf8_valid(cg_slice_of(value, len));
}

/* False: there are no more. */
static bool next_pair(struct cg_slice *rest, struct cg_slice *name, struct cg_slice *value) {
    if (rest->len == 0) return false;
    const uint8_t *end = memchr(rest->data, '&', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    const uint8_t *equals = len == 0 ? NULL : memchr(rest->data, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - rest->data);
    *name = cg_slice_of(rest->data, name_len);
    *value = equals == NULL ? CG_SLICE_NONE : cg_slice_of(equals + 1, len - name_len - 1);
    len += end != NULL;
    *rest = cg_slice_of(rest->data + len, rest->len - len);
    return true;
}

static size_t count_of(const struct cg_admin_call *call, struct cg_slice wanted, struct cg_slice *value) {
    struct cg_slice rest = call->query, name, found;
    size_t count = 0;
    while (next_pair(&rest, &name, &found)) {
        if (!cg_slice_equal(name, wanted)) continue;
        *value = found;
        count++;
    }
    return count;
}

int cg_admin_check_query(const struct cg_admin_call *call, struct cg_problem *problem) {
    struct cg_slice rest = call->query, name, value;
    char text[CG_ADMIN_QUERY_MAX];
    while (next_pair(&rest, &name, &value)) {
        int len = (int)(name.len < CG_NAME_MAX ? name.len : CG_NAME_MAX);
        if (!cg_admin_route_takes_query(call->match.route, name))
            return cg_problem_set(problem, CG_E_BAD_REQUEST, "the query's \"%.*s\" means nothing here", len,
                                  (const char *)name.data);
        if (count_of(call, name, &value) > 1)
            return cg_problem_set(problem, CG_E_BAD_REQUEST, "the query has \"%.*s\" more than once", len,
                                  (const char *)name.data);
        if (!decode(text, value))
            return cg_problem_set(problem, CG_E_BAD_REQUEST,
                                  "the query's \"%.*s\" is longer than %d bytes, or no percent-encoded UTF-8", len,
                                  (const char *)name.data, CG_ADMIN_QUERY_MAX - 1);
    }
    return CG_OK;
}

/* All were looked at before, by cg_admin_check_query. */
bool cg_admin_query(const struct cg_admin_call *call, const char *name, char value[CG_ADMIN_QUERY_MAX]) {
    struct cg_slice text;
    return count_of(call, cg_slice_str(name), &text) > 0 && decode(value, text);
}

int cg_admin_query_bool(const struct cg_admin_call *call, const char *name, bool *value, struct cg_problem *problem) {
    char text[CG_ADMIN_QUERY_MAX];
    if (!cg_admin_query(call, name, text)) return CG_OK;
    *value = strcmp(text, "true") == 0;
    if (*value || strcmp(text, "false") == 0) return CG_OK;
    return cg_problem_set(problem, CG_E_BAD_REQUEST, "%s must be true or false", name);
}

int cg_admin_mode(const struct cg_admin_call *call, enum cg_change_mode *mode, struct cg_problem *problem) {
    bool is_dry = false;
    int err = cg_admin_query_bool(call, "dry_run", &is_dry, problem);
    *mode = is_dry ? CG_CHANGE_DRY : CG_CHANGE_FOR_GOOD;
    return err;
}

int cg_admin_refuse_cursor(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_BAD_REQUEST, "cursor must be what \"next\" of the page before has said");
}

int cg_admin_query_cursor(const struct cg_admin_call *call, char *text, size_t size, struct cg_problem *problem) {
    char value[CG_ADMIN_QUERY_MAX];
    size_t len = 0;
    text[0] = '\0';
    if (!cg_admin_query(call, "cursor", value)) return CG_OK;
    int err = cg_base64url_parse(cg_slice_str(value), (uint8_t *)text, size - 1, &len);
    if (err < 0 || memchr(text, '\0', len) != NULL) return cg_admin_refuse_cursor(problem);
    text[len] = '\0';
    return CG_OK;
}

int cg_admin_query_number(const struct cg_admin_call *call, const char *name, uint64_t max, uint64_t *value,
                          struct cg_problem *problem) {
    char text[CG_ADMIN_QUERY_MAX];
    if (!cg_admin_query(call, name, text)) return CG_OK;
    if (cg_decimal_parse(cg_slice_str(text), max, value) == CG_OK && *value > 0) return CG_OK;
    return cg_problem_set(problem, CG_E_BAD_REQUEST, "%s must be a number from 1 to %" PRIu64, name, max);
}

int cg_admin_query_limit(const struct cg_admin_call *call, size_t *limit, struct cg_problem *problem) {
    uint64_t value = CG_ADMIN_LIMIT;
    int err = cg_admin_query_number(call, "limit", CG_ADMIN_LIMIT_MAX, &value, problem);
    *limit = (size_t)value;
    return err;
}

/* ---- Replies ---- */

/* Beside those that every reply has: what is made of JSON is never a page, and never part of one. */
#define SAFE                                                                                                           \
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"}, {"Referrer-Policy", "no-referrer"}, {   \
        "X-Frame-Options", "DENY"                                                                                      \
    }
enum { SAFE_COUNT = 3 };

static const struct cg_http_header safe[] = {SAFE};

static void begin(struct cg_admin_call *call) {
    CG_CHECK(!call->is_replied);
    call->is_replied = true;
}

static void put_etag(char to[CG_DECIMAL_MAX + 3], uint64_t revision) {
    to[0] = '\0';
    if (revision > 0) snprintf(to, CG_DECIMAL_MAX + 3, "\"%" PRIu64 "\"", revision);
}

void cg_admin_reply_bytes(struct cg_admin_call *call, const struct cg_admin_head *head, struct cg_buf *body) {
    char etag[CG_DECIMAL_MAX + 3];
    put_etag(etag, head->etag);
    const struct cg_http_header headers[] = {
        SAFE, {"ETag", etag}, {"Location", head->location == NULL ? "" : head->location}};
    const struct cg_http_head http = {.status = head->status,
                                      .content_type =
                                          head->content_type == NULL ? "application/json" : head->content_type,
                                      .headers = headers,
                                      .header_count = sizeof headers / sizeof *headers};
    if (body->failed) {
        struct cg_problem problem = {0};
        (void)cg_problem_no_memory(&problem);
        cg_buf_fini(body);
        cg_admin_reply_problem(call, &problem);
        return;
    }
    begin(call);
    cg_http_call_reply_bytes(call->http, &http, body);
}

static int on_text(const char *text, size_t len, void *ctx) {
    struct cg_buf *to = ctx;
    cg_buf_put(to, text, len);
    return to->failed ? -1 : 0;
}

void cg_admin_put_json(struct cg_buf *to, const json_t *body) {
    if (body == NULL || json_dump_callback(body, on_text, to, JSON_COMPACT) != 0) to->failed = true;
    cg_buf_put_str(to, "\n");
}

void cg_admin_reply_json(struct cg_admin_call *call, const struct cg_admin_head *head, json_t *body) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_admin_put_json(&text, body);
    json_decref(body);
    cg_admin_reply_bytes(call, head, &text);
}

static void reply_empty(struct cg_admin_call *call, uint16_t status, uint64_t revision) {
    struct cg_buf none;
    cg_buf_init(&none, 0);
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = status, .content_type = "", .etag = revision}, &none);
}

void cg_admin_reply_none(struct cg_admin_call *call) { reply_empty(call, 204, 0); }

void cg_admin_reply_unchanged(struct cg_admin_call *call, uint64_t revision) { reply_empty(call, 304, revision); }

void cg_admin_reply_queue(struct cg_admin_call *call, const char *content_type, struct cg_outq *body) {
    const struct cg_http_head head = {
        .status = 200, .content_type = content_type, .headers = safe, .header_count = SAFE_COUNT};
    begin(call);
    call->is_streaming = true;
    cg_http_call_reply_queue(call->http, &head, body);
}

void cg_admin_reply_problem(struct cg_admin_call *call, const struct cg_problem *problem) {
    const struct cg_http_more more = {.headers = safe, .count = SAFE_COUNT};
    begin(call);
    cg_http_call_reply_problem_with(call->http, problem, NULL, &more);
}

static const char *without_base(const char *pointer, const char *base) {
    size_t len = strlen(base);
    bool begins = strncmp(pointer, base, len) == 0 && (pointer[len] == '/' || pointer[len] == '\0');
    return begins ? pointer + len : pointer;
}

/* A URI fragment (RFC 6901 §6), although only what is no ASCII would have to be encoded: it is escaped as JSON is. */
static void put_mistake(struct cg_buf *to, const struct cg_mistake *mistake, const char *base) {
    struct cg_buf pointer;
    cg_buf_init(&pointer, 0);
    cg_buf_put_str(&pointer, "#");
    cg_buf_put_str(&pointer, without_base(mistake->pointer, base));
    cg_buf_put_str(to, "{\"pointer\":");
    cg_buf_put_json(to, cg_buf_slice(&pointer));
    cg_buf_put_str(to, ",\"detail\":");
    cg_buf_put_json(to, cg_slice_str(mistake->message));
    cg_buf_put_str(to, "}");
    if (pointer.failed) to->failed = true;
    cg_buf_fini(&pointer);
}

void cg_admin_put_mistakes(struct cg_buf *to, const struct cg_mistakes *mistakes, const char *base) {
    cg_buf_put_str(to, "[");
    for (const struct cg_mistake *at = mistakes->first; at != NULL; at = at->next) {
        if (at != mistakes->first) cg_buf_put_str(to, ",");
        put_mistake(to, at, base);
    }
    cg_buf_put_str(to, "]");
}

void cg_admin_reply_mistakes(struct cg_admin_call *call, const struct cg_problem *problem,
                             const struct cg_mistakes *mistakes, const char *base, struct cg_slice members) {
    struct cg_buf all;
    cg_buf_init(&all, 0);
    if (mistakes->first != NULL) {
        cg_buf_put_str(&all, ",\"errors\":");
        cg_admin_put_mistakes(&all, mistakes, base);
    }
    cg_buf_put_slice(&all, members);
    const struct cg_http_more more = {
        .headers = safe, .count = SAFE_COUNT, .members = all.failed ? CG_SLICE_NONE : cg_buf_slice(&all)};
    begin(call);
    cg_http_call_reply_problem_with(call->http, problem, NULL, &more);
    cg_buf_fini(&all);
}

void cg_admin_reply_invalid(struct cg_admin_call *call, const char *pointer, const char *format, ...) {
    char text[256];
    struct cg_problem problem = {0};
    struct cg_mistakes mistakes;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cg_mistakes_init(&mistakes);
    cg_mistakes_add(&mistakes, pointer, "%s", text);
    cg_problem_set(&problem, CG_E_INVALID, "%s: %s", pointer, text);
    cg_admin_reply_mistakes(call, &problem, &mistakes, "", CG_SLICE_NONE);
    cg_mistakes_fini(&mistakes);
}
