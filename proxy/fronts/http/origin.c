/* Origins. The hard thing: two fields say it, each is left out now and then, and a reverse proxy that ends TLS makes
 * the one of them look wrong. Browsers send Sec-Fetch-Site with everything, but to addresses that they trust only (TLS
 * or loopback); Origin with every method but GET and HEAD, and with whatever asks for CORS. Either is enough to refuse,
 * and Sec-Fetch-Site may say that a page is of the same origin where only the scheme differs. */
#include "fronts/http/origin.h"

#include "base/text.h"
#include "fronts/http/host.h"

enum site { SITE_UNSAID, SITE_HERE, SITE_ELSEWHERE };

static enum site site_of(const struct cg_http_message *message) {
    struct cg_slice site;
    int err = cg_http_field(message, "Sec-Fetch-Site", &site);
    if (err == CG_E_NOT_FOUND) return SITE_UNSAID;
    bool is_here = err == CG_OK && (cg_slice_is(site, "same-origin") || cg_slice_is(site, "none"));
    return is_here ? SITE_HERE : SITE_ELSEWHERE;
}

/* As browsers write it (RFC 6454 §6.2): "https://gw.example:8443". */
static bool split_origin(struct cg_slice origin, struct cg_slice *scheme, struct cg_slice *authority) {
    const uint8_t *colon = origin.len == 0 ? NULL : memchr(origin.data, ':', origin.len);
    if (colon == NULL) return false;
    *scheme = cg_slice_of(origin.data, (size_t)(colon - origin.data));
    *authority = cg_slice_of(colon, origin.len - scheme->len);
    if (!cg_slice_starts(*authority, "://")) return false;
    *authority = cg_slice_of(authority->data + 3, authority->len - 3);
    return true;
}

/* Whether it is the origin that the request went to. */
static bool is_own(const struct cg_http_settings *settings, const struct cg_http_message *message,
                   struct cg_slice origin, enum site site) {
    struct cg_slice scheme, authority, host;
    if (!split_origin(origin, &scheme, &authority) || cg_http_field(message, "Host", &host) < 0) return false;
    bool is_https = cg_slice_is_nocase(scheme, "https");
    if (!is_https && !cg_slice_is_nocase(scheme, "http")) return false;
    if (site != SITE_HERE && is_https != (settings->tls.certificate != NULL)) return false;
    return cg_http_same_authority(authority, host, is_https ? CG_HTTPS_PORT : CG_HTTP_PORT);
}

static const char *find_allowed(const struct cg_http_settings *settings, struct cg_slice origin) {
    for (size_t i = 0; i < settings->origin_count; i++) {
        if (cg_slice_is(origin, settings->origins[i])) return settings->origins[i];
    }
    return NULL;
}

enum cg_origin cg_http_origin(const struct cg_http_settings *settings, const struct cg_http_message *message,
                              const char **allowed) {
    struct cg_slice origin;
    enum site site = site_of(message);
    int err = cg_http_field(message, "Origin", &origin);
    *allowed = err == CG_OK ? find_allowed(settings, origin) : NULL;
    if (*allowed != NULL) return CG_ORIGIN_ALLOWED;
    if (err != CG_E_NOT_FOUND && (err < 0 || !is_own(settings, message, origin, site))) return CG_ORIGIN_ELSEWHERE;
    return site == SITE_ELSEWHERE ? CG_ORIGIN_ELSEWHERE : CG_ORIGIN_HERE;
}

int cg_http_refuse_origin(const struct cg_http_message *message, struct cg_problem *problem) {
    struct cg_slice origin = CG_SLICE_NONE;
    if (cg_http_field(message, "Origin", &origin) < 0 || cg_slice_is(origin, "null")) {
        return cg_problem_set(problem, CG_E_ORIGIN,
                              "the browser says that another site's page sent this, and not from which origin; "
                              "\"origins\" in \"http\" allows pages of origins that it names");
    }
    return cg_problem_set(problem, CG_E_ORIGIN,
                          "a page of \"%.*s\" sent this; name that in \"origins\" of \"http\" if it is to be allowed",
                          (int)(origin.len < 100 ? origin.len : 100), (const char *)origin.data);
}

bool cg_http_is_navigation(const struct cg_http_message *message) {
    struct cg_slice mode;
    bool reads = cg_slice_is(message->method, "GET") || cg_slice_is(message->method, "HEAD");
    return reads && cg_http_field(message, "Sec-Fetch-Mode", &mode) == CG_OK && cg_slice_is(mode, "navigate");
}

bool cg_http_is_preflight(const struct cg_http_message *message) {
    struct cg_slice method;
    return cg_slice_is(message->method, "OPTIONS") &&
           cg_http_field(message, "Access-Control-Request-Method", &method) == CG_OK;
}
