/* What a request that runs under earlier settings may lose: its mapping, its client, what the client came in by, its
 * grant. Everything else that has changed is for later requests. */
#ifndef CG_MODEL_WITHDRAWAL_H
#define CG_MODEL_WITHDRAWAL_H

#include "model/request.h"

/* CG_OK: `now`, the settings in use, still lets it be, or its security group is gone, which ends it by itself. Else
 * CG_E_NOT_FOUND, CG_E_UNAUTHORIZED or what cg_access_check says, with *problem for the client. `mapping` and `request`
 * are those of earlier settings; now_s is Unix time, by which tokens expire. */
int cg_withdrawal_check(const struct cg_config *now, const struct cg_mapping *mapping, const struct cg_request *request,
                        int64_t now_s, struct cg_problem *problem) CG_MUST_CHECK;

#endif
