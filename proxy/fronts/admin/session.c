/* Who is asking, as the admin side takes it: so that a page or a program offers nothing that would be refused. */
#include "fronts/admin/call.h"
#include "fronts/admin/resources.h"

static void serve_session(struct cg_admin_call *call) {
    cg_admin_reply_json(call, &(struct cg_admin_head){.status = 200},
                        json_pack("{s:s,s:s}", "client", call->who.name, "role", cg_role_names[call->who.role]));
}

static const struct cg_admin_schema schemas[] = {
    {"Session", "{'type': 'object', 'required': ['client', 'role'], 'additionalProperties': false, 'properties': {"
                "'client': {'type': 'string'}, 'role': {'enum': ['viewer', 'operator', 'admin'], 'description': "
                "'viewer reads, operator also tries, admin also changes.'}}}"},
};

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/session",
     .role = CG_ROLE_VIEWER,
     .serve = serve_session,
     .id = "session.get",
     .says = "Which client asks, and its role.",
     .answer = "Session",
     .status = 200},
};

const struct cg_admin_routes cg_routes_session = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
