/* What there is to do. The hard thing is whom to tell: a load balancer or a browser's preflight shows no token, and
 * what a mapping takes is no secret; but who does say who he is learns what that is good for. */
#include "fronts/http/options.h"

#include "model/access.h"
#include "model/route.h"

static bool is_about_mappings(const struct cg_http_parts *parts) {
    return !parts->request->discovery && !cg_slice_is(parts->message->target, "*");
}

int cg_http_options(const struct cg_http_parts *parts, uint32_t *methods) {
    const struct cg_request *request = parts->request;
    const struct cg_mapping *mapping;
    struct cg_slice rest;
    struct cg_problem nowhere = {0};
    *methods = request->discovery ? CG_METHOD_BIT(CG_GET) : CG_METHODS_ALL;
    if (!is_about_mappings(parts)) return CG_OK;
    int err = cg_route(parts->config, request, &mapping, &rest, &nowhere);
    if (err == CG_OK) return cg_access_methods(mapping, request, methods, parts->problem);
    if (cg_slice_is(request->path, "/")) return CG_OK;
    *parts->problem = nowhere;
    return err;
}
