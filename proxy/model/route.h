/* Which mapping a request is for, whichever way its client names it: by a path of ours (mapping.h), or by a group's URI
 * (forward.h), or the address of one of its members (follow.h), or, the gateway itself, by its name. */
#ifndef CG_MODEL_ROUTE_H
#define CG_MODEL_ROUTE_H

#include "model/request.h"

/* *rest: what follows the mapping's path, or its group's URI, raw. CG_E_NOT_FOUND, or for target URIs CG_E_FORBIDDEN,
 * with *problem. */
int cg_route(const struct cg_config *config, const struct cg_request *request, const struct cg_mapping **mapping,
             struct cg_slice *rest, struct cg_problem *problem) CG_MUST_CHECK;
/* The same for every target URI that leads nowhere, whoever is there: CG_E_FORBIDDEN. */
int cg_route_refuse(struct cg_problem *problem);

#endif
