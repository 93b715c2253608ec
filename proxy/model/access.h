/* Who may send what (GCP REQ1, REQ2), and how much. */
#ifndef CG_MODEL_ACCESS_H
#define CG_MODEL_ACCESS_H

#include "model/request.h"

/* May this request use this mapping at all? A method of 0 stands for those that CoAP does not have. 401, 403, 405 with
 * their problem, or CG_OK. */
int cg_access_check(const struct cg_mapping *mapping, const struct cg_request *request,
                    struct cg_problem *problem) CG_MUST_CHECK;

/* The methods that the client may use; where it is not known, those that the mapping takes from anybody. CG_E_FORBIDDEN
 * with *problem: it may use none. */
int cg_access_methods(const struct cg_mapping *mapping, const struct cg_request *request, uint32_t *methods,
                      struct cg_problem *problem) CG_MUST_CHECK;

/* May this client use the mapping with some method? */
bool cg_access_may_see(const struct cg_mapping *mapping, const struct cg_request *request);

#endif
