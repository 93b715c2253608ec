/* Accepting. The hard thing: a socket that has somebody waiting is reported again at once, so when nobody can be taken
 * it must not be looked at until that can have changed. */
#include "io/acceptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "io/endpoint.h"

enum {
    ACCEPTS_AT_ONCE = 64,
    BACKLOG = 512,
    PAUSE_MS = 100, /* until accepting is tried again when descriptors or memory ran out */
};

struct cg_acceptor {
    uv_poll_t poll;
    uv_timer_t pause;
    int fd;
    cg_accepted_fn *accepted;
    void *ctx;
    bool is_short; /* of descriptors, and the log says so */
    unsigned open_handles;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void look(struct cg_acceptor *acceptor) {
    CG_CHECK(uv_poll_start(&acceptor->poll, UV_READABLE, on_acceptable) == 0);
}

static void on_pause(uv_timer_t *timer) { look(timer->data); }

static void look_away(struct cg_acceptor *acceptor, int error) {
    if (!acceptor->is_short) cg_log(CG_LOG_WARNING, "tcp_accept", "%s; trying again", strerror(error));
    acceptor->is_short = true;
    uv_poll_stop(&acceptor->poll);
    CG_CHECK(uv_timer_start(&acceptor->pause, on_pause, PAUSE_MS, 0) == 0);
}

static bool is_passing(int error) { return error == EINTR || error == ECONNABORTED || error == EPROTO; }

static bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

static void on_acceptable(uv_poll_t *poll, int status, int events) {
    struct cg_acceptor *acceptor = poll->data;
    (void)status, (void)events;
    for (unsigned taken = 0; taken < ACCEPTS_AT_ONCE;) {
        union cg_endpoint from = {0};
        struct cg_addr addr;
        socklen_t len = sizeof from;
        int fd = accept4(acceptor->fd, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            acceptor->is_short = false;
            cg_endpoint_to_addr(&addr, &from);
            acceptor->accepted(acceptor->ctx, fd, &addr);
            taken++;
        } else if (is_shortage(errno)) {
            look_away(acceptor, errno);
            return;
        } else if (!is_passing(errno)) {
            return;
        }
    }
}

/* ---- Opening and closing ---- */

static bool listen_at(int fd, struct cg_addr *addr) {
    union cg_endpoint endpoint;
    socklen_t len = cg_endpoint_from_addr(&endpoint, addr);
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return false;
    if (endpoint.any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return false;
    return bind(fd, &endpoint.any, len) == 0 && listen(fd, BACKLOG) == 0 && cg_endpoint_local(addr, fd);
}

/* -1: *problem says why. */
static int open_socket(struct cg_addr *addr, struct cg_problem *problem) {
    union cg_endpoint endpoint;
    char text[CG_ADDR_TEXT_MAX];
    (void)cg_endpoint_from_addr(&endpoint, addr);
    int fd = socket(endpoint.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && listen_at(fd, addr)) return fd;
    const char *why = strerror(errno);
    if (fd >= 0) close(fd);
    cg_addr_emit(addr, text);
    cg_problem_set(problem, CG_E_INTERNAL, "cannot listen on %s (TCP): %s", text, why);
    return -1;
}

struct cg_acceptor *cg_acceptor_open(uv_loop_t *uv, struct cg_addr *addr, cg_accepted_fn *accepted, void *ctx,
                                     struct cg_problem *problem) {
    struct cg_acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (acceptor == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    acceptor->fd = open_socket(addr, problem);
    if (acceptor->fd < 0) {
        free(acceptor);
        return NULL;
    }
    acceptor->accepted = accepted;
    acceptor->ctx = ctx;
    CG_CHECK(uv_poll_init(uv, &acceptor->poll, acceptor->fd) == 0 && uv_timer_init(uv, &acceptor->pause) == 0);
    acceptor->poll.data = acceptor->pause.data = acceptor;
    acceptor->open_handles = 2;
    look(acceptor);
    return acceptor;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct cg_acceptor *acceptor = handle->data;
    if (--acceptor->open_handles > 0) return;
    if (acceptor->on_closed != NULL) acceptor->on_closed(acceptor->on_closed_ctx);
    free(acceptor);
}

void cg_acceptor_close(struct cg_acceptor *acceptor, void (*on_closed)(void *ctx), void *ctx) {
    acceptor->on_closed = on_closed;
    acceptor->on_closed_ctx = ctx;
    uv_close((uv_handle_t *)&acceptor->poll, on_handle_closed);
    uv_close((uv_handle_t *)&acceptor->pause, on_handle_closed);
    close(acceptor->fd);
}
