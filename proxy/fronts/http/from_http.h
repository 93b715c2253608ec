/* HTTP to a request (RFC 8075, GCP "HTTP-to-CoAP Proxies"): a pure function over what the HTTP front read. */
#ifndef CG_FRONTS_HTTP_FROM_HTTP_H
#define CG_FRONTS_HTTP_FROM_HTTP_H

#include "base/arena.h"
#include "fronts/http/message.h"
#include "model/request.h"
#include "reply/encoders.h"

/* Fills *request (client, may_be_anonymous and head_only of HEAD aside, which are set here too except client and
 * may_be_anonymous: those are the front's). `listen`: the listener it came in by, whose address and port Host may name.
 * Errors: 400, 403, 405, 413, 414, 415, 421, 502 with their problem. Mapping, access and timeouts are ADMIT's
 * (exchange/exchange.c). `forward` and `discovery` tell what kind of request it is. *encoder gets the one of
 * `encoders` that Accept chooses. */
int cg_from_http(struct cg_request *request, struct cg_arena *arena, const struct cg_config *config,
                 const struct cg_listen *listen, const struct cg_encoder_list *encoders,
                 const struct castgate_encoder **encoder, const struct cg_http_message *message,
                 struct cg_problem *problem) CG_MUST_CHECK;

#endif
