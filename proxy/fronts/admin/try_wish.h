/* What somebody wants to try, read from a body, and made the request that an exchange begins with. */
#ifndef CG_FRONTS_ADMIN_TRY_WISH_H
#define CG_FRONTS_ADMIN_TRY_WISH_H

#include <jansson.h>

#include "fronts/admin/call.h"
#include "model/request.h"

/* As it stands in the body, which it borrows from. */
struct cg_try_wish {
    const char *mapping, *path, *query, *content_type, *client;
    const json_t *unsaved; /* the whole mapping; NULL: it is one of those in use, by its name */
    size_t path_len;
    unsigned method;
    struct cg_buf payload; /* the owner's, from before it is read */
    bool has_timeout;
    uint32_t timeout_s;
};

/* CG_E_INVALID: says which key is wrong. */
int cg_try_read(struct cg_try_wish *wish, const json_t *body, struct cg_problem *problem) CG_MUST_CHECK;
/* The request of an exchange that runs under `config`; what it keeps is in the exchange's arena. */
int cg_try_fill(struct cg_request *request, struct cg_arena *arena, const struct cg_admin_call *call,
                const struct cg_config *config, const struct cg_try_wish *wish,
                struct cg_problem *problem) CG_MUST_CHECK;

#endif
