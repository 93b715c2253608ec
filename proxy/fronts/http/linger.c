/* Lingering close (RFC 9112 §9.6). The hard thing: the kernel resets a connection that is closed with unread bytes,
 * which can destroy a reply that is still on its way. So the sending side is shut already, and here the rest is read
 * until the client closes. */
#include "fronts/http/private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/check.h"

enum {
    LINGER_US = 5 * 1000000,
    READS_AT_ONCE = 16, /* so that nobody holds the loop */
};

struct cg_http_linger {
    struct cg_http_timer timer;
    struct cg_http_seat seat;
    struct cg_http_server *server;
    struct cg_http_linger *previous, *next;
    int fd;
    uv_poll_t poll;
};

static void on_linger_closed(uv_handle_t *handle) {
    struct cg_http_linger *linger = handle->data;
    struct cg_http_server *server = linger->server;
    free(linger);
    cg_http_handle_closed(server);
}

static void end(struct cg_http_linger *linger) {
    struct cg_http_server *server = linger->server;
    DL_DELETE2(server->lingers, linger, previous, next);
    cg_http_clear_timer(server, &linger->timer);
    cg_http_seat_give_back(&server->seats, &linger->seat);
    uv_close((uv_handle_t *)&linger->poll, on_linger_closed);
    close(linger->fd);
    cg_http_connection_gone(server);
}

static void on_due(struct cg_http_timer *timer) { end(CG_CONTAINER(timer, struct cg_http_linger, timer)); }

static void go(struct cg_http_seat *seat) { end(CG_CONTAINER(seat, struct cg_http_linger, seat)); }

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)events;
    struct cg_http_linger *linger = poll->data;
    static char waste[65536];
    ssize_t got = status < 0 ? 0 : 1;
    for (int i = 0; i < READS_AT_ONCE && got > 0; i++) got = recv(linger->fd, waste, sizeof waste, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) end(linger);
}

/* NULL when that fails; the descriptor is the caller's then. */
static struct cg_http_linger *new_linger(struct cg_http_server *server, int fd, const struct cg_addr *from) {
    struct cg_http_linger *linger = calloc(1, sizeof *linger);
    if (linger == NULL) return NULL;
    linger->seat.go = go;
    if (cg_http_seat_take(&server->seats, &linger->seat, from) == CG_OK &&
        uv_poll_init(server->uv, &linger->poll, fd) == 0) {
        return linger;
    }
    cg_http_seat_give_back(&server->seats, &linger->seat);
    free(linger);
    return NULL;
}

void cg_http_linger(struct cg_http_server *server, int fd, const struct cg_addr *from) {
    struct cg_http_linger *linger = new_linger(server, fd, from);
    if (linger == NULL) {
        close(fd);
        return;
    }
    cg_http_handle_opened(server);
    linger->server = server;
    linger->fd = fd;
    linger->poll.data = linger;
    linger->timer.due = on_due;
    DL_PREPEND2(server->lingers, linger, previous, next);
    server->connection_count++;
    cg_http_set_timer(server, &linger->timer, LINGER_US);
    CG_CHECK(uv_poll_start(&linger->poll, UV_READABLE, on_readable) == 0);
}

void cg_http_linger_end_all(struct cg_http_server *server) {
    while (server->lingers != NULL) end(server->lingers);
}
