/* What a request by CoAP over TCP costs (RFC 8323), beside the same by UDP to the same gateway in one run: one after
 * another, and many that do not wait for each other. They ask for the gateway's own links, so that what is measured is
 * transport and message layer, and no group. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "wire/envelope.h"
#include "wire/signal.h"

enum { ROUNDS = 7, REQUESTS = 6400, BUFFER = 65536 };

static const uint8_t path[] = {0xbb, '.', 'w', 'e', 'l', 'l', '-', 'k', 'n', 'o', 'w', 'n', 0x04, 'c', 'o', 'r', 'e'};

struct client {
    int fd;
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

/* ---- By TCP ---- */

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
    CG_CHECK(send(client->fd, bytes, len, 0) == (ssize_t)len);
}

static void hear_by_tcp(struct client *client, unsigned count) {
    static uint8_t bytes[BUFFER];
    while (count > 0) {
        ssize_t len = recv(client->fd, bytes, sizeof bytes, 0);
        CG_CHECK(len > 0);
        struct cg_slice rest = cg_slice_of(bytes, (size_t)len), whole;
        while (cg_frame_reader_next(&client->reader, &rest, &whole) == CG_OK) {
            struct cg_frame frame;
            CG_CHECK(cg_frame_parse(&frame, whole) == CG_OK);
            count -= frame.code == CG_CODE(2, 5);
        }
    }
}

static void open_tcp(struct client *client, uint16_t port) {
    uint8_t bytes[CG_SIGNAL_MAX];
    *client = (struct client){.fd = connect_by(SOCK_STREAM, port)};
    cg_frame_reader_init(&client->reader, BUFFER);
    size_t len = cg_signal_emit_csm(&cg_capabilities_base, bytes);
    CG_CHECK(send(client->fd, bytes, len, 0) == (ssize_t)len);
}

/* ---- Both ---- */

struct cost {
    double cpu_us, rate; /* of a request; requests a second */
};

static struct cost cost_of(const struct bench_gateway *gateway, struct bench_span begin) {
    double wall_s = (double)(bench_wall_ns() - begin.wall_ns) / 1e9;
    return (struct cost){.cpu_us = bench_gateway_end(gateway, begin) / REQUESTS / 1000, .rate = REQUESTS / wall_s};
}

static struct cost tcp_round(const struct bench_gateway *gateway, struct client *client, unsigned at_once) {
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

static void compare(const struct bench_gateway *gateway, size_t count, unsigned at_once) {
    struct bench_rounds cpu = {0}, rate = {0};
    char cpu_figure[80], rate_figure[80];
    struct client tcp, udp = {.fd = connect_by(SOCK_DGRAM, gateway->coap)};
    open_tcp(&tcp, gateway->coap);
    for (size_t i = 0; i < count; i++) {
        struct cost by_tcp = tcp_round(gateway, &tcp, at_once), by_udp = udp_round(gateway, &udp, at_once);
        bench_add_round(&cpu, by_tcp.cpu_us, by_udp.cpu_us);
        bench_add_round(&rate, by_tcp.rate, by_udp.rate);
    }
    snprintf(cpu_figure, sizeof cpu_figure, "a request by TCP, %u at once", at_once);
    snprintf(rate_figure, sizeof rate_figure, "requests by TCP, %u at once", at_once);
    bench_put_rounds(&cpu, (struct bench_row){.figure = cpu_figure, .unit = "µs CPU/request", .beside = "by UDP"});
    bench_put_rounds(&rate, (struct bench_row){.figure = rate_figure, .unit = "requests/s", .beside = "by UDP"});
    cg_frame_reader_fini(&tcp.reader);
    close(tcp.fd);
    close(udp.fd);
}

int main(int argc, char **argv) {
    const size_t count = bench_is_quick(argc, argv) ? 3 : ROUNDS;
    struct bench_gateway gateway;
    bench_gateway_start(&gateway, CG_SLICE_NONE, 0);
    bench_gateway_rest(&gateway);
    compare(&gateway, count, 1);
    compare(&gateway, count, 32);
    bench_gateway_stop(&gateway);
    return 0;
}
