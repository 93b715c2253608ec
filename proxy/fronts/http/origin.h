/* Where a browser says that a request comes from (Fetch, "Origin"; Fetch Metadata, Sec-Fetch-Site): pages of other
 * sites reach loopback and whatever else their reader reaches, with the reader's certificates, and a multicast that
 * they cause is sent whether they may read the reply or not. So what comes from elsewhere is refused, unless "origins"
 * of "http" names that origin. Pure functions over what the server read. */
#ifndef CG_FRONTS_HTTP_ORIGIN_H
#define CG_FRONTS_HTTP_ORIGIN_H

#include "fronts/http/message.h"
#include "model/request.h"

enum cg_origin {
    CG_ORIGIN_HERE,      /* a page of ours, a typed address, or no browser */
    CG_ORIGIN_ALLOWED,   /* an origin that the settings name */
    CG_ORIGIN_ELSEWHERE, /* any other, and whatever contradicts itself */
};

/* *allowed gets the origin as the settings have it, where they name it; else NULL. */
enum cg_origin cg_http_origin(const struct cg_http_settings *settings, const struct cg_http_message *message,
                              const char **allowed);

/* The problem of a request from elsewhere: 403, with what to set. */
int cg_http_refuse_origin(const struct cg_http_message *message, struct cg_problem *problem);

/* A link was followed, or something like it: what is replied would be shown as a page of its own. */
bool cg_http_is_navigation(const struct cg_http_message *message);

/* What a browser asks before it sends what a form could not (Fetch, "CORS-preflight request"). */
bool cg_http_is_preflight(const struct cg_http_message *message);

/* What it is told: everything that means something here. */
#define CG_CORS_METHODS "GET, HEAD, POST, PUT, DELETE, PATCH"
#define CG_CORS_HEADERS                                                                                                \
    "Accept, Authorization, Cache-Control, Content-Type, Group-ETag, If-Match, If-None-Match, Last-Event-ID, "         \
    "Multicast-Timeout, No-Response, OSCORE, Prefer, X-HTTP-Method-Override, traceparent, tracestate"
#define CG_CORS_MAX_AGE "7200" /* seconds, the most that browsers take */
/* And what its page may read of every reply. */
#define CG_CORS_EXPOSED                                                                                                \
    "Allow, Castgate-Exchange, Castgate-Member, Castgate-Options, Castgate-Summary, ETag, Group-ETag, "                \
    "Multicast-Timeout, OSCORE, Preference-Applied, Reply-From, Retry-After, WWW-Authenticate"

#endif
