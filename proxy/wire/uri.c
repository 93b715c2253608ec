/* coap URIs. The hard thing: the check must see the same URI as everything that acts on it later, so the grammar is RFC
 * 3986's and no wider, and a host that only looks like an address (octal, hexadecimal, percent-encoded) is refused. */
#include "wire/uri.h"

#include "base/text.h"

enum {
    UNRESERVED = 1,
    SUB_DELIM = 2,
    PCHAR_MORE = 4,      /* ':' and '@' */
    QUERY_MORE = 8,      /* '/' and '?' */
    ARGUMENT_DELIM = 16, /* '&': a sub-delim that separates arguments */
    REG_NAME = UNRESERVED | SUB_DELIM | ARGUMENT_DELIM,
    SEGMENT = REG_NAME | PCHAR_MORE,
    QUERY = SEGMENT | QUERY_MORE,
    SEGMENT_MAX = 255, /* bytes of a Uri-Path or Uri-Query option */
};

struct scheme {
    const char *name;
    uint16_t port;
};

static const struct scheme schemes[] = {
    [CG_SCHEME_COAP] = {"coap", CG_COAP_PORT},
    [CG_SCHEME_COAPS] = {"coaps", CG_COAPS_PORT},
    [CG_SCHEME_COAP_TCP] = {"coap+tcp", CG_COAP_PORT},
    [CG_SCHEME_COAPS_TCP] = {"coaps+tcp", CG_COAPS_PORT},
    [CG_SCHEME_COAP_WS] = {"coap+ws", 80},
    [CG_SCHEME_COAPS_WS] = {"coaps+ws", 443},
};

enum { SCHEME_COUNT = sizeof schemes / sizeof schemes[0] };

const char *cg_scheme_name(enum cg_scheme scheme) { return schemes[scheme].name; }

static unsigned char_class(uint8_t c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return UNRESERVED;
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~': return UNRESERVED;
    case '!':
    case '$':
    case '\'':
    case '(':
    case ')':
    case '*':
    case '+':
    case ',':
    case ';':
    case '=': return SUB_DELIM;
    case '&': return ARGUMENT_DELIM;
    case ':':
    case '@': return PCHAR_MORE;
    case '/':
    case '?': return QUERY_MORE;
    default: return 0;
    }
}

static struct cg_slice slice_from(struct cg_slice slice, size_t start) {
    return start == 0 ? slice : cg_slice_of(slice.data + start, slice.len - start);
}

/* Index of the first byte that is one of `any`, or the length. */
static size_t find_any(struct cg_slice text, const char *any) {
    for (size_t i = 0; i < text.len; i++) {
        for (const char *wanted = any; *wanted != '\0'; wanted++) {
            if (text.data[i] == (uint8_t)*wanted) return i;
        }
    }
    return text.len;
}

/* One character at *at, with its percent-encoding resolved; false when it is not of `allowed` or badly encoded. */
static bool next_char(struct cg_slice raw, size_t *at, unsigned allowed, uint8_t *c, bool *encoded) {
    *c = raw.data[*at];
    *encoded = *c == '%';
    if (!*encoded) {
        (*at)++;
        return (char_class(*c) & allowed) != 0;
    }
    if (raw.len - *at < 3) return false;
    int high = cg_hex_digit(raw.data[*at + 1]), low = cg_hex_digit(raw.data[*at + 2]);
    if (high < 0 || low < 0) return false;
    *c = (uint8_t)(high << 4 | low);
    *at += 3;
    return true;
}

static bool only_allowed(struct cg_slice raw, unsigned allowed) {
    uint8_t c;
    bool encoded;
    for (size_t at = 0; at < raw.len;) {
        if (!next_char(raw, &at, allowed, &c, &encoded)) return false;
    }
    return true;
}

static int refuse(const char **why, const char *reason) {
    *why = reason;
    return CG_E_BAD_URI;
}

bool cg_scheme_find(struct cg_slice name, enum cg_scheme *scheme) {
    for (size_t i = 0; i < SCHEME_COUNT; i++) {
        if (!cg_slice_is_nocase(name, schemes[i].name)) continue;
        *scheme = (enum cg_scheme)i;
        return true;
    }
    return false;
}

static bool is_letter(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct cg_slice cg_uri_scheme_part(struct cg_slice text) {
    struct cg_slice name = cg_slice_of(text.data, find_any(text, ":"));
    bool good = name.len > 0 && name.len < text.len && is_letter(name.data[0]);
    for (size_t i = 0; good && i < name.len; i++) {
        uint8_t c = name.data[i];
        good = is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    }
    return good ? name : CG_SLICE_NONE;
}

static int parse_scheme(struct cg_uri *uri, struct cg_slice *rest, const char **why) {
    struct cg_slice name = cg_uri_scheme_part(*rest);
    if (!cg_scheme_find(name, &uri->scheme)) return refuse(why, "the URI does not begin with a coap scheme");
    *rest = slice_from(*rest, name.len + 1);
    if (rest->len < 2 || memcmp(rest->data, "//", 2) != 0) return refuse(why, "the URI has no authority");
    *rest = slice_from(*rest, 2);
    return CG_OK;
}

/* "%25ZONE" (RFC 6874) or "%ZONE", unreserved characters only: a zone is an interface's name or index. */
static int parse_zone(struct cg_uri *uri, struct cg_slice text, const char **why) {
    uri->zone = slice_from(text, text.len >= 3 && memcmp(text.data, "%25", 3) == 0 ? 3 : 1);
    bool good = uri->zone.len > 0;
    for (size_t i = 0; i < uri->zone.len; i++) good = good && char_class(uri->zone.data[i]) == UNRESERVED;
    return good ? CG_OK : refuse(why, "the zone of the address is malformed");
}

static int parse_literal(struct cg_uri *uri, struct cg_slice *rest, const char **why) {
    size_t close = find_any(*rest, "]");
    if (close == rest->len) return refuse(why, "the address has no closing bracket");
    struct cg_slice inside = cg_slice_of(rest->data + 1, close - 1);
    size_t percent = find_any(inside, "%");
    uri->host = cg_slice_of(inside.data, percent);
    if (cg_addr_parse_ip(&uri->addr, uri->host) < 0 || uri->addr.family != CG_FAMILY_IPV6) {
        return refuse(why, "the brackets hold no IPv6 address");
    }
    *rest = slice_from(*rest, close + 1);
    return percent == inside.len ? CG_OK : parse_zone(uri, slice_from(inside, percent), why);
}

/* What resolvers read as an IPv4 address in the notations of old (127.1, 0x7f000001, 0177.0.0.1), also percent-encoded:
 * the last label is a number. No domain name ends so. */
static bool ends_in_number(struct cg_slice name) {
    bool digits = false, hex = false; /* of the label so far: all decimal; "0x" and all hexadecimal */
    size_t len = 0;                   /* of the label so far */
    bool found = false, encoded;
    uint8_t c, previous = 0;
    for (size_t at = 0; at < name.len;) {
        if (!next_char(name, &at, REG_NAME, &c, &encoded)) return false;
        if (c == '.') {
            len = 0; /* and `found` stays: a final dot changes nothing */
            continue;
        }
        digits = c >= '0' && c <= '9' && (len == 0 || digits);
        hex = len == 1 ? previous == '0' && (c == 'x' || c == 'X') : len > 1 && hex && cg_hex_digit(c) >= 0;
        found = digits || hex;
        previous = c;
        len++;
    }
    return found;
}

/* RFC 3986's reg-name, but of ASCII only what needs no encoding: an encoded '%', '/' or zero byte is in no name and
 * would mislead whoever decodes it. */
static bool is_reg_name(struct cg_slice name) {
    uint8_t c;
    bool encoded;
    for (size_t at = 0; at < name.len;) {
        if (!next_char(name, &at, REG_NAME, &c, &encoded)) return false;
        if (encoded && c < 0x80 && (char_class(c) & REG_NAME) == 0) return false;
    }
    return true;
}

static int parse_name(struct cg_uri *uri, struct cg_slice *rest, const char **why) {
    uri->host = cg_slice_of(rest->data, find_any(*rest, ":"));
    *rest = slice_from(*rest, uri->host.len);
    if (uri->host.len == 0) return refuse(why, "the host is empty");
    if (!is_reg_name(uri->host)) return refuse(why, "the host has a character that is not allowed");
    if (cg_addr_parse_ip(&uri->addr, uri->host) == CG_OK) return CG_OK;
    return ends_in_number(uri->host) ? refuse(why, "the host is neither a name nor an address") : CG_OK;
}

static int parse_port(struct cg_uri *uri, struct cg_slice text, const char **why) {
    uri->addr.port = schemes[uri->scheme].port;
    if (text.len == 0) return CG_OK;
    if (text.data[0] != ':') return refuse(why, "something follows the host that is no port");
    if (text.len == 1) return CG_OK;
    uint64_t port;
    if (cg_decimal_parse(slice_from(text, 1), UINT16_MAX, &port) < 0 || port == 0) {
        return refuse(why, "the port is not a number from 1 to 65535");
    }
    uri->addr.port = (uint16_t)port;
    uri->has_port = true;
    return CG_OK;
}

static int parse_authority(struct cg_uri *uri, struct cg_slice authority, const char **why) {
    if (find_any(authority, "@") < authority.len) return refuse(why, "the URI has user information");
    bool literal = authority.len > 0 && authority.data[0] == '[';
    int err = literal ? parse_literal(uri, &authority, why) : parse_name(uri, &authority, why);
    return err < 0 ? err : parse_port(uri, authority, why);
}

static int parse_path_query(struct cg_uri *uri, struct cg_slice text, const char **why) {
    if (find_any(text, "#") < text.len) return refuse(why, "the URI has a fragment");
    size_t mark = find_any(text, "?");
    if (mark > 0) uri->path = cg_slice_of(text.data, mark);
    if (!only_allowed(uri->path, SEGMENT | QUERY_MORE))
        return refuse(why, "the path has a character that is not allowed");
    if (mark == text.len) return CG_OK;
    uri->has_query = true;
    uri->query = slice_from(text, mark + 1);
    return only_allowed(uri->query, QUERY) ? CG_OK : refuse(why, "the query has a character that is not allowed");
}

static int parse_all(struct cg_uri *uri, struct cg_slice rest, const char **why) {
    int err = parse_scheme(uri, &rest, why);
    if (err < 0) return err;
    size_t end = find_any(rest, "/?#");
    err = parse_authority(uri, cg_slice_of(rest.data, end), why);
    return err < 0 ? err : parse_path_query(uri, slice_from(rest, end), why);
}

int cg_uri_parse(struct cg_uri *uri, struct cg_slice text, const char **why) {
    const char *reason = NULL;
    *uri = (struct cg_uri){0};
    int err = parse_all(uri, text, &reason);
    if (err < 0) *uri = (struct cg_uri){0};
    if (err < 0 && why != NULL) *why = reason;
    return err;
}

static const char *transport_fault(const struct cg_uri *uri) {
    if (uri->scheme == CG_SCHEME_COAPS) return "DTLS does not protect multicast: a group URI begins with coap://";
    if (uri->scheme != CG_SCHEME_COAP) return "a group is reached by UDP only: its URI begins with coap://";
    return uri->addr.port == CG_COAPS_PORT ? "port 5684 belongs to DTLS, which does not protect multicast" : NULL;
}

static int say_fault(const char *fault, const char **why) {
    if (fault == NULL) return CG_OK;
    if (why != NULL) *why = fault;
    return CG_E_BAD_URI;
}

int cg_uri_check_target(const struct cg_uri *uri, const char **why) { return say_fault(transport_fault(uri), why); }

bool cg_uri_names_host(const struct cg_uri *uri) {
    return uri->addr.family != CG_FAMILY_NONE && !cg_addr_is_multicast(&uri->addr);
}

/* An IPv4 zone cannot be: the grammar has none. */
int cg_uri_check_group(const struct cg_uri *uri, const char **why) {
    const char *fault = transport_fault(uri);
    if (fault == NULL && cg_uri_names_host(uri)) fault = "the address is not a multicast address";
    return say_fault(fault, why);
}

/* Decodes into `to`, which has room for raw.len; *len gets the count. */
static int decode(struct cg_slice raw, uint8_t *to, size_t *len) {
    size_t count = 0;
    bool encoded;
    for (size_t at = 0; at < raw.len; count++) {
        if (!next_char(raw, &at, QUERY, &to[count], &encoded)) return CG_E_BAD_URI;
    }
    *len = count;
    /* These options are UTF-8 strings (RFC 7252 §3.2), so an overlong '/' cannot reach a member either. */
    return count <= SEGMENT_MAX && cg_utf8_valid(cg_slice_of(to, count)) ? CG_OK : CG_E_BAD_URI;
}

int cg_uri_decode(struct cg_slice raw, struct cg_buf *to) {
    size_t len;
    uint8_t *at = cg_buf_reserve(to, raw.len);
    if (at == NULL) return CG_E_NO_MEMORY;
    int err = decode(raw, at, &len);
    if (err == CG_OK) to->len += len;
    return err;
}

void cg_uri_encode(struct cg_buf *to, struct cg_slice value, enum cg_uri_part part) {
    static const char digits[] = "0123456789ABCDEF";
    static const unsigned kept[] = {
        [CG_URI_HOST] = REG_NAME,
        [CG_URI_SEGMENT] = SEGMENT,
        [CG_URI_ARGUMENT] = QUERY & ~(unsigned)ARGUMENT_DELIM,
    };
    if (value.len > SIZE_MAX / 16) {
        to->failed = true;
        return;
    }
    uint8_t *start = cg_buf_reserve(to, value.len * 3), *at = start;
    if (start == NULL) return;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if ((char_class(c) & kept[part]) != 0) {
            *at++ = c;
            continue;
        }
        *at++ = '%';
        *at++ = (uint8_t)digits[c >> 4];
        *at++ = (uint8_t)digits[c & 15];
    }
    to->len += (size_t)(at - start);
}

/* What is left of "/a/" behind "a": one empty segment. Its address tells it from the path "/", which has none. */
static const uint8_t final_slash[1] = {'/'};

bool cg_uri_next_segment(struct cg_slice *rest, struct cg_slice *segment) {
    bool final = rest->data == final_slash;
    if (rest->len == 0 || (rest->len == 1 && rest->data[0] == '/' && !final)) return false;
    *segment = CG_SLICE_NONE;
    if (final) {
        *rest = CG_SLICE_NONE;
        return true;
    }
    struct cg_slice from = rest->data[0] == '/' ? slice_from(*rest, 1) : *rest;
    size_t end = find_any(from, "/");
    *segment = cg_slice_of(from.data, end);
    *rest = slice_from(from, end);
    if (rest->len == 1) rest->data = final_slash;
    return true;
}

bool cg_uri_next_argument(struct cg_slice *rest, struct cg_slice *argument) {
    if (rest->data == NULL) return false;
    size_t end = find_any(*rest, "&");
    *argument = cg_slice_of(rest->data, end);
    *rest = end == rest->len ? CG_SLICE_NONE : slice_from(*rest, end + 1);
    return true;
}

bool cg_uri_is_dot_segment(struct cg_slice segment) {
    size_t dots = 0;
    uint8_t c;
    bool encoded;
    for (size_t at = 0; at < segment.len; dots++) {
        if (!next_char(segment, &at, UNRESERVED, &c, &encoded) || c != '.') return false;
    }
    return dots == 1 || dots == 2;
}

bool cg_uri_has_dot_segment(struct cg_slice path) {
    struct cg_slice segment;
    while (cg_uri_next_segment(&path, &segment)) {
        if (cg_uri_is_dot_segment(segment)) return true;
    }
    return false;
}

static size_t count_byte(struct cg_slice text, uint8_t byte) {
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) count += text.data[i] == byte;
    return count;
}

static size_t count_arguments(struct cg_slice query) { return query.data == NULL ? 0 : 1 + count_byte(query, '&'); }

/* Appends one option; its value is decoded to *store, which moves on. */
static int put_option(struct cg_opts *opts, uint16_t number, struct cg_slice raw, uint8_t **store) {
    size_t len;
    int err = decode(raw, *store, &len);
    if (err < 0) return err;
    opts->list[opts->count++] = (struct cg_opt){.number = number, .value = cg_slice_of(*store, len)};
    *store += len;
    return CG_OK;
}

/* Every slash begins a segment, the empty ones included: the caller has seen to "/". */
static int put_path(struct cg_opts *opts, struct cg_slice path, uint8_t **store) {
    for (size_t at = 0; at < path.len;) {
        struct cg_slice segment = slice_from(path, at + 1);
        segment.len = find_any(segment, "/");
        if (cg_uri_is_dot_segment(segment)) return CG_E_BAD_URI;
        int err = put_option(opts, CG_OPT_URI_PATH, segment, store);
        if (err < 0) return err;
        at += 1 + segment.len;
    }
    return CG_OK;
}

static int put_query(struct cg_opts *opts, struct cg_slice query, uint8_t **store) {
    struct cg_slice argument;
    while (cg_uri_next_argument(&query, &argument)) {
        int err = put_option(opts, CG_OPT_URI_QUERY, argument, store);
        if (err < 0) return err;
    }
    return CG_OK;
}

static bool begins_with_slash(struct cg_slice path) { return path.len == 0 || path.data[0] == '/'; }

int cg_uri_decompose(struct cg_opts *opts, struct cg_arena *arena, struct cg_slice path, struct cg_slice more_path,
                     struct cg_slice query, struct cg_slice more_query) {
    *opts = (struct cg_opts){0};
    if (!begins_with_slash(path) || !begins_with_slash(more_path)) return CG_E_BAD_URI;
    if (path.len > 0 && more_path.len > 0 && path.data[path.len - 1] == '/') path.len--;
    if (path.len + more_path.len == 1) path = more_path = CG_SLICE_NONE; /* "/" is the empty path (RFC 7252 §6.4) */
    size_t most =
        count_byte(path, '/') + count_byte(more_path, '/') + count_arguments(query) + count_arguments(more_query);
    if (most == 0) return CG_OK;
    opts->list = cg_arena_alloc(arena, most * sizeof *opts->list);
    uint8_t *store = cg_arena_alloc(arena, path.len + more_path.len + query.len + more_query.len + 1);
    int err = opts->list == NULL || store == NULL ? CG_E_NO_MEMORY : put_path(opts, path, &store);
    if (err == CG_OK) err = put_path(opts, more_path, &store);
    if (err == CG_OK) err = put_query(opts, query, &store);
    if (err == CG_OK) err = put_query(opts, more_query, &store);
    if (err < 0) *opts = (struct cg_opts){0};
    return err;
}

/* Resolves needless percent-encodings and writes the others in upper case; `raw` is of a parsed URI. */
static void put_normal(struct cg_buf *to, struct cg_slice raw, bool lower) {
    static const char digits[] = "0123456789ABCDEF";
    uint8_t c;
    bool encoded;
    for (size_t at = 0; at < raw.len;) {
        if (!next_char(raw, &at, QUERY, &c, &encoded)) {
            to->failed = true;
            return;
        }
        if (encoded && char_class(c) != UNRESERVED) {
            uint8_t triplet[3] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
            cg_buf_put(to, triplet, sizeof triplet);
        } else {
            cg_buf_put_u8(to, lower ? (uint8_t)cg_ascii_lower((char)c) : c);
        }
    }
}

static void put_host(struct cg_buf *to, const struct cg_uri *uri) {
    char ip[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(&uri->addr, ip);
    switch (uri->addr.family) {
    case CG_FAMILY_IPV4: cg_buf_put_str(to, ip); break;
    case CG_FAMILY_IPV6:
        cg_buf_put_u8(to, '[');
        cg_buf_put_str(to, ip);
        if (uri->zone.len > 0) cg_buf_put_str(to, "%25");
        cg_buf_put_slice(to, uri->zone);
        cg_buf_put_u8(to, ']');
        break;
    default: put_normal(to, uri->host, true); break;
    }
}

void cg_uri_emit_normal(struct cg_buf *to, const struct cg_uri *uri) {
    cg_buf_put_str(to, schemes[uri->scheme].name);
    cg_buf_put_str(to, "://");
    put_host(to, uri);
    if (uri->addr.port != schemes[uri->scheme].port) {
        cg_buf_put_u8(to, ':');
        cg_buf_put_decimal(to, uri->addr.port);
    }
    if (uri->path.len == 0) cg_buf_put_u8(to, '/');
    put_normal(to, uri->path, false);
    if (!uri->has_query) return;
    cg_buf_put_u8(to, '?');
    put_normal(to, uri->query, false);
}
