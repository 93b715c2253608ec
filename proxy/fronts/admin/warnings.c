/* Warnings: what works but should be known before it surprises, as data. */
#include "fronts/admin/call.h"
#include "fronts/admin/resources.h"
#include "settings/settings.h"

static json_t *shown(const struct cg_mistake *warning) {
    return json_pack("{s:s,s:s,s:s}", "code", warning->code == NULL ? "other" : warning->code, "about",
                     warning->pointer, "detail", warning->message);
}

static void serve_list(struct cg_admin_call *call) {
    struct cg_mistakes warnings;
    json_t *items = json_array();
    cg_mistakes_init(&warnings);
    cg_admin_warnings(call, &warnings);
    for (const struct cg_mistake *at = warnings.first; at != NULL; at = at->next)
        (void)json_array_append_new(items, shown(at));
    cg_admin_reply_json(call, &(struct cg_admin_head){.status = 200},
                        json_pack("{s:o,s:I}", "items", items, "count", (json_int_t)warnings.count));
    cg_mistakes_fini(&warnings);
}

static const struct cg_admin_schema schemas[] = {
    {"Warning",
     "{'type': 'object', 'required': ['code', 'about', 'detail'], 'additionalProperties': false, 'properties': {"
     "'code': {'type': 'string', 'pattern': '^[a-z-]+$', 'description': 'What it is, for programs.'},"
     "'about': {'type': 'string', 'description': 'JSON pointer to the setting, or /COLLECTION/NAME/KEY.'},"
     "'detail': {'type': 'string'}}}"},
    {"WarningList", "{'type': 'object', 'required': ['items', 'count'], 'additionalProperties': false, 'properties': {"
                    "'items': {'type': 'array', 'items': {'$ref': '#/components/schemas/Warning'}},"
                    "'count': {'type': 'integer', 'description': 'All there are; the first of them are listed.'}}}"},
};

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/warnings",
     .role = CG_ROLE_VIEWER,
     .serve = serve_list,
     .id = "warnings.list",
     .says = "What works but should be known.",
     .answer = "WarningList",
     .status = 200},
};

const struct cg_admin_routes cg_routes_warnings = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
