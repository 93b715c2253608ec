/* What a request by CoAP over TCP and over TLS costs (RFC 8323), beside the same by UDP to the same gateway in one run:
 * one after another, and many that do not wait for each other. They ask for the gateway's own links, so that what is
 * measured is transport and message layer, and no group. */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "io/tls_terms.h"
#include "wire/envelope.h"
#include "wire/signal.h"

enum { ROUNDS = 7, REQUESTS = 6400, BUFFER = 65536 };

static const uint8_t path[] = {0xbb, '.', 'w', 'e', 'l', 'l', '-', 'k', 'n', 'o', 'w', 'n', 0x04, 'c', 'o', 'r', 'e'};

enum transport { BY_TCP, BY_TLS };
static const char *const names[] = {[BY_TCP] = "TCP", [BY_TLS] = "TLS"};

struct client {
    int fd;
    SSL *ssl; /* by TLS */
    uint16_t mid;
    struct cg_frame_reader reader; /* by TCP */
};

static int connect_by(int type, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    CG_CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* ---- By UDP ---- */

static void ask_by_udp(struct client *client) {
    uint8_t bytes[64];
    client->mid++;
    const struct cg_envelope request = {.type = CG_CON,
                                        .code = CG_GET,
                                        .mid = client->mid,
                                        .token = cg_slice_of(&client->mid, 2),
                                        .options = cg_slice_of(path, sizeof path)};
    int len = cg_envelope_emit(&request, bytes, sizeof bytes);
    CG_CHECK(len > 0 && send(client->fd, bytes, (size_t)len, 0) == len);
}

static void hear_by_udp(struct client *client, unsigned count) {
    static uint8_t bytes[BUFFER];
    for (; count > 0; count--) {
        ssize_t len = recv(client->fd, bytes, sizeof bytes, 0);
        CG_CHECK(len > 4 && bytes[1] == CG_CODE(2, 5));
    }
}

/* ---- By TCP and TLS ---- */

#define KEY "0123456789abcdef"

static unsigned on_key_asked(SSL *ssl, const char *hint, char *identity, unsigned identity_cap, unsigned char *key,
                             unsigned cap) {
    (void)ssl, (void)hint;
    CG_CHECK(identity_cap > 5 && cap >= strlen(KEY));
    strcpy(identity, "bench");
    memcpy(key, KEY, strlen(KEY));
    return strlen(KEY);
}

static SSL *shake_hands(int fd) {
    SSL_CTX *context = cg_tls_terms_new(CG_TLS_OF_STREAMS, CG_TLS_CONNECTS, CG_TLS_KEYS_ALONE);
    CG_CHECK(context != NULL);
    SSL_CTX_set_psk_client_callback(context, on_key_asked);
    SSL *ssl = SSL_new(context);
    CG_CHECK(ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1);
    SSL_CTX_free(context);
    return ssl;
}

static void put(const struct client *client, const uint8_t *bytes, size_t len) {
    ssize_t sent =
        client->ssl == NULL ? send(client->fd, bytes, len, 0) : (ssize_t)SSL_write(client->ssl, bytes, (int)len);
    CG_CHECK(sent == (ssize_t)len);
}

static size_t get(const struct client *client, uint8_t *bytes, size_t cap) {
    ssize_t len =
        client->ssl == NULL ? recv(client->fd, bytes, cap, 0) : (ssize_t)SSL_read(client->ssl, bytes, (int)cap);
    CG_CHECK(len > 0);
    return (size_t)len;
}

static size_t put_request(struct client *client, uint8_t *bytes, size_t cap) {
    client->mid++;
    const struct cg_frame request = {
        .code = CG_GET, .token = cg_slice_of(&client->mid, 2), .options = cg_slice_of(path, sizeof path)};
    int len = cg_frame_emit(&request, bytes, cap);
    CG_CHECK(len > 0);
    return (size_t)len;
}

static void ask_by_tcp(struct client *client, unsigned count) {
    uint8_t bytes[4096];
    size_t len = 0;
    for (; count > 0; count--) len += put_request(client, bytes + len, sizeof bytes - len);
    put(client, bytes, len);
}

static void hear_by_tcp(struct client *client, unsigned count) {
    static uint8_t bytes[BUFFER];
    while (count > 0) {
        struct cg_slice rest = cg_slice_of(bytes, get(client, bytes, sizeof bytes)), whole;
        while (cg_frame_reader_next(&client->reader, &rest, &whole) == CG_OK) {
            struct cg_frame frame;
            CG_CHECK(cg_frame_parse(&frame, whole) == CG_OK);
            count -= frame.code == CG_CODE(2, 5);
        }
    }
}

static void open_stream(struct client *client, uint16_t port, enum transport transport) {
    uint8_t bytes[CG_SIGNAL_MAX];
    *client = (struct client){.fd = connect_by(SOCK_STREAM, port)};
    if (transport == BY_TLS) client->ssl = shake_hands(client->fd);
    cg_frame_reader_init(&client->reader, BUFFER);
    put(client, bytes, cg_signal_emit_csm(&cg_capabilities_base, bytes));
}

static void close_stream(struct client *client) {
    cg_frame_reader_fini(&client->reader);
    SSL_free(client->ssl);
    close(client->fd);
}

/* ---- All ---- */

struct cost {
    double cpu_us, rate; /* of a request; requests a second */
};

static struct cost cost_of(const struct bench_gateway *gateway, struct bench_span begin) {
    double wall_s = (double)(bench_wall_ns() - begin.wall_ns) / 1e9;
    return (struct cost){.cpu_us = bench_gateway_end(gateway, begin) / REQUESTS / 1000, .rate = REQUESTS / wall_s};
}

static struct cost stream_round(const struct bench_gateway *gateway, struct client *client, unsigned at_once) {
    struct bench_span begin = bench_gateway_begin(gateway);
    for (unsigned i = 0; i < REQUESTS; i += at_once) {
        ask_by_tcp(client, at_once);
        hear_by_tcp(client, at_once);
    }
    return cost_of(gateway, begin);
}

static struct cost udp_round(const struct bench_gateway *gateway, struct client *client, unsigned at_once) {
    struct bench_span begin = bench_gateway_begin(gateway);
    for (unsigned i = 0; i < REQUESTS; i += at_once) {
        for (unsigned j = 0; j < at_once; j++) ask_by_udp(client);
        hear_by_udp(client, at_once);
    }
    return cost_of(gateway, begin);
}

static void compare(const struct bench_gateway *gateway, size_t count, enum transport transport, unsigned at_once) {
    struct bench_rounds cpu = {0}, rate = {0};
    char cpu_figure[80], rate_figure[80];
    struct client stream, udp = {.fd = connect_by(SOCK_DGRAM, gateway->coap)};
    open_stream(&stream, transport == BY_TLS ? gateway->coaps : gateway->coap, transport);
    for (size_t i = 0; i < count; i++) {
        struct cost by_stream = stream_round(gateway, &stream, at_once), by_udp = udp_round(gateway, &udp, at_once);
        bench_add_round(&cpu, by_stream.cpu_us, by_udp.cpu_us);
        bench_add_round(&rate, by_stream.rate, by_udp.rate);
    }
    snprintf(cpu_figure, sizeof cpu_figure, "a request by %s, %u at once", names[transport], at_once);
    snprintf(rate_figure, sizeof rate_figure, "requests by %s, %u at once", names[transport], at_once);
    bench_put_rounds(&cpu, (struct bench_row){.figure = cpu_figure, .unit = "µs CPU/request", .beside = "by UDP"});
    bench_put_rounds(&rate, (struct bench_row){.figure = rate_figure, .unit = "requests/s", .beside = "by UDP"});
    close_stream(&stream);
    close(udp.fd);
}

/* The client's settings, with its key in a file of its own. */
static void put_client(char more[256], char file[64]) {
    strcpy(file, "/tmp/castgate-bench-key-XXXXXX");
    int fd = mkstemp(file);
    CG_CHECK(fd >= 0 && write(fd, KEY, strlen(KEY)) == (ssize_t)strlen(KEY));
    close(fd);
    snprintf(more, 256, "\"clients\":{\"bench\":{\"psk\":{\"identity\":\"bench\",\"key_file\":\"%s\"}}}", file);
}

int main(int argc, char **argv) {
    const size_t count = bench_is_quick(argc, argv) ? 3 : ROUNDS;
    struct bench_gateway gateway;
    char more[256], file[64];
    put_client(more, file);
    bench_gateway_start_with(&gateway, CG_SLICE_NONE, more);
    unlink(file);
    bench_gateway_rest(&gateway);
    for (enum transport by = BY_TCP; by <= BY_TLS; by++) {
        compare(&gateway, count, by, 1);
        compare(&gateway, count, by, 32);
    }
    bench_gateway_stop(&gateway);
    return 0;
}
