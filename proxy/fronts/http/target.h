/* The request target (RFC 9112 §3.2): a path below this gateway, or the forward proxy's target URI (RFC 8075 §5.3). */
#ifndef CG_FRONTS_HTTP_TARGET_H
#define CG_FRONTS_HTTP_TARGET_H

#include "base/arena.h"
#include "fronts/http/message.h"
#include "model/links.h"

/* Fills path, query, `forward` and `discovery` of *request, in the arena. 400, 403, 502 with the problem. */
int cg_http_take_target(struct cg_request *request, struct cg_arena *arena, const struct cg_http_message *message,
                        struct cg_problem *problem) CG_MUST_CHECK;

#endif
