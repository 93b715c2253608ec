/* The inside of the admin side, shared by its own files only. */
#ifndef CG_FRONTS_ADMIN_PRIVATE_H
#define CG_FRONTS_ADMIN_PRIVATE_H

#include "fronts/admin/call.h"
#include "fronts/admin/discovery.h"
#include "fronts/admin/events.h"
#include "fronts/admin/live.h"
#include "fronts/admin/logins.h"
#include "fronts/admin/members.h"
#include "fronts/admin/scrape.h"

struct cg_admin {
    struct cg_http_server *server;
    struct cg_gateway *gateway;
    struct cg_admin_source source;
    struct cg_scrapes scrapes;
    struct cg_logins logins;
    struct cg_events events;
    struct cg_live live; /* what they have beside */
    struct cg_searches searches;
    struct cg_member_pages member_pages;
    struct cg_quota bodies;      /* and what is made of them */
    struct cg_admin_call *calls; /* a list */
    unsigned readings;           /* bodies that the worker parses, or is to free */
    struct cg_buf document;      /* openapi.json, once somebody has asked for it */
    uint64_t started_us;
    bool is_closed; /* the server and all of these are */
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

/* ---- api.c: requests below CG_ADMIN_ROOT ---- */

/* `path`: raw, below CG_ADMIN_ROOT; `query`: raw. */
int cg_api_serve(struct cg_admin *admin, struct cg_http_call *http, struct cg_slice path, struct cg_slice query,
                 struct cg_problem *problem) CG_MUST_CHECK;
/* How large the body may be, by what its head says: 0 where the request is refused for it. */
size_t cg_api_body_max(struct cg_admin *admin, struct cg_http_call *http, struct cg_slice path);
void cg_api_done(struct cg_admin_call *call);

/* ---- call.c ---- */

/* Each parameter is one that the route knows, there once, and decoded without mistake. */
int cg_admin_check_query(const struct cg_admin_call *call, struct cg_problem *problem) CG_MUST_CHECK;

/* ---- body.c ---- */

/* `problem` without error: call->body is there, where there is one. */
typedef void cg_admin_body_fn(struct cg_admin_call *call, const struct cg_problem *problem);
/* Parses the body, perhaps elsewhere; then `next`, unless the client has left before. */
void cg_admin_body_read(struct cg_admin_call *call, cg_admin_body_fn *next);
/* The call has no more need of it. */
void cg_admin_body_release(struct cg_admin_call *call);
int cg_admin_body_no_room(struct cg_problem *problem); /* CG_E_OVERLOAD */

/* ---- openapi.c ---- */

/* openapi.json, made from the table. */
void cg_openapi_put(struct cg_buf *to);

/* ---- admin.c ---- */

/* As cg_admin_warnings. */
void cg_admin_find_warnings(const struct cg_admin *admin, struct cg_mistakes *warnings);

/* Who asks, as cg_admin_who; one who has shown what is nobody's is slowed, once a request. CG_E_UNAUTHORIZED,
 * CG_E_RATE. */
int cg_admin_log_in(struct cg_admin *admin, struct cg_http_call *http, struct cg_admin_who *who,
                    struct cg_problem *problem) CG_MUST_CHECK;

/* Frees the admin side, where it is closed and nothing that others still have needs it. */
void cg_admin_may_end(struct cg_admin *admin);

#endif
