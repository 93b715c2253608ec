/* News of connections, for whoever asks by them. The hard thing: who hears of one may end, and nobody else meanwhile.
 */
#include "legs/connection.h"

int cg_connection_find(struct cg_engine *engine, const struct cg_next_hop *next_hop, struct cg_addr *at,
                       struct cg_problem *problem) {
    const struct cg_connection_port *connections = engine->port->connections;
    *at = cg_next_hop_addr(next_hop);
    if (at->family == CG_FAMILY_NONE)
        return cg_problem_set(problem, CG_E_HOP_LOST, "the next hop %s cannot be reached: %s", next_hop->uri,
                              next_hop->resolved->why);
    if (!cg_next_hop_is_to_be_found(next_hop)) return CG_OK;
    if (connections != NULL) return connections->find(connections->ctx, next_hop, at, problem);
    return cg_problem_set(problem, CG_E_HOP_LOST, "the next hop %s is asked by no connection here", next_hop->uri);
}

void cg_connection_ready(struct cg_engine *engine, const struct cg_addr *at) {
    struct cg_endpoint *endpoint = cg_endpoint_find(engine, at);
    if (endpoint != NULL) cg_endpoint_look_again(engine, endpoint);
}

void cg_connection_reached(struct cg_engine *engine, const struct cg_addr *at, uint64_t requests) {
    const struct cg_endpoint *endpoint = cg_endpoint_find(engine, at);
    struct cg_turn *next;
    for (struct cg_turn *turn = endpoint == NULL ? NULL : endpoint->flying; turn != NULL; turn = next) {
        next = turn->next;
        turn->ops->reach(engine, turn, requests);
    }
}

static void lose_flying(struct cg_engine *engine, const struct cg_endpoint *endpoint, uint64_t requests,
                        const struct cg_problem *problem) {
    struct cg_turn *next;
    for (struct cg_turn *turn = endpoint->flying; turn != NULL; turn = next) {
        next = turn->next;
        if (requests == UINT64_MAX || turn->ops->is_among(turn, requests)) turn->ops->lose(engine, turn, problem);
    }
}

void cg_connection_lost(struct cg_engine *engine, const struct cg_addr *at, const struct cg_problem *problem) {
    struct cg_endpoint *endpoint = cg_endpoint_find(engine, at);
    if (endpoint == NULL) return;
    lose_flying(engine, endpoint, UINT64_MAX, problem);
    cg_endpoint_lose_waiting(engine, endpoint, problem);
}

void cg_connection_former_lost(struct cg_engine *engine, const struct cg_addr *at, uint64_t requests,
                               const struct cg_problem *problem) {
    const struct cg_endpoint *endpoint = cg_endpoint_find(engine, at);
    if (endpoint != NULL) lose_flying(engine, endpoint, requests, problem);
}

bool cg_connection_is_used(const struct cg_engine *engine, const struct cg_addr *at) {
    const struct cg_endpoint *endpoint = cg_endpoint_find(engine, at);
    return endpoint != NULL && (endpoint->flying != NULL || endpoint->waiting != NULL);
}

uint64_t cg_connection_requests(const struct cg_engine *engine) { return engine->requests; }
