/* Requests that the gateway makes by itself, under an excerpt of its settings (model/excerpt.h): they need no grant and
 * give way to all clients'. Members are asked to say errors as well, since these tell as much as an answer does (No-
 * Response with no bits set: RFC 7967; RFC 10020, Response Suppression). */
#ifndef CG_JOBS_OWN_H
#define CG_JOBS_OWN_H

#include "exchange/gateway.h"

struct cg_own {
    struct cg_config *excerpt;
    struct cg_slice rest;  /* of the path, behind the mapping's; raw: empty, or begins with '/' */
    struct cg_slice query; /* raw; empty: none */
    struct cg_addr asks;   /* as struct cg_request's */
    uint32_t timeout_s;
};

/* Reserves an exchange for a GET, which is to be started then. What `own` borrows is needed for this call only, the
 * excerpt apart, which the exchange has a reference to. CG_E_OVERLOAD and others of cg_gateway_new_exchange,
 * CG_E_BAD_URI, CG_E_NO_MEMORY, with *problem. */
int cg_own_open(struct cg_gateway *gateway, const struct cg_own *own, struct cg_ticket *ticket,
                struct cg_problem *problem) CG_MUST_CHECK;
/* Half of the exchanges are always left to clients. */
bool cg_own_has_room(const struct cg_gateway *gateway);

#endif
