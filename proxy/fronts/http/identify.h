/* Who a client is: by Authorization: Bearer TOKEN (RFC 6750), else by the certificate that it has shown. */
#ifndef CG_FRONTS_HTTP_IDENTIFY_H
#define CG_FRONTS_HTTP_IDENTIFY_H

#include "fronts/http/server.h"
#include "model/request.h"

/* Fills in the request's `client` and `proof`, which stay as they are where it shows nothing. CG_E_UNAUTHORIZED with
 * the problem: what it shows is no client's. */
int cg_http_identify(struct cg_request *request, const struct cg_config *config, struct cg_http_call *call,
                     struct cg_problem *problem) CG_MUST_CHECK;

#endif
