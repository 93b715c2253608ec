/* openapi.json: the routes in OpenAPI 3.1's words, made from the table that serves them, so that it is complete. It
 * tells nothing of what is set up here, and needs no token. The hard thing is that it is to be believed: what every
 * route has in common (who may, what is wrong with a request) is said of each. */
#include "fronts/admin/private.h"

#include <stdio.h>
#include <string.h>

#include "fronts/admin/item_schemas.h"
#include "fronts/admin/resources.h"

static const char begins[] =
    "{'openapi': '3.1.0', 'info': {'title': 'castgate: administration', 'version': '" CASTGATE_VERSION "',"
    "  'description': 'What is stored, how it is changed, who changed it, and how that is undone. Changes are made "
    "whole"
    " or not at all, and are durable before they are answered.',"
    "  'license': {'name': 'BSD-2-Clause', 'identifier': 'BSD-2-Clause'}},"
    " 'servers': [{'url': '" CG_ADMIN_ROOT "'}],"
    " 'security': [{'bearer': []}, {'certificate': []}],"
    " 'paths': {}, 'components': {"
    "  'securitySchemes': {"
    "   'bearer': {'type': 'http', 'scheme': 'bearer'},"
    "   'certificate': {'type': 'mutualTLS', 'description': 'Where admin.tls has a client_ca.'}},"
    "  'parameters': {"
    "   'if_match': {'name': 'If-Match', 'in': 'header', 'schema': {'type': 'string'},"
    "    'description': 'The ETag of what is there; * for whatever it is.'},"
    "   'if_none_match': {'name': 'If-None-Match', 'in': 'header', 'schema': {'type': 'string'}}},"
    "  'responses': {}, 'schemas': {}}}";

/* What is common to many. */
static const struct cg_admin_schema schemas[] = {
    {"Mistake", "{'type': 'object', 'required': ['pointer', 'detail'], 'additionalProperties': false, 'properties': {"
                "'pointer': {'type': 'string', 'description': 'Into what was sent (RFC 6901, as a fragment).'},"
                "'detail': {'type': 'string', 'description': 'What it should be.'}}}"},
    {"Problem", "{'type': 'object', 'required': ['type', 'status', 'title', 'detail'], 'properties': {"
                "'type': {'type': 'string', 'pattern': '^urn:castgate:problem:[a-z-]+$'},"
                "'status': {'type': 'integer'}, 'title': {'type': 'string'}, 'detail': {'type': 'string'},"
                "'errors': {'type': 'array', 'items': {'$ref': '#/components/schemas/Mistake'}}}}"},
    {"Difference",
     "{'type': 'array', 'items': {'type': 'object', 'required': ['kind', 'name', 'before', 'after'], 'properties': {"
     "'kind': {'type': 'string'}, 'name': {'type': 'string'}, 'before': {'type': ['object', 'null']},"
     "'after': {'type': ['object', 'null']}}}}"},
    {"Preview", "{'type': 'object', 'required': ['difference', 'warnings'], 'properties': {"
                "'difference': {'$ref': '#/components/schemas/Difference'},"
                "'gains': {'type': 'array', 'items': {'type': 'object'}},"
                "'loses': {'type': 'array', 'items': {'type': 'object'}},"
                "'warnings': {'type': 'array', 'items': {'$ref': '#/components/schemas/Mistake'}},"
                "'sends': {'type': 'array', 'maxItems': 64, 'items': {'$ref': '#/components/schemas/Sends'},"
                "'description': 'What a request to each mapping would send, of those that are made or changed.'}}}"},
    {"Sends", "{'type': 'object', 'required': ['mapping', 'method'], 'properties': {'mapping': {'type': 'string'},"
              "'method': {'type': 'string'}, 'datagrams': {'type': 'integer'}, 'at_most': {'type': 'integer',"
              "'description': 'With all that may be asked again or by unicast.'}, 'by_unicast': {'type': 'boolean'},"
              "'expected': {'type': 'integer'}, 'bytes': {'type': 'integer'}, 'frames_6lowpan': {'type': 'integer'},"
              "'above_frame_size': {'type': 'boolean'}, 'targets': {'type': 'array', 'items': {'type': 'object'},"
              "'description': 'Where to, with the share of the send budget.'}, 'problem': {'type': 'string',"
              "'description': 'Why nothing would be sent.'}}}"},
    {"Any", "{'type': 'object'}"},
};

static const struct {
    const char *name, *json;
} queries[] = {
    {"limit", "{'type': 'integer', 'minimum': 1, 'maximum': 1000, 'default': 100}"},
    {"cursor", "{'type': 'string', 'maxLength': 511}"},
    {"dry_run", "{'type': 'boolean', 'default': false}"},
    {"with_later", "{'type': 'boolean', 'default': false}"},
};

static json_t *reference(const char *section, const char *name) {
    return json_pack("{s:s+++}", "$ref", "#/components/", section, "/", name);
}

/* ---- Parameters ---- */

static const char *part_schema(const char *name) {
    if (strcmp(name, "n") == 0) return "{'type': 'integer', 'minimum': 1}";
    if (strcmp(name, "id") == 0) return "{'type': 'string', 'pattern': '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$'}";
    if (strcmp(name, "member") == 0) return "{'type': 'string', 'pattern': '^[^/\\\\]{1,64}$'}";
    return "{'type': 'string', 'pattern': '^[a-z0-9][a-z0-9._-]{0,63}$'}";
}

static void add_parts(json_t *parameters, const char *path) {
    for (const char *at = path; (at = strchr(at, '{')) != NULL; at++) {
        char name[16];
        snprintf(name, sizeof name, "%.*s", (int)(strchr(at, '}') - at - 1), at + 1);
        json_t *schema = cg_schema_quoted(part_schema(name));
        json_array_append_new(
            parameters, json_pack("{s:s,s:s,s:b,s:o}", "name", name, "in", "path", "required", 1, "schema", schema));
    }
}

static json_t *query_schema(const char *name) {
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        if (strcmp(queries[i].name, name) == 0) return cg_schema_quoted(queries[i].json);
    }
    return cg_schema_quoted("{'type': 'string', 'maxLength': 511}");
}

static void add_queries(json_t *parameters, const char *names) {
    while (names != NULL && *names != '\0') {
        char name[32];
        size_t len = strcspn(names, " ");
        snprintf(name, sizeof name, "%.*s", (int)len, names);
        json_array_append_new(parameters,
                              json_pack("{s:s,s:s,s:o}", "name", name, "in", "query", "schema", query_schema(name)));
        names += len + (names[len] == ' ');
    }
}

static bool has_other(const struct cg_admin_route *route, uint16_t status) {
    for (size_t i = 0; i < sizeof route->others / sizeof *route->others; i++) {
        if (route->others[i] == status) return true;
    }
    return false;
}

static json_t *parameters_of(const struct cg_admin_route *route) {
    json_t *parameters = json_array();
    add_parts(parameters, route->path);
    add_queries(parameters, route->queries);
    if (has_other(route, 412)) json_array_append_new(parameters, reference("parameters", "if_match"));
    if (has_other(route, 304) || has_other(route, 201))
        json_array_append_new(parameters, reference("parameters", "if_none_match"));
    return parameters;
}

/* ---- Bodies and responses ---- */

static json_t *content(const char *type, const char *schema) {
    return json_pack("{s:{s:o}}", type, "schema", reference("schemas", schema));
}

/* What a change answers where it says no more than what it would come to. */
static json_t *content_or_preview(const char *type, const char *schema) {
    return json_pack("{s:{s:{s:[o,o]}}}", type, "schema", "anyOf", reference("schemas", schema),
                     reference("schemas", "Preview"));
}

static json_t *body_of(const struct cg_admin_route *route) {
    json_t *all = content("application/json", route->body);
    if ((route->flags & CG_ROUTE_MERGE_PATCH) != 0)
        json_object_set_new(all, "application/merge-patch+json",
                            json_pack("{s:o}", "schema", reference("schemas", route->body)));
    return json_pack("{s:b,s:o}", "required", (route->flags & CG_ROUTE_BODY_OPTIONAL) == 0, "content", all);
}

static bool is_previewed(const struct cg_admin_route *route) {
    return route->queries != NULL && strstr(route->queries, "dry_run") != NULL &&
           (route->flags & CG_ROUTE_OWN_PREVIEW) == 0;
}

static json_t *success(const struct cg_admin_route *route, uint16_t status) {
    json_t *response = json_pack("{s:s}", "description", status == 304 ? "Not changed." : route->says);
    bool is_preview = status == 200 && route->status != 200;
    const char *answer = status == 204 || status == 304 ? NULL : is_preview ? "Preview" : route->answer;
    json_t *headers = json_object();
    if (status == 201) json_object_set_new(headers, "Location", json_pack("{s:{s:s}}", "schema", "type", "string"));
    if (has_other(route, 304) || has_other(route, 412))
        json_object_set_new(headers, "ETag", json_pack("{s:{s:s}}", "schema", "type", "string"));
    if (json_object_size(headers) > 0 && status != 204) json_object_set(response, "headers", headers);
    json_decref(headers);
    if (answer == NULL) return response;
    const char *type = route->answer_type == NULL || is_preview ? "application/json" : route->answer_type;
    bool may_be_preview = status == 200 && !is_preview && is_previewed(route);
    json_object_set_new(response, "content", may_be_preview ? content_or_preview(type, answer) : content(type, answer));
    return response;
}

static void add_status(json_t *responses, const struct cg_admin_route *route, uint16_t status) {
    char text[8];
    snprintf(text, sizeof text, "%u", status);
    json_object_set_new(responses, text, status < 400 ? success(route, status) : reference("responses", "problem"));
}

static json_t *responses_of(const struct cg_admin_route *route) {
    static const uint16_t always[] = {400, 401, 403, 413, 421, 429, 431, 503};
    json_t *responses = json_object();
    add_status(responses, route, route->status);
    for (size_t i = 0; i < sizeof route->others / sizeof *route->others && route->others[i] != 0; i++)
        add_status(responses, route, route->others[i]);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) add_status(responses, route, always[i]);
    if (strchr(route->path, '{') != NULL) add_status(responses, route, 404);
    if (route->body != NULL) add_status(responses, route, 415);
    return responses;
}

/* ---- Operations ---- */

static const char *const roles[] = {"Needs no token.", "Role: viewer.", "Role: operator.", "Role: admin."};

static json_t *operation(const struct cg_admin_route *route) {
    char tag[64];
    snprintf(tag, sizeof tag, "%.*s", (int)strcspn(route->path + 1, "/"), route->path + 1);
    json_t *all = json_pack("{s:s,s:s,s:s,s:[s],s:o,s:o}", "operationId", route->id, "summary", route->says,
                            "description", roles[route->role], "tags", tag, "parameters", parameters_of(route),
                            "responses", responses_of(route));
    if (route->body != NULL) json_object_set_new(all, "requestBody", body_of(route));
    if (route->role == CG_ROLE_NOBODY) json_object_set_new(all, "security", json_array());
    return all;
}

static void add_path(json_t *paths, const struct cg_admin_route *route) {
    char method[8];
    size_t len = strlen(route->method);
    json_t *path = json_object_get(paths, route->path);
    for (size_t i = 0; i <= len && i < sizeof method; i++) method[i] = (char)(route->method[i] | 0x20);
    method[len] = '\0';
    if (path == NULL) {
        path = json_object();
        json_object_set_new(paths, route->path, path);
    }
    json_object_set_new(path, method, operation(route));
}

static void add_schemas(json_t *all) {
    const struct cg_admin_schema *schema;
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++)
        json_object_set_new(all, schemas[i].name, cg_schema_quoted(schemas[i].json));
    for (size_t i = 0; (schema = cg_admin_schema_at(i)) != NULL; i++)
        json_object_set_new(all, schema->name, cg_schema_quoted(schema->json));
    (void)cg_item_schemas_add(all);
}

static int on_text(const char *text, size_t len, void *ctx) {
    struct cg_buf *to = ctx;
    cg_buf_put(to, text, len);
    return to->failed ? -1 : 0;
}

void cg_openapi_put(struct cg_buf *to) {
    const struct cg_admin_route *route;
    json_t *document = cg_schema_quoted(begins), *components = json_object_get(document, "components");
    json_object_set_new(json_object_get(components, "responses"), "problem",
                        json_pack("{s:s,s:o}", "description", "What is wrong, and what to change (RFC 9457).",
                                  "content", content("application/problem+json", "Problem")));
    add_schemas(json_object_get(components, "schemas"));
    for (size_t i = 0; (route = cg_admin_route_at(i)) != NULL; i++) add_path(json_object_get(document, "paths"), route);
    if (document == NULL || json_dump_callback(document, on_text, to, JSON_COMPACT) != 0) to->failed = true;
    json_decref(document);
}

static void serve_openapi(struct cg_admin_call *call) {
    struct cg_buf *document = &call->admin->document, body;
    if (document->len == 0) cg_openapi_put(document);
    cg_buf_init(&body, 0);
    cg_buf_put_slice(&body, cg_buf_slice(document));
    if (document->failed) {
        cg_buf_clear(document);
        body.failed = true;
    }
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &body);
}

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/openapi.json",
     .role = CG_ROLE_NOBODY,
     .serve = serve_openapi,
     .id = "openapi.get",
     .says = "This document.",
     .answer = "Any",
     .status = 200},
};

const struct cg_admin_routes cg_routes_document = {CG_ADMIN_ROUTES(routes)};
