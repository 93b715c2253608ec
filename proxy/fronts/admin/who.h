/* Who asks the admin side, and what that client may there. */
#ifndef CG_FRONTS_ADMIN_WHO_H
#define CG_FRONTS_ADMIN_WHO_H

#include "fronts/http/server.h"

struct cg_admin_who {
    char name[CG_NAME_MAX + 1]; /* the client's; "-": nobody who is known */
    enum cg_role role;
    enum cg_proof proof;
    uint8_t sha256[32]; /* of what it has shown */
};

/* By its token or certificate, for this request: what it has shown may have been withdrawn since its last.
 * CG_E_UNAUTHORIZED with the problem: nobody who is known; who->proof says what was shown. */
int cg_admin_who(struct cg_admin_who *who, const struct cg_config *config, struct cg_http_call *call,
                 struct cg_problem *problem) CG_MUST_CHECK;

/* For what goes on for longer than a request: whether that client, by what it has shown, would still have that role. */
bool cg_admin_who_may_still(const struct cg_admin_who *who, const struct cg_config *config, enum cg_role role,
                            int64_t now_s);

#endif
