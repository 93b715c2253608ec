/* The HTTP server as a whole: its time, its beginning and its end. The hard thing is the end: connections, daemons and
 * libuv's handles all hold the server, and its memory goes with the last of them. */
#include "fronts/http/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/container.h"

enum { PATIENCE_US = 60 * 1000000, HEAD_PATIENCE_US = 10 * 1000000 };

uint64_t cg_http_now_us(void) { return uv_hrtime() / 1000; }

/* ---- Handles ---- */

void cg_http_handle_opened(struct cg_http_server *server) { server->open_handles++; }

static void free_server(struct cg_http_server *server) {
    for (size_t i = 0; i < server->listener_count; i++) free((void *)(uintptr_t)server->listeners[i].listen.text);
    free(server->listeners);
    free(server->listener_by_fd);
    cg_heap_fini(&server->deadlines);
    cg_http_seats_fini(&server->seats);
    cg_http_tls_unref(server->tls);
    if (server->on_closed != NULL) server->on_closed(server->on_closed_ctx);
    free(server);
}

void cg_http_handle_closed(struct cg_http_server *server) {
    if (--server->open_handles == 0 && server->closing) free_server(server);
}

static void on_handle_closed(uv_handle_t *handle) { cg_http_handle_closed(handle->data); }

void cg_http_close_handle(struct cg_http_server *server, void *handle) {
    ((uv_handle_t *)handle)->data = server;
    uv_close(handle, on_handle_closed);
}

/* ---- Time ---- */

static void on_deadline_timer(uv_timer_t *timer);

static void arm(struct cg_http_server *server) {
    const struct cg_deadline *first = cg_heap_first(&server->deadlines);
    if (first == NULL || first->at_us >= server->armed_us || server->closing) return;
    uint64_t now = cg_http_now_us();
    uint64_t ms = first->at_us > now ? (first->at_us - now) / 1000 + 1 : 0;
    server->armed_us = first->at_us;
    uv_update_time(server->uv);
    CG_CHECK(uv_timer_start(&server->deadline_timer, on_deadline_timer, ms, 0) == 0);
}

static void on_deadline_timer(uv_timer_t *timer) {
    struct cg_http_server *server = timer->data;
    uint64_t now = cg_http_now_us();
    server->armed_us = UINT64_MAX;
    struct cg_deadline *first;
    while ((first = cg_heap_first(&server->deadlines)) != NULL && first->at_us <= now) {
        cg_heap_remove(&server->deadlines, first);
        struct cg_http_timer *due = CG_CONTAINER(first, struct cg_http_timer, deadline);
        due->due(due);
    }
    arm(server);
}

void cg_http_set_timer(struct cg_http_server *server, struct cg_http_timer *timer, uint64_t us) {
    cg_heap_set(&server->deadlines, &timer->deadline, cg_http_now_us() + us);
    arm(server);
}

void cg_http_clear_timer(struct cg_http_server *server, struct cg_http_timer *timer) {
    cg_heap_remove(&server->deadlines, &timer->deadline);
}

/* ---- Opening and closing ---- */

static void open_timer(struct cg_http_server *server, uv_timer_t *timer) {
    CG_CHECK(uv_timer_init(server->uv, timer) == 0);
    cg_http_handle_opened(server);
    timer->data = server;
}

static void open_run_handles(struct cg_http_server *server) {
    CG_CHECK(uv_idle_init(server->uv, &server->run_idle) == 0);
    CG_CHECK(uv_prepare_init(server->uv, &server->run_prepare) == 0);
    cg_http_handle_opened(server);
    cg_http_handle_opened(server);
    server->run_prepare.data = server;
    CG_CHECK(uv_prepare_start(&server->run_prepare, cg_http_on_prepare) == 0);
}

static int start_first_daemon(struct cg_http_server *server, struct cg_problem *problem) {
    if (cg_http_daemon_with_room(server) != NULL) return CG_OK;
    return cg_problem_set(problem, CG_E_INTERNAL, "libmicrohttpd does not start: %s", strerror(errno));
}

struct cg_http_server *cg_http_server_open(uv_loop_t *uv, const struct cg_http_options *options,
                                           struct cg_problem *problem) {
    struct cg_http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        cg_problem_set(problem, CG_E_NO_MEMORY, "no memory for the HTTP server");
        return NULL;
    }
    server->uv = uv;
    server->handler = options->handler;
    server->ctx = options->ctx;
    server->connection_max = options->connections;
    server->patience_us = options->patience_us == 0 ? PATIENCE_US : options->patience_us;
    server->head_patience_us = options->head_patience_us == 0 ? HEAD_PATIENCE_US : options->head_patience_us;
    server->bodies = options->bodies;
    server->armed_us = UINT64_MAX;
    cg_heap_init(&server->deadlines);
    open_run_handles(server);
    open_timer(server, &server->deadline_timer);
    open_timer(server, &server->pause_timer);
    cg_http_seats_init(&server->seats, options->connections,
                       options->share == 0 ? (options->connections + 1) / 2 : options->share);
    int err = CG_OK;
    if (options->settings->tls.certificate != NULL) {
        err = cg_http_tls_load(&server->tls, &options->settings->tls, options->key_may_be_shared, problem);
    }
    if (err == CG_OK) err = cg_http_open_listeners(server, options->settings, problem);
    if (err == CG_OK) err = start_first_daemon(server, problem);
    if (err < 0) {
        cg_http_server_close(server, NULL, NULL);
        return NULL;
    }
    cg_http_set_accepting(server, true);
    return server;
}

int cg_http_server_reload_tls(struct cg_http_server *server, const struct cg_tls_settings *settings,
                              bool key_may_be_shared, struct cg_problem *problem) {
    if ((server->tls != NULL) != (settings->certificate != NULL)) {
        return cg_problem_set(problem, CG_E_INTERNAL, "TLS is turned on or off by a restart only");
    }
    if (server->tls == NULL) return CG_OK;
    struct cg_http_tls *fresh;
    int err = cg_http_tls_load(&fresh, settings, key_may_be_shared, problem);
    if (err < 0) return err;
    cg_http_tls_unref(server->tls);
    server->tls = fresh;
    return CG_OK;
}

void cg_http_server_stop(struct cg_http_server *server) {
    if (server->stopping) return;
    server->stopping = true;
    server->accepting = false;
    uv_timer_stop(&server->pause_timer);
    cg_http_close_listeners(server);
    for (struct cg_http_connection *at = server->connections; at != NULL; at = at->next) {
        if (at->call == NULL || !at->call->handed_over) cg_http_connection_expire(at); /* nothing of it runs */
    }
}

size_t cg_http_server_connections(const struct cg_http_server *server) { return server->connection_count; }

void cg_http_server_close(struct cg_http_server *server, void (*on_closed)(void *ctx), void *ctx) {
    if (server == NULL) return;
    CG_CHECK(!server->closing);
    cg_http_server_stop(server);
    server->closing = true;
    server->on_closed = on_closed;
    server->on_closed_ctx = ctx;
    cg_http_daemons_stop(server);
    cg_http_linger_end_all(server);
    cg_http_close_handle(server, &server->run_idle);
    cg_http_close_handle(server, &server->run_prepare);
    cg_http_close_handle(server, &server->deadline_timer);
    cg_http_close_handle(server, &server->pause_timer);
}

const struct cg_listen *cg_http_server_listen(const struct cg_http_server *server, size_t index) {
    CG_CHECK(index < server->listener_count);
    return &server->listeners[index].listen;
}
