/* openapi.json: the routes in OpenAPI 3.1's words, made from the table that serves them. It tells nothing of what is
 * set up here, so it needs no token. */
#include "fronts/admin/call.h"
#include "fronts/admin/resources.h"

static void serve_openapi(struct cg_admin_call *call) {
    const struct cg_admin_route *route;
    json_t *paths = json_object();
    for (size_t i = 0; (route = cg_admin_route_at(i)) != NULL; i++)
        json_object_set_new(paths, route->path, json_pack("{s:s}", "operationId", route->id));
    cg_admin_reply_json(call, &(struct cg_admin_head){.status = 200},
                        json_pack("{s:s,s:o}", "openapi", "3.1.0", "paths", paths));
}

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/openapi.json",
     .role = CG_ROLE_NOBODY,
     .serve = serve_openapi,
     .id = "openapi.get",
     .says = "This document.",
     .answer = "any",
     .status = 200},
};

const struct cg_admin_routes cg_routes_document = {CG_ADMIN_ROUTES(routes)};
