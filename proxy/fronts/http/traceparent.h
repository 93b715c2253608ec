/* Whether a request belongs to a trace (W3C Trace Context §3.2). */
#ifndef CG_FRONTS_HTTP_TRACEPARENT_H
#define CG_FRONTS_HTTP_TRACEPARENT_H

#include "fronts/http/message.h"

/* The first 55 bytes of a well-formed traceparent. One that is malformed or there more than once is as good as none
 * (§4.3): empty. */
struct cg_slice cg_http_traceparent(const struct cg_http_message *message);

#endif
