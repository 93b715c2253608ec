/* Who asks the admin side, and what that client may there. */
#ifndef CG_FRONTS_ADMIN_WHO_H
#define CG_FRONTS_ADMIN_WHO_H

#include "fronts/http/server.h"

/* Each may what those before it may. */
enum cg_role {
    CG_ROLE_NOBODY,   /* no token: /healthz and its like */
    CG_ROLE_VIEWER,   /* reads */
    CG_ROLE_OPERATOR, /* and tries */
    CG_ROLE_ADMIN,    /* and changes */
};

struct cg_admin_who {
    char name[CG_NAME_MAX + 1]; /* the client's; "-": nobody who is known */
    enum cg_role role;
};

/* CG_E_UNAUTHORIZED with the problem: nobody who is known. */
int cg_admin_who(struct cg_admin_who *who, const struct cg_config *config, struct cg_http_call *call,
                 struct cg_problem *problem) CG_MUST_CHECK;

#endif
