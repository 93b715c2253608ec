/* A client's connection between requests. The hard thing: three parties share its descriptor. libmicrohttpd owns it and
 * everything read from it; libuv watches it beside, for two things that libmicrohttpd does not tell or does not see:
 * the first byte of a request's head, from when on patience is short, and the client's end, which it misses while the
 * connection is suspended, and when the end had come before the connection was taken; and the handler holds the call.
 *
 * A client that shuts its sending side after the request, and still reads, looks the same from here as one that left.
 * So the end alone loses no call without TLS: after a while a byte tells, since who is gone resets the connection. */
#include "fronts/http/private.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/check.h"
#include "io/endpoint.h"

enum {
    END_US = 1000000,    /* for what a client sent before it left to be read */
    PROBE_US = 1000000,  /* from a client's end, until it is asked whether it still reads */
    UNSENT_MAX = 131072, /* bytes that wait in the kernel for the client's window */
};

/* ---- Patience ---- */

static void be_patient(struct cg_http_connection *connection, uint64_t us) {
    uint64_t most = connection->server->patience_us;
    cg_http_set_timer(connection->server, &connection->timer, us < most ? us : most);
}

/* libmicrohttpd sees the descriptor at an end and cleans up; the call, if any, is done then. */
void cg_http_connection_expire(struct cg_http_connection *connection) {
    connection->expired = true;
    cg_http_seat_set(&connection->server->seats, &connection->seat, CG_HTTP_LEAVING);
    shutdown(connection->fd, SHUT_RDWR);
}

/* Whoever has asked by HTTP/1.1 passes interim responses over (RFC 9110 §15.2), and no other word fits here. */
static void probe(const struct cg_http_connection *connection) {
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (connection->call->state != CG_HTTP_CALL_ASKED || connection->call->message.is_http_1_0) return;
    (void)send(connection->fd, interim, sizeof interim - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_patience_end(struct cg_http_timer *timer) {
    struct cg_http_connection *connection = CG_CONTAINER(timer, struct cg_http_connection, timer);
    if (connection->suspended) {
        probe(connection);
    } else {
        cg_http_connection_expire(connection);
    }
}

static void go(struct cg_http_seat *seat) {
    cg_http_connection_expire(CG_CONTAINER(seat, struct cg_http_connection, seat));
}

/* A request may have come already: libmicrohttpd, which has not run since, is let read it. */
static bool has_word(struct cg_http_seat *seat) {
    struct cg_http_connection *connection = CG_CONTAINER(seat, struct cg_http_connection, seat);
    int unread = 0;
    if (connection->heard || ioctl(connection->fd, FIONREAD, &unread) != 0 || unread == 0) return false;
    connection->heard = true;
    cg_http_run_soon(connection->daemon);
    return true;
}

void cg_http_connection_rank(struct cg_http_connection *connection, enum cg_http_rank rank) {
    if (connection->expired) return;
    cg_http_seat_set(&connection->server->seats, &connection->seat, rank);
    cg_http_room_made(connection->server);
}

/* ---- Who is asked first ---- */

/* libmicrohttpd reads from what is resumed before it asks for the reply, and where it reads the end of a client that
 * shut its sending side it drops the reply. Those with a timeout of their own are asked before anything is read; and it
 * can only be given to one that is not suspended yet, when nobody knows whether the client will do that. */
static void ask_before_reading(struct cg_http_connection *connection, bool wanted) {
    if (connection->asked_first == wanted) return;
    connection->asked_first = wanted;
    (void)MHD_set_connection_option(connection->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
                                    wanted ? (unsigned)CG_HTTP_NEVER_S : 0u);
}

/* ---- Watching ---- */

static void on_watch(uv_poll_t *watch, int status, int events);

/* A watch that the system had no room for: what it would have told is then noticed when patience or reply ends. Each
 * change of it costs two system calls, so none is made that does not have to be. */
static void watch_for(struct cg_http_connection *connection, int events) {
    if (!connection->has_watch || connection->watched == events) return;
    connection->watched = events;
    CG_CHECK(uv_poll_start(&connection->watch, events, on_watch) == 0);
}

void cg_http_connection_idles(struct cg_http_connection *connection) {
    ask_before_reading(connection, false);
    if (connection->expired) return;
    cg_http_connection_rank(connection, CG_HTTP_IDLE);
    connection->in_head = connection->heard = false;
    connection->turn = connection->server->turn;
    if (connection->ended) {
        be_patient(connection, END_US);
        return;
    }
    be_patient(connection, connection->server->patience_us);
    watch_for(connection, UV_READABLE | UV_DISCONNECT);
}

void cg_http_connection_begins_head(struct cg_http_connection *connection) {
    if (connection->in_head || connection->expired) return;
    connection->in_head = true;
    connection->turn = connection->server->turn;
    if (!connection->ended) be_patient(connection, connection->server->head_patience_us);
}

void cg_http_connection_begins_body(struct cg_http_connection *connection) {
    if (!connection->ended && !connection->expired) be_patient(connection, connection->server->patience_us);
}

static void lose(struct cg_http_connection *connection) {
    connection->call->state = CG_HTTP_CALL_LOST;
    cg_http_resume(connection);
}

/* From now on only an error is of interest; priority data cannot come any more. */
static void watch_for_reset(struct cg_http_connection *connection) {
    connection->half_closed = true;
    watch_for(connection, UV_PRIORITIZED);
    cg_http_set_timer(connection->server, &connection->timer, PROBE_US);
}

static bool may_be_half_closed(const struct cg_http_connection *connection) {
    return !connection->half_closed && connection->tls == NULL && connection->call->state == CG_HTTP_CALL_ASKED;
}

/* While a call runs, the client may have left it. Otherwise nothing more comes than what is on its way to
 * libmicrohttpd. */
static void end_seen(struct cg_http_connection *connection, bool is_error) {
    connection->ended = true;
    if (connection->suspended) {
        if (!is_error && may_be_half_closed(connection)) {
            watch_for_reset(connection);
        } else {
            lose(connection);
        }
    } else if (connection->call == NULL || !connection->call->handed_over) {
        be_patient(connection, END_US);
    }
}

static void stop_watching(struct cg_http_connection *connection) {
    uv_poll_stop(&connection->watch);
    connection->watched = 0;
}

/* Bytes that libmicrohttpd has taken already in this turn of the loop are reported all the same. What comes behind a
 * head's first byte is of no interest, and would be reported until it is read, which may take a reply's time: only then
 * is watching for bytes given up until the connection idles again. */
static void bytes_seen(struct cg_http_connection *connection) {
    if (connection->turn == connection->server->turn) return;
    if (connection->in_head) {
        watch_for(connection, UV_DISCONNECT);
    } else {
        cg_http_connection_begins_head(connection);
    }
}

static void on_watch(uv_poll_t *watch, int status, int events) {
    struct cg_http_connection *connection = watch->data;
    bool ended = status < 0 || (events & (UV_DISCONNECT | UV_PRIORITIZED)) != 0;
    if (ended) stop_watching(connection);
    if (connection->expired && !connection->suspended) return;
    if (ended) {
        end_seen(connection, status < 0);
    } else {
        bytes_seen(connection);
    }
}

static void open_watch(struct cg_http_connection *connection) {
    if (uv_poll_init(connection->server->uv, &connection->watch, connection->fd) != 0) return;
    cg_http_handle_opened(connection->server);
    connection->watch.data = connection;
    connection->has_watch = true;
}

/* ---- Suspended connections ---- */

void cg_http_suspend(struct cg_http_connection *connection) {
    CG_CHECK(!connection->suspended);
    ask_before_reading(connection, true);
    connection->suspended = true;
    MHD_suspend_connection(connection->mhd);
    if (!connection->ended) return;
    watch_for(connection, connection->half_closed ? UV_PRIORITIZED : UV_DISCONNECT); /* once more, from outside */
}

void cg_http_resume(struct cg_http_connection *connection) {
    CG_CHECK(connection->suspended);
    connection->suspended = false;
    MHD_resume_connection(connection->mhd);
    cg_http_run_soon(connection->daemon);
}

/* ---- Beginning and end ---- */

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

static bool take_seat(struct cg_http_connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    union cg_endpoint from = {.any = {.sa_family = AF_UNSPEC}};
    if (info != NULL && info->client_addr != NULL) {
        bool v6 = info->client_addr->sa_family == AF_INET6;
        memcpy(&from, info->client_addr, v6 ? sizeof from.v6 : sizeof from.v4);
    }
    cg_endpoint_to_addr(&connection->from, &from);
    connection->seat.go = go;
    connection->seat.has_word = has_word;
    return cg_http_seat_take(&connection->server->seats, &connection->seat, &connection->from) == CG_OK;
}

/* What was there before the watch could tell of it: libmicrohttpd is about to read it. */
static bool has_unread_bytes(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

struct cg_http_connection *cg_http_connection_new(struct cg_http_daemon *daemon, struct MHD_Connection *mhd) {
    struct cg_http_server *server = daemon->server;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct cg_http_connection *connection = info == NULL ? NULL : calloc(1, sizeof *connection);
    if (connection == NULL) return NULL;
    connection->server = server;
    connection->daemon = daemon;
    connection->mhd = mhd;
    connection->fd = info->connect_fd;
    if (!take_seat(connection)) {
        free(connection);
        return NULL;
    }
    connection->listener = server->listener_by_fd[connection->fd];
    connection->timer.due = on_patience_end;
    DL_PREPEND2(connection->server->connections, connection, previous, next);
    bound_kernel_queue(connection->fd);
    attach_tls(connection);
    open_watch(connection);
    cg_http_connection_idles(connection);
    if (has_unread_bytes(connection->fd)) cg_http_connection_begins_head(connection);
    return connection;
}

/* The client may be sending still: what is unread would make the kernel reset the connection and with it the reply. */
static void linger_if_needed(const struct cg_http_connection *connection) {
    if (connection->server->closing || connection->expired) return;
    if (!connection->unread && !has_unread_bytes(connection->fd)) return;
    int fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) cg_http_linger(connection->server, fd, &connection->from);
}

static void on_watch_closed(uv_handle_t *handle) {
    struct cg_http_connection *connection = handle->data;
    struct cg_http_server *server = connection->server;
    free(connection);
    cg_http_handle_closed(server);
}

void cg_http_connection_end(struct cg_http_connection *connection) {
    cg_http_seat_give_back(&connection->server->seats, &connection->seat);
    linger_if_needed(connection);
    if (connection->call != NULL) cg_http_call_drop(connection->call);
    cg_http_clear_timer(connection->server, &connection->timer);
    DL_DELETE2(connection->server->connections, connection, previous, next);
    cg_http_tls_unref(connection->tls);
    if (connection->has_watch) {
        uv_close((uv_handle_t *)&connection->watch, on_watch_closed);
    } else {
        free(connection);
    }
}
