/* The forms in which a request says where it goes to, made one. The hard thing: what two readers could understand in
 * two ways is refused, and an option never becomes more than its part of a URI: each is percent-encoded by its place,
 * and the whole is parsed again as what somebody else has written.
 *
 * Choices that the standards leave open, or in which they differ:
 * - Proxy-Uri makes Uri-* count for nothing (RFC 7252 §5.10.2). Beside Proxy-Cri they are refused, as Proxy-Uri is,
 *   and each of Proxy-Scheme and Proxy-Scheme-Number beside any other form.
 * - Without Uri-Port the port behind Proxy-Scheme is its scheme's own. RFC 7252 §6.5 would have the port that the
 *   request came in by, which is DTLS's where a client came by that.
 * - A target that is this gateway itself is a path of its own (RFC 7252 §5.7.2), and so is one without Uri-Host. */
#include "fronts/coap/target.h"

#include "base/text.h"
#include "fronts/coap/abbrev.h"
#include "fronts/coap/options.h"
#include "model/forward.h"
#include "model/links.h"
#include "model/mapping.h"
#include "model/route.h"
#include "wire/cri.h"

/* What the options say. A slice with data NULL is not there. */
struct reading {
    const struct cg_from_coap *from;
    struct cg_slice proxy_uri, proxy_cri, proxy_scheme, scheme_number, host, port, abbrev;
    struct cg_buf path;  /* of Uri-Path, percent-encoded; empty: none */
    struct cg_buf query; /* of Uri-Query, beginning with '?'; empty: none */
};

static int wrong(const struct reading *r, int err, const char *what) {
    return cg_problem_set(r->from->problem, err, "%s", what);
}

static int keep(const struct reading *r, struct cg_slice text, struct cg_slice *to) {
    *to = cg_arena_copy(r->from->arena, text);
    return text.len > 0 && to->data == NULL ? cg_problem_no_memory(r->from->problem) : CG_OK;
}

/* Empty values are there, too. */
static struct cg_slice present(struct cg_slice value) {
    static const uint8_t nothing[1];
    return value.data == NULL ? cg_slice_of(nothing, 0) : value;
}

/* ---- Options ---- */

/* Text (RFC 7252 §3.2), and no NUL, at which other readers would end. */
static bool is_text(struct cg_slice value) {
    return cg_utf8_valid(value) && (value.len == 0 || memchr(value.data, 0, value.len) == NULL);
}

static int add_segment(struct reading *r, struct cg_slice value) {
    if (!is_text(value)) return wrong(r, CG_E_BAD_URI, "Uri-Path is no UTF-8 text, or has a NUL");
    if (cg_slice_is(value, ".") || cg_slice_is(value, ".."))
        return wrong(r, CG_E_BAD_URI, "the path has a dot segment ('.' or '..'); resolve it first");
    cg_buf_put_u8(&r->path, '/');
    cg_uri_encode(&r->path, value, CG_URI_SEGMENT);
    return CG_OK;
}

static int add_argument(struct reading *r, struct cg_slice value) {
    if (!is_text(value)) return wrong(r, CG_E_BAD_URI, "Uri-Query is no UTF-8 text, or has a NUL");
    cg_buf_put_u8(&r->query, r->query.len == 0 ? '?' : '&');
    cg_uri_encode(&r->query, value, CG_URI_ARGUMENT);
    return CG_OK;
}

static int take_option(struct reading *r, const struct cg_opt *opt) {
    const struct cg_option_numbers *numbers = &r->from->config->options;
    struct cg_slice value = present(opt->value);
    if (opt->number == numbers->uri_path_abbrev) r->abbrev = value;
    if (opt->number == numbers->proxy_cri) r->proxy_cri = value;
    if (opt->number == numbers->proxy_scheme_number) r->scheme_number = value;
    switch (opt->number) {
    case CG_OPT_URI_HOST: r->host = value; break;
    case CG_OPT_URI_PORT: r->port = value; break;
    case CG_OPT_URI_PATH: return add_segment(r, value);
    case CG_OPT_URI_QUERY: return add_argument(r, value);
    case CG_OPT_PROXY_URI: r->proxy_uri = value; break;
    case CG_OPT_PROXY_SCHEME: r->proxy_scheme = value; break;
    default: break;
    }
    return CG_OK;
}

static int take_options(struct reading *r) {
    const struct cg_option_numbers *numbers = &r->from->config->options;
    const struct cg_msg message = {.options = r->from->message->options};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    uint32_t before = UINT32_MAX;
    cg_opt_iter_init(&iter, &message);
    for (; cg_opt_next(&iter, &opt); before = opt.number) {
        if (!cg_coap_option_is_target(numbers, opt.number)) continue;
        if (cg_coap_option_sort(numbers, r->from->request->method, &opt, before) != CG_COAP_OPTION_TARGET) {
            return cg_problem_set(r->from->problem, CG_E_BAD_OPTION,
                                  "option %u is repeated, or its length is not what its definition says", opt.number);
        }
        int err = take_option(r, &opt);
        if (err < 0) return err;
    }
    return r->path.failed || r->query.failed ? cg_problem_no_memory(r->from->problem) : CG_OK;
}

static bool is_there(struct cg_slice value) { return value.data != NULL; }

static unsigned count_forms(const struct reading *r) {
    return (unsigned)is_there(r->proxy_uri) + is_there(r->proxy_cri) + is_there(r->proxy_scheme) +
           is_there(r->scheme_number);
}

static bool has_uri_options(const struct reading *r) {
    return is_there(r->host) || is_there(r->port) || r->path.len > 0 || r->query.len > 0;
}

/* ---- Uri-Path-Abbrev ---- */

static bool is_root(struct cg_slice path) { return path.len == 0 || cg_slice_is(path, "/"); }

static int refuse_abbrev(const struct reading *r, const char *why) {
    return cg_problem_set(r->from->problem, CG_E_BAD_OPTION, "Uri-Path-Abbrev: %s", why);
}

/* *path, where there is no abbreviation, or one that nobody here knows; else what it stands for. */
static int expand(const struct reading *r, struct cg_slice *path) {
    if (!is_there(r->abbrev)) return CG_OK;
    bool has_segments = r->path.len > 0 && !is_there(r->proxy_uri);
    if (has_segments || !is_root(*path)) return refuse_abbrev(r, "there is a path besides");
    const char *expanded = cg_coap_abbrev_path(cg_uint_parse(r->abbrev));
    if (expanded != NULL) *path = cg_slice_str(expanded);
    return CG_OK;
}

static bool takes_any_path(const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (!is_root(mapping->targets[i].path)) return false;
    }
    return true;
}

/* A path that is not known may go on to a group where it is the whole path, and where what the client may does not
 * depend on it. */
static int check_unknown_abbrev(const struct reading *r) {
    struct cg_request *request = r->from->request;
    const struct cg_mapping *mapping;
    struct cg_slice rest;
    struct cg_problem nowhere = {0};
    if (!is_there(r->abbrev) || cg_coap_abbrev_path(cg_uint_parse(r->abbrev)) != NULL) return CG_OK;
    int err = cg_route(r->from->config, request, &mapping, &rest, &nowhere);
    if (err < 0 && request->forward) return CG_OK; /* it is refused for where it goes to */
    if (err == CG_OK && takes_any_path(mapping) && is_root(rest)) return CG_OK;
    return refuse_abbrev(r, "the value is not known here, and the path decides where the request goes to");
}

/* ---- Paths of this gateway's ---- */

static bool is_host_char(uint8_t c) { return c > ' ' && c != 0x7f && strchr("\"#%/<>?@[\\]^`{|}", c) == NULL; }

static bool is_host(struct cg_slice host) {
    bool good = is_text(host);
    for (size_t i = 0; good && i < host.len; i++) good = is_host_char(host.data[i]);
    return good;
}

/* With or without brackets. */
static struct cg_slice without_brackets(struct cg_slice host) {
    bool has = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    return has ? cg_slice_of(host.data + 1, host.len - 2) : host;
}

/* As in HTTP: lower case, an IPv6 address in brackets, and a name's final dot does not count. */
static int take_own_host(const struct reading *r, struct cg_slice host) {
    struct cg_addr addr;
    struct cg_slice inside = without_brackets(host);
    bool is_ipv6 = cg_addr_parse_ip(&addr, inside) == CG_OK && addr.family == CG_FAMILY_IPV6;
    if (!is_ipv6 && !is_host(host)) return wrong(r, CG_E_BAD_URI, "Uri-Host is neither a name nor an address");
    if (!is_ipv6 && inside.data[inside.len - 1] == '.') inside.len--;
    uint8_t *text = cg_arena_alloc(r->from->arena, inside.len + 2);
    if (text == NULL) return cg_problem_no_memory(r->from->problem);
    size_t len = 0;
    if (is_ipv6) text[len++] = '[';
    for (size_t i = 0; i < inside.len; i++) text[len++] = (uint8_t)cg_ascii_lower((char)inside.data[i]);
    if (is_ipv6) text[len++] = ']';
    r->from->request->host = cg_slice_of(text, len);
    return CG_OK;
}

static int take_own_path(const struct reading *r, struct cg_slice path) {
    struct cg_buf normal;
    if (path.len == 0) path = cg_slice_str("/");
    cg_buf_init(&normal, 0);
    int err = cg_mapping_normal_path(&normal, path);
    err = err == CG_E_BAD_URI ? wrong(r, err, "the path is malformed") : err;
    if (err == CG_E_NO_MEMORY) cg_problem_no_memory(r->from->problem);
    if (err == CG_OK) err = keep(r, cg_buf_slice(&normal), &r->from->request->path);
    cg_buf_fini(&normal);
    r->from->request->discovery = err == CG_OK && cg_slice_is(r->from->request->path, CG_DISCOVERY_PATH);
    return err;
}

/* `query` begins with '?', or is empty. */
static int take_own(const struct reading *r, struct cg_slice path, struct cg_slice query) {
    int err = expand(r, &path);
    if (err == CG_OK) err = take_own_path(r, path);
    if (err == CG_OK && query.len > 0) err = keep(r, query, &r->from->request->query);
    if (err < 0 || query.len == 0) return err;
    r->from->request->query.data++;
    r->from->request->query.len--;
    return CG_OK;
}

static int take_reverse(const struct reading *r) {
    int err = is_there(r->host) ? take_own_host(r, r->host) : CG_OK;
    if (is_there(r->port)) r->from->request->port = (uint16_t)cg_uint_parse(r->port);
    return err < 0 ? err : take_own(r, cg_buf_slice(&r->path), cg_buf_slice(&r->query));
}

/* ---- The forward proxy's targets ---- */

static bool is_scheme_ours(enum cg_scheme scheme) { return scheme == CG_SCHEME_COAP || scheme == CG_SCHEME_COAPS; }

static bool is_us(const struct reading *r, const struct cg_uri *uri) {
    const struct cg_addr *reached = &r->from->request->reached;
    if (!is_scheme_ours(uri->scheme) || uri->addr.port != reached->port) return false;
    if (cg_slice_is_nocase(uri->host, "localhost")) return cg_addr_is_loopback(reached);
    return cg_addr_same_host(&uri->addr, reached);
}

static int take_ours(const struct reading *r, const struct cg_uri *uri) {
    struct cg_slice query = CG_SLICE_NONE;
    if (uri->has_query) query = cg_slice_of(uri->query.data - 1, uri->query.len + 1); /* with its '?' */
    r->from->request->port = uri->addr.port;
    int err = take_own_host(r, uri->host);
    return err < 0 ? err : take_own(r, uri->path, query);
}

/* Which group's or member's it is, if anybody's, is for ADMIT. */
static int check_transport(const struct reading *r, const struct cg_uri *uri) {
    if (uri->scheme != CG_SCHEME_COAP)
        return wrong(r, CG_E_PROXYING, "a group is reached by UDP only: the target URI begins with coap://");
    if (uri->addr.port == CG_COAPS_PORT)
        return wrong(r, CG_E_PROXYING, "port 5684 belongs to DTLS, which does not protect multicast");
    return CG_OK;
}

static int take_foreign(const struct reading *r, struct cg_uri *uri) {
    int err = check_transport(r, uri);
    if (err == CG_OK) err = expand(r, &uri->path);
    return err < 0 ? err : cg_forward_set_target(r->from->request, r->from->arena, uri, r->from->problem);
}

static bool has_nul(struct cg_slice raw) {
    for (size_t i = 0; i + 3 <= raw.len; i++) {
        if (memcmp(raw.data + i, "%00", 3) == 0) return true;
    }
    return false;
}

static int check_path(const struct reading *r, const struct cg_uri *uri) {
    if (cg_uri_has_dot_segment(uri->path))
        return wrong(r, CG_E_BAD_URI, "the target URI's path has a dot segment ('.' or '..'); resolve it first");
    if (has_nul(uri->path) || has_nul(uri->query))
        return wrong(r, CG_E_BAD_URI, "the target URI has an encoded NUL (%00)");
    return CG_OK;
}

static int take_uri(const struct reading *r, struct cg_slice text) {
    struct cg_slice scheme = cg_uri_scheme_part(text);
    enum cg_scheme known;
    struct cg_uri uri;
    const char *why = NULL;
    if (scheme.len > 0 && !cg_scheme_find(scheme, &known))
        return wrong(r, CG_E_PROXYING, "the target URI's scheme is none of CoAP's");
    if (cg_uri_parse(&uri, text, &why) < 0)
        return cg_problem_set(r->from->problem, CG_E_BAD_URI, "the target URI: %s", why);
    int err = check_path(r, &uri);
    if (err < 0) return err;
    return is_us(r, &uri) ? take_ours(r, &uri) : take_foreign(r, &uri);
}

static int take_cri(const struct reading *r, struct cg_buf *text) {
    if (has_uri_options(r))
        return wrong(r, CG_E_BAD_REQUEST, "Proxy-Cri names the whole target: Uri-* options must not stand beside it");
    int err = cg_cri_parse(r->proxy_cri, text);
    if (err == CG_E_PROXYING) return wrong(r, err, "the scheme in Proxy-Cri is none of CoAP's");
    if (err == CG_E_BAD_URI) return wrong(r, err, "Proxy-Cri holds no CRI of a CoAP resource");
    return err < 0 ? cg_problem_no_memory(r->from->problem) : take_uri(r, cg_buf_slice(text));
}

/* An IPv6 literal, with brackets or without, and with or without a zone: nothing in it may be a delimiter. */
static bool is_ipv6(struct cg_slice host) {
    struct cg_addr addr;
    const uint8_t *percent = host.len == 0 ? NULL : memchr(host.data, '%', host.len);
    struct cg_slice ip = cg_slice_of(host.data, percent == NULL ? host.len : (size_t)(percent - host.data));
    for (size_t i = ip.len; i < host.len; i++) {
        if (host.data[i] <= ' ' || strchr("[]/?#@:", host.data[i]) != NULL) return false;
    }
    return cg_addr_parse_ip(&addr, ip) == CG_OK && addr.family == CG_FAMILY_IPV6;
}

static void put_host(struct cg_buf *text, struct cg_slice host) {
    struct cg_slice inside = without_brackets(host);
    if (!is_ipv6(inside)) {
        cg_uri_encode(text, host, CG_URI_HOST);
        return;
    }
    cg_buf_put_u8(text, '[');
    cg_buf_put_slice(text, inside);
    cg_buf_put_u8(text, ']');
}

static int compose(const struct reading *r, enum cg_scheme scheme, struct cg_buf *text) {
    if (!is_there(r->host))
        return is_scheme_ours(scheme) ? take_reverse(r) : check_transport(r, &(struct cg_uri){.scheme = scheme});
    if (!is_text(r->host)) return wrong(r, CG_E_BAD_URI, "Uri-Host is no UTF-8 text, or has a NUL");
    cg_buf_put_str(text, cg_scheme_name(scheme));
    cg_buf_put_str(text, "://");
    put_host(text, r->host);
    if (is_there(r->port)) {
        cg_buf_put_u8(text, ':');
        cg_buf_put_decimal(text, cg_uint_parse(r->port));
    }
    cg_buf_put_slice(text, cg_buf_slice(&r->path));
    cg_buf_put_slice(text, cg_buf_slice(&r->query));
    return text->failed ? cg_problem_no_memory(r->from->problem) : take_uri(r, cg_buf_slice(text));
}

static int take_forward(const struct reading *r, struct cg_buf *text) {
    enum cg_scheme scheme;
    if (is_there(r->proxy_uri)) return take_uri(r, r->proxy_uri);
    if (is_there(r->proxy_cri)) return take_cri(r, text);
    bool known = is_there(r->proxy_scheme) ? cg_scheme_find(r->proxy_scheme, &scheme)
                                           : cg_scheme_by_number(cg_uint_parse(r->scheme_number), &scheme);
    if (!known) return wrong(r, CG_E_PROXYING, "the target's scheme is none of CoAP's");
    return compose(r, scheme, text);
}

/* ---- Either ---- */

static int take(const struct reading *r) {
    struct cg_buf text;
    unsigned forms = count_forms(r);
    if (forms == 0) return take_reverse(r);
    if (forms > 1)
        return wrong(r, CG_E_BAD_REQUEST,
                     "of Proxy-Uri, Proxy-Cri, Proxy-Scheme and Proxy-Scheme-Number only one may say where it goes to");
    cg_buf_init(&text, 0);
    int err = take_forward(r, &text);
    cg_buf_fini(&text);
    return err;
}

int cg_coap_take_target(const struct cg_from_coap *from) {
    struct reading reading = {.from = from};
    cg_buf_init(&reading.path, 0);
    cg_buf_init(&reading.query, 0);
    int err = take_options(&reading);
    if (err == CG_OK) err = take(&reading);
    if (err == CG_OK) err = check_unknown_abbrev(&reading);
    cg_buf_fini(&reading.path);
    cg_buf_fini(&reading.query);
    return err;
}
