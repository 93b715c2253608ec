/* Clients of the settings, by their token or certificate. The hard thing is what outlives its request: a stream is its
 * client's for as long as what it began with would begin it again. */
#include "fronts/admin/who.h"

#include <stdio.h>

#include "fronts/http/identify.h"

int cg_admin_who(struct cg_admin_who *who, const struct cg_config *config, struct cg_http_call *call,
                 struct cg_problem *problem) {
    struct cg_request request = {0};
    *who = (struct cg_admin_who){.name = "-"};
    int err = cg_http_identify(&request, config, call, problem);
    who->proof = request.proof;
    if (err < 0) return err;
    if (request.client == NULL)
        return cg_problem_set(problem, CG_E_UNAUTHORIZED,
                              "the admin side needs Authorization: Bearer TOKEN, or a client's certificate");
    snprintf(who->name, sizeof who->name, "%s", request.client->name);
    who->role = request.client->role;
    memcpy(who->sha256, request.pass->sha256, sizeof who->sha256);
    return CG_OK;
}

bool cg_admin_who_may_still(const struct cg_admin_who *who, const struct cg_config *config, enum cg_role role,
                            int64_t now_s) {
    const struct cg_pass *pass = NULL;
    const struct cg_client *client = who->proof == CG_PROOF_CERTIFICATE
                                         ? cg_config_client_by_certificate(config, who->sha256, &pass)
                                         : cg_config_client_by_token(config, who->sha256, &pass);
    return client != NULL && strcmp(client->name, who->name) == 0 && client->role >= role &&
           cg_pass_is_good(pass, now_s);
}
