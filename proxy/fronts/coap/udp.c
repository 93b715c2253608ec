/* CoAP over UDP. The hard thing is left to others: here an address is proven only where it is loopback's. */
#include "fronts/coap/udp.h"

#include <stdlib.h>

#include "base/container.h"

struct cg_coap_udp {
    struct cg_coap_transport transport;
    struct cg_coap_socket *socket;
    struct cg_coap_messages *messages;
    cg_coap_arrival_fn *on_group; /* NULL: nobody has joined any */
    void *on_group_ctx;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

static int send_datagram(const struct cg_coap_path *path, struct cg_slice datagram) {
    const struct cg_coap_udp *udp = CG_CONTAINER(path->transport, struct cg_coap_udp, transport);
    return cg_coap_socket_send(udp->socket, &path->to, &path->from, datagram);
}

static const struct cg_coap_transport_ops ops = {.scheme = CG_CRI_COAP, .send = send_datagram};

static void on_arrival(void *ctx, const struct cg_coap_arrival *arrival) {
    struct cg_coap_udp *udp = ctx;
    if (arrival->reached == CG_COAP_BY_MULTICAST && udp->on_group != NULL) {
        udp->on_group(udp->on_group_ctx, arrival);
        return;
    }
    const struct cg_coap_path path = {.transport = &udp->transport,
                                      .from = arrival->from,
                                      .to = arrival->to,
                                      .proof = arrival->is_local ? CG_COAP_PROVEN : CG_COAP_UNPROVEN};
    cg_coap_messages_take(udp->messages, &path, arrival->reached, arrival->bytes);
}

struct cg_coap_udp *cg_coap_udp_open(uv_loop_t *uv, struct cg_coap_inbox *inbox, struct cg_listen *listen,
                                     struct cg_coap_messages *messages, struct cg_problem *problem) {
    struct cg_coap_udp *udp = calloc(1, sizeof *udp);
    if (udp == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    udp->transport = (struct cg_coap_transport){.ops = &ops, .listen = listen};
    udp->messages = messages;
    udp->socket = cg_coap_socket_open(uv, inbox, &listen->addr, on_arrival, udp, problem);
    if (udp->socket != NULL) return udp;
    free(udp);
    return NULL;
}

struct cg_coap_socket *cg_coap_udp_share(struct cg_coap_udp *udp, cg_coap_arrival_fn *on_group, void *ctx) {
    udp->on_group = on_group;
    udp->on_group_ctx = ctx;
    return udp->socket;
}

static void on_socket_closed(void *ctx) {
    struct cg_coap_udp *udp = ctx;
    if (udp->on_closed != NULL) udp->on_closed(udp->on_closed_ctx);
    free(udp);
}

void cg_coap_udp_close(struct cg_coap_udp *udp, void (*on_closed)(void *ctx), void *ctx) {
    udp->on_closed = on_closed;
    udp->on_closed_ctx = ctx;
    cg_coap_socket_close(udp->socket, on_socket_closed, udp);
}
