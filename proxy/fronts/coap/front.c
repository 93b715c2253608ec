/* Opening and closing. The hard thing is the end: what runs speaks to clients through the desk, so the peers go first,
 * then the listeners, and the desk when its last exchange has said its end. */
#include "fronts/coap/front.h"

#include <stdlib.h>

#include "fronts/coap/desk.h"
#include "fronts/coap/desk_metrics.h"
#include "fronts/coap/multicast.h"
#include "fronts/coap/server.h"
#include "fronts/coap/shield.h"
#include "io/loop.h"

enum { TIDY_MS = 10000 };

struct cg_front_coap {
    uv_timer_t tidy;
    struct cg_coap_server *server;
    struct cg_coap_multicast *multicast; /* NULL: the settings name no interface for it */
    struct cg_listings *listings;
    struct cg_coap_desk *desk;
    struct cg_coap_shield *shield; /* before the desk */
    struct cg_gateway *gateway;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

static uint64_t now_us(void *ctx) {
    (void)ctx;
    return cg_loop_now_us();
}

static const struct cg_config *config_of(void *of) { return cg_gateway_config(((struct cg_front_coap *)of)->gateway); }

static struct cg_coap_shield *new_shield(struct cg_front_coap *front, struct cg_senders *senders) {
    const struct cg_coap_shield_options options = {.ops = &cg_coap_desk_ops,
                                                   .ctx = front->desk,
                                                   .config = config_of,
                                                   .now_us = now_us,
                                                   .of = front,
                                                   .senders = senders};
    return cg_coap_shield_new(&options);
}

static int open_desk(struct cg_front_coap *front, uv_loop_t *uv, const struct cg_encoder_list *encoders,
                     struct cg_senders *senders, struct cg_problem *problem) {
    front->desk = cg_coap_desk_new(front->gateway, (struct cg_coap_clock){.now_us = now_us}, encoders);
    front->listings = cg_listings_open(uv);
    front->shield = new_shield(front, senders);
    if (front->desk == NULL || front->listings == NULL || front->shield == NULL)
        return cg_problem_set(problem, CG_E_NO_MEMORY, "no memory for the CoAP front");
    cg_coap_desk_set_listings(front->desk, front->listings);
    return CG_OK;
}

static int open_listeners(struct cg_front_coap *front, uv_loop_t *uv, struct cg_problem *problem) {
    struct cg_config *config = cg_gateway_config(front->gateway);
    const struct cg_coap_server_options options = {.listen = config->coap.listen,
                                                   .listen_count = config->coap.listen_count,
                                                   .ops = &cg_coap_shield_ops,
                                                   .ctx = front->shield};
    front->server = cg_coap_server_open(uv, config, &options, problem);
    if (front->server == NULL) return problem->err;
    if (config->coap.all_nodes_count == 0) return CG_OK;
    front->multicast = cg_coap_multicast_open(uv, front->gateway, front->server, problem);
    return front->multicast == NULL ? problem->err : CG_OK;
}

/* Memory that is kept for clients goes back in time, also where no client says anything any more. */
static void on_tidy(uv_timer_t *timer) {
    struct cg_front_coap *front = timer->data;
    cg_coap_desk_tidy(front->desk);
    cg_coap_shield_tidy(front->shield);
}

static void on_tidy_closed(uv_handle_t *handle) {
    struct cg_front_coap *front = handle->data;
    if (front->on_closed != NULL) front->on_closed(front->on_closed_ctx);
    free(front);
}

static void free_front(struct cg_front_coap *front) {
    cg_coap_shield_free(front->shield);
    cg_coap_desk_free(front->desk);
    cg_listings_close(front->listings);
    uv_close((uv_handle_t *)&front->tidy, on_tidy_closed);
}

struct cg_front_coap *cg_front_coap_open(uv_loop_t *uv, struct cg_gateway *gateway,
                                         const struct cg_encoder_list *encoders, struct cg_senders *senders,
                                         struct cg_problem *problem) {
    struct cg_front_coap *front = calloc(1, sizeof *front);
    if (front == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    front->gateway = gateway;
    uv_timer_init(uv, &front->tidy);
    front->tidy.data = front;
    uv_unref((uv_handle_t *)&front->tidy);
    int err = open_desk(front, uv, encoders, senders, problem);
    if (err == CG_OK) err = open_listeners(front, uv, problem);
    if (err < 0) {
        cg_front_coap_close(front, NULL, NULL);
        return NULL;
    }
    uv_timer_start(&front->tidy, on_tidy, TIDY_MS, TIDY_MS);
    return front;
}

int cg_front_coap_reload(struct cg_front_coap *front, struct cg_problem *problem) {
    return cg_coap_server_reload(front->server, cg_gateway_config(front->gateway), problem);
}

size_t cg_front_coap_running(const struct cg_front_coap *front) { return cg_coap_desk_running(front->desk); }

static void on_server_closed(void *ctx) { free_front(ctx); }

/* The server's sockets may be the questions' to All CoAP Nodes, too. */
static void on_multicast_closed(void *ctx) {
    struct cg_front_coap *front = ctx;
    if (front->server == NULL) {
        free_front(front);
    } else {
        cg_coap_server_close(front->server, on_server_closed, front);
    }
}

void cg_front_coap_close(struct cg_front_coap *front, void (*on_closed)(void *ctx), void *ctx) {
    if (front == NULL) return;
    front->on_closed = on_closed;
    front->on_closed_ctx = ctx;
    if (front->multicast == NULL) {
        on_multicast_closed(front);
    } else {
        cg_coap_multicast_close(front->multicast, on_multicast_closed, front);
    }
}

const struct cg_listen *cg_front_coap_listen(const struct cg_front_coap *front, size_t index) {
    return cg_coap_server_listen(front->server, index);
}

void cg_front_coap_metrics(const struct cg_front_coap *front, struct cg_buf *to) {
    cg_coap_server_metrics(front->server, to);
    cg_coap_desk_metrics(front->desk, to);
    cg_coap_shield_metrics(front->shield, to);
    if (front->multicast != NULL) cg_coap_multicast_metrics(front->multicast, to);
}
