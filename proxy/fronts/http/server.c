/* The HTTP server's sockets and time, and who gets in. The hard thing: libmicrohttpd runs only from on_poll,
 * on_run_idle and on_run_timer, never from inside a handler, and may only be stopped when nothing is suspended. */
#include "fronts/http/private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "io/endpoint.h"

enum {
    PATIENCE_US = 60 * 1000000,
    HEAD_PATIENCE_US = 10 * 1000000,
    FULL_SAID_US = 60 * 1000000, /* the log says at most so often that somebody was turned away */
    PAUSE_MS = 100,              /* until accepting is tried again when descriptors ran out */
    ACCEPTS_AT_ONCE = 64,
    BACKLOG = 512,
    LAST_LOOK_MS = 100,
    EAGER_RUNS_MAX = 256,
    POOL_SIZE = 32768, /* bytes libmicrohttpd uses per connection: the largest head, its table, one buffer. Above
                          this it maps fresh pages for each connection, which costs more than all else about it */
    LEAVING_MAX = 64,  /* connections that were told to go, for others, and are not gone yet */
    POOL_SLACK = 16,   /* connections that libmicrohttpd has closed but not cleaned up yet */
};

static uint64_t now_us(void) { return uv_hrtime() / 1000; }

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

static void close_handle(struct cg_http_server *server, void *handle) {
    ((uv_handle_t *)handle)->data = server;
    uv_close(handle, on_handle_closed);
}

/* ---- Time ---- */

static void on_deadline_timer(uv_timer_t *timer);

static void arm(struct cg_http_server *server) {
    const struct cg_deadline *first = cg_heap_first(&server->deadlines);
    if (first == NULL || first->at_us >= server->armed_us || server->closing) return;
    uint64_t now = now_us();
    uint64_t ms = first->at_us > now ? (first->at_us - now) / 1000 + 1 : 0;
    server->armed_us = first->at_us;
    uv_update_time(server->uv);
    CG_CHECK(uv_timer_start(&server->deadline_timer, on_deadline_timer, ms, 0) == 0);
}

static void on_deadline_timer(uv_timer_t *timer) {
    struct cg_http_server *server = timer->data;
    uint64_t now = now_us();
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
    cg_heap_set(&server->deadlines, &timer->deadline, now_us() + us);
    arm(server);
}

void cg_http_clear_timer(struct cg_http_server *server, struct cg_http_timer *timer) {
    cg_heap_remove(&server->deadlines, &timer->deadline);
}

/* ---- Running libmicrohttpd ---- */

static void on_run_timer(uv_timer_t *timer);
static void on_run_idle(uv_idle_t *idle);

static void run_in(struct cg_http_server *server, uint64_t ms) {
    CG_CHECK(uv_timer_start(&server->run_timer, on_run_timer, ms, 0) == 0);
}

/* A connection that can get no further, because a chunk's head fills its buffer, makes libmicrohttpd want to run for
 * ever. An idle handle lets the loop turn in between (a timer of zero that is set in its own callback does not), and
 * after many such turns in a row each waits for the next millisecond. What it gave up in one run it may close in
 * another without asking for it: hence a last look. */
static void run(struct cg_http_server *server, bool is_last_look) {
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(server->daemon);
    bool wanted = MHD_get_timeout(server->daemon, &ms) == MHD_YES;
    if (!wanted && is_last_look) return;
    server->last_look = !wanted;
    if (!wanted || ms > 0) {
        server->eager_runs = 0;
        run_in(server, wanted ? ms : LAST_LOOK_MS);
    } else if (server->eager_runs == EAGER_RUNS_MAX) {
        run_in(server, 1);
    } else {
        server->eager_runs++;
        CG_CHECK(uv_idle_start(&server->run_idle, on_run_idle) == 0);
    }
}

static void on_run_timer(uv_timer_t *timer) {
    struct cg_http_server *server = timer->data;
    run(server, server->last_look);
}

static void on_run_idle(uv_idle_t *idle) {
    CG_CHECK(uv_idle_stop(idle) == 0);
    run(idle->data, false);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    run(poll->data, false);
}

void cg_http_run_soon(struct cg_http_server *server) {
    server->last_look = false;
    run_in(server, 0);
}

/* ---- Accepting ---- */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static bool has_room(const struct cg_http_server *server) {
    return server->connection_count < server->connection_max + LEAVING_MAX && cg_http_seats_have_room(&server->seats);
}

static void set_accepting(struct cg_http_server *server, bool wanted) {
    if (server->stopping || wanted == server->accepting) return;
    server->accepting = wanted;
    for (size_t i = 0; i < server->listener_count; i++) {
        uv_poll_t *poll = &server->listeners[i].poll;
        CG_CHECK((wanted ? uv_poll_start(poll, UV_READABLE, on_acceptable) : uv_poll_stop(poll)) == 0);
    }
}

void cg_http_room_made(struct cg_http_server *server) {
    if (server->accepting || uv_is_active((uv_handle_t *)&server->pause_timer)) return;
    if (has_room(server)) set_accepting(server, true);
}

void cg_http_connection_gone(struct cg_http_server *server) {
    server->connection_count--;
    cg_http_room_made(server);
}

static void on_pause_timer(uv_timer_t *timer) {
    struct cg_http_server *server = timer->data;
    if (has_room(server)) set_accepting(server, true);
}

/* The socket would be reported again at once, and nothing can be done about it: look the other way for a moment. */
static void pause_accepting(struct cg_http_server *server, int error) {
    if (!server->short_of_fds) cg_log(CG_LOG_WARNING, "http_accept", "%s; trying again", strerror(error));
    server->short_of_fds = true;
    set_accepting(server, false);
    CG_CHECK(uv_timer_start(&server->pause_timer, on_pause_timer, PAUSE_MS, 0) == 0);
}

/* Nothing would end it: neither patience nor anybody who needs its place. */
static void end_unknown(struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL) shutdown(info->connect_fd, SHUT_RDWR);
}

/* libmicrohttpd has taken a connection, or is about to close its descriptor. Without context (no memory was left) it
 * ends at once. */
static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    struct cg_http_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        server->connection_count++;
        *context = cg_http_connection_new(server, mhd);
        if (*context == NULL) end_unknown(mhd);
        return;
    }
    if (*context != NULL) cg_http_connection_end(*context);
    *context = NULL;
    cg_http_connection_gone(server);
}

/* libmicrohttpd takes a new connection at once or, in later versions, when it runs: the descriptor tells where it came
 * in. */
static bool note_listener(struct cg_http_listener *listener, int fd) {
    struct cg_http_server *server = listener->server;
    if ((size_t)fd >= server->fd_cap) {
        size_t cap = 2 * (size_t)fd + 16;
        const struct cg_http_listener **grown = realloc(server->listener_by_fd, cap * sizeof *grown);
        if (grown == NULL) return false;
        server->listener_by_fd = grown;
        server->fd_cap = cap;
    }
    server->listener_by_fd[fd] = listener;
    return true;
}

/* A host that keeps so many requests running is told nothing: it would have to be listened to first. */
static void turn_away(struct cg_http_server *server, int fd, const struct cg_addr *from) {
    uint64_t now = now_us();
    close(fd);
    if (server->full_said_us != 0 && now - server->full_said_us < FULL_SAID_US) return;
    server->full_said_us = now;
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(from, text);
    cg_log(CG_LOG_WARNING, "http_accept", "%s has %u connections with requests that run: no more for one address", text,
           server->seats.share);
}

static void add_connection(struct cg_http_listener *listener, int fd, const union cg_endpoint *from) {
    struct cg_http_server *server = listener->server;
    struct cg_http_seat *goes;
    struct cg_addr addr;
    cg_endpoint_to_addr(&addr, from);
    if (!cg_http_seats_admit(&server->seats, &addr, &goes)) {
        turn_away(server, fd, &addr);
        return;
    }
    if (goes != NULL) goes->go(goes);
    if (note_listener(listener, fd)) {
        socklen_t len = addr.family == CG_FAMILY_IPV4 ? sizeof from->v4 : sizeof from->v6;
        MHD_add_connection(server->daemon, fd, &from->any, len); /* takes the descriptor, whatever happens */
    } else {
        close(fd);
    }
}

static bool is_passing(int error) { return error == EINTR || error == ECONNABORTED || error == EPROTO; }

static bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

/* Errno when there was nothing to take (any more). */
static int accept_some(struct cg_http_listener *listener) {
    for (unsigned taken = 0; taken < ACCEPTS_AT_ONCE && has_room(listener->server);) {
        union cg_endpoint from = {0};
        socklen_t from_len = sizeof from;
        int fd = accept4(listener->fd, &from.any, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            add_connection(listener, fd, &from);
            taken++;
        } else if (!is_passing(errno)) {
            return errno;
        }
    }
    return 0;
}

static void on_acceptable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    struct cg_http_listener *listener = poll->data;
    struct cg_http_server *server = listener->server;
    if (!has_room(server)) {
        set_accepting(server, false);
        return;
    }
    int error = accept_some(listener);
    if (is_shortage(error)) {
        pause_accepting(server, error);
    } else {
        server->short_of_fds = false;
    }
    run(server, false);
}

/* ---- Listening ---- */

static bool read_port(int fd, uint16_t *port) {
    union cg_endpoint bound;
    struct cg_addr addr;
    socklen_t len = sizeof bound;
    if (getsockname(fd, &bound.any, &len) != 0) return false;
    cg_endpoint_to_addr(&addr, &bound);
    *port = addr.port;
    return true;
}

static bool bind_listener(struct cg_http_listener *listener) {
    union cg_endpoint addr;
    socklen_t len = cg_endpoint_from_addr(&addr, &listener->listen.addr);
    int on = 1;
    listener->fd = socket(addr.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0) return false;
    if (setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return false;
    if (addr.any.sa_family == AF_INET6 && setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return false;
    if (bind(listener->fd, &addr.any, len) != 0 || listen(listener->fd, BACKLOG) != 0) return false;
    return read_port(listener->fd, &listener->listen.addr.port);
}

/* What is not opened in the end has fd -1. */
static int open_listener(struct cg_http_server *server, const struct cg_listen *listen, struct cg_problem *problem) {
    struct cg_http_listener *listener = &server->listeners[server->listener_count++];
    *listener = (struct cg_http_listener){.server = server, .listen = *listen, .fd = -1};
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&listen->addr, text);
    listener->listen.text = strdup(text);
    if (listener->listen.text == NULL || !bind_listener(listener)) {
        const char *why = strerror(errno);
        if (listener->fd >= 0) close(listener->fd);
        listener->fd = -1;
        return cg_problem_set(problem, CG_E_INTERNAL, "cannot listen on %s: %s", text, why);
    }
    CG_CHECK(uv_poll_init(server->uv, &listener->poll, listener->fd) == 0);
    cg_http_handle_opened(server);
    listener->poll.data = listener;
    return CG_OK;
}

static int open_listeners(struct cg_http_server *server, const struct cg_http_settings *settings,
                          struct cg_problem *problem) {
    server->listeners = calloc(settings->listen_count, sizeof *server->listeners);
    if (server->listeners == NULL && settings->listen_count > 0) {
        return cg_problem_set(problem, CG_E_NO_MEMORY, "no memory for the listeners");
    }
    int err = CG_OK;
    for (size_t i = 0; i < settings->listen_count && err == CG_OK; i++) {
        err = open_listener(server, &settings->listen[i], problem);
    }
    return err;
}

/* ---- Opening and closing ---- */

static int start_daemon(struct cg_http_server *server, struct cg_problem *problem) {
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)cg_http_tls_priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)cg_http_tls_on_certificate_wanted},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem *more = server->tls == NULL ? &tls[2] : tls;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    if (server->tls != NULL) flags |= MHD_USE_TLS;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, cg_http_on_access, server, MHD_OPTION_ARRAY, more, MHD_OPTION_URI_LOG_CALLBACK,
        cg_http_on_request_line, server, MHD_OPTION_NOTIFY_COMPLETED, cg_http_on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_SIZE, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_LIMIT, server->connection_max + LEAVING_MAX + POOL_SLACK, MHD_OPTION_END);
    if (server->daemon == NULL) {
        return cg_problem_set(problem, CG_E_INTERNAL, "libmicrohttpd does not start: %s", strerror(errno));
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    CG_CHECK(info != NULL && uv_poll_init(server->uv, &server->poll, info->epoll_fd) == 0);
    cg_http_handle_opened(server);
    server->poll.data = server;
    CG_CHECK(uv_poll_start(&server->poll, UV_READABLE, on_poll) == 0);
    return CG_OK;
}

static void open_timer(struct cg_http_server *server, uv_timer_t *timer) {
    CG_CHECK(uv_timer_init(server->uv, timer) == 0);
    cg_http_handle_opened(server);
    timer->data = server;
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
    server->armed_us = UINT64_MAX;
    cg_heap_init(&server->deadlines);
    open_timer(server, &server->run_timer);
    CG_CHECK(uv_idle_init(uv, &server->run_idle) == 0);
    cg_http_handle_opened(server);
    server->run_idle.data = server;
    open_timer(server, &server->deadline_timer);
    open_timer(server, &server->pause_timer);
    cg_http_seats_init(&server->seats, options->connections,
                       options->share == 0 ? (options->connections + 1) / 2 : options->share);
    int err = CG_OK;
    if (options->settings->tls.certificate != NULL) {
        err = cg_http_tls_load(&server->tls, &options->settings->tls, options->key_may_be_shared, problem);
    }
    if (err == CG_OK) err = open_listeners(server, options->settings, problem);
    if (err == CG_OK) err = start_daemon(server, problem);
    if (err < 0) {
        cg_http_server_close(server, NULL, NULL);
        return NULL;
    }
    set_accepting(server, true);
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

static void close_listeners(struct cg_http_server *server) {
    for (size_t i = 0; i < server->listener_count; i++) {
        struct cg_http_listener *listener = &server->listeners[i];
        if (listener->fd < 0) continue;
        close_handle(server, &listener->poll);
        close(listener->fd);
        listener->fd = -1;
    }
}

void cg_http_server_stop(struct cg_http_server *server) {
    if (server->stopping) return;
    server->stopping = true;
    server->accepting = false;
    uv_timer_stop(&server->pause_timer);
    close_listeners(server);
    for (struct cg_http_connection *at = server->connections; at != NULL; at = at->next) {
        if (at->call == NULL || !at->call->handed_over) cg_http_connection_expire(at); /* nothing of it runs */
    }
}

size_t cg_http_server_connections(const struct cg_http_server *server) { return server->connection_count; }

/* libmicrohttpd aborts when it is stopped with a suspended connection. */
static void stop_daemon(struct cg_http_server *server) {
    for (struct cg_http_connection *at = server->connections; at != NULL; at = at->next) {
        if (!at->suspended) continue;
        at->call->state = CG_HTTP_CALL_LOST;
        cg_http_resume(at);
    }
    MHD_run(server->daemon);
    close_handle(server, &server->poll);
    MHD_stop_daemon(server->daemon);
}

void cg_http_server_close(struct cg_http_server *server, void (*on_closed)(void *ctx), void *ctx) {
    if (server == NULL) return;
    CG_CHECK(!server->closing);
    cg_http_server_stop(server);
    server->closing = true;
    server->on_closed = on_closed;
    server->on_closed_ctx = ctx;
    if (server->daemon != NULL) stop_daemon(server);
    cg_http_linger_end_all(server);
    close_handle(server, &server->run_timer);
    close_handle(server, &server->run_idle);
    close_handle(server, &server->deadline_timer);
    close_handle(server, &server->pause_timer);
}

const struct cg_listen *cg_http_server_listen(const struct cg_http_server *server, size_t index) {
    CG_CHECK(index < server->listener_count);
    return &server->listeners[index].listen;
}
