/* HTTP to a request (RFC 8075, GCP "HTTP-to-CoAP Proxies"): pure functions over what the HTTP front read. There are two
 * steps, because who the client is and what it may comes before what it says: the first takes what access depends on,
 * and the second the rest. */
#ifndef CG_FRONTS_HTTP_FROM_HTTP_H
#define CG_FRONTS_HTTP_FROM_HTTP_H

#include "base/arena.h"
#include "fronts/http/message.h"
#include "model/request.h"
#include "reply/encoders.h"

/* What a request is made of and into, all borrowed. */
struct cg_http_parts {
    struct cg_request *request; /* gets everything but `client`, `proof`, `may_be_anonymous` and `is_remote`, which are
                                   the front's to find out between the steps */
    struct cg_arena *arena;
    const struct cg_config *config;
    const struct cg_listen *listen; /* it came in by, whose address and port Host may name */
    const struct cg_encoder_list *encoders;
    const struct cg_http_message *message;
    struct cg_problem *problem;
};

/* Host, target and method: where it goes, and as what. A method that CoAP does not have is 0 here; OPTIONS is one,
 * and its target may be "*", which is no path. 400, 403, 405, 414, 421, 502 with the problem. */
int cg_from_http_head(const struct cg_http_parts *parts) CG_MUST_CHECK;

/* Everything else. `mapping`: the one that it is for, where that is known already and there is a body; else NULL.
 * *encoder gets the one that Accept chooses. 400, 405, 406, 413, 415 with the problem. Access and timeouts are ADMIT's
 * (exchange/exchange.c). */
int cg_from_http_rest(const struct cg_http_parts *parts, const struct cg_mapping *mapping,
                      const struct castgate_encoder **encoder) CG_MUST_CHECK;

bool cg_http_is_options(const struct cg_http_message *message);

#endif
