/* How many connections there are, and for how long. The hard thing is who gives way where they are too many: nobody
 * that something runs for; of the others those of the host that has most, which are in lists by how long they wait. So
 * whoever floods with connections loses its own, and nothing walks them all. */
#include "fronts/coap/connections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "fronts/coap/connection.h"
#include "fronts/coap/tls_context.h"
#include "io/acceptor.h"
#include "io/endpoint.h"
#include "io/loop.h"

enum {
    JUDGED_A_TURN = 64,
    TOUCH_US = 1000000, /* how exactly it is known when something was heard of last */
    OTHER_FDS = 1024,   /* descriptors that are left to everybody else */
};

const struct cg_coap_connection_limits cg_coap_connection_usual_limits = {
    .connections = 8192,
    .openings = 1024,
    .input = 32 << 20,
    .opening_us = 15 * UINT64_C(1000000),
    .idle_us = 3600 * UINT64_C(1000000),
    .stranger_idle_us = 120 * UINT64_C(1000000),
    .release_us = 60 * UINT64_C(1000000),
};

struct cg_coap_tcp_listener {
    struct cg_coap_transport transport;
    struct cg_coap_connections *all;
    struct cg_acceptor *acceptor;
    bool has_tls;
    struct cg_coap_tcp_listener *next;
};

/* ---- Who waits, and until when ---- */

static uint64_t patience_us(const struct cg_coap_connections *all, unsigned waiting) {
    const struct cg_coap_connection_limits *limits = &all->limits;
    switch (waiting) {
    case CG_COAP_OPENING: return limits->opening_us;
    case CG_COAP_STRANGERS: return limits->stranger_idle_us;
    case CG_COAP_CLIENTS: return limits->idle_us;
    default: return limits->release_us;
    }
}

static void on_timer(uv_timer_t *timer);

/* Too early does no harm. */
static void arm(struct cg_coap_connections *all) {
    uint64_t due_us = UINT64_MAX, now = cg_loop_now_us();
    for (unsigned i = 0; i < CG_COAP_WAITINGS; i++) {
        if (all->waiting[i] == NULL) continue;
        uint64_t its_us = all->waiting[i]->since_us + patience_us(all, i);
        if (its_us < due_us) due_us = its_us;
    }
    if (due_us == UINT64_MAX) {
        uv_timer_stop(&all->timer);
        return;
    }
    uv_update_time(all->uv);
    CG_CHECK(uv_timer_start(&all->timer, on_timer, due_us > now ? (due_us - now) / 1000 + 1 : 0, 0) == 0);
}

static void end_first(struct cg_coap_connections *all, unsigned waiting) {
    static const enum cg_coap_end ends[CG_COAP_WAITINGS] = {[CG_COAP_OPENING] = CG_COAP_END_LATE,
                                                            [CG_COAP_STRANGERS] = CG_COAP_END_IDLE,
                                                            [CG_COAP_CLIENTS] = CG_COAP_END_IDLE,
                                                            [CG_COAP_RELEASING] = CG_COAP_END_RELEASED};
    cg_coap_connection_end(all->waiting[waiting], ends[waiting]);
}

static void on_timer(uv_timer_t *timer) {
    struct cg_coap_connections *all = timer->data;
    uint64_t now = cg_loop_now_us();
    for (unsigned i = 0; i < CG_COAP_WAITINGS; i++) {
        while (all->waiting[i] != NULL && all->waiting[i]->since_us + patience_us(all, i) <= now) end_first(all, i);
    }
    arm(all);
}

static enum cg_coap_waiting waits_as(const struct cg_coap_connection *connection) {
    if (!connection->has_begun || !connection->reliable.is_open) return CG_COAP_OPENING;
    if (connection->reliable.is_released) return CG_COAP_RELEASING;
    if (connection->peer.holds > 0) return CG_COAP_NOT_WAITING;
    return connection->is_client ? CG_COAP_CLIENTS : CG_COAP_STRANGERS;
}

static void wait_no_longer(struct cg_coap_connection *connection) {
    struct cg_coap_connections *all = connection->all;
    if (connection->waiting == CG_COAP_NOT_WAITING) return;
    DL_DELETE(all->waiting[connection->waiting], connection);
    cg_coap_share_take(&all->seats[connection->waiting], &connection->seat);
    connection->waiting = CG_COAP_NOT_WAITING;
}

void cg_coap_connection_place(struct cg_coap_connection *connection) {
    struct cg_coap_connections *all = connection->all;
    enum cg_coap_waiting as = waits_as(connection);
    uint64_t now = cg_loop_now_us();
    bool has_no_end = as == CG_COAP_OPENING || as == CG_COAP_RELEASING; /* else whoever talks could stay there */
    if (as == connection->waiting && (as == CG_COAP_NOT_WAITING || has_no_end || now < connection->since_us + TOUCH_US))
        return;
    wait_no_longer(connection);
    if (as == CG_COAP_NOT_WAITING) return;
    connection->waiting = as;
    connection->since_us = now;
    DL_APPEND(all->waiting[as], connection);
    /* Without memory for it, it cannot be told to go before its time is over. */
    (void)(cg_coap_share_put(&all->seats[as], &connection->seat, &connection->peer.path.from, 1) == true);
    if (all->waiting[as] == connection) arm(all);
}

void cg_coap_connection_take_out(struct cg_coap_connection *connection) {
    struct cg_coap_connections *all = connection->all;
    wait_no_longer(connection);
    cg_coap_share_take(&all->input, &connection->input);
    if (all->sweep == connection) all->sweep = connection->all_next;
    DL_DELETE2(all->list, connection, all_prev, all_next);
    all->count--;
}

/* ---- Room ---- */

static struct cg_coap_connection *first_to_go(const struct cg_coap_connections *all, unsigned waiting) {
    struct cg_coap_share *goes = cg_coap_shares_first_to_go(&all->seats[waiting]);
    return goes == NULL ? NULL : CG_CONTAINER(goes, struct cg_coap_connection, seat);
}

static bool is_of_same_host(const struct cg_coap_connection *connection, const struct cg_addr *host) {
    const struct cg_addr its = cg_addr_network(&connection->peer.path.from), other = cg_addr_network(host);
    return cg_addr_equal(&its, &other);
}

/* Where too many are half open, the host that has most of them gets no more, and loses one to anybody else. */
static bool make_room_to_open(struct cg_coap_connections *all, const struct cg_addr *from) {
    if (all->seats[CG_COAP_OPENING].weight < all->limits.openings) return true;
    struct cg_coap_connection *goes = first_to_go(all, CG_COAP_OPENING);
    if (goes == NULL || is_of_same_host(goes, from)) return false;
    cg_coap_connection_end(goes, CG_COAP_END_ROOM);
    return true;
}

static bool make_room(struct cg_coap_connections *all) {
    static const enum cg_coap_waiting order[] = {CG_COAP_STRANGERS, CG_COAP_CLIENTS, CG_COAP_OPENING};
    if (all->count < all->limits.connections) return true;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        struct cg_coap_connection *goes = first_to_go(all, order[i]);
        if (goes == NULL) continue;
        cg_coap_connection_end(goes, CG_COAP_END_ROOM);
        return true;
    }
    return false;
}

bool cg_coap_connection_weigh(struct cg_coap_connection *connection, size_t held) {
    struct cg_coap_connections *all = connection->all;
    cg_coap_share_take(&all->input, &connection->input);
    if (held == 0) return true;
    if (!cg_coap_share_put(&all->input, &connection->input, &connection->peer.path.from, held)) return false;
    while (all->input.weight > all->limits.input) {
        struct cg_coap_share *goes = cg_coap_shares_first_to_go(&all->input);
        struct cg_coap_connection *other = CG_CONTAINER(goes, struct cg_coap_connection, input);
        if (other == connection) return false;
        cg_coap_connection_end(other, CG_COAP_END_INPUT);
    }
    return true;
}

/* ---- Coming in ---- */

static SSL *make_ssl(const struct cg_coap_connections *all) {
    SSL *ssl = SSL_new(all->context);
    if (ssl != NULL) SSL_set_accept_state(ssl);
    return ssl;
}

static void add(struct cg_coap_tcp_listener *listener, int fd, const struct cg_addr *from) {
    struct cg_coap_connections *all = listener->all;
    struct cg_coap_path path = {.transport = &listener->transport, .from = *from, .proof = CG_COAP_PROVEN};
    SSL *ssl = listener->has_tls ? make_ssl(all) : NULL;
    if ((listener->has_tls && ssl == NULL) || !cg_endpoint_local(&path.to, fd)) {
        SSL_free(ssl);
        close(fd);
        return;
    }
    struct cg_coap_connection *connection = cg_coap_connection_new(all, &path, fd, ssl);
    if (connection == NULL) return;
    DL_APPEND2(all->list, connection, all_prev, all_next);
    all->count++;
    cg_coap_connection_place(connection);
}

static void on_accepted(void *ctx, int fd, const struct cg_addr *from) {
    struct cg_coap_tcp_listener *listener = ctx;
    struct cg_coap_connections *all = listener->all;
    all->figures.accepted++;
    if (make_room_to_open(all, from) && make_room(all)) {
        add(listener, fd, from);
    } else {
        all->figures.refused++;
        close(fd);
    }
}

/* ---- Settings ---- */

static void on_idle(uv_idle_t *idle) {
    struct cg_coap_connections *all = idle->data;
    for (unsigned i = 0; i < JUDGED_A_TURN && all->sweep != NULL; i++) {
        struct cg_coap_connection *connection = all->sweep;
        all->sweep = connection->all_next;
        if (connection->judged == all->generation || connection->ssl == NULL) continue;
        if (!cg_coap_connection_judge(connection)) cg_coap_connection_end(connection, CG_COAP_END_WITHDRAWN);
    }
    if (all->sweep == NULL) uv_idle_stop(idle);
}

static unsigned on_psk(SSL *ssl, const char *identity, unsigned char *key, unsigned cap) {
    struct cg_coap_connection *connection = SSL_get_app_data(ssl);
    return cg_tls_client_on_psk(&connection->client, connection->all->config, identity, key, cap);
}

static int on_chain(X509_STORE_CTX *chain, void *ctx) {
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct cg_coap_connection *connection = SSL_get_app_data(ssl);
    (void)ctx;
    cg_tls_client_on_chain(&connection->client, chain);
    return 1;
}

static int load(struct cg_coap_connections *all, struct cg_problem *problem) {
    const struct cg_config *config = all->config;
    SSL_CTX *context =
        cg_tls_context_new(CG_TLS_OF_STREAMS, &config->coap.tls, config->key_files_may_be_shared, problem);
    if (context == NULL) return problem->err;
    SSL_CTX_set_psk_server_callback(context, on_psk);
    SSL_CTX_set_cert_verify_callback(context, on_chain, NULL);
    SSL_CTX_set_verify(context, config->coap.tls.client_ca == NULL ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    SSL_CTX_free(all->context);
    all->context = context;
    return CG_OK;
}

int cg_coap_connections_reload(struct cg_coap_connections *all, struct cg_config *config, struct cg_problem *problem) {
    struct cg_config *former = all->config;
    all->config = cg_config_ref(config);
    cg_config_unref(former);
    all->generation++;
    all->sweep = all->list;
    if (all->sweep != NULL) CG_CHECK(uv_idle_start(&all->idle, on_idle) == 0);
    return all->context == NULL ? CG_OK : load(all, problem);
}

/* ---- Transports ---- */

static int identify(const struct cg_coap_path *path, const struct cg_config *config, struct cg_request *request,
                    struct cg_problem *problem) {
    const struct cg_coap_connection *connection = path->session;
    return cg_tls_client_identify(&connection->client, config, request, problem);
}

static const struct cg_coap_transport_ops tcp = {.scheme = CG_CRI_COAP_TCP};
static const struct cg_coap_transport_ops tls = {.scheme = CG_CRI_COAPS_TCP, .identify = identify};

int cg_coap_connections_listen(struct cg_coap_connections *all, enum cg_scheme scheme, struct cg_listen *listen,
                               struct cg_problem *problem) {
    bool has_tls = scheme == CG_SCHEME_COAPS_TCP;
    if (has_tls && all->context == NULL && load(all, problem) < 0) return problem->err;
    struct cg_coap_tcp_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) return cg_problem_no_memory(problem);
    *listener = (struct cg_coap_tcp_listener){.transport = {.ops = has_tls ? &tls : &tcp, .listen = listen},
                                              .all = all,
                                              .has_tls = has_tls,
                                              .next = all->listeners};
    listener->acceptor = cg_acceptor_open(all->uv, &listen->addr, on_accepted, listener, problem);
    if (listener->acceptor == NULL) {
        free(listener);
        return problem->err;
    }
    all->listeners = listener;
    all->open_handles++;
    return CG_OK;
}

/* ---- Opening and closing ---- */

/* Never so many that another socket could not be opened. */
static unsigned affordable(unsigned wanted) {
    struct rlimit fds;
    if (getrlimit(RLIMIT_NOFILE, &fds) != 0 || fds.rlim_cur == RLIM_INFINITY) return wanted;
    uint64_t room = fds.rlim_cur > 2 * OTHER_FDS ? (fds.rlim_cur - OTHER_FDS) / 2 : fds.rlim_cur / 4;
    return wanted < room ? wanted : (unsigned)room;
}

struct cg_coap_connections *cg_coap_connections_new(uv_loop_t *uv, struct cg_config *config,
                                                    const struct cg_coap_connection_limits *limits,
                                                    const struct cg_coap_peer_ops *ops, void *ctx) {
    struct cg_coap_connections *all = calloc(1, sizeof *all);
    struct cg_streams *streams = all == NULL ? NULL : cg_streams_open(uv, &cg_stream_usual_limits);
    if (streams == NULL) {
        free(all);
        return NULL;
    }
    all->ops = ops;
    all->ctx = ctx;
    all->limits = *limits;
    all->limits.connections = affordable(limits->connections);
    all->config = cg_config_ref(config);
    all->streams = streams;
    all->uv = uv;
    for (unsigned i = 0; i < CG_COAP_WAITINGS; i++) cg_coap_shares_init(&all->seats[i]);
    cg_coap_shares_init(&all->input);
    CG_CHECK(uv_timer_init(uv, &all->timer) == 0 && uv_idle_init(uv, &all->idle) == 0);
    all->timer.data = all->idle.data = all;
    all->open_handles = 3; /* the streams, too */
    return all;
}

static void on_handle_closed(void *ctx) {
    struct cg_coap_connections *all = ctx;
    if (--all->open_handles > 0) return;
    if (all->on_closed != NULL) all->on_closed(all->on_closed_ctx);
    SSL_CTX_free(all->context);
    cg_config_unref(all->config);
    for (unsigned i = 0; i < CG_COAP_WAITINGS; i++) cg_coap_shares_fini(&all->seats[i]);
    cg_coap_shares_fini(&all->input);
    free(all);
}

static void on_uv_closed(uv_handle_t *handle) { on_handle_closed(handle->data); }

static void on_acceptor_closed(void *ctx) {
    struct cg_coap_tcp_listener *listener = ctx;
    struct cg_coap_connections *all = listener->all;
    free(listener);
    on_handle_closed(all);
}

void cg_coap_connections_close(struct cg_coap_connections *all, void (*on_closed)(void *ctx), void *ctx) {
    all->on_closed = on_closed;
    all->on_closed_ctx = ctx;
    while (all->list != NULL) cg_coap_connection_end(all->list, CG_COAP_END_STOPPING);
    for (struct cg_coap_tcp_listener *at = all->listeners, *next; at != NULL; at = next) {
        next = at->next;
        cg_acceptor_close(at->acceptor, on_acceptor_closed, at);
    }
    cg_streams_close(all->streams, on_handle_closed, all);
    uv_close((uv_handle_t *)&all->timer, on_uv_closed);
    uv_close((uv_handle_t *)&all->idle, on_uv_closed);
}
