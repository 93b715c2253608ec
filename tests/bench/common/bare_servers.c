/* Why: the gateway's HTTP figures stand beside those of the same libraries doing nothing. The arrangement is the one of
 * fronts/http/server.c: libmicrohttpd's epoll descriptor in the loop, its timeout in a timer. */
#include "common/bare_servers.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/check.h"

static int bind_socket(int type, uint16_t *port) {
    struct sockaddr_in local = {.sin_family = AF_INET};
    socklen_t len = sizeof local;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CG_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&local, len) == 0);
    CG_CHECK(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
    *port = ntohs(local.sin_port);
    return fd;
}

static void fork_server(struct bench_server *server, int fd, void (*run)(int fd, const void *what), const void *what) {
    server->pid = fork();
    CG_CHECK(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(fd, what);
        _exit(0);
    }
    close(fd);
}

void bench_stop_server(struct bench_server *server) {
    kill(server->pid, SIGKILL);
    CG_CHECK(waitpid(server->pid, NULL, 0) == server->pid);
}

/* ---- HTTP ---- */

struct bare_http {
    struct MHD_Daemon *daemon;
    struct MHD_Response *response;
    unsigned status;
    uv_poll_t poll;
    uv_timer_t timer;
};

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *data, size_t *data_len, void **context) {
    (void)url, (void)method, (void)version, (void)data, (void)data_len;
    const struct bare_http *http = cls;
    if (*context == NULL) {
        *context = (void *)(uintptr_t)http;
        return MHD_YES;
    }
    return MHD_queue_response(connection, http->status, http->response);
}

static void on_timer(uv_timer_t *timer);

static void run_daemon(struct bare_http *http) {
    MHD_run(http->daemon);
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_get_timeout(http->daemon, &ms) == MHD_YES) uv_timer_start(&http->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer) { run_daemon(timer->data); }

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    run_daemon(poll->data);
}

struct reply_kind {
    unsigned status;
    size_t body_len;
};

static void run_bare_http(int fd, const void *what) {
    const struct reply_kind *kind = what;
    struct bare_http http = {.status = kind->status};
    uv_loop_t loop;
    void *body = calloc(1, kind->body_len + 1);
    CG_CHECK(body != NULL && uv_loop_init(&loop) == 0);
    http.response = MHD_create_response_from_buffer(kind->body_len, body, MHD_RESPMEM_PERSISTENT);
    http.daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, &http,
                                   MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_END);
    CG_CHECK(http.daemon != NULL && http.response != NULL);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http.daemon, MHD_DAEMON_INFO_EPOLL_FD);
    CG_CHECK(info != NULL && uv_poll_init(&loop, &http.poll, info->epoll_fd) == 0);
    CG_CHECK(uv_timer_init(&loop, &http.timer) == 0);
    http.poll.data = http.timer.data = &http;
    CG_CHECK(uv_poll_start(&http.poll, UV_READABLE, on_poll) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
}

void bench_start_bare_http(struct bench_server *server, unsigned status, size_t body_len) {
    struct reply_kind kind = {.status = status, .body_len = body_len};
    int fd = bind_socket(SOCK_STREAM, &server->port);
    CG_CHECK(listen(fd, 512) == 0);
    fork_server(server, fd, run_bare_http, &kind);
}

/* ---- UDP ---- */

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    uint8_t bytes[2048];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    int fd = *(const int *)poll->data;
    ssize_t len = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_len);
    if (len >= 0) sendto(fd, bytes, (size_t)len, 0, (struct sockaddr *)&from, from_len);
}

static void run_echo(int fd, const void *what) {
    (void)what;
    uv_loop_t loop;
    uv_poll_t poll = {.data = &fd};
    CG_CHECK(uv_loop_init(&loop) == 0 && uv_poll_init(&loop, &poll, fd) == 0);
    CG_CHECK(uv_poll_start(&poll, UV_READABLE, on_readable) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
}

void bench_start_echo(struct bench_server *server) {
    int fd = bind_socket(SOCK_DGRAM, &server->port);
    fork_server(server, fd, run_echo, NULL);
}
