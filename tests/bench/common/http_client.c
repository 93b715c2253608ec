/* A small HTTP client. The hard thing is that it shares two cores with what it loads: one thread, one epoll, one
 * buffer, and a parser that reads nothing but the status and Content-Length. */
#include "common/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"

enum { PIECE = 256 * 1024, CONNECTIONS_MAX = 4096 };

int bench_http_try_connect(uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CG_CHECK(fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    return -1;
}

void bench_http_open(struct bench_http *http, uint16_t port) {
    http->fd = bench_http_try_connect(port);
    CG_CHECK(http->fd >= 0);
    cg_buf_init(&http->in, 0);
}

void bench_http_close(struct bench_http *http) {
    close(http->fd);
    cg_buf_fini(&http->in);
}

static int put_get(char *text, size_t size, const char *path, const char *headers) {
    int len = snprintf(text, size, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, headers);
    CG_CHECK(len > 0 && (size_t)len < size);
    return len;
}

void bench_http_send_get(struct bench_http *http, const char *path, const char *headers) {
    char request[1024];
    int len = put_get(request, sizeof request, path, headers);
    CG_CHECK(send(http->fd, request, (size_t)len, MSG_NOSIGNAL) == len);
}

static bool read_more(struct bench_http *http) {
    uint8_t *to = cg_buf_reserve(&http->in, PIECE);
    CG_CHECK(to != NULL);
    ssize_t got = recv(http->fd, to, PIECE, 0);
    if (got > 0) http->in.len += (size_t)got;
    return got > 0;
}

/* Length of head and body once the head is there, else 0. */
static size_t reply_len(const uint8_t *data, size_t len, size_t *head_len) {
    static const char name[] = "\r\nContent-Length: ";
    const uint8_t *end = len == 0 ? NULL : memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    *head_len = (size_t)(end - data) + 4;
    const uint8_t *field = memmem(data, *head_len, name, sizeof name - 1);
    return *head_len + (field == NULL ? 0 : strtoull((const char *)field + sizeof name - 1, NULL, 10));
}

static unsigned status_of(const uint8_t *reply) {
    return (unsigned)strtoul((const char *)reply + sizeof "HTTP/1.1 " - 1, NULL, 10);
}

void bench_http_read_reply(struct bench_http *http, struct bench_reply *reply) {
    size_t len;
    cg_buf_clear(&http->in);
    do {
        CG_CHECK(read_more(http));
        len = reply_len(http->in.data, http->in.len, &reply->head_len);
    } while (len == 0 || http->in.len < len);
    reply->received_ns = bench_wall_ns();
    reply->status = status_of(http->in.data);
}

void bench_http_get(struct bench_http *http, const char *path, const char *headers, struct bench_reply *reply) {
    reply->sent_ns = bench_wall_ns();
    bench_http_send_get(http, path, headers);
    bench_http_read_reply(http, reply);
}

static void send_all(int fd, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        CG_CHECK(sent > 0);
        bytes += sent;
        len -= (size_t)sent;
    }
}

void bench_http_put(struct bench_http *http, const char *path, const char *headers, struct cg_slice body,
                    struct bench_reply *reply) {
    struct cg_buf request;
    cg_buf_init(&request, 0);
    cg_buf_printf(&request, "PUT %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n", path, headers,
                  body.len);
    cg_buf_put_slice(&request, body);
    CG_CHECK(!request.failed);
    reply->sent_ns = bench_wall_ns();
    send_all(http->fd, request.data, request.len);
    cg_buf_fini(&request);
    bench_http_read_reply(http, reply);
}

bool bench_http_read_until(struct bench_http *http, const char *text) {
    cg_buf_clear(&http->in);
    do {
        if (!read_more(http)) return false;
    } while (memmem(http->in.data, http->in.len, text, strlen(text)) == NULL);
    return true;
}

/* ---- Load ---- */

struct client {
    int fd;
    size_t missing; /* bytes of the reply that are still to come */
};

struct generator {
    const struct bench_load *load;
    struct client clients[CONNECTIONS_MAX];
    char request[1024];
    int request_len;
    int epoll;
    unsigned started, ended;
    uint8_t in[PIECE];
};

static void ask(struct generator *generator, const struct client *client) {
    if (generator->started == generator->load->requests) return;
    generator->started++;
    CG_CHECK(send(client->fd, generator->request, (size_t)generator->request_len, MSG_NOSIGNAL) ==
             generator->request_len);
}

/* The head of a reply comes in one piece: it was written in one piece, and small. */
static size_t begin_reply(const struct generator *generator, size_t got) {
    size_t head_len, len = reply_len(generator->in, got, &head_len);
    unsigned status = len == 0 ? 0 : status_of(generator->in);
    if (status == generator->load->status) return len;
    fprintf(stderr, "GET %s: %.*s\n", generator->load->path, (int)got, (const char *)generator->in);
    exit(1);
}

static void on_bytes(struct generator *generator, struct client *client) {
    ssize_t got = recv(client->fd, generator->in, sizeof generator->in, 0);
    CG_CHECK(got > 0);
    if (client->missing == 0) client->missing = begin_reply(generator, (size_t)got);
    CG_CHECK((size_t)got <= client->missing);
    client->missing -= (size_t)got;
    if (client->missing > 0) return;
    generator->ended++;
    ask(generator, client);
}

double bench_http_load(const struct bench_load *load) {
    static struct generator generator;
    CG_CHECK(load->connections <= CONNECTIONS_MAX);
    generator = (struct generator){.load = load, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    generator.request_len = put_get(generator.request, sizeof generator.request, load->path, "");
    for (unsigned i = 0; i < load->connections; i++) {
        struct client *client = &generator.clients[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        client->fd = bench_http_try_connect(load->port);
        CG_CHECK(client->fd >= 0 && epoll_ctl(generator.epoll, EPOLL_CTL_ADD, client->fd, &event) == 0);
    }
    uint64_t start_ns = bench_wall_ns();
    for (unsigned i = 0; i < load->connections; i++) ask(&generator, &generator.clients[i]);
    while (generator.ended < load->requests) {
        struct epoll_event events[64];
        int count = epoll_wait(generator.epoll, events, 64, 10000);
        CG_CHECK(count > 0);
        for (int i = 0; i < count; i++) on_bytes(&generator, events[i].data.ptr);
    }
    double seconds = (double)(bench_wall_ns() - start_ns) / 1e9;
    for (unsigned i = 0; i < load->connections; i++) close(generator.clients[i].fd);
    close(generator.epoll);
    return seconds;
}
