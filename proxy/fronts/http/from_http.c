/* HTTP to a request in the core's terms (RFC 8075 §5 to §7, RFC 7252 §10.2, RFC 8613 §11, GCP "HTTP-to-CoAP Proxies").
 * The hard thing: what HTTP may say and CoAP cannot is refused where dropping it would change what the request means.
 *
 * Choices that the standards leave open:
 * - PATCH becomes PATCH, and iPATCH when the body is application/merge-patch+json: a merge patch is idempotent by its
 * nature (RFC 7396), which is what iPATCH promises (RFC 8132 §3), and only idempotent requests may be repeated for
 * repair. application/json-patch+json may append to an array, so it stays PATCH.
 * - Accept names the form of the whole reply, or, where that is none of ours, one type that goes on to the members
 * (accept.h).
 * - Preconditions on an unsafe method: "*" maps to the option. Entity tags differ from member to member, so they are
 * refused instead of dropped: a lost precondition overwrites what the client meant to protect. On a safe method
 * preconditions are left out, a full reply is always right.
 * - Content-Type counts only where there is a body, but for what makes a PATCH of it. GET, HEAD and DELETE with one are
 * refused: CoAP gives it no meaning.
 * - A request that the client protected (OSCORE) has no other meaning than that (RFC 8613 §11.1), so of its header
 * fields only those count that are for the gateway itself. */
#include "fronts/http/from_http.h"

#include "base/text.h"
#include "fronts/http/accept.h"
#include "fronts/http/group_etag.h"
#include "fronts/http/host.h"
#include "fronts/http/prefer.h"
#include "fronts/http/target.h"
#include "fronts/http/traceparent.h"
#include "wire/content_format.h"

enum {
    TARGET_MAX = 8192, /* bytes */
    OPTIONS_MAX = 5,   /* one of each that this file sets */
    FORMAT_MERGE_PATCH = 52,
    OSCORE_OPTION_MAX = 255, /* bytes (RFC 8613 §2) */
};

struct conversion {
    struct cg_request *request;
    struct cg_arena *arena;
    const struct cg_config *config;
    const struct cg_mapping *mapping; /* whom it is for; NULL: unknown */
    const struct cg_encoder_list *encoders;
    const struct cg_http_message *message;
    struct cg_problem *problem;
    struct cg_opt options[OPTIONS_MAX];
    size_t option_count;
};

/* ---- Fields ---- */

/* A field that may be absent (then *value is empty and *present false) but not repeated. */
static int single_field(const struct conversion *c, const char *name, struct cg_slice *value, bool *present) {
    *value = CG_SLICE_NONE;
    int err = cg_http_field(c->message, name, value);
    *present = err == CG_OK;
    if (err == CG_E_BAD_REQUEST) return cg_problem_set(c->problem, err, "%s is there more than once", name);
    return CG_OK;
}

static int copy(const struct conversion *c, struct cg_slice from, struct cg_slice *to) {
    *to = cg_arena_copy(c->arena, from);
    return from.len > 0 && to->data == NULL ? cg_problem_no_memory(c->problem) : CG_OK;
}

static int take_host(struct conversion *c, const struct cg_listen *listen) {
    struct cg_slice host;
    int err = cg_http_check_host(&c->config->http, listen, c->message, &host, c->problem);
    if (err < 0 || host.len == 0) return err;
    uint8_t *lower = cg_arena_alloc(c->arena, host.len);
    if (lower == NULL) return cg_problem_no_memory(c->problem);
    for (size_t i = 0; i < host.len; i++) lower[i] = (uint8_t)cg_ascii_lower((char)host.data[i]);
    c->request->host = cg_slice_of(lower, host.len);
    bool is_https = c->config->http.tls.certificate != NULL;
    c->request->scheme = is_https ? CG_CRI_HTTPS : CG_CRI_HTTP;
    c->request->port = cg_http_host_port(c->message, is_https ? CG_HTTPS_PORT : CG_HTTP_PORT);
    return CG_OK;
}

/* ---- Method ---- */

#define OVERRIDE "X-HTTP-Method-Override"

static const struct method {
    const char *name;
    uint8_t code;
    bool has_body;
} methods[] = {
    {"GET", CG_GET, false}, {"HEAD", CG_GET, false},      {"POST", CG_POST, true},
    {"PUT", CG_PUT, true},  {"DELETE", CG_DELETE, false}, {"PATCH", CG_PATCH, true},
};

static const struct method *find_method(const struct cg_http_message *message) {
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (cg_slice_is(message->method, methods[i].name)) return &methods[i];
    }
    return NULL;
}

static bool is_merge_patch(const struct cg_http_message *message) {
    struct cg_slice type;
    uint16_t format;
    return cg_http_field(message, "Content-Type", &type) == CG_OK &&
           cg_format_from_media_type(type, &format) == CG_OK && format == FORMAT_MERGE_PATCH;
}

/* The method that the request has if it is in order; 0: CoAP has none such. */
static void take_method(struct cg_request *request, const struct cg_http_message *message) {
    struct cg_slice override;
    const struct method *method = find_method(message);
    request->method = method == NULL ? CG_EMPTY : method->code;
    request->head_only = cg_slice_is(message->method, "HEAD");
    if (request->method == CG_POST && cg_http_field(message, OVERRIDE, &override) == CG_OK &&
        cg_slice_is(override, "FETCH")) {
        request->method = CG_FETCH;
    }
    if (request->method == CG_PATCH && is_merge_patch(message)) request->method = CG_IPATCH;
}

static int refuse_method(const struct cg_request *request, struct cg_problem *problem) {
    problem->allow = request->discovery ? CG_METHOD_BIT(CG_GET) : CG_METHODS_ALL;
    return cg_problem_set(problem, CG_E_METHOD, "the method has no counterpart in CoAP");
}

static int check_override(const struct conversion *c) {
    struct cg_slice override;
    bool present;
    int err = single_field(c, OVERRIDE, &override, &present);
    if (err < 0 || !present || c->request->method == CG_FETCH) return err;
    return cg_problem_set(c->problem, CG_E_BAD_REQUEST, OVERRIDE " can only be FETCH, on a POST");
}

static int check_method(const struct conversion *c) {
    const struct method *method = find_method(c->message);
    if (method == NULL) return refuse_method(c->request, c->problem);
    if (c->message->body.len > 0 && !method->has_body) {
        return cg_problem_set(c->problem, CG_E_BAD_REQUEST, "%s takes no body; use POST, PUT, PATCH or FETCH",
                              method->name);
    }
    return check_override(c);
}

static int check_discovery(const struct conversion *c) {
    if (!c->request->discovery || c->request->method == CG_GET) return CG_OK;
    c->problem->allow = CG_METHOD_BIT(CG_GET);
    return cg_problem_set(c->problem, CG_E_METHOD, CG_DISCOVERY_PATH " is read with GET");
}

/* ---- Options ---- */

static void add_opt(struct conversion *c, uint16_t number, struct cg_slice value) {
    c->options[c->option_count++] = (struct cg_opt){.number = number, .value = value};
}

/* The shortest form (RFC 7252 §3.2). */
static int add_uint(struct conversion *c, uint16_t number, uint32_t value) {
    uint8_t bytes[4];
    size_t len = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (len > 0 || value >> shift != 0) bytes[len++] = (uint8_t)(value >> shift);
    }
    struct cg_slice kept;
    int err = copy(c, cg_slice_of(bytes, len), &kept);
    if (err < 0) return err;
    add_opt(c, number, kept);
    return CG_OK;
}

/* If-Match and If-None-Match, see the top of the file. */
static int take_precondition(struct conversion *c, const char *name, uint16_t number) {
    if (c->request->method == CG_GET || c->request->method == CG_FETCH) return CG_OK;
    struct cg_slice value;
    bool present;
    int err = single_field(c, name, &value, &present);
    if (err < 0 || !present) return err;
    if (!cg_slice_is(value, "*")) {
        return cg_problem_set(
            c->problem, CG_E_BAD_REQUEST,
            "%s with entity tags cannot be asked of a group, whose members each have their own; only %s: * can", name,
            name);
    }
    add_opt(c, number, CG_SLICE_NONE);
    return CG_OK;
}

#define FORM "application/x-www-form-urlencoded"

static bool is_type(struct cg_slice media_type, const char *name) {
    struct cg_slice type;
    return cg_http_next_item(&media_type, ';', &type) && cg_slice_is_nocase(type, name);
}

static int check_content_encoding(const struct conversion *c) {
    for (size_t i = 0; i < c->message->field_count; i++) {
        if (!cg_slice_is_nocase(c->message->fields[i].name, "Content-Encoding")) continue;
        if (cg_slice_is_nocase(cg_http_trim(c->message->fields[i].value), "identity")) continue;
        return cg_problem_set(c->problem, CG_E_MEDIA_TYPE, "Content-Encoding must be identity: send the body as it is");
    }
    return CG_OK;
}

/* RFC 8075 §6.2. What is protected by the client has another way in, and no number leads to it. */
static bool may_name(const struct conversion *c, struct cg_slice media_type, uint16_t format) {
    return format != CG_FORMAT_OSCORE && (c->config->http.coap_payload || !cg_format_is_by_number(media_type));
}

static int refuse_type(const struct conversion *c, struct cg_slice type) {
    int len = (int)(type.len < 80 ? type.len : 80);
    if (is_type(type, FORM)) {
        return cg_problem_set(c->problem, CG_E_MEDIA_TYPE,
                              "Content-Type " FORM ", which curl sends by itself, has no CoAP Content-Format: say what "
                              "the body is, as with -H 'Content-Type: text/plain'");
    }
    return cg_problem_set(c->problem, CG_E_MEDIA_TYPE,
                          "Content-Type \"%.*s\" has no CoAP Content-Format; others have, such as -H 'Content-Type: "
                          "text/plain'; with \"coap_payload\": true in \"http\", application/coap-payload;cf=N has",
                          len, (const char *)type.data);
}

/* Only for clients that show a token: a page in somebody's browser can send such bodies as well, but no token. */
static struct cg_slice choose_type(const struct conversion *c, struct cg_slice type, bool present) {
    const struct cg_mapping *mapping = c->mapping;
    if (mapping == NULL || mapping->default_content_type == NULL || c->request->proof != CG_PROOF_TOKEN) return type;
    return !present || is_type(type, FORM) ? cg_slice_str(mapping->default_content_type) : type;
}

static int check_named_type(const struct conversion *c, struct cg_slice type, uint16_t format) {
    if (may_name(c, type, format)) return CG_OK;
    return cg_problem_set(c->problem, CG_E_MEDIA_TYPE,
                          "application/coap-payload is taken where the settings say \"coap_payload\": true in "
                          "\"http\" only, and never for application/oscore");
}

static int take_content_format(struct conversion *c) {
    struct cg_slice said = CG_SLICE_NONE;
    bool present = false;
    int err = check_content_encoding(c);
    if (err == CG_OK) err = single_field(c, "Content-Type", &said, &present);
    if (err < 0) return err;
    struct cg_slice type = choose_type(c, said, present);
    if (type.data == NULL && !present) return CG_OK;
    uint16_t format;
    if (is_type(type, "application/oscore")) {
        return cg_problem_set(c->problem, CG_E_MEDIA_TYPE, "application/oscore comes as a POST with the OSCORE header");
    }
    if (cg_format_from_media_type(type, &format) < 0) return refuse_type(c, type);
    if (type.data == said.data) err = check_named_type(c, type, format);
    if (err < 0) return err;
    if (c->request->method == CG_PATCH && format == FORMAT_MERGE_PATCH) c->request->method = CG_IPATCH;
    return add_uint(c, CG_OPT_CONTENT_FORMAT, format);
}

static int take_body(struct conversion *c) {
    struct cg_slice body = c->message->body;
    if (body.len == 0) return CG_OK;
    int err = take_content_format(c);
    if (err < 0) return err;
    return copy(c, body, &c->request->payload);
}

static int take_no_response(struct conversion *c) {
    struct cg_slice text;
    bool present;
    int err = single_field(c, "No-Response", &text, &present);
    if (err < 0 || !present) return err;
    uint64_t bits;
    if (cg_decimal_parse(text, UINT8_MAX, &bits) < 0) {
        return cg_problem_set(c->problem, CG_E_BAD_REQUEST, "No-Response must be a number from 0 to 255");
    }
    c->request->no_response = (uint32_t)bits;
    return add_uint(c, CG_OPT_NO_RESPONSE, (uint32_t)bits);
}

static int take_accept(struct conversion *c) {
    struct cg_slice media_type;
    uint16_t format;
    if (!cg_accept_for_members(c->message, c->encoders, &media_type)) return CG_OK;
    if (cg_format_from_media_type(media_type, &format) < 0) return CG_OK;
    if (!may_name(c, media_type, format)) {
        return cg_problem_set(c->problem, CG_E_NOT_ACCEPTABLE,
                              "application/coap-payload in Accept is taken where the settings say \"coap_payload\": "
                              "true in \"http\" only, and application/oscore never");
    }
    return add_uint(c, CG_OPT_ACCEPT, format);
}

/* ---- Protected by the client (RFC 8613 §11.3) ---- */

static int parse_oscore(const struct conversion *c, struct cg_slice text, struct cg_slice *option) {
    uint8_t bytes[OSCORE_OPTION_MAX];
    size_t len;
    if (text.len < 2 || cg_base64url_parse(text, bytes, sizeof bytes, &len) < 0) {
        return cg_problem_set(c->problem, CG_E_BAD_REQUEST,
                              "OSCORE must be the option's bytes in base64url without padding, AA for an empty option");
    }
    if (len == 1 && bytes[0] == 0) len = 0;
    return copy(c, cg_slice_of(bytes, len), option);
}

static int take_oscore(struct conversion *c, bool *present) {
    struct cg_slice text, type, option;
    bool has_type;
    int err = single_field(c, "OSCORE", &text, present);
    if (err < 0 || !*present) return err;
    err = single_field(c, "Content-Type", &type, &has_type);
    if (err == CG_OK) err = check_content_encoding(c);
    if (err < 0) return err;
    if (c->request->method != CG_POST || !is_type(type, "application/oscore") || c->message->body.len == 0) {
        return cg_problem_set(c->problem, CG_E_BAD_REQUEST,
                              "the OSCORE header belongs to a POST with a body of Content-Type application/oscore");
    }
    err = parse_oscore(c, text, &option);
    if (err < 0) return err;
    add_opt(c, CG_OPT_OSCORE, option);
    return copy(c, c->message->body, &c->request->payload);
}

/* ---- Time and tracing ---- */

static int take_timeout(struct conversion *c) {
    struct cg_slice text;
    bool present;
    int err = single_field(c, "Multicast-Timeout", &text, &present);
    if (err < 0 || !present) return err;
    uint64_t seconds = 0; /* GCP: an empty field means 0 */
    if (text.len > 0 && cg_decimal_parse(text, UINT32_MAX, &seconds) < 0) {
        return cg_problem_set(c->problem, CG_E_NO_TIMEOUT,
                              "Multicast-Timeout must be whole seconds, digits only, at most 4294967295");
    }
    c->request->has_timeout = true;
    c->request->timeout_s = (uint32_t)seconds;
    return CG_OK;
}

static int take_traceparent(const struct conversion *c) {
    return copy(c, cg_http_traceparent(c->message), &c->request->traceparent);
}

/* ---- All of it ---- */

/* In ascending order of their numbers. */
static int take_options(struct conversion *c) {
    bool protected;
    int err = take_oscore(c, &protected);
    if (err < 0 || protected) return err;
    err = take_precondition(c, "If-Match", CG_OPT_IF_MATCH);
    if (err == CG_OK) err = take_precondition(c, "If-None-Match", CG_OPT_IF_NONE_MATCH);
    if (err == CG_OK) err = take_body(c);
    if (err == CG_OK) err = take_accept(c);
    if (err == CG_OK) err = take_no_response(c);
    return err;
}

static int keep_options(struct conversion *c) {
    size_t size = c->option_count * sizeof *c->options;
    if (size == 0) return CG_OK;
    c->request->options.list = cg_arena_alloc(c->arena, size);
    if (c->request->options.list == NULL) return cg_problem_no_memory(c->problem);
    memcpy(c->request->options.list, c->options, size);
    c->request->options.count = c->option_count;
    return CG_OK;
}

static int check_size(const struct conversion *c) {
    if (!c->message->body_is_too_big && c->message->body.len <= c->config->limits.request_body) return CG_OK;
    return cg_problem_set(c->problem, CG_E_TOO_BIG, "the body is larger than %zu bytes",
                          c->config->limits.request_body);
}

/* Whoever waits for nothing hears of no changes either, and what a client has protected is POST, which has none. */
static bool can_observe(const struct cg_request *request, const struct castgate_encoder *encoder) {
    bool waits = !request->has_timeout || request->timeout_s > 0;
    bool reads = (CG_METHODS_SAFE & CG_METHOD_BIT(request->method)) != 0 && !request->head_only;
    return reads && waits && !request->discovery && encoder->begin != NULL;
}

/* One that cannot be honoured is passed over (RFC 7240 §2). */
static void take_preferences(const struct conversion *c, const struct castgate_encoder *encoder) {
    struct cg_slice handling, observe;
    c->request->is_strict =
        cg_http_preference(c->message, "handling", &handling) && cg_slice_is_nocase(handling, "strict");
    c->request->observes =
        cg_http_preference(c->message, "observe", &observe) && observe.len == 0 && can_observe(c->request, encoder);
}

/* RFC 9111 §5.2.1.4, and what reloads a page in a browser; §5.4: the older form of it; §5.2.1.5. */
static void take_directive(struct cg_request *request, struct cg_slice directive) {
    bool is_unkept = cg_slice_is_nocase(directive, "no-store");
    request->is_unkept |= is_unkept;
    request->is_anew |=
        is_unkept || cg_slice_is_nocase(directive, "no-cache") || cg_slice_is_nocase(directive, "max-age=0");
}

static void take_directives(const struct conversion *c) {
    for (size_t i = 0; i < c->message->field_count; i++) {
        struct cg_slice rest = c->message->fields[i].value, item;
        bool is_of_caches = cg_slice_is_nocase(c->message->fields[i].name, "Cache-Control") ||
                            cg_slice_is_nocase(c->message->fields[i].name, "Pragma");
        while (is_of_caches && cg_http_next_item(&rest, ',', &item)) take_directive(c->request, item);
    }
}

/* A stream says each answer, whatever its client has. */
static int take_caching(const struct conversion *c, const struct castgate_encoder *encoder) {
    take_directives(c);
    bool may_be_valid = c->request->method == CG_GET && encoder->begin == NULL && !c->request->discovery;
    if (!may_be_valid || cg_http_take_group_etags(c->request, c->arena, c->message)) return CG_OK;
    return cg_problem_no_memory(c->problem);
}

/* A method that CoAP does not have may come with a target that is no target of ours. */
static int take_target(const struct cg_http_parts *parts) {
    struct cg_problem wrong = {0};
    const struct cg_http_message *message = parts->message;
    if (cg_http_is_options(message) && cg_slice_is(message->target, "*")) return CG_OK;
    int err = cg_http_take_target(parts->request, parts->arena, message, &wrong);
    if (err == CG_OK) return CG_OK;
    if (parts->request->method == CG_EMPTY && !cg_http_is_options(message)) {
        return refuse_method(parts->request, parts->problem);
    }
    *parts->problem = wrong;
    return err;
}

static struct conversion begin(const struct cg_http_parts *parts, const struct cg_mapping *mapping) {
    return (struct conversion){.request = parts->request,
                               .arena = parts->arena,
                               .config = parts->config,
                               .mapping = mapping,
                               .encoders = parts->encoders,
                               .message = parts->message,
                               .problem = parts->problem};
}

bool cg_http_is_options(const struct cg_http_message *message) { return cg_slice_is(message->method, "OPTIONS"); }

int cg_from_http_head(const struct cg_http_parts *parts) {
    struct conversion c = begin(parts, NULL);
    if (c.message->target.len > TARGET_MAX) {
        return cg_problem_set(c.problem, CG_E_URI_TOO_LONG, "the request target is longer than %d bytes", TARGET_MAX);
    }
    int err = take_host(&c, parts->listen);
    if (err < 0) return err;
    if (!cg_http_is_token(c.message->method)) {
        return cg_problem_set(c.problem, CG_E_BAD_REQUEST, "the method is malformed");
    }
    take_method(c.request, c.message);
    return take_target(parts);
}

int cg_from_http_rest(const struct cg_http_parts *parts, const struct cg_mapping *mapping,
                      const struct castgate_encoder **encoder) {
    struct conversion c = begin(parts, mapping);
    int err = check_method(&c);
    if (err == CG_OK) err = check_discovery(&c);
    if (err == CG_OK) err = check_size(&c);
    if (err == CG_OK) err = take_timeout(&c);
    if (err == CG_OK) err = take_traceparent(&c);
    *encoder = cg_accept_encoder(c.message, c.encoders);
    take_preferences(&c, *encoder);
    if (err == CG_OK) err = take_caching(&c, *encoder);
    if (err == CG_OK) err = take_options(&c);
    if (err == CG_OK) err = keep_options(&c);
    return err;
}
