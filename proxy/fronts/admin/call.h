/* One request to the admin side, as a resource sees it: who asks is known and may, the path is taken apart, the body is
 * parsed. And how it is answered. */
#ifndef CG_FRONTS_ADMIN_CALL_H
#define CG_FRONTS_ADMIN_CALL_H

#include <jansson.h>

#include "fronts/admin/admin.h"
#include "manage/manage.h"

/* What a client may here; each may what those before it may. */
enum cg_role {
    CG_ROLE_NOBODY,   /* no token: /healthz and its like */
    CG_ROLE_VIEWER,   /* reads */
    CG_ROLE_OPERATOR, /* and tries */
    CG_ROLE_ADMIN,    /* and changes */
};

#define CG_ADMIN_PARTS_MAX 4

struct cg_admin_call {
    struct cg_http_call *http;
    struct cg_admin *admin;
    const struct cg_admin_route *route;
    char who[CG_NAME_MAX + 1]; /* "": nobody */
    enum cg_role role;
    char parts[CG_ADMIN_PARTS_MAX][CG_NAME_MAX + 1]; /* for each {…} of the route's path, decoded */
    struct cg_slice query;                           /* raw */
    json_t *body;                                    /* NULL: the route takes none, or none came */
    void *ctx;                                       /* the resource's, while it answers later */
    struct cg_admin_call *prev, *next;               /* of its admin's */
};

/* A row of the table from which requests are sorted, roles are checked and openapi.json is made. */
struct cg_admin_route {
    const char *method;
    const char *path; /* below /admin/v1: "/mappings/{name}" */
    enum cg_role role;
    void (*serve)(struct cg_admin_call *call); /* now or later: exactly one cg_admin_reply_… */
    void (*left)(struct cg_admin_call *call);  /* the client has gone before the answer; NULL: nothing to do */
    const char *id;                            /* operationId, and the audit's word: "mappings.put" */
    const char *says;                          /* a sentence */
    const char *body;                          /* schema of the body: a name of fronts/admin/schemas; NULL: none */
    const char *answer;                        /* schema of the answer */
    const char *queries;                       /* "limit cursor dry_run": by name; NULL: none */
    uint16_t status;                           /* of success */
    uint16_t others[6];                        /* of failures that are its own */
};

struct cg_admin_routes {
    const struct cg_admin_route *list;
    size_t count;
};

/* One file a resource. */
extern const struct cg_admin_routes cg_routes_items, cg_routes_groups, cg_routes_tokens, cg_routes_members,
    cg_routes_history, cg_routes_exchanges, cg_routes_try, cg_routes_discovery, cg_routes_events, cg_routes_settings,
    cg_routes_document;

/* What the resources work with. */
struct cg_manage *cg_admin_manage(const struct cg_admin_call *call);
struct cg_gateway *cg_admin_gateway(const struct cg_admin_call *call);

/* Decoded; false: it is not there, or (with *bad) no good. */
bool cg_admin_query(const struct cg_admin_call *call, const char *name, char *value, size_t size);
bool cg_admin_is_dry(const struct cg_admin_call *call);

/* Takes over the reference. `etag` 0: none; `location` NULL: none. */
void cg_admin_reply_json(struct cg_admin_call *call, uint16_t status, json_t *body, uint64_t etag,
                         const char *location);
void cg_admin_reply_bytes(struct cg_admin_call *call, uint16_t status, const char *content_type, struct cg_buf *body);
void cg_admin_reply_none(struct cg_admin_call *call); /* 204 */
/* application/problem+json; with "errors": [{"pointer": "#/timeout", "detail": "…"}] of the mistakes, whose pointers
 * lose `base` ("/mappings/floor3"). */
void cg_admin_reply_problem(struct cg_admin_call *call, const struct cg_problem *problem,
                            const struct cg_mistakes *mistakes, const char *base);

#endif
