/* A request without a client. The hard thing: it must be good for any mapping, whatever its path, host and methods. */
#include "jobs/own.h"

#include "model/mapping.h"

static bool ask_for_errors(struct cg_request *request, struct cg_arena *arena) {
    struct cg_opt *option = cg_arena_alloc(arena, sizeof *option);
    if (option == NULL) return false;
    *option = (struct cg_opt){.number = CG_OPT_NO_RESPONSE};
    request->options = (struct cg_opts){.list = option, .count = 1};
    return true;
}

static int put_path(struct cg_buf *to, const struct cg_mapping *mapping, struct cg_slice rest) {
    cg_buf_put_str(to, mapping->path);
    int err = cg_mapping_normal_path(to, rest);
    if (to->len == 0) cg_buf_put_u8(to, '/');
    return err;
}

static int set_path(struct cg_request *request, struct cg_arena *arena, const struct cg_mapping *mapping,
                    struct cg_slice rest) {
    struct cg_buf path;
    cg_buf_init(&path, 0);
    int err = put_path(&path, mapping, rest);
    if (err == CG_OK && !path.failed) request->path = cg_arena_copy(arena, cg_buf_slice(&path));
    cg_buf_fini(&path);
    return err == CG_OK && request->path.data == NULL ? CG_E_NO_MEMORY : err;
}

static int fill(struct cg_request *request, struct cg_arena *arena, const struct cg_own *own) {
    const struct cg_mapping *mapping = &own->excerpt->mappings[0];
    request->method = CG_GET;
    request->proof = CG_PROOF_GATEWAY;
    request->host = mapping->host == NULL ? CG_SLICE_NONE : cg_slice_str(mapping->host);
    request->asks = own->asks;
    request->has_timeout = true;
    request->timeout_s = own->timeout_s;
    if (own->query.len > 0) request->query = cg_arena_copy(arena, own->query);
    if (request->query.len != own->query.len || !ask_for_errors(request, arena)) return CG_E_NO_MEMORY;
    return set_path(request, arena, mapping, own->rest);
}

int cg_own_open(struct cg_gateway *gateway, const struct cg_own *own, struct cg_ticket *ticket,
                struct cg_problem *problem) {
    int err = cg_gateway_new_exchange(gateway, ticket, problem);
    if (err < 0) return err;
    cg_gateway_use_config(gateway, *ticket, own->excerpt);
    err = fill(cg_gateway_request(gateway, *ticket), cg_gateway_arena(gateway, *ticket), own);
    if (err == CG_OK) return CG_OK;
    cg_gateway_abandon(gateway, *ticket);
    if (err == CG_E_NO_MEMORY) return cg_problem_memory_full(problem);
    return cg_problem_set(problem, err, "the path is no path of a URI");
}

/* Those that observe have room of their own. */
bool cg_own_has_room(const struct cg_gateway *gateway) {
    return cg_gateway_running(gateway) - cg_gateway_observers(gateway) <=
           cg_gateway_config(gateway)->limits.exchanges / 2;
}
