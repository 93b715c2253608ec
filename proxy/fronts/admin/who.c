/* Clients of the settings, by their token or certificate. */
#include "fronts/admin/who.h"

#include <stdio.h>

#include "fronts/http/identify.h"

int cg_admin_who(struct cg_admin_who *who, const struct cg_config *config, struct cg_http_call *call,
                 struct cg_problem *problem) {
    struct cg_request request = {0};
    *who = (struct cg_admin_who){.name = "-"};
    int err = cg_http_identify(&request, config, call, problem);
    if (err < 0) return err;
    if (request.client == NULL)
        return cg_problem_set(problem, CG_E_UNAUTHORIZED,
                              "the admin side needs Authorization: Bearer TOKEN, or a client's certificate");
    snprintf(who->name, sizeof who->name, "%s", request.client->name);
    return CG_OK;
}
