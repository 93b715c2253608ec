/* The ways to a mapping, and what is said where there is none. */
#include "model/route.h"

#include "base/text.h"
#include "model/follow.h"
#include "model/forward.h"
#include "model/mapping.h"

int cg_route_refuse(struct cg_problem *problem) {
    return cg_problem_set(
        problem, CG_E_FORBIDDEN,
        "the target URI lies below no group URI of a mapping with \"forward\": true, and is no address "
        "of a member of one that this client may ask");
}

static int find_by_uri(const struct cg_config *config, const struct cg_request *request,
                       const struct cg_mapping **mapping, struct cg_slice *rest, struct cg_problem *problem) {
    *mapping = cg_forward_find(config, request->path, rest);
    if (*mapping == NULL) *mapping = cg_follow_find(config, request, rest);
    return *mapping != NULL ? CG_OK : cg_route_refuse(problem);
}

/* What stands at longer paths below the mapping's does not count: the mapping is meant. */
static int find_by_name(const struct cg_config *config, const struct cg_request *request,
                        const struct cg_mapping **mapping, struct cg_slice *rest, struct cg_problem *problem) {
    *mapping = cg_mapping_by_name(config, request->mapping);
    if (*mapping == NULL) return cg_problem_set(problem, CG_E_NOT_FOUND, "no mapping is called %s", request->mapping);
    const size_t len = strlen((*mapping)->path);
    if (!cg_slice_starts(request->path, (*mapping)->path))
        return cg_problem_set(problem, CG_E_NOT_FOUND, "the path is not below that of mapping %s", request->mapping);
    *rest = cg_slice_of(request->path.data + len, request->path.len - len);
    return CG_OK;
}

int cg_route(const struct cg_config *config, const struct cg_request *request, const struct cg_mapping **mapping,
             struct cg_slice *rest, struct cg_problem *problem) {
    if (request->mapping != NULL) return find_by_name(config, request, mapping, rest, problem);
    if (request->forward) return find_by_uri(config, request, mapping, rest, problem);
    *mapping = cg_mapping_find(config, request->host, request->path, rest);
    if (*mapping != NULL) return CG_OK;
    return cg_problem_set(problem, CG_E_NOT_FOUND,
                          "no mapping has this path; GET /.well-known/core or the settings' mappings tell which exist");
}
