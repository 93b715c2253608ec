/* Who may send what (GCP REQ1, REQ2), and how much. */
#ifndef CG_MODEL_ACCESS_H
#define CG_MODEL_ACCESS_H

#include "model/request.h"

/* May this request use this mapping at all? 401, 403, 405 with their problem, or CG_OK. */
int cg_access_check(const struct cg_mapping *mapping, const struct cg_request *request,
                    struct cg_problem *problem) CG_MUST_CHECK;

/* May this client use the mapping with some method? */
bool cg_access_may_see(const struct cg_mapping *mapping, const struct cg_request *request);

#endif
