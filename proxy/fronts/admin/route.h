/* The table of what the admin side serves below /admin/v1: from its rows requests are sorted, roles are checked and
 * openapi.json is made. One file a resource, each with its rows. */
#ifndef CG_FRONTS_ADMIN_ROUTE_H
#define CG_FRONTS_ADMIN_ROUTE_H

#include "fronts/admin/who.h"
#include "model/request.h"

#define CG_ADMIN_ROOT      "/admin/v1"
#define CG_ADMIN_PARTS_MAX 4
#define CG_ADMIN_PART_MAX  CG_NAME_MAX

struct cg_admin_call;

enum cg_admin_route_flag {
    CG_ROUTE_BODY_OPTIONAL = 1,
    CG_ROUTE_MERGE_PATCH = 2, /* application/merge-patch+json is taken as well */
    CG_ROUTE_OWN_PREVIEW = 4, /* with dry_run it answers in a form of its own: `answer` has it */
};

struct cg_admin_route {
    const char *method;
    const char *path; /* below CG_ADMIN_ROOT: "/mappings/{name}"; {name} is a name, {n} a number above 0, {id} anything
                         of letters, digits and ._-, {member} a member's name or address */
    enum cg_role role;
    void (*serve)(struct cg_admin_call *call); /* now or later: exactly one cg_admin_reply_… */
    void (*left)(struct cg_admin_call *call);  /* the client has gone before the answer; NULL: nothing to do */
    void (*over)(struct cg_admin_call *call);  /* the end of one that was replied to by a queue; NULL: nothing to do */
    const char *id;                            /* operationId, and the audit's word: "mappings.put" */
    const char *says;                          /* a sentence */
    const char *body;                          /* schema of the body, a name in openapi.json; NULL: none */
    size_t body_max;                           /* bytes; 0: CG_ADMIN_BODY_MAX */
    const char *answer;                        /* schema of the answer; NULL: it has no body */
    const char *answer_type;                   /* its media type; NULL: application/json */
    const char *queries;                       /* "limit cursor dry_run": by name; NULL: none */
    unsigned flags;                            /* of enum cg_admin_route_flag */
    int about;                                 /* the resource's own: of several collections, which */
    uint16_t status;                           /* of success */
    uint16_t others[6]; /* of failures and other successes that are its own; every route has 400 to 405, 413, 415, 421,
                           429 and 503 besides */
};

#define CG_ADMIN_BODY_MAX ((size_t)1 << 20)

/* A schema that routes name: JSON Schema (2020-12), with ' for ". */
struct cg_admin_schema {
    const char *name;
    const char *json;
};

struct cg_admin_routes {
    const struct cg_admin_route *list;
    size_t count;
    const struct cg_admin_schema *schemas; /* those of its own; NULL: none */
    size_t schema_count;
};
#define CG_ADMIN_ROUTES(array)  .list = (array), .count = sizeof(array) / sizeof *(array)
#define CG_ADMIN_SCHEMAS(array) .schemas = (array), .schema_count = sizeof(array) / sizeof *(array)

/* What every list of items is: its "items", and "next", a cursor or null. */
#define CG_ADMIN_LIST_SCHEMA(item)                                                                                     \
    "{'type': 'object', 'required': ['items', 'next'], 'additionalProperties': false, 'properties': {'items': "        \
    "{'type': 'array', 'items': {'$ref': '#/components/schemas/" item "'}}, 'next': {'type': ['string', 'null'], "     \
    "'description': 'The cursor of the next page; null: there is none.'}}}"

/* Row `index` of all; NULL behind the last one. */
const struct cg_admin_route *cg_admin_route_at(size_t index);
const struct cg_admin_schema *cg_admin_schema_at(size_t index);

struct cg_admin_match {
    const struct cg_admin_route *route;
    char parts[CG_ADMIN_PARTS_MAX][CG_ADMIN_PART_MAX + 1]; /* for each {…} of the route's path, decoded */
};

/* `path`: raw, below CG_ADMIN_ROOT. HEAD is GET. CG_E_NOT_FOUND, CG_E_METHOD with what is allowed, CG_E_BAD_URI: a part
 * that can be no name. */
int cg_admin_route_find(struct cg_admin_match *match, struct cg_slice method, struct cg_slice path,
                        struct cg_problem *problem) CG_MUST_CHECK;
/* CG_METHOD_BIT of what there is at that path. */
uint32_t cg_admin_route_methods(struct cg_slice path);
/* [a-z0-9][a-z0-9._-]{0,63} */
bool cg_admin_is_name(const char *text);
bool cg_admin_route_takes_query(const struct cg_admin_route *route, struct cg_slice name);

#endif
