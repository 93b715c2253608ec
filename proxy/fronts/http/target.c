/* The request target, taken apart. The hard thing: it is never decoded, so that "%2F" stays data and "%2e%2e" is seen
 * for what it is, and nothing ambiguous gets through: what two readers could understand in two ways is refused.
 *
 * The forward proxy's target is what follows "/hc/" or "/hc/?target_uri=", to the end of the request target: RFC 8075
 * copies the URI as it is, but for the brackets around an IPv6 address, so a '?' or '&' in it is its own and nothing
 * else is decoded. A scheme other than coap would need another transport than a group has: 502, as CoAP's 5.05 is in
 * HTTP (RFC 8075 §7). */
#include "fronts/http/target.h"

#include "base/buf.h"
#include "base/text.h"
#include "fronts/http/host.h"
#include "model/forward.h"
#include "model/mapping.h"

#include <stdio.h>

struct reading {
    struct cg_request *request;
    struct cg_arena *arena;
    const struct cg_http_message *message;
    struct cg_problem *problem;
};

static int copy(const struct reading *r, struct cg_slice from, struct cg_slice *to) {
    *to = cg_arena_copy(r->arena, from);
    return from.len > 0 && to->data == NULL ? cg_problem_no_memory(r->problem) : CG_OK;
}

/* ---- The target as a whole ---- */

/* What is wrong with a byte that must not stand as it is, or NULL (RFC 3986 §2). Brackets are looked at elsewhere. */
static const char *byte_fault(uint8_t byte) {
    if (byte == ' ') return "a space";
    if (byte < ' ' || byte == 0x7f) return "a control byte";
    if (byte >= 0x80) return "a byte outside ASCII";
    if (byte == '\\') return "a backslash";
    return strchr("\"<>^`{|}", byte) != NULL ? "a character" : NULL;
}

static int refuse_byte(const struct reading *r, const uint8_t *at, const char *what) {
    char shown[8] = "";
    if (*at > ' ' && *at <= '~') snprintf(shown, sizeof shown, " ('%c')", *at);
    size_t position = (size_t)(at - r->message->target.data) + 1;
    return cg_problem_set(r->problem, CG_E_BAD_URI,
                          "the request target has %s%s at position %zu, which must be percent-encoded: write %%%02X",
                          what, shown, position, *at);
}

static int refuse_encoding(const struct reading *r, size_t at, const char *what) {
    return cg_problem_set(r->problem, CG_E_BAD_URI, "the request target has %s at position %zu", what, at + 1);
}

static int check_encoding(const struct reading *r, struct cg_slice target, size_t at) {
    const uint8_t *digits = target.data + at + 1;
    if (target.len - at < 3 || cg_hex_digit(digits[0]) < 0 || cg_hex_digit(digits[1]) < 0) {
        return refuse_encoding(r, at, "a '%' without two hexadecimal digits behind it (write %25)");
    }
    return digits[0] == '0' && digits[1] == '0' ? refuse_encoding(r, at, "an encoded NUL (%00)") : CG_OK;
}

/* RFC 3986's characters, percent-encodings whole. */
static int check_characters(const struct reading *r, struct cg_slice target) {
    for (size_t i = 0; i < target.len; i++) {
        uint8_t byte = target.data[i];
        const char *fault = byte_fault(byte);
        int err = CG_OK;
        if (fault != NULL) err = refuse_byte(r, target.data + i, fault);
        if (byte == '#') err = refuse_encoding(r, i, "a fragment ('#'), which is never sent,");
        if (byte == '%') err = check_encoding(r, target, i);
        if (err < 0) return err;
    }
    return CG_OK;
}

/* Only a host may have them (RFC 3986 §3.2.2, §3.4), whatever forms send that have arrays. */
static int check_brackets(const struct reading *r, struct cg_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '[' || text.data[i] == ']') return refuse_byte(r, text.data + i, "a bracket");
    }
    return CG_OK;
}

/* Absolute-form (RFC 9112 §3.2.2) to origin-form; an empty path means "/". */
static int strip_authority(const struct reading *r, struct cg_slice *target) {
    size_t scheme = cg_slice_starts_nocase(*target, "http://")    ? 7
                    : cg_slice_starts_nocase(*target, "https://") ? 8
                                                                  : 0;
    if (scheme == 0) {
        return cg_problem_set(r->problem, CG_E_BAD_URI,
                              "the request target must begin with '/'; a CoAP URI goes behind /hc/?target_uri=");
    }
    struct cg_slice authority = cg_slice_of(target->data + scheme, 0);
    while (scheme + authority.len < target->len && authority.data[authority.len] != '/' &&
           authority.data[authority.len] != '?') {
        authority.len++;
    }
    struct cg_slice host = CG_SLICE_NONE;
    uint16_t port = scheme == sizeof "http://" - 1 ? CG_HTTP_PORT : CG_HTTPS_PORT;
    if (cg_http_field(r->message, "Host", &host) < 0 || !cg_http_same_authority(authority, host, port)) {
        return cg_problem_set(r->problem, CG_E_BAD_REQUEST, "the request target names another host than Host does");
    }
    *target = cg_slice_of(authority.data + authority.len, target->len - scheme - authority.len);
    return CG_OK;
}

static int check_segments(const struct reading *r, struct cg_slice path) {
    if (!cg_uri_has_dot_segment(path)) return CG_OK;
    return cg_problem_set(r->problem, CG_E_BAD_URI, "the path has a dot segment ('.' or '..'); resolve it first");
}

static int take_path(struct reading *r, struct cg_slice path) {
    if (path.len == 0) path = cg_slice_str("/");
    int err = check_segments(r, path);
    if (err < 0) return err;
    struct cg_buf normal;
    cg_buf_init(&normal, 0);
    err = cg_mapping_normal_path(&normal, path);
    if (err < 0) {
        bool full = err == CG_E_NO_MEMORY;
        err = full ? cg_problem_no_memory(r->problem) : cg_problem_set(r->problem, err, "the path is malformed");
    } else if (normal.failed) {
        err = cg_problem_no_memory(r->problem);
    } else {
        err = copy(r, cg_buf_slice(&normal), &r->request->path);
    }
    cg_buf_fini(&normal);
    r->request->discovery = err == CG_OK && cg_slice_is(r->request->path, CG_DISCOVERY_PATH);
    return err;
}

/* ---- The forward proxy's target (RFC 8075 §5.3, §5.4.1) ---- */

static bool is_forward(struct cg_slice target) {
    return cg_slice_starts(target, "/hc") && (target.len == 3 || target.data[3] == '/' || target.data[3] == '?');
}

/* What follows the proxy's own URI. */
static bool find_target_uri(struct cg_slice target, struct cg_slice *uri) {
    static const char simple[] = "/hc/?target_uri=", plain[] = "/hc/";
    size_t skip = cg_slice_starts(target, simple) ? sizeof simple - 1 : sizeof plain - 1;
    if (!cg_slice_starts(target, plain) || target.len <= skip || (skip == sizeof plain - 1 && target.data[skip] == '?'))
        return false;
    *uri = cg_slice_of(target.data + skip, target.len - skip);
    return true;
}

/* Its path and query: brackets in the authority pass as they are, since people write "target_uri=coap://[ff35::1]/". */
static struct cg_slice behind_authority(struct cg_slice uri) {
    const uint8_t *colon = memchr(uri.data, ':', uri.len);
    size_t at = colon == NULL ? uri.len : (size_t)(colon - uri.data) + 3; /* "://" */
    while (at < uri.len && strchr("/?", uri.data[at]) == NULL) at++;
    return at < uri.len ? cg_slice_of(uri.data + at, uri.len - at) : CG_SLICE_NONE;
}

/* The authority's brackets, which are percent-encoded in a path (RFC 8075 §5.3.2); everything else stays as it is. */
static int unpack_brackets(const struct reading *r, struct cg_slice *uri) {
    const uint8_t *colon = memchr(uri->data, ':', uri->len);
    size_t scheme = colon == NULL ? uri->len : (size_t)(colon - uri->data) + 3; /* "://" */
    if (scheme >= uri->len || !cg_slice_starts_nocase(cg_slice_of(uri->data + scheme, uri->len - scheme), "%5b"))
        return CG_OK;
    uint8_t *text = cg_arena_alloc(r->arena, uri->len);
    if (text == NULL) return cg_problem_no_memory(r->problem);
    memcpy(text, uri->data, scheme);
    text[scheme] = '[';
    size_t len = scheme + 1, at = scheme + 3;
    while (at < uri->len && strchr("/?#", uri->data[at]) == NULL) {
        bool closes = cg_slice_starts_nocase(cg_slice_of(uri->data + at, uri->len - at), "%5d");
        text[len++] = closes ? ']' : uri->data[at];
        at += closes ? 3 : 1;
        if (closes) break;
    }
    memcpy(text + len, uri->data + at, uri->len - at);
    *uri = cg_slice_of(text, len + uri->len - at);
    return CG_OK;
}

/* No more than whether it can be a group's or a member's at all; which one it is is for ADMIT. */
static int check_target_uri(const struct reading *r, const struct cg_uri *uri) {
    const char *why = NULL;
    int err = check_segments(r, uri->path);
    if (err < 0 || cg_uri_check_target(uri, &why) == CG_OK) return err;
    return cg_problem_set(r->problem, CG_E_PROXYING, "the target URI: %s", why);
}

static int take_target_uri(const struct reading *r, struct cg_slice target) {
    struct cg_slice text;
    struct cg_uri uri;
    const char *why = NULL;
    if (!find_target_uri(target, &text)) {
        return cg_problem_set(r->problem, CG_E_BAD_URI, "the forward proxy is /hc/?target_uri=URI or /hc/URI");
    }
    int err = check_brackets(r, behind_authority(text));
    if (err == CG_OK) err = unpack_brackets(r, &text);
    if (err < 0) return err;
    if (cg_uri_parse(&uri, text, &why) < 0) {
        return cg_problem_set(r->problem, CG_E_BAD_URI,
                              "the target URI: %s; it stands there as it is, only [ and ] as %%5B and %%5D", why);
    }
    err = check_target_uri(r, &uri);
    return err < 0 ? err : cg_forward_set_target(r->request, r->arena, &uri, r->problem);
}

/* ---- Either ---- */

static int take_target(struct reading *r) {
    struct cg_slice target = r->message->target;
    if (target.len == 0) return cg_problem_set(r->problem, CG_E_BAD_URI, "the request target is empty");
    if (cg_slice_is(target, "*")) {
        return cg_problem_set(r->problem, CG_E_BAD_URI, "the request target '*' belongs to OPTIONS only");
    }
    int err = check_characters(r, target);
    if (err == CG_OK && target.data[0] != '/') err = strip_authority(r, &target);
    if (err < 0) return err;
    if (is_forward(target)) return take_target_uri(r, target);
    err = check_brackets(r, target);
    if (err < 0) return err;
    const uint8_t *mark = target.len > 0 ? memchr(target.data, '?', target.len) : NULL;
    size_t path_len = mark != NULL ? (size_t)(mark - target.data) : target.len;
    if (mark != NULL) err = copy(r, cg_slice_of(mark + 1, target.len - path_len - 1), &r->request->query);
    if (err < 0) return err;
    return take_path(r, cg_slice_of(target.data, path_len));
}

int cg_http_take_target(struct cg_request *request, struct cg_arena *arena, const struct cg_http_message *message,
                        struct cg_problem *problem) {
    struct reading reading = {.request = request, .arena = arena, .message = message, .problem = problem};
    return take_target(&reading);
}
