/* How long a client waits for what is castgate's own part: from its request to the group's datagram (R47), and from the
 * last expected answer to the last byte of the reply. The hard thing is the machine: latency is wall-clock time, and on
 * shared cores its tail belongs to others; so bare servers on the same libraries answer in the same rounds. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "common/bare_servers.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"

enum { SAMPLES = 500, QUICK_SAMPLES = 100, MEMBERS = 1000, FEW = 3, BYTES = 60, WARM_UP = 5 };

#define R47_MS 5.0

struct samples {
    double ms[SAMPLES];
    size_t count;
};

static void add(struct samples *samples, uint64_t from_ns, uint64_t to_ns) {
    samples->ms[samples->count++] = to_ns > from_ns ? (double)(to_ns - from_ns) / 1e6 : 0;
}

static void put(const char *figure, const char *beside, struct samples *measured, struct samples *peer, double percent,
                double aim) {
    char name[128];
    snprintf(name, sizeof name, "%s, %s", figure, percent == 50 ? "median" : "p99");
    struct bench_row row = {.figure = name, .unit = "ms", .beside = beside, .figure_aim = aim};
    row.measured = bench_percentile(measured->ms, measured->count, percent);
    row.peer = bench_percentile(peer->ms, peer->count, percent);
    row.ratio = row.measured / row.peer;
    bench_put_row(&row);
}

static int open_udp(uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CG_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static void echo(int fd, struct samples *samples) {
    uint8_t bytes[BYTES] = {0};
    uint64_t start_ns = bench_wall_ns();
    CG_CHECK(send(fd, bytes, sizeof bytes, 0) == BYTES && recv(fd, bytes, sizeof bytes, 0) == BYTES);
    add(samples, start_ns, bench_wall_ns());
}

static void get_bare(struct bench_http *http, struct samples *samples) {
    struct bench_reply reply;
    bench_http_get(http, "/", "", &reply);
    add(samples, reply.sent_ns, reply.received_ns);
}

/* Request to datagram: the kernel's way to the members' process is in it, as it is in an echo. */
static void compare_requests(const struct bench_gateway *gateway, struct bench_peer *peer, size_t samples) {
    struct samples to_datagram = {0}, bare = {0}, echoed = {0};
    struct bench_server server, echo_server;
    struct bench_http http, bare_http;
    bench_start_bare_http(&server, 200, 100);
    bench_start_echo(&echo_server);
    bench_http_open(&http, gateway->http);
    bench_http_open(&bare_http, server.port);
    int udp = open_udp(echo_server.port);
    bench_peer_set(peer, FEW, BYTES);
    for (size_t i = 0; i < samples + WARM_UP; i++) {
        if (i == WARM_UP) to_datagram.count = bare.count = echoed.count = 0;
        struct bench_reply reply;
        usleep(2000); /* everybody sleeps, as between a person's requests */
        bench_http_get(&http, "/few", "", &reply);
        CG_CHECK(reply.status == 200);
        add(&to_datagram, reply.sent_ns, peer->state->heard_ns);
        usleep(2000);
        get_bare(&bare_http, &bare);
        usleep(2000);
        echo(udp, &echoed);
    }
    put("HTTP request to group datagram", "bare HTTP reply", &to_datagram, &bare, 50, 0);
    put("HTTP request to group datagram (R47)", "bare HTTP reply", &to_datagram, &bare, 99, R47_MS);
    put("HTTP request to group datagram", "UDP echo", &to_datagram, &echoed, 50, 0);
    close(udp);
    bench_http_close(&http);
    bench_http_close(&bare_http);
    bench_stop_server(&server);
    bench_stop_server(&echo_server);
}

static void compare_replies(const struct bench_gateway *gateway, struct bench_peer *peer, size_t samples) {
    struct samples to_last_byte = {0}, bare = {0};
    struct bench_server server;
    struct bench_http http, bare_http;
    struct bench_reply reply;
    bench_peer_set(peer, MEMBERS, BYTES);
    bench_http_open(&http, gateway->http);
    bench_http_get(&http, "/all", "", &reply);
    bench_start_bare_http(&server, 200, http.in.len - reply.head_len);
    bench_http_open(&bare_http, server.port);
    for (size_t i = 0; i < samples + WARM_UP; i++) {
        if (i == WARM_UP) to_last_byte.count = bare.count = 0;
        bench_http_get(&http, "/all", "", &reply);
        CG_CHECK(reply.status == 200);
        add(&to_last_byte, peer->state->sent_ns, reply.received_ns);
        get_bare(&bare_http, &bare);
    }
    put("last of 1000 answers to last byte", "bare HTTP reply, same size", &to_last_byte, &bare, 50, 0);
    put("last of 1000 answers to last byte", "bare HTTP reply, same size", &to_last_byte, &bare, 99, 0);
    bench_http_close(&http);
    bench_http_close(&bare_http);
    bench_stop_server(&server);
}

int main(int argc, char **argv) {
    size_t samples = bench_is_quick(argc, argv) ? QUICK_SAMPLES : SAMPLES - WARM_UP;
    struct bench_peer peer;
    struct bench_gateway gateway;
    struct cg_buf mappings;
    bench_peer_start(&peer);
    cg_buf_init(&mappings, 0);
    bench_put_mapping(&mappings, &peer, "few", "all", FEW);
    bench_put_mapping(&mappings, &peer, "all", "all", MEMBERS);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), 0);
    compare_requests(&gateway, &peer, samples);
    compare_replies(&gateway, &peer, samples);
    bench_gateway_stop(&gateway);
    bench_peer_stop(&peer);
    cg_buf_fini(&mappings);
    return 0;
}
