/* What an HTTP request costs the gateway, beside a bare handler of the same library in the same loop: replies that need
 * no group (no mapping has the path), requests to three members, and what is answered from the cache. The hard thing:
 * the rate of requests is the machine's and the client's as much as the server's, so CPU time a request is the figure;
 * the rate is only shown. */
#include <stdio.h>

#include "base/check.h"
#include "common/bare_servers.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"
#include "common/syscalls.h"

enum { ROUNDS = 21, REQUESTS = 2000, CONNECTIONS = 8, FEW = 3, BYTES = 60 };

struct side {
    pid_t pid;
    struct bench_load load;
};

/* CPU µs a request; *rate gets requests a second. */
static double round_of(const struct side *side, double *rate) {
    uint64_t start_ns = bench_process_ns(side->pid);
    *rate = side->load.requests / bench_http_load(&side->load);
    return (double)(bench_process_ns(side->pid) - start_ns) / side->load.requests / 1000;
}

static void compare(const char *name, const struct side *gateway, const struct side *bare, size_t rounds, double aim) {
    struct bench_rounds cpu = {0}, rates = {0};
    double gateway_rate, bare_rate;
    round_of(gateway, &gateway_rate);
    round_of(bare, &bare_rate);
    for (size_t i = 0; i < rounds; i++) {
        double bare_us = round_of(bare, &bare_rate);
        bench_add_round(&cpu, round_of(gateway, &gateway_rate), bare_us);
        bench_add_round(&rates, gateway_rate, bare_rate);
    }
    char figure[96];
    snprintf(figure, sizeof figure, "HTTP request, %s", name);
    bench_put_rounds(&cpu,
                     (struct bench_row){.figure = figure, .unit = "µs", .beside = "bare handler", .ratio_aim = aim});
    snprintf(figure, sizeof figure, "HTTP rate, %s (more is better)", name);
    bench_put_rounds(&rates, (struct bench_row){.figure = figure, .unit = "1/s", .beside = "bare handler"});
}

static void load(void *ctx) { bench_http_load(ctx); }

/* Without strace there is no row. */
static void put_syscalls(const char *name, const struct side *gateway, const struct side *bare, double aim) {
    struct side sides[] = {*gateway, *bare};
    double calls[2];
    char figure[96];
    for (int i = 0; i < 2; i++) {
        calls[i] = bench_count_syscalls(sides[i].pid, load, &sides[i].load) / sides[i].load.requests;
        if (calls[i] < 0) return;
    }
    snprintf(figure, sizeof figure, "system calls, %s", name);
    bench_put_row(&(struct bench_row){.figure = figure,
                                      .unit = "a request",
                                      .measured = calls[0],
                                      .beside = "bare handler",
                                      .peer = calls[1],
                                      .ratio = calls[0] / calls[1],
                                      .figure_aim = aim});
}

static size_t body_len(uint16_t port, const char *path) {
    struct bench_http http;
    struct bench_reply reply;
    bench_http_open(&http, port);
    bench_http_get(&http, path, "", &reply);
    size_t len = http.in.len - reply.head_len;
    bench_http_close(&http);
    return len;
}

/* Aims for the ratio of CPU time and for the system calls of a request; 0: none. */
struct aims {
    double ratio, syscalls;
};

static void measure(const struct bench_gateway *gateway, const char *name, const char *path, unsigned status,
                    unsigned connections, size_t rounds, struct aims aims) {
    struct bench_server server;
    bench_start_bare_http(&server, status, body_len(gateway->http, path));
    struct side of_gateway = {.pid = gateway->pid, .load = {.port = gateway->http, .path = path}};
    of_gateway.load.connections = connections;
    of_gateway.load.requests = REQUESTS;
    of_gateway.load.status = status;
    struct side of_bare = of_gateway;
    of_bare.pid = server.pid;
    of_bare.load.port = server.port;
    compare(name, &of_gateway, &of_bare, rounds, aims.ratio);
    put_syscalls(name, &of_gateway, &of_bare, aims.syscalls);
    bench_stop_server(&server);
}

/* The same, whose answers are kept: once a minute members are asked. */
static void put_kept(struct cg_buf *mappings, const struct bench_peer *peer) {
    bench_put_mapping(mappings, peer, "kept", "all", FEW);
    mappings->len--; /* the brace */
    cg_buf_put_str(mappings, ",\"cache\":true}");
}

int main(int argc, char **argv) {
    size_t rounds = bench_is_quick(argc, argv) ? 5 : ROUNDS;
    struct bench_peer peer;
    struct bench_gateway gateway;
    struct cg_buf mappings;
    const struct aims none = {0};
    bench_peer_start(&peer);
    bench_peer_set(&peer, FEW, BYTES);
    cg_buf_init(&mappings, 0);
    bench_put_mapping(&mappings, &peer, "few", "all", FEW);
    put_kept(&mappings, &peer);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), 0);
    measure(&gateway, "404, 8 connections", "/nothing", 404, CONNECTIONS, rounds, none);
    measure(&gateway, "3 members, 1 connection", "/few", 200, 1, rounds, none);
    measure(&gateway, "3 members, 8 connections", "/few", 200, CONNECTIONS, rounds, (struct aims){.syscalls = 11});
    measure(&gateway, "3 kept answers, 8 connections", "/kept", 200, CONNECTIONS, rounds,
            (struct aims){.ratio = 2, .syscalls = 3});
    bench_gateway_stop(&gateway);
    bench_peer_stop(&peer);
    cg_buf_fini(&mappings);
    return 0;
}
