/* HTTP to a request in the core's terms (RFC 8075 §5 to §7, RFC 7252 §10.2, RFC 8613 §11, GCP "HTTP-to-CoAP Proxies").
 * The hard thing: the target is taken apart without ever being decoded, so that "%2F" stays data and "%2e%2e" is seen
 * for what it is, and nothing ambiguous gets through: what two readers could understand in two ways is refused.
 *
 * Choices that the standards leave open:
 * - PATCH becomes PATCH, and iPATCH when the body is application/merge-patch+json: a merge patch is idempotent by its
 * nature (RFC 7396), which is what iPATCH promises (RFC 8132 §3), and only idempotent requests may be repeated for
 * repair. application/json-patch+json may append to an array, so it stays PATCH.
 * - Accept names the form of the whole reply. One that holds exactly one concrete type that is no encoder's, and no
 * wildcard, also goes to the members as the Accept option; with more of them CoAP could not say what HTTP says (RFC
 * 8075 §6.1).
 * - Preconditions on an unsafe method: "*" maps to the option. Entity tags differ from member to member, so they are
 * refused instead of dropped: a lost precondition overwrites what the client meant to protect. On a safe method
 * preconditions are left out, a full reply is always right.
 * - Content-Type counts only where there is a body. GET, HEAD and DELETE with one are refused: CoAP gives it no
 * meaning.
 * - The forward proxy's target is what follows "/hc/" or "/hc/?target_uri=", to the end of the request target: RFC 8075
 * copies the URI as it is, but for the brackets around an IPv6 address, so a '?' or '&' in it is its own and nothing
 * else is decoded. A scheme other than coap would need another transport than a group has: 502, as CoAP's 5.05 is in
 * HTTP (RFC 8075 §7); what is no multicast address is refused by policy: 403.
 * - A request that the client protected (OSCORE) has no other meaning than that (RFC 8613 §11.1), so of its header
 * fields only those count that are for the gateway itself. */
#include "fronts/http/from_http.h"

#include "base/check.h"
#include "base/text.h"
#include "model/mapping.h"
#include "wire/content_format.h"

enum {
    TARGET_MAX = 8192,    /* bytes */
    OPTIONS_MAX = 5,      /* one of each that this file sets */
    TRACEPARENT_LEN = 55, /* "00-" 32 "-" 16 "-" 2 */
    FORMAT_MERGE_PATCH = 52,
    OSCORE_OPTION_MAX = 255, /* bytes (RFC 8613 §2) */
};

#define DISCOVERY "/.well-known/core"

struct conversion {
    struct cg_request *request;
    struct cg_arena *arena;
    const struct cg_config *config;
    const struct cg_encoder_list *encoders;
    const struct castgate_encoder **encoder;
    const struct cg_http_message *message;
    struct cg_problem *problem;
    struct cg_opt options[OPTIONS_MAX];
    size_t option_count;
};

/* ---- Fields ---- */

static struct cg_slice trim(struct cg_slice text) {
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) text.data++, text.len--;
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) text.len--;
    return text;
}

int cg_http_field(const struct cg_http_message *message, const char *name, struct cg_slice *value) {
    const struct cg_http_field *found = NULL;
    for (size_t i = 0; i < message->field_count; i++) {
        if (!cg_slice_is_nocase(message->fields[i].name, name)) continue;
        if (found != NULL) return CG_E_BAD_REQUEST;
        found = &message->fields[i];
    }
    if (found == NULL) return CG_E_NOT_FOUND;
    *value = trim(found->value);
    return CG_OK;
}

/* A field that may be absent (then *value is empty and *present false) but not repeated. */
static int single_field(const struct conversion *c, const char *name, struct cg_slice *value, bool *present) {
    *value = CG_SLICE_NONE;
    int err = cg_http_field(c->message, name, value);
    *present = err == CG_OK;
    if (err == CG_E_BAD_REQUEST) return cg_problem_set(c->problem, err, "%s is there more than once", name);
    return CG_OK;
}

static int no_memory(const struct conversion *c) {
    return cg_problem_set(c->problem, CG_E_NO_MEMORY, "no memory left for the request, try again later");
}

static int copy(const struct conversion *c, struct cg_slice from, struct cg_slice *to) {
    *to = cg_arena_copy(c->arena, from);
    return from.len > 0 && to->data == NULL ? no_memory(c) : CG_OK;
}

static bool starts_with(struct cg_slice text, const char *prefix) {
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

static bool starts_with_nocase(struct cg_slice text, const char *prefix) {
    size_t len = strlen(prefix);
    return text.len >= len && cg_slice_is_nocase(cg_slice_of(text.data, len), prefix);
}

static bool equal_nocase(struct cg_slice a, struct cg_slice b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        if (cg_ascii_lower((char)a.data[i]) != cg_ascii_lower((char)b.data[i])) return false;
    }
    return true;
}

static bool is_token_char(uint8_t byte) {
    if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')) return true;
    return byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
}

static bool is_token(struct cg_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_char(text.data[i])) return false;
    }
    return text.len > 0;
}

/* The next element of a list, trimmed; separators inside quoted strings do not count (RFC 9110 §5.6). */
static bool next_item(struct cg_slice *rest, char separator, struct cg_slice *item) {
    if (rest->data == NULL) return false;
    bool quoted = false;
    size_t at = 0;
    for (; at < rest->len; at++) {
        char c = (char)rest->data[at];
        if (quoted && c == '\\') {
            at++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == separator) {
            break;
        }
    }
    if (at > rest->len) at = rest->len; /* a backslash was the last byte */
    *item = trim(cg_slice_of(rest->data, at));
    *rest = at < rest->len ? cg_slice_of(rest->data + at + 1, rest->len - at - 1) : CG_SLICE_NONE;
    return true;
}

/* ---- Host ---- */

struct authority {
    struct cg_slice host; /* as written, an IPv6 literal with its brackets */
    bool has_port;
    uint16_t port;
};

static bool is_host_char(uint8_t byte) {
    if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')) return true;
    return byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

static bool parse_authority(struct cg_slice text, struct authority *authority) {
    size_t end = 0;
    if (text.len > 0 && text.data[0] == '[') {
        const uint8_t *bracket = memchr(text.data, ']', text.len);
        if (bracket == NULL) return false;
        end = (size_t)(bracket - text.data) + 1;
        struct cg_addr addr;
        struct cg_slice inside = cg_slice_of(text.data + 1, end - 2);
        if (cg_addr_parse_ip(&addr, inside) < 0 || addr.family != CG_FAMILY_IPV6) return false;
    } else {
        while (end < text.len && is_host_char(text.data[end])) end++;
    }
    if (end == 0) return false;
    *authority = (struct authority){.host = cg_slice_of(text.data, end)};
    if (end == text.len) return true;
    if (text.data[end] != ':') return false;
    struct cg_slice digits = cg_slice_of(text.data + end + 1, text.len - end - 1);
    if (digits.len == 0) return true; /* RFC 3986 §3.2.3: the port may be empty */
    uint64_t port;
    if (cg_decimal_parse(digits, UINT16_MAX, &port) < 0) return false;
    authority->has_port = true;
    authority->port = (uint16_t)port;
    return true;
}

static bool host_is_address(struct cg_slice host, struct cg_addr *addr) {
    bool bracketed = host.data[0] == '[';
    if (bracketed) host = cg_slice_of(host.data + 1, host.len - 2);
    if (cg_addr_parse_ip(addr, host) < 0) return false;
    return (addr->family == CG_FAMILY_IPV6) == bracketed;
}

/* A listener on the unspecified address has all of the machine's addresses. A literal in Host cannot be the work of a
 * name that was rebound, so any will do there. */
static bool is_listen_address(const struct cg_listen *listen, struct cg_slice host) {
    struct cg_addr addr;
    if (!host_is_address(host, &addr)) return false;
    static const uint8_t unspecified[16];
    if (memcmp(listen->addr.ip, unspecified, sizeof unspecified) == 0) return addr.family == listen->addr.family;
    return addr.family == listen->addr.family && cg_slice_equal(cg_addr_ip(&addr), cg_addr_ip(&listen->addr));
}

/* An entry without port names the host at any port, one with a port only at that. */
static bool is_further_host(const struct cg_http_settings *settings, struct cg_slice value, struct cg_slice host) {
    for (size_t i = 0; i < settings->host_count; i++) {
        if (cg_slice_is_nocase(host, settings->hosts[i]) || cg_slice_is_nocase(value, settings->hosts[i])) return true;
    }
    return false;
}

int cg_http_check_host(const struct cg_http_settings *settings, const struct cg_listen *listen,
                       const struct cg_http_message *message, struct cg_slice *host, struct cg_problem *problem) {
    struct cg_slice value;
    int err = cg_http_field(message, "Host", &value);
    if (err == CG_E_NOT_FOUND) return cg_problem_set(problem, CG_E_BAD_REQUEST, "the request has no Host");
    if (err < 0) return cg_problem_set(problem, CG_E_BAD_REQUEST, "Host is there more than once");
    struct authority authority;
    if (!parse_authority(value, &authority)) return cg_problem_set(problem, CG_E_BAD_REQUEST, "Host is malformed");
    *host = authority.host;
    bool own = cg_slice_is_nocase(authority.host, "localhost") || is_listen_address(listen, authority.host);
    if (own && (!authority.has_port || authority.port == listen->addr.port)) return CG_OK;
    if (is_further_host(settings, value, authority.host)) return CG_OK;
    return cg_problem_set(
        problem, CG_E_MISDIRECTED,
        "Host \"%.*s\" is neither this listener's address nor localhost nor one of the names in \"hosts\"; "
        "add it to the settings if it is this gateway",
        (int)(value.len < 100 ? value.len : 100), (const char *)value.data);
}

static int take_host(struct conversion *c, const struct cg_listen *listen) {
    struct cg_slice host;
    int err = cg_http_check_host(&c->config->http, listen, c->message, &host, c->problem);
    if (err < 0) return err;
    uint8_t *lower = cg_arena_alloc(c->arena, host.len);
    if (lower == NULL) return no_memory(c);
    for (size_t i = 0; i < host.len; i++) lower[i] = (uint8_t)cg_ascii_lower((char)host.data[i]);
    c->request->host = cg_slice_of(lower, host.len);
    return CG_OK;
}

/* ---- Method ---- */

static const struct {
    const char *name;
    uint8_t code;
    bool has_body;
} methods[] = {
    {"GET", CG_GET, false}, {"HEAD", CG_GET, false},      {"POST", CG_POST, true},
    {"PUT", CG_PUT, true},  {"DELETE", CG_DELETE, false}, {"PATCH", CG_PATCH, true},
};

static int take_override(struct conversion *c) {
    struct cg_slice override;
    bool present;
    int err = single_field(c, "X-HTTP-Method-Override", &override, &present);
    if (err < 0 || !present) return err;
    if (c->request->method != CG_POST || !cg_slice_is(override, "FETCH")) {
        return cg_problem_set(c->problem, CG_E_BAD_REQUEST, "X-HTTP-Method-Override can only be FETCH, on a POST");
    }
    c->request->method = CG_FETCH;
    return CG_OK;
}

static int take_method(struct conversion *c) {
    struct cg_slice method = c->message->method;
    if (!is_token(method)) return cg_problem_set(c->problem, CG_E_BAD_REQUEST, "the method is malformed");
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (!cg_slice_is(method, methods[i].name)) continue;
        if (c->message->body.len > 0 && !methods[i].has_body) {
            return cg_problem_set(c->problem, CG_E_BAD_REQUEST, "%s takes no body; use POST, PUT, PATCH or FETCH",
                                  methods[i].name);
        }
        c->request->method = methods[i].code;
        c->request->head_only = cg_slice_is(method, "HEAD");
        return take_override(c);
    }
    c->problem->allow = starts_with(c->message->target, DISCOVERY) ? CG_METHOD_BIT(CG_GET) : CG_METHODS_ALL;
    return cg_problem_set(c->problem, CG_E_METHOD, "the method has no counterpart in CoAP");
}

static int check_discovery(const struct conversion *c) {
    if (!c->request->discovery || c->request->method == CG_GET) return CG_OK;
    c->problem->allow = CG_METHOD_BIT(CG_GET);
    return cg_problem_set(c->problem, CG_E_METHOD, DISCOVERY " is read with GET");
}

/* ---- Target ---- */

static bool is_hex(uint8_t byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* RFC 3986's characters, percent-encodings whole. Brackets pass, though only a host may have them: people write
 * "target_uri=coap://[ff35::1]/" and mean just that. Returns what is wrong, or NULL. */
static const char *target_fault(struct cg_slice target) {
    for (size_t i = 0; i < target.len; i++) {
        uint8_t byte = target.data[i];
        if (byte <= ' ' || byte == 0x7f) return "has a space or control byte, which must be percent-encoded";
        if (byte >= 0x80) return "has a byte outside ASCII, which must be percent-encoded";
        if (byte == '#') return "has a fragment ('#'), which is never sent";
        if (byte == '\\') return "has a backslash, which must be percent-encoded";
        if (strchr("\"<>^`{|}", byte) != NULL) return "has a character that must be percent-encoded";
        if (byte != '%') continue;
        if (target.len - i < 3 || !is_hex(target.data[i + 1]) || !is_hex(target.data[i + 2])) {
            return "has a '%' without two hexadecimal digits behind it";
        }
        if (target.data[i + 1] == '0' && target.data[i + 2] == '0') return "has an encoded NUL (%00)";
    }
    return NULL;
}

static bool has_dot_segment(struct cg_slice path) {
    struct cg_slice segment;
    while (cg_uri_next_segment(&path, &segment)) {
        if (cg_uri_is_dot_segment(segment)) return true;
    }
    return false;
}

/* Absolute-form (RFC 9112 §3.2.2) to origin-form; an empty path means "/". */
static int strip_authority(const struct conversion *c, struct cg_slice *target) {
    size_t scheme = starts_with_nocase(*target, "http://") ? 7 : starts_with_nocase(*target, "https://") ? 8 : 0;
    if (scheme == 0) {
        return cg_problem_set(c->problem, CG_E_BAD_URI,
                              "the request target must begin with '/'; a CoAP URI goes behind /hc/?target_uri=");
    }
    struct cg_slice authority = cg_slice_of(target->data + scheme, 0);
    while (scheme + authority.len < target->len && authority.data[authority.len] != '/' &&
           authority.data[authority.len] != '?') {
        authority.len++;
    }
    struct cg_slice host = CG_SLICE_NONE;
    if (cg_http_field(c->message, "Host", &host) < 0 || !equal_nocase(authority, host)) {
        return cg_problem_set(c->problem, CG_E_BAD_REQUEST, "the request target names another host than Host does");
    }
    *target = cg_slice_of(authority.data + authority.len, target->len - scheme - authority.len);
    return CG_OK;
}

static int check_segments(const struct conversion *c, struct cg_slice path) {
    if (!has_dot_segment(path)) return CG_OK;
    return cg_problem_set(c->problem, CG_E_BAD_URI, "the path has a dot segment ('.' or '..'); resolve it first");
}

static int take_path(struct conversion *c, struct cg_slice path) {
    if (path.len == 0) path = cg_slice_str("/");
    int err = check_segments(c, path);
    if (err < 0) return err;
    struct cg_buf normal;
    cg_buf_init(&normal, 0);
    err = cg_mapping_normal_path(&normal, path);
    if (err < 0) {
        bool full = err == CG_E_NO_MEMORY;
        err = full ? cg_problem_no_memory(c->problem) : cg_problem_set(c->problem, err, "the path is malformed");
    } else if (normal.failed) {
        err = no_memory(c);
    } else {
        err = copy(c, cg_buf_slice(&normal), &c->request->path);
    }
    cg_buf_fini(&normal);
    c->request->discovery = err == CG_OK && cg_slice_is(c->request->path, DISCOVERY);
    return err;
}

/* ---- The forward proxy's target (RFC 8075 §5.3, §5.4.1) ---- */

static bool is_forward(struct cg_slice target) {
    return starts_with(target, "/hc") && (target.len == 3 || target.data[3] == '/' || target.data[3] == '?');
}

/* What follows the proxy's own URI. */
static bool find_target_uri(struct cg_slice target, struct cg_slice *uri) {
    static const char simple[] = "/hc/?target_uri=", plain[] = "/hc/";
    size_t skip = starts_with(target, simple) ? sizeof simple - 1 : sizeof plain - 1;
    if (!starts_with(target, plain) || target.len <= skip || (skip == sizeof plain - 1 && target.data[skip] == '?'))
        return false;
    *uri = cg_slice_of(target.data + skip, target.len - skip);
    return true;
}

/* The authority's brackets, which are percent-encoded in a path (RFC 8075 §5.3.2); everything else stays as it is. */
static int unpack_brackets(const struct conversion *c, struct cg_slice *uri) {
    const uint8_t *colon = memchr(uri->data, ':', uri->len);
    size_t scheme = colon == NULL ? uri->len : (size_t)(colon - uri->data) + 3; /* "://" */
    if (scheme >= uri->len || !starts_with_nocase(cg_slice_of(uri->data + scheme, uri->len - scheme), "%5b"))
        return CG_OK;
    uint8_t *text = cg_arena_alloc(c->arena, uri->len);
    if (text == NULL) return no_memory(c);
    memcpy(text, uri->data, scheme);
    text[scheme] = '[';
    size_t len = scheme + 1, at = scheme + 3;
    while (at < uri->len && strchr("/?#", uri->data[at]) == NULL) {
        bool closes = starts_with_nocase(cg_slice_of(uri->data + at, uri->len - at), "%5d");
        text[len++] = closes ? ']' : uri->data[at];
        at += closes ? 3 : 1;
        if (closes) break;
    }
    memcpy(text + len, uri->data + at, uri->len - at);
    *uri = cg_slice_of(text, len + uri->len - at);
    return CG_OK;
}

/* No more than whether it can be a group's at all; below which group it lies is for ADMIT. */
static int check_target_uri(const struct conversion *c, const struct cg_uri *uri) {
    const char *why = NULL;
    int err = check_segments(c, uri->path);
    if (err < 0 || cg_uri_check_group(uri, &why) == CG_OK) return err;
    bool other_transport = uri->scheme != CG_SCHEME_COAP || uri->addr.port == CG_COAPS_PORT;
    return cg_problem_set(c->problem, other_transport ? CG_E_PROXYING : CG_E_FORBIDDEN, "the target URI: %s", why);
}

static int keep_target_uri(const struct conversion *c, const struct cg_uri *uri) {
    struct cg_buf text;
    struct cg_slice kept = CG_SLICE_NONE;
    cg_buf_init(&text, 0);
    cg_uri_emit_normal(&text, uri);
    int err = text.failed ? no_memory(c) : copy(c, cg_buf_slice(&text), &kept);
    cg_buf_fini(&text);
    if (err < 0) return err;
    const uint8_t *mark = memchr(kept.data, '?', kept.len);
    size_t len = mark == NULL ? kept.len : (size_t)(mark - kept.data);
    c->request->forward = true;
    c->request->path = cg_slice_of(kept.data, len);
    if (mark != NULL) c->request->query = cg_slice_of(mark + 1, kept.len - len - 1);
    return CG_OK;
}

static int take_target_uri(const struct conversion *c, struct cg_slice target) {
    struct cg_slice text;
    struct cg_uri uri;
    const char *why = NULL;
    if (!find_target_uri(target, &text)) {
        return cg_problem_set(c->problem, CG_E_BAD_URI, "the forward proxy is /hc/?target_uri=URI or /hc/URI");
    }
    int err = unpack_brackets(c, &text);
    if (err < 0) return err;
    if (cg_uri_parse(&uri, text, &why) < 0) {
        return cg_problem_set(c->problem, CG_E_BAD_URI,
                              "the target URI: %s; it stands there as it is, only [ and ] as %%5B and %%5D", why);
    }
    err = check_target_uri(c, &uri);
    return err < 0 ? err : keep_target_uri(c, &uri);
}

static int take_target(struct conversion *c) {
    struct cg_slice target = c->message->target;
    if (target.len == 0) return cg_problem_set(c->problem, CG_E_BAD_URI, "the request target is empty");
    if (cg_slice_is(target, "*")) {
        return cg_problem_set(c->problem, CG_E_BAD_URI, "the request target '*' belongs to OPTIONS only");
    }
    const char *fault = target_fault(target);
    if (fault != NULL) return cg_problem_set(c->problem, CG_E_BAD_URI, "the request target %s", fault);
    if (target.data[0] != '/') {
        int err = strip_authority(c, &target);
        if (err < 0) return err;
    }
    if (is_forward(target)) return take_target_uri(c, target);
    const uint8_t *mark = target.len > 0 ? memchr(target.data, '?', target.len) : NULL;
    size_t path_len = mark != NULL ? (size_t)(mark - target.data) : target.len;
    if (mark != NULL) {
        int err = copy(c, cg_slice_of(mark + 1, target.len - path_len - 1), &c->request->query);
        if (err < 0) return err;
    }
    return take_path(c, cg_slice_of(target.data, path_len));
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

static bool is_oscore(struct cg_slice media_type) {
    struct cg_slice type;
    return next_item(&media_type, ';', &type) && cg_slice_is_nocase(type, "application/oscore");
}

static int check_content_encoding(const struct conversion *c) {
    for (size_t i = 0; i < c->message->field_count; i++) {
        if (!cg_slice_is_nocase(c->message->fields[i].name, "Content-Encoding")) continue;
        if (cg_slice_is_nocase(trim(c->message->fields[i].value), "identity")) continue;
        return cg_problem_set(c->problem, CG_E_MEDIA_TYPE, "Content-Encoding must be identity: send the body as it is");
    }
    return CG_OK;
}

/* RFC 8075 §6.2. What is protected by the client has another way in, and no number leads to it. */
static bool may_name(const struct conversion *c, struct cg_slice media_type, uint16_t format) {
    return format != CG_FORMAT_OSCORE && (c->config->http.coap_payload || !cg_format_is_by_number(media_type));
}

static int take_content_format(struct conversion *c) {
    struct cg_slice type = CG_SLICE_NONE;
    bool present = false;
    int err = check_content_encoding(c);
    if (err == CG_OK) err = single_field(c, "Content-Type", &type, &present);
    if (err < 0 || !present) return err;
    uint16_t format;
    if (is_oscore(type)) {
        return cg_problem_set(c->problem, CG_E_MEDIA_TYPE, "application/oscore comes as a POST with the OSCORE header");
    }
    if (cg_format_from_media_type(type, &format) < 0) {
        return cg_problem_set(
            c->problem, CG_E_MEDIA_TYPE,
            "Content-Type \"%.*s\" has no CoAP Content-Format; with \"coap_payload\": true in \"http\", "
            "application/coap-payload;cf=N names one by number",
            (int)(type.len < 80 ? type.len : 80), (const char *)type.data);
    }
    if (!may_name(c, type, format)) {
        return cg_problem_set(c->problem, CG_E_MEDIA_TYPE,
                              "application/coap-payload is taken where the settings say \"coap_payload\": true in "
                              "\"http\" only, and never for application/oscore");
    }
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
    if (c->request->method != CG_POST || !is_oscore(type) || c->message->body.len == 0) {
        return cg_problem_set(c->problem, CG_E_BAD_REQUEST,
                              "the OSCORE header belongs to a POST with a body of Content-Type application/oscore");
    }
    err = parse_oscore(c, text, &option);
    if (err < 0) return err;
    add_opt(c, CG_OPT_OSCORE, option);
    return copy(c, c->message->body, &c->request->payload);
}

/* ---- Accept ---- */

struct media_range {
    struct cg_slice text; /* with its parameters */
    struct cg_slice type; /* "multipart/mixed" */
    unsigned thousandths; /* the weight */
};

enum specificity { NO_MATCH, ANY, ANY_SUBTYPE, EXACT };

/* RFC 9110 §12.4.2: "0", "1", up to three digits behind the point. */
static bool parse_weight(struct cg_slice text, unsigned *thousandths) {
    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1')) return false;
    if (text.len > 1 && text.data[1] != '.') return false;
    unsigned value = text.data[0] == '1' ? 1000 : 0, unit = 100;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        value += (text.data[i] - '0') * unit;
    }
    *thousandths = value;
    return value <= 1000;
}

static bool parse_media_range(struct cg_slice text, struct media_range *range) {
    *range = (struct media_range){.text = text, .thousandths = 1000};
    if (!next_item(&text, ';', &range->type)) return false;
    const uint8_t *slash = range->type.len > 0 ? memchr(range->type.data, '/', range->type.len) : NULL;
    if (slash == NULL) return false;
    struct cg_slice type = cg_slice_of(range->type.data, (size_t)(slash - range->type.data));
    struct cg_slice subtype = cg_slice_of(slash + 1, range->type.len - type.len - 1);
    if (!is_token(type) || !is_token(subtype)) return false;
    struct cg_slice parameter;
    while (next_item(&text, ';', &parameter)) {
        if (!starts_with_nocase(parameter, "q=")) continue;
        return parse_weight(cg_slice_of(parameter.data + 2, parameter.len - 2), &range->thousandths);
    }
    return true;
}

/* Walks the elements of all Accept fields; malformed ones are passed over. */
struct accept_iter {
    const struct cg_http_message *message;
    size_t field;
    struct cg_slice rest;
};

static bool next_range(struct accept_iter *iter, struct media_range *range) {
    for (;;) {
        struct cg_slice item;
        while (next_item(&iter->rest, ',', &item)) {
            if (parse_media_range(item, range)) return true;
        }
        do {
            if (iter->field == iter->message->field_count) return false;
        } while (!cg_slice_is_nocase(iter->message->fields[iter->field++].name, "Accept"));
        iter->rest = iter->message->fields[iter->field - 1].value;
    }
}

static enum specificity match(const struct media_range *range, const char *media_type) {
    if (cg_slice_is_nocase(range->type, media_type)) return EXACT;
    if (cg_slice_is(range->type, "*/*")) return ANY;
    size_t prefix = strcspn(media_type, "/") + 1;
    bool same = range->type.len == prefix + 1 && range->type.data[prefix] == '*' &&
                equal_nocase(cg_slice_of(range->type.data, prefix), cg_slice_of(media_type, prefix));
    return same ? ANY_SUBTYPE : NO_MATCH;
}

struct preference {
    unsigned thousandths;
    enum specificity specificity;
    size_t position; /* in Accept */
};

/* What Accept says about one type: the most specific range that matches decides (RFC 9110 §12.5.1). */
static struct preference preference_for(const struct cg_http_message *message, const char *media_type) {
    struct preference found = {0};
    struct accept_iter iter = {.message = message};
    struct media_range range;
    for (size_t position = 0; next_range(&iter, &range); position++) {
        enum specificity specificity = match(&range, media_type);
        if (specificity <= found.specificity) continue;
        found = (struct preference){range.thousandths, specificity, position};
    }
    return found;
}

/* Higher weight, then named rather than matched by a wildcard, then named earlier. */
static bool is_better(const struct preference *a, const struct preference *b) {
    if (a->thousandths != b->thousandths) return a->thousandths > b->thousandths;
    if (a->specificity != b->specificity) return a->specificity > b->specificity;
    return a->position < b->position;
}

static void take_encoder(struct conversion *c) {
    CG_CHECK(c->encoders->count > 0);
    const struct castgate_encoder *best = c->encoders->plugins[0]->ops.encoder;
    struct preference best_preference = {0};
    for (size_t i = 0; i < c->encoders->count; i++) {
        const struct castgate_encoder *encoder = c->encoders->plugins[i]->ops.encoder;
        struct preference preference = preference_for(c->message, encoder->media_type);
        if (preference.thousandths == 0 || !is_better(&preference, &best_preference)) continue;
        best = encoder;
        best_preference = preference;
    }
    *c->encoder = best;
}

static bool is_encoder_type(const struct conversion *c, const struct media_range *range) {
    for (size_t i = 0; i < c->encoders->count; i++) {
        if (cg_slice_is_nocase(range->type, c->encoders->plugins[i]->ops.encoder->media_type)) return true;
    }
    return false;
}

static int take_accept_option(struct conversion *c) {
    struct accept_iter iter = {.message = c->message};
    struct media_range range, wanted = {0};
    size_t count = 0;
    while (next_range(&iter, &range)) {
        if (range.thousandths == 0 || is_encoder_type(c, &range)) continue;
        if (memchr(range.type.data, '*', range.type.len) != NULL) return CG_OK;
        wanted = range;
        count++;
    }
    uint16_t format;
    if (count != 1 || cg_format_from_media_type(wanted.text, &format) < 0) return CG_OK;
    if (!may_name(c, wanted.text, format)) {
        return cg_problem_set(c->problem, CG_E_NOT_ACCEPTABLE,
                              "application/coap-payload in Accept is taken where the settings say \"coap_payload\": "
                              "true in \"http\" only, and application/oscore never");
    }
    return add_uint(c, CG_OPT_ACCEPT, format);
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

static bool is_lower_hex(struct cg_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (!is_hex(text.data[i]) || (text.data[i] >= 'A' && text.data[i] <= 'F')) return false;
    }
    return true;
}

static bool is_all_zeros(struct cg_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '0') return false;
    }
    return true;
}

/* W3C Trace Context §3.2: version, trace-id, parent-id, flags. A later version may append more behind a '-'. */
static bool is_traceparent(struct cg_slice text) {
    if (text.len < TRACEPARENT_LEN) return false;
    struct cg_slice version = cg_slice_of(text.data, 2), trace = cg_slice_of(text.data + 3, 32);
    struct cg_slice parent = cg_slice_of(text.data + 36, 16), flags = cg_slice_of(text.data + 53, 2);
    if (text.data[2] != '-' || text.data[35] != '-' || text.data[52] != '-') return false;
    if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(parent) || !is_lower_hex(flags)) return false;
    if (cg_slice_is(version, "ff") || is_all_zeros(trace) || is_all_zeros(parent)) return false;
    if (text.len == TRACEPARENT_LEN) return true;
    return !cg_slice_is(version, "00") && text.data[TRACEPARENT_LEN] == '-';
}

/* A malformed or repeated one is as good as none (W3C Trace Context §4.3). */
static int take_traceparent(struct conversion *c) {
    struct cg_slice value;
    if (cg_http_field(c->message, "traceparent", &value) < 0 || !is_traceparent(value)) return CG_OK;
    return copy(c, cg_slice_of(value.data, TRACEPARENT_LEN), &c->request->traceparent);
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
    if (err == CG_OK) err = take_accept_option(c);
    if (err == CG_OK) err = take_no_response(c);
    return err;
}

static int keep_options(struct conversion *c) {
    size_t size = c->option_count * sizeof *c->options;
    if (size == 0) return CG_OK;
    c->request->options.list = cg_arena_alloc(c->arena, size);
    if (c->request->options.list == NULL) return no_memory(c);
    memcpy(c->request->options.list, c->options, size);
    c->request->options.count = c->option_count;
    return CG_OK;
}

static int check_sizes(const struct conversion *c) {
    if (c->message->target.len > TARGET_MAX) {
        return cg_problem_set(c->problem, CG_E_URI_TOO_LONG, "the request target is longer than %d bytes", TARGET_MAX);
    }
    if (c->message->body.len > c->config->limits.request_body) {
        return cg_problem_set(c->problem, CG_E_TOO_BIG, "the body is larger than %zu bytes",
                              c->config->limits.request_body);
    }
    return CG_OK;
}

int cg_from_http(struct cg_request *request, struct cg_arena *arena, const struct cg_config *config,
                 const struct cg_listen *listen, const struct cg_encoder_list *encoders,
                 const struct castgate_encoder **encoder, const struct cg_http_message *message,
                 struct cg_problem *problem) {
    struct conversion c = {.request = request,
                           .arena = arena,
                           .config = config,
                           .encoders = encoders,
                           .encoder = encoder,
                           .message = message,
                           .problem = problem};
    int err = check_sizes(&c);
    if (err == CG_OK) err = take_host(&c, listen);
    if (err == CG_OK) err = take_method(&c);
    if (err == CG_OK) err = take_target(&c);
    if (err == CG_OK) err = check_discovery(&c);
    if (err == CG_OK) err = take_timeout(&c);
    if (err == CG_OK) err = take_traceparent(&c);
    if (err == CG_OK) take_encoder(&c);
    if (err == CG_OK) err = take_options(&c);
    if (err == CG_OK) err = keep_options(&c);
    return err;
}
