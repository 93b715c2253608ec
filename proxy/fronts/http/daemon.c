/* libmicrohttpd inside the loop, as several daemons of a few connections each. The hard thing is why: whenever a
 * connection is resumed, libmicrohttpd walks all that are suspended in the same daemon, so that in a single one each
 * reply would cost by how many others wait for theirs. Connections fill one daemon before the next is made, because
 * each that has something to do costs a run of its own; one that has lost its last connection goes, unless it is the
 * only one with room.
 *
 * Daemons run only from libuv's callbacks, never from inside a handler, and may only be stopped when nothing is
 * suspended. */
#include "fronts/http/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/check.h"

enum {
    LAST_LOOK_US = 100000,
    RUNS_AT_ONCE = 2,
    EAGER_RUNS_MAX = 256,
    EAGER_REST_US = 1000,
    POOL_SIZE = 32768, /* bytes libmicrohttpd uses per connection: the largest head, its table, one buffer. Above
                          this it maps fresh pages for each connection, which costs more than all else about it */
    POOL_SLACK = 16,   /* connections that libmicrohttpd has closed but not cleaned up yet */
};

/* ---- Which has room ---- */

static bool has_room(const struct cg_http_daemon *daemon) { return daemon->connections < CG_HTTP_DAEMON_CONNECTIONS; }

static void note_room(struct cg_http_daemon *daemon) {
    struct cg_http_server *server = daemon->server;
    if (has_room(daemon) == daemon->has_room) return;
    daemon->has_room = !daemon->has_room;
    if (daemon->has_room) {
        DL_PREPEND2(server->roomy, daemon, prev_roomy, next_roomy);
    } else {
        DL_DELETE2(server->roomy, daemon, prev_roomy, next_roomy);
    }
}

static bool is_spare(const struct cg_http_daemon *daemon) {
    const struct cg_http_daemon *roomy = daemon->server->roomy;
    return daemon->connections == 0 && (roomy != daemon || daemon->next_roomy != NULL);
}

/* ---- Running ---- */

static void on_idle(uv_idle_t *idle);

void cg_http_run_soon(struct cg_http_daemon *daemon) {
    struct cg_http_server *server = daemon->server;
    if (daemon->wanted || server->closing) return;
    daemon->wanted = true;
    daemon->last_look = false;
    DL_APPEND2(server->wanted, daemon, prev_wanted, next_wanted);
    CG_CHECK(uv_idle_start(&server->run_idle, on_idle) == 0);
}

static void forget_wish(struct cg_http_daemon *daemon) {
    if (!daemon->wanted) return;
    daemon->wanted = false;
    DL_DELETE2(daemon->server->wanted, daemon, prev_wanted, next_wanted);
}

/* Whether it wants to run in so many milliseconds. */
static bool asks_for_run(const struct cg_http_daemon *daemon, uint64_t *ms) {
    MHD_UNSIGNED_LONG_LONG wanted_ms;
    if (MHD_get_timeout(daemon->mhd, &wanted_ms) != MHD_YES) return false;
    *ms = wanted_ms;
    return wanted_ms < CG_HTTP_NEVER_S * UINT64_C(1000) / 2;
}

/* A connection that can get no further, because a chunk's head fills its buffer, makes libmicrohttpd want to run for
 * ever. So the loop turns in between, and after many such turns in a row each waits for the next millisecond. What it
 * gave up in one run it may close in another without asking for it: hence a last look. */
static void plan_next_run(struct cg_http_daemon *daemon, bool was_last_look) {
    uint64_t ms;
    bool asks = asks_for_run(daemon, &ms);
    if (!asks && was_last_look) return;
    daemon->last_look = !asks;
    if (!asks || ms > 0) {
        daemon->eager_runs = 0;
        cg_http_set_timer(daemon->server, &daemon->timer, asks ? ms * 1000 : LAST_LOOK_US);
    } else if (daemon->eager_runs == EAGER_RUNS_MAX) {
        cg_http_set_timer(daemon->server, &daemon->timer, EAGER_REST_US);
    } else {
        daemon->eager_runs++;
        cg_http_run_soon(daemon);
    }
}

static void stop(struct cg_http_daemon *daemon);

static bool wants_at_once(const struct cg_http_daemon *daemon) {
    uint64_t ms;
    return asks_for_run(daemon, &ms) && ms == 0;
}

/* After a reply libmicrohttpd always wants another run, to see whether there is a next request. */
static void run(struct cg_http_daemon *daemon, bool is_last_look) {
    forget_wish(daemon);
    for (int i = 0; i < RUNS_AT_ONCE && (i == 0 || wants_at_once(daemon)); i++) MHD_run(daemon->mhd);
    note_room(daemon);
    if (is_spare(daemon)) {
        stop(daemon);
    } else {
        plan_next_run(daemon, is_last_look);
    }
}

static void on_due(struct cg_http_timer *timer) {
    struct cg_http_daemon *daemon = CG_CONTAINER(timer, struct cg_http_daemon, timer);
    run(daemon, daemon->last_look);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    run(poll->data, false);
}

/* What wants to run again while it runs has its turn after the others of the loop have had theirs. */
void cg_http_run_wanted(struct cg_http_server *server) {
    struct cg_http_daemon *last = server->wanted == NULL ? NULL : server->wanted->prev_wanted, *daemon = NULL;
    while (daemon != last) {
        daemon = server->wanted;
        run(daemon, false);
    }
}

static void on_idle(uv_idle_t *idle) { (void)idle; }

/* Once a turn, and after the core, whose replies go out with it. */
void cg_http_on_prepare(uv_prepare_t *prepare) {
    struct cg_http_server *server = prepare->data;
    server->turn++;
    cg_http_run_wanted(server);
    if (server->wanted == NULL) CG_CHECK(uv_idle_stop(&server->run_idle) == 0);
}

/* ---- Connections ---- */

/* Nothing would end it: neither patience nor anybody who needs its place. */
static void end_unknown(struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL) shutdown(info->connect_fd, SHUT_RDWR);
}

/* libmicrohttpd has taken a connection, or is about to close its descriptor. Without context (no memory was left) it
 * ends at once. */
static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    struct cg_http_daemon *daemon = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        daemon->connections++;
        daemon->server->connection_count++;
        *context = cg_http_connection_new(daemon, mhd);
        if (*context == NULL) end_unknown(mhd);
        return;
    }
    if (*context != NULL) cg_http_connection_end(*context);
    *context = NULL;
    daemon->connections--;
    cg_http_connection_gone(daemon->server);
}

void cg_http_daemon_add(struct cg_http_daemon *daemon, int fd, const struct sockaddr *from, socklen_t from_len) {
    MHD_add_connection(daemon->mhd, fd, from, from_len); /* takes the descriptor, whatever happens */
    note_room(daemon);
    cg_http_run_soon(daemon);
}

/* ---- Beginning and end ---- */

static bool start_mhd(struct cg_http_daemon *daemon) {
    struct cg_http_server *server = daemon->server;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)cg_http_tls_priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)cg_http_tls_on_certificate_wanted},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem *more = server->tls == NULL ? &tls[2] : tls;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | CG_MHD_FLAGS;
    if (server->tls != NULL) flags |= MHD_USE_TLS;
    daemon->mhd = MHD_start_daemon(
        flags, 0, NULL, NULL, cg_http_on_access, server, MHD_OPTION_ARRAY, more, MHD_OPTION_URI_LOG_CALLBACK,
        cg_http_on_request_line, server, MHD_OPTION_NOTIFY_COMPLETED, cg_http_on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, daemon, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_SIZE, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CG_HTTP_DAEMON_CONNECTIONS + POOL_SLACK, MHD_OPTION_END);
    return daemon->mhd != NULL;
}

static bool watch_mhd(struct cg_http_daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_poll_init(daemon->server->uv, &daemon->poll, info->epoll_fd) != 0) {
        MHD_stop_daemon(daemon->mhd);
        return false;
    }
    daemon->poll.data = daemon;
    cg_http_handle_opened(daemon->server);
    CG_CHECK(uv_poll_start(&daemon->poll, UV_READABLE, on_poll) == 0);
    return true;
}

static struct cg_http_daemon *start(struct cg_http_server *server) {
    struct cg_http_daemon *daemon = calloc(1, sizeof *daemon);
    if (daemon == NULL) return NULL;
    daemon->server = server;
    daemon->timer.due = on_due;
    if (!start_mhd(daemon) || !watch_mhd(daemon)) {
        free(daemon);
        return NULL;
    }
    DL_APPEND(server->daemons, daemon);
    note_room(daemon);
    return daemon;
}

struct cg_http_daemon *cg_http_daemon_with_room(struct cg_http_server *server) {
    return server->roomy != NULL ? server->roomy : start(server);
}

static void on_poll_closed(uv_handle_t *handle) {
    struct cg_http_daemon *daemon = handle->data;
    struct cg_http_server *server = daemon->server;
    free(daemon);
    cg_http_handle_closed(server);
}

static void stop(struct cg_http_daemon *daemon) {
    struct cg_http_server *server = daemon->server;
    forget_wish(daemon);
    cg_http_clear_timer(server, &daemon->timer);
    uv_close((uv_handle_t *)&daemon->poll, on_poll_closed);
    MHD_stop_daemon(daemon->mhd); /* tells of the end of its connections */
    if (daemon->has_room) DL_DELETE2(server->roomy, daemon, prev_roomy, next_roomy);
    DL_DELETE(server->daemons, daemon);
}

/* libmicrohttpd aborts when it is stopped with a suspended connection. */
void cg_http_daemons_stop(struct cg_http_server *server) {
    for (struct cg_http_connection *at = server->connections; at != NULL; at = at->next) {
        if (!at->suspended) continue;
        at->call->state = CG_HTTP_CALL_LOST;
        cg_http_resume(at);
    }
    while (server->daemons != NULL) {
        MHD_run(server->daemons->mhd);
        stop(server->daemons);
    }
}
