/* Opening and closing. The hard thing is the end: what runs speaks to clients through the desk, so the peers go first,
 * then the listeners, and the desk when its last exchange has said its end. */
#include "fronts/coap/front.h"

#include <stdlib.h>

#include "fronts/coap/desk.h"
#include "fronts/coap/desk_metrics.h"
#include "fronts/coap/server.h"
#include "io/loop.h"

struct cg_front_coap {
    struct cg_coap_server *server;
    struct cg_coap_desk *desk;
    struct cg_gateway *gateway;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

static uint64_t now_us(void *ctx) {
    (void)ctx;
    return cg_loop_now_us();
}

struct cg_front_coap *cg_front_coap_open(uv_loop_t *uv, struct cg_gateway *gateway,
                                         const struct cg_encoder_list *encoders, struct cg_problem *problem) {
    struct cg_front_coap *front = calloc(1, sizeof *front);
    const struct cg_coap_clock clock = {.now_us = now_us};
    if (front == NULL || (front->desk = cg_coap_desk_new(gateway, clock, encoders)) == NULL) {
        cg_problem_set(problem, CG_E_NO_MEMORY, "no memory for the CoAP front");
        free(front);
        return NULL;
    }
    front->gateway = gateway;
    front->server = cg_coap_server_open(uv, cg_gateway_config(gateway), &cg_coap_desk_ops, front->desk, problem);
    if (front->server == NULL) {
        cg_coap_desk_free(front->desk);
        free(front);
        return NULL;
    }
    return front;
}

int cg_front_coap_reload(struct cg_front_coap *front, struct cg_problem *problem) {
    return cg_coap_server_reload(front->server, cg_gateway_config(front->gateway), problem);
}

size_t cg_front_coap_running(const struct cg_front_coap *front) { return cg_coap_desk_running(front->desk); }

static void on_server_closed(void *ctx) {
    struct cg_front_coap *front = ctx;
    cg_coap_desk_free(front->desk);
    if (front->on_closed != NULL) front->on_closed(front->on_closed_ctx);
    free(front);
}

void cg_front_coap_close(struct cg_front_coap *front, void (*on_closed)(void *ctx), void *ctx) {
    if (front == NULL) return;
    front->on_closed = on_closed;
    front->on_closed_ctx = ctx;
    cg_coap_server_close(front->server, on_server_closed, front);
}

const struct cg_listen *cg_front_coap_listen(const struct cg_front_coap *front, size_t index) {
    return cg_coap_server_listen(front->server, index);
}

void cg_front_coap_metrics(const struct cg_front_coap *front, struct cg_buf *to) {
    cg_coap_server_metrics(front->server, to);
    cg_coap_desk_metrics(front->desk, to);
}
