/* The hard thing is that a name proves nothing: what it resolves to may change between the look and the connection. So
 * without TLS only addresses of loopback are taken, and "localhost", which curl never asks anybody about. */
#include "tools/ctl/place.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "wire/addr.h"

static bool is_loopback(const char *host) {
    struct cg_addr addr;
    struct cg_slice text = cg_slice_str(host);
    if (strcmp(host, "localhost") == 0) return true;
    if (text.len > 2 && host[0] == '[') text = cg_slice_of(text.data + 1, text.len - 2);
    return cg_addr_parse_ip(&addr, text) == CG_OK && cg_addr_is_loopback(&addr);
}

static const char *fault(struct cg_ctl_place *place, const char *scheme, const char *host, const char *path) {
    place->on_loopback = is_loopback(host);
    if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0) return "must begin with https:// or http://";
    if (path != NULL && strcmp(path, "/") != 0) return "must be an origin such as https://gateway.example:8081";
    if (strcmp(scheme, "http") == 0 && !place->on_loopback)
        return "a token goes over HTTP without TLS on loopback only: use https://, or an SSH tunnel to 127.0.0.1";
    return NULL;
}

static char *part(CURLU *url, CURLUPart which) {
    char *text = NULL;
    return curl_url_get(url, which, &text, 0) == CURLUE_OK ? text : NULL;
}

int cg_ctl_place_parse(struct cg_ctl_place *place, const char *url, char error[CG_CTL_ERROR_MAX]) {
    const char *why = "is no URL";
    size_t len = strlen(url);
    CURLU *parsed = curl_url();
    if (parsed != NULL && len < sizeof place->url && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
        char *scheme = part(parsed, CURLUPART_SCHEME), *host = part(parsed, CURLUPART_HOST);
        char *path = part(parsed, CURLUPART_PATH), *query = part(parsed, CURLUPART_QUERY);
        char *user = part(parsed, CURLUPART_USER);
        if (scheme != NULL && host != NULL) why = fault(place, scheme, host, path);
        if (why == NULL && (query != NULL || user != NULL)) why = "must have neither a user nor a query";
        curl_free(scheme);
        curl_free(host);
        curl_free(path);
        curl_free(query);
        curl_free(user);
    }
    curl_url_cleanup(parsed);
    if (why != NULL) {
        (void)snprintf(error, CG_CTL_ERROR_MAX, "--url: %.400s %.200s", url, why);
        return CG_E_BAD_REQUEST;
    }
    (void)snprintf(place->url, sizeof place->url, "%s", url);
    if (place->url[len - 1] == '/') place->url[len - 1] = '\0';
    return CG_OK;
}
