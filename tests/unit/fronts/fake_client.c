/* The raw HTTP client. */
#include "fake_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { TURNS_MAX = 20000 }; /* of about a millisecond */

static socklen_t to_sockaddr(const struct cg_addr *addr, struct sockaddr_storage *to) {
    memset(to, 0, sizeof *to);
    if (addr->family == CG_FAMILY_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)to;
        in->sin_family = AF_INET;
        in->sin_port = htons(addr->port);
        memcpy(&in->sin_addr, addr->ip, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(addr->port);
    memcpy(&in6->sin6_addr, addr->ip, 16);
    return sizeof *in6;
}

void fake_client_open_from(struct fake_client *client, uv_loop_t *uv, const struct cg_addr *to, const char *from) {
    *client = (struct fake_client){.uv = uv, .in = calloc(1, 1)};
    struct sockaddr_storage addr, own;
    struct cg_addr own_addr;
    client->fd = socket(to->family == CG_FAMILY_IPV4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->fd >= 0 && client->in != NULL);
    if (from != NULL) {
        assert_int_equal(cg_addr_parse(&own_addr, cg_slice_str(from), 0), CG_OK);
        socklen_t own_len = to_sockaddr(&own_addr, &own);
        assert_int_equal(bind(client->fd, (struct sockaddr *)&own, own_len), 0);
    }
    socklen_t len = to_sockaddr(to, &addr);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&addr, len), 0);
}

void fake_client_open(struct fake_client *client, uv_loop_t *uv, const struct cg_addr *to) {
    fake_client_open_from(client, uv, to, NULL);
}

void fake_client_close(struct fake_client *client) {
    close(client->fd);
    free(client->in);
    *client = (struct fake_client){.fd = -1};
}

/* One turn: the loop does what it can without waiting, then time passes. */
static void turn(uv_loop_t *uv, int fd, short events) {
    for (int i = 0; i < 4; i++) uv_run(uv, UV_RUN_NOWAIT);
    struct pollfd pollfd = {.fd = fd, .events = events};
    poll(&pollfd, 1, 1);
}

void fake_client_read(struct fake_client *client) {
    char bytes[65536];
    while (!client->closed) {
        ssize_t got = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            client->closed = true;
            client->reset = got < 0;
            return;
        }
        client->in = realloc(client->in, client->in_len + (size_t)got + 1);
        assert_non_null(client->in);
        memcpy(client->in + client->in_len, bytes, (size_t)got);
        client->in_len += (size_t)got;
        client->in[client->in_len] = '\0';
    }
}

void fake_client_send(struct fake_client *client, const char *bytes, size_t len) {
    for (int turns = 0; len > 0; turns++) {
        assert_true(turns < TURNS_MAX);
        ssize_t sent = send(client->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) bytes += sent, len -= (size_t)sent;
        if (sent < 0 && errno != EAGAIN) return;
        if (len > 0) turn(client->uv, client->fd, POLLOUT);
    }
}

void fake_client_send_text(struct fake_client *client, const char *text) {
    fake_client_send(client, text, strlen(text));
}

void fake_client_run_until(uv_loop_t *uv, bool (*condition)(void *ctx), void *ctx) {
    for (int turns = 0; !condition(ctx); turns++) {
        assert_true(turns < TURNS_MAX);
        turn(uv, -1, 0);
    }
}

void fake_client_settle(uv_loop_t *uv) {
    for (int i = 0; i < 10; i++) turn(uv, -1, 0);
}

static bool is_closed(void *ctx) {
    struct fake_client *client = ctx;
    fake_client_read(client);
    return client->closed;
}

void fake_client_wait_closed(struct fake_client *client) { fake_client_run_until(client->uv, is_closed, client); }

/* ---- Responses ---- */

static void consume(struct fake_client *client, size_t len) {
    client->in_len -= len;
    memmove(client->in, client->in + len, client->in_len + 1);
}

static char *copy(const char *from, size_t len) {
    char *to = malloc(len + 1);
    assert_non_null(to);
    memcpy(to, from, len);
    to[len] = '\0';
    return to;
}

static bool more(struct fake_client *client, int *turns) {
    if (client->closed) return false;
    assert_true((*turns)++ < TURNS_MAX);
    turn(client->uv, client->fd, POLLIN);
    fake_client_read(client);
    return true;
}

static bool take(struct fake_client *client, size_t len, char **to) {
    int turns = 0;
    while (client->in_len < len && more(client, &turns)) {
    }
    if (client->in_len < len) return false;
    *to = copy(client->in, len);
    consume(client, len);
    return true;
}

static bool take_line(struct fake_client *client, const char *end_mark, char **line) {
    int turns = 0;
    const char *end;
    while ((end = strstr(client->in, end_mark)) == NULL && more(client, &turns)) {
    }
    return end != NULL && take(client, (size_t)(end - client->in) + strlen(end_mark), line);
}

static bool take_chunks(struct fake_client *client, struct fake_response *response) {
    response->body = copy("", 0);
    for (;;) {
        char *line, *chunk;
        if (!take_line(client, "\r\n", &line)) return false;
        size_t len = strtoul(line, NULL, 16);
        free(line);
        if (!take(client, len + 2, &chunk)) return false;
        assert_memory_equal(chunk + len, "\r\n", 2);
        response->body = realloc(response->body, response->body_len + len + 1);
        assert_non_null(response->body);
        memcpy(response->body + response->body_len, chunk, len);
        response->body_len += len;
        response->body[response->body_len] = '\0';
        free(chunk);
        if (len == 0) return true;
    }
}

static bool take_body(struct fake_client *client, struct fake_response *response) {
    const char *length = fake_response_field(response, "Content-Length");
    if (length != NULL) {
        response->body_len = strtoul(length, NULL, 10);
        return take(client, response->body_len, &response->body);
    }
    if (fake_response_field(response, "Transfer-Encoding") != NULL) return take_chunks(client, response);
    fake_client_wait_closed(client);
    response->body_len = client->in_len;
    return take(client, client->in_len, &response->body);
}

struct fake_response fake_client_response(struct fake_client *client, bool bodiless, int *continues) {
    struct fake_response response = {0};
    fake_client_read(client);
    while (take_line(client, "\r\n\r\n", &response.head)) {
        assert_int_equal(sscanf(response.head, "HTTP/1.1 %d ", &response.status), 1);
        if (response.status != 100) break;
        if (continues != NULL) ++*continues;
        free(response.head);
        response = (struct fake_response){0};
    }
    if (response.status == 0) return response;
    bool none = bodiless || response.status == 204 || response.status == 304;
    if (none) {
        response.body = copy("", 0);
    } else if (!take_body(client, &response)) {
        response.status = 0;
    }
    return response;
}

void fake_response_fini(struct fake_response *response) {
    free(response->head);
    free(response->body);
    *response = (struct fake_response){0};
}

const char *fake_response_field(const struct fake_response *response, const char *name) {
    static char value[512];
    size_t len = strlen(name);
    for (const char *line = strstr(response->head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) != 0 || line[2 + len] != ':') continue;
        const char *from = line + 2 + len + 1;
        from += strspn(from, " ");
        size_t value_len = strcspn(from, "\r");
        assert_true(value_len < sizeof value);
        memcpy(value, from, value_len);
        value[value_len] = '\0';
        return value;
    }
    return NULL;
}
