/* OPTIONS (RFC 9110 §9.3.7): what may be done, without doing it. Nothing is ever cast. */
#ifndef CG_FRONTS_HTTP_OPTIONS_H
#define CG_FRONTS_HTTP_OPTIONS_H

#include "fronts/http/from_http.h"

/* After cg_from_http_head, when it is known who the client is. *methods (CG_METHOD_BIT): those of the request's mapping
 * that the client may use; all that the mapping takes where nobody says who it is; all that there are for "*", and for
 * "/" where no mapping stands, which load balancers ask for. 403, 404 with the problem. */
int cg_http_options(const struct cg_http_parts *parts, uint32_t *methods) CG_MUST_CHECK;

#endif
