/* The listening sockets, and who gets in. The hard thing: a socket that has somebody waiting is reported again at once,
 * so whenever nobody can be taken, for want of seats or of descriptors, it must not be looked at until that changes. */
#include "fronts/http/private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "io/endpoint.h"

enum {
    FULL_SAID_US = 60 * 1000000, /* the log says at most so often that somebody was turned away */
    PAUSE_MS = 100,              /* until accepting is tried again when descriptors or memory ran out */
    ACCEPTS_AT_ONCE = 64,
    BACKLOG = 512,
    LEAVING_MAX = 64, /* connections that were told to go, for others, and are not gone yet */
};

/* ---- Accepting ---- */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static bool has_room(const struct cg_http_server *server) {
    return server->connection_count < server->connection_max + LEAVING_MAX && cg_http_seats_have_room(&server->seats);
}

void cg_http_set_accepting(struct cg_http_server *server, bool wanted) {
    if (server->stopping || wanted == server->accepting) return;
    server->accepting = wanted;
    for (size_t i = 0; i < server->listener_count; i++) {
        uv_poll_t *poll = &server->listeners[i].poll;
        CG_CHECK((wanted ? uv_poll_start(poll, UV_READABLE, on_acceptable) : uv_poll_stop(poll)) == 0);
    }
}

void cg_http_room_made(struct cg_http_server *server) {
    if (server->accepting || uv_is_active((uv_handle_t *)&server->pause_timer)) return;
    if (has_room(server)) cg_http_set_accepting(server, true);
}

void cg_http_connection_gone(struct cg_http_server *server) {
    server->connection_count--;
    cg_http_room_made(server);
}

static void on_pause_timer(uv_timer_t *timer) {
    struct cg_http_server *server = timer->data;
    if (has_room(server)) cg_http_set_accepting(server, true);
}

/* The socket would be reported again at once, and nothing can be done about it: look the other way for a moment. */
static void pause_accepting(struct cg_http_server *server, int error) {
    if (!server->short_of_fds) cg_log(CG_LOG_WARNING, "http_accept", "%s; trying again", strerror(error));
    server->short_of_fds = true;
    cg_http_set_accepting(server, false);
    CG_CHECK(uv_timer_start(&server->pause_timer, on_pause_timer, PAUSE_MS, 0) == 0);
}

/* libmicrohttpd tells of a new connection by its descriptor alone: that says where it came in. */
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
    uint64_t now = cg_http_now_us();
    close(fd);
    if (server->full_said_us != 0 && now - server->full_said_us < FULL_SAID_US) return;
    server->full_said_us = now;
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(from, text);
    cg_log(CG_LOG_WARNING, "http_accept", "%s has %u connections with requests that run: no more for one address", text,
           server->seats.share);
}

/* Behind a proxy there are many. */
static unsigned share_of(const struct cg_http_server *server, const struct cg_addr *from) {
    bool is_proxy = server->handler->is_proxy != NULL && server->handler->is_proxy(server->ctx, from);
    return is_proxy ? server->seats.max : server->seats.share;
}

/* As cg_http_seats_admit; nobody goes whose request has come and was only not read yet. */
static bool admit(struct cg_http_server *server, const struct cg_addr *from, struct cg_http_seat **goes) {
    unsigned share = share_of(server, from);
    while (cg_http_seats_admit(&server->seats, from, share, goes)) {
        if (!cg_http_seat_has_word(*goes)) return true;
        cg_http_run_wanted(server);
    }
    return false;
}

static void add_connection(struct cg_http_listener *listener, int fd, const union cg_endpoint *from) {
    struct cg_http_server *server = listener->server;
    struct cg_http_seat *goes;
    struct cg_addr addr;
    cg_endpoint_to_addr(&addr, from);
    if (!admit(server, &addr, &goes)) {
        turn_away(server, fd, &addr);
        return;
    }
    if (goes != NULL) goes->go(goes);
    struct cg_http_daemon *daemon = cg_http_daemon_with_room(server);
    if (daemon != NULL && note_listener(listener, fd)) {
        socklen_t len = addr.family == CG_FAMILY_IPV4 ? sizeof from->v4 : sizeof from->v6;
        cg_http_daemon_add(daemon, fd, &from->any, len);
    } else {
        close(fd);
    }
}

static bool is_passing(int error) { return error == EINTR || error == ECONNABORTED || error == EPROTO; }

static bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

/* As has_room, once those who would go first have been heard: newcomers wait in the queue where all of them run. */
static bool makes_room(struct cg_http_server *server) {
    while (cg_http_seat_has_word(cg_http_seats_next_to_go(&server->seats))) cg_http_run_wanted(server);
    return has_room(server);
}

/* Errno when there was nothing to take (any more). */
static int accept_some(struct cg_http_listener *listener) {
    for (unsigned taken = 0; taken < ACCEPTS_AT_ONCE && makes_room(listener->server);) {
        if (cg_http_daemon_with_room(listener->server) == NULL) return is_shortage(errno) ? errno : ENOMEM;
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
        cg_http_set_accepting(server, false);
        return;
    }
    int error = accept_some(listener);
    if (is_shortage(error)) {
        pause_accepting(server, error);
    } else {
        server->short_of_fds = false;
    }
    cg_http_run_wanted(server);
}

/* ---- Listening ---- */

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
    return cg_endpoint_local(&listener->listen.addr, listener->fd);
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

int cg_http_open_listeners(struct cg_http_server *server, const struct cg_http_settings *settings,
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

void cg_http_close_listeners(struct cg_http_server *server) {
    for (size_t i = 0; i < server->listener_count; i++) {
        struct cg_http_listener *listener = &server->listeners[i];
        if (listener->fd < 0) continue;
        cg_http_close_handle(server, &listener->poll);
        close(listener->fd);
        listener->fd = -1;
    }
}
