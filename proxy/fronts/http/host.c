/* The hard thing about Host: an address has many spellings and an IPv6 literal brackets, so literals are compared as
 * addresses and names as text, but for what makes no difference: a final dot and the scheme's default port. */
#include "fronts/http/host.h"

#include "base/text.h"

struct authority {
    struct cg_slice host; /* as written but for a final dot, an IPv6 literal with its brackets */
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
    bool is_dotted = end > 1 && text.data[end - 1] == '.';
    *authority = (struct authority){.host = cg_slice_of(text.data, is_dotted ? end - 1 : end)};
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

static uint16_t port_of(const struct authority *authority, uint16_t default_port) {
    return authority->has_port ? authority->port : default_port;
}

/* An entry without port names the host at any port, one with a port only at that. */
static bool is_further_host(const struct cg_http_settings *settings, const struct authority *authority,
                            uint16_t default_port) {
    for (size_t i = 0; i < settings->host_count; i++) {
        struct authority entry;
        if (!parse_authority(cg_slice_str(settings->hosts[i]), &entry)) continue;
        if (!cg_slice_equal_nocase(authority->host, entry.host)) continue;
        if (!entry.has_port || entry.port == port_of(authority, default_port)) return true;
    }
    return false;
}

bool cg_http_same_authority(struct cg_slice a, struct cg_slice b, uint16_t default_port) {
    struct authority left, right;
    return parse_authority(a, &left) && parse_authority(b, &right) && cg_slice_equal_nocase(left.host, right.host) &&
           port_of(&left, default_port) == port_of(&right, default_port);
}

uint16_t cg_http_host_port(const struct cg_http_message *message, uint16_t default_port) {
    struct cg_slice value;
    struct authority authority;
    if (cg_http_field(message, "Host", &value) < 0 || !parse_authority(value, &authority)) return 0;
    return authority.has_port && authority.port != default_port ? authority.port : 0;
}

static bool is_own(const struct cg_listen *listen, const struct authority *authority, uint16_t default_port) {
    if (!cg_slice_is_nocase(authority->host, "localhost") && !is_listen_address(listen, authority->host)) return false;
    uint16_t port = port_of(authority, default_port);
    return port == default_port || port == listen->addr.port;
}

int cg_http_check_host(const struct cg_http_settings *settings, const struct cg_listen *listen,
                       const struct cg_http_message *message, struct cg_slice *host, struct cg_problem *problem) {
    struct cg_slice value;
    int err = cg_http_field(message, "Host", &value);
    *host = CG_SLICE_NONE;
    if (err == CG_E_NOT_FOUND && message->is_http_1_0) return CG_OK; /* no browser sends that */
    if (err == CG_E_NOT_FOUND) return cg_problem_set(problem, CG_E_BAD_REQUEST, "the request has no Host");
    if (err < 0) return cg_problem_set(problem, CG_E_BAD_REQUEST, "Host is there more than once");
    struct authority authority;
    if (!parse_authority(value, &authority)) return cg_problem_set(problem, CG_E_BAD_REQUEST, "Host is malformed");
    *host = authority.host;
    uint16_t default_port = settings->tls.certificate == NULL ? CG_HTTP_PORT : CG_HTTPS_PORT;
    if (is_own(listen, &authority, default_port)) return CG_OK;
    if (is_further_host(settings, &authority, default_port)) return CG_OK;
    return cg_problem_set(
        problem, CG_E_MISDIRECTED,
        "Host \"%.*s\" is neither this listener's address nor localhost nor one of the names in \"hosts\"; "
        "add it to the settings if it is this gateway",
        (int)(value.len < 100 ? value.len : 100), (const char *)value.data);
}
