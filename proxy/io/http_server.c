/* The HTTP server's sockets, connections and time. The hard thing: three parties share one connection. libmicrohttpd
 * owns the descriptor and everything read from it; libuv watches the same descriptor while libmicrohttpd sleeps on it,
 * because a suspended connection does not notice that its client left; and the handler holds the call. libmicrohttpd
 * runs only from on_poll, on_run_idle and on_run_timer, never from inside a handler, and may only be stopped when
 * nothing is suspended.
 *
 * A client that shuts its sending side after the request counts as one that left: the two look the same from here. */
#include "io/http_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"

enum {
    PATIENCE_US = 60 * 1000000,
    PAUSE_MS = 100, /* until accepting is tried again when descriptors ran out */
    ACCEPTS_AT_ONCE = 64,
    BACKLOG = 512,
    LAST_LOOK_MS = 100,
    EAGER_RUNS_MAX = 256,
    POOL_SIZE = 32768,   /* bytes libmicrohttpd uses per connection: the largest head, its table, one buffer. Above
                            this it maps fresh pages for each connection, which costs more than all else about it */
    POOL_SLACK = 16,     /* connections that libmicrohttpd has closed but not cleaned up yet */
    UNSENT_MAX = 131072, /* bytes that wait in the kernel for the client's window */
};

static uint64_t now_us(void) { return uv_hrtime() / 1000; }

/* ---- Handles ---- */

void cg_http_handle_opened(struct cg_http_server *server) { server->open_handles++; }

static void free_server(struct cg_http_server *server) {
    for (size_t i = 0; i < server->listener_count; i++) free((void *)(uintptr_t)server->listeners[i].listen.text);
    free(server->listeners);
    free(server->listener_by_fd);
    cg_heap_fini(&server->deadlines);
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
        struct cg_http_timer *due = (struct cg_http_timer *)first;
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

/* ---- Suspended connections ---- */

static void on_watch(uv_poll_t *watch, int status, int events) {
    (void)status, (void)events;
    struct cg_http_connection *connection = watch->data;
    CG_CHECK(connection->suspended);
    connection->call->state = CG_HTTP_CALL_LOST;
    cg_http_resume(connection);
}

/* False when the system has no room to watch one more: then a client that leaves is noticed when its reply is sent. */
static bool open_watch(struct cg_http_connection *connection) {
    if (connection->has_watch) return true;
    if (uv_poll_init(connection->server->uv, &connection->watch, connection->fd) != 0) return false;
    cg_http_handle_opened(connection->server);
    connection->watch.data = connection;
    connection->has_watch = true;
    return true;
}

void cg_http_suspend(struct cg_http_connection *connection) {
    CG_CHECK(!connection->suspended);
    connection->suspended = true;
    MHD_suspend_connection(connection->mhd);
    if (open_watch(connection)) CG_CHECK(uv_poll_start(&connection->watch, UV_DISCONNECT, on_watch) == 0);
}

void cg_http_resume(struct cg_http_connection *connection) {
    CG_CHECK(connection->suspended);
    connection->suspended = false;
    if (connection->has_watch) uv_poll_stop(&connection->watch);
    MHD_resume_connection(connection->mhd);
    connection->server->last_look = false;
    run_in(connection->server, 0);
}

/* ---- Accepting ---- */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static bool has_room(const struct cg_http_server *server) { return server->connection_count < server->connection_max; }

static void set_accepting(struct cg_http_server *server, bool wanted) {
    if (server->stopping || wanted == server->accepting) return;
    server->accepting = wanted;
    for (size_t i = 0; i < server->listener_count; i++) {
        uv_poll_t *poll = &server->listeners[i].poll;
        CG_CHECK((wanted ? uv_poll_start(poll, UV_READABLE, on_acceptable) : uv_poll_stop(poll)) == 0);
    }
}

void cg_http_connection_gone(struct cg_http_server *server) {
    server->connection_count--;
    if (has_room(server) && !uv_is_active((uv_handle_t *)&server->pause_timer)) set_accepting(server, true);
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

/* libmicrohttpd sees the descriptor at an end and cleans up; the call, if any, is done then. */
static void expire(struct cg_http_connection *connection) {
    connection->expired = true;
    shutdown(connection->fd, SHUT_RDWR);
}

static void on_patience_end(struct cg_http_timer *timer) { expire((struct cg_http_connection *)timer); }

static void on_watch_closed(uv_handle_t *handle) {
    struct cg_http_connection *connection = handle->data;
    struct cg_http_server *server = connection->server;
    free(connection);
    cg_http_handle_closed(server);
}

static void unlink_connection(struct cg_http_connection *connection) {
    if (connection->next != NULL) connection->next->previous = connection->previous;
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        connection->server->connections = connection->next;
    }
}

/* The client may be sending still: what is unread would make the kernel reset the connection and with it the reply. */
static void linger_if_needed(const struct cg_http_connection *connection) {
    char byte;
    if (connection->server->closing || connection->expired) return;
    if (!connection->unread && recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) return;
    int fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) cg_http_linger(connection->server, fd);
}

/* Before the handshake. A session that stays without certificate cannot begin one. */
static void attach_tls(struct cg_http_connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (connection->server->tls == NULL || info == NULL) return;
    connection->tls = cg_http_tls_attach(connection->server->tls, info->tls_session);
}

/* The kernel would take megabytes for a client that does not read; then nobody here would notice it. Best effort. */
static void bound_kernel_queue(int fd) {
    int bytes = UNSENT_MAX;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

static struct cg_http_connection *new_connection(struct cg_http_server *server, struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct cg_http_connection *connection = info == NULL ? NULL : calloc(1, sizeof *connection);
    if (connection == NULL) return NULL;
    connection->server = server;
    connection->mhd = mhd;
    connection->fd = info->connect_fd;
    connection->listener = server->listener_by_fd[connection->fd];
    connection->timer.due = on_patience_end;
    connection->next = server->connections;
    if (connection->next != NULL) connection->next->previous = connection;
    server->connections = connection;
    bound_kernel_queue(connection->fd);
    attach_tls(connection);
    cg_http_set_timer(server, &connection->timer, server->patience_us);
    return connection;
}

static void end_connection(struct cg_http_connection *connection) {
    linger_if_needed(connection);
    if (connection->call != NULL) cg_http_call_drop(connection->call);
    cg_http_clear_timer(connection->server, &connection->timer);
    unlink_connection(connection);
    cg_http_tls_unref(connection->tls);
    if (connection->has_watch) {
        uv_close((uv_handle_t *)&connection->watch, on_watch_closed);
    } else {
        free(connection);
    }
}

/* libmicrohttpd has taken a connection, or is about to close its descriptor. Without context (no memory was left) every
 * request on it is turned down. */
static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    struct cg_http_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        server->connection_count++;
        *context = new_connection(server, mhd);
        return;
    }
    if (*context != NULL) end_connection(*context);
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

static void add_connection(struct cg_http_listener *listener, int fd, const struct sockaddr *from, socklen_t from_len) {
    if (note_listener(listener, fd)) {
        MHD_add_connection(listener->server->daemon, fd, from, from_len); /* takes the descriptor, whatever happens */
    } else {
        close(fd);
    }
}

static bool is_passing(int error) { return error == EINTR || error == ECONNABORTED || error == EPROTO; }

static bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

/* Errno when there was nothing to take (any more). */
static int accept_some(struct cg_http_listener *listener) {
    const struct cg_http_server *server = listener->server;
    unsigned room = server->connection_max - server->connection_count;
    for (unsigned taken = 0; taken < room && taken < ACCEPTS_AT_ONCE;) {
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        int fd = accept4(listener->fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            add_connection(listener, fd, (struct sockaddr *)&from, from_len);
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

static socklen_t to_sockaddr(const struct cg_addr *addr, struct sockaddr_storage *to) {
    *to = (struct sockaddr_storage){0};
    if (addr->family == CG_FAMILY_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)to;
        in->sin_family = AF_INET;
        in->sin_port = htons(addr->port);
        memcpy(&in->sin_addr, addr->ip, sizeof in->sin_addr);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(addr->port);
    in6->sin6_scope_id = addr->scope;
    memcpy(&in6->sin6_addr, addr->ip, sizeof in6->sin6_addr);
    return sizeof *in6;
}

static bool read_port(int fd, uint16_t *port) {
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0) return false;
    *port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
                                             : ((struct sockaddr_in6 *)&bound)->sin6_port);
    return true;
}

static bool bind_listener(struct cg_http_listener *listener) {
    struct sockaddr_storage addr;
    socklen_t len = to_sockaddr(&listener->listen.addr, &addr);
    int on = 1;
    listener->fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0) return false;
    if (setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return false;
    if (addr.ss_family == AF_INET6 && setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return false;
    if (bind(listener->fd, (struct sockaddr *)&addr, len) != 0 || listen(listener->fd, BACKLOG) != 0) return false;
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
        MHD_OPTION_CONNECTION_LIMIT, server->connection_max + POOL_SLACK, MHD_OPTION_END);
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
    server->armed_us = UINT64_MAX;
    cg_heap_init(&server->deadlines);
    open_timer(server, &server->run_timer);
    CG_CHECK(uv_idle_init(uv, &server->run_idle) == 0);
    cg_http_handle_opened(server);
    server->run_idle.data = server;
    open_timer(server, &server->deadline_timer);
    open_timer(server, &server->pause_timer);
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
        if (at->call == NULL || !at->call->handed_over) expire(at); /* nothing of it runs */
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
