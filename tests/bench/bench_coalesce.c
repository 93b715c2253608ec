/* What a burst of equal requests costs: 1000 clients ask for the same within 100 ms, of members that answer at once.
 * Group requests are counted where members hear them; CPU time of the gateway stands beside that of a bare handler
 * which gives a reply of the same size to as many, at the same pace. The hard thing: the clients share two cores with
 * what they ask, so whether all of them have asked in time is measured as well. */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "base/check.h"
#include "common/bare_servers.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"

enum { ROUNDS = 15, CLIENTS = 1000, BURST_NS = 100000000, FEW = 3, BYTES = 60, REST_NS = 500000000 };

#define AIM_MULTICASTS 3

static struct bench_http of_gateway[CLIENTS], of_bare[CLIENTS];

static void raise_fds(void) {
    struct rlimit fds;
    CG_CHECK(getrlimit(RLIMIT_NOFILE, &fds) == 0);
    fds.rlim_cur = fds.rlim_max;
    CG_CHECK(setrlimit(RLIMIT_NOFILE, &fds) == 0);
}

static void open_all(struct bench_http *clients, uint16_t port) {
    for (unsigned i = 0; i < CLIENTS; i++) bench_http_open(&clients[i], port);
}

static void close_all(struct bench_http *clients) {
    for (unsigned i = 0; i < CLIENTS; i++) bench_http_close(&clients[i]);
}

static void wait_until(uint64_t at_ns) {
    struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000u), .tv_nsec = (long)(at_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0) {
    }
}

/* Evenly, by the clock. Returns how long sending took. */
static double send_all(struct bench_http *clients) {
    uint64_t start_ns = bench_wall_ns();
    for (unsigned i = 0; i < CLIENTS; i++) {
        wait_until(start_ns + (uint64_t)i * BURST_NS / CLIENTS);
        bench_http_send_get(&clients[i], "/few", "");
    }
    return (double)(bench_wall_ns() - start_ns) / 1e6;
}

static size_t read_all(struct bench_http *clients) {
    struct bench_reply reply = {0};
    for (unsigned i = 0; i < CLIENTS; i++) {
        bench_http_read_reply(&clients[i], &reply);
        CG_CHECK(reply.status == 200);
    }
    return clients[CLIENTS - 1].in.len - reply.head_len;
}

/* CPU µs a request. *sending_ms and *body_len may be NULL. */
static double round_of(pid_t process, struct bench_http *clients, double *sending_ms, size_t *body_len) {
    wait_until(bench_wall_ns() + REST_NS); /* no burst is the one before it going on */
    uint64_t start_ns = bench_process_ns(process);
    double ms = send_all(clients);
    size_t len = read_all(clients);
    if (sending_ms != NULL) *sending_ms = ms;
    if (body_len != NULL) *body_len = len;
    return (double)(bench_process_ns(process) - start_ns) / CLIENTS / 1000;
}

static double most_of(double *values, size_t count) { return bench_percentile(values, count, 100); }

static void put_counts(double *multicasts, double *sending_ms, size_t rounds) {
    bench_put_row(&(struct bench_row){.figure = "group requests for 1000 equal requests in 100 ms, most of all rounds",
                                      .unit = "group requests",
                                      .measured = most_of(multicasts, rounds),
                                      .figure_aim = AIM_MULTICASTS});
    bench_put_row(&(struct bench_row){.figure = "how long the clients took to send them, at most",
                                      .unit = "ms",
                                      .measured = most_of(sending_ms, rounds)});
}

static void measure(const struct bench_gateway *gateway, const struct bench_peer *peer, size_t rounds) {
    struct bench_server bare;
    struct bench_rounds cpu = {0};
    double multicasts[ROUNDS], sending_ms[ROUNDS];
    size_t body_len;
    open_all(of_gateway, gateway->http);
    round_of(gateway->pid, of_gateway, NULL, &body_len);
    bench_start_bare_http(&bare, 200, body_len);
    open_all(of_bare, bare.port);
    round_of(bare.pid, of_bare, NULL, NULL);
    for (size_t i = 0; i < rounds; i++) {
        double bare_us = round_of(bare.pid, of_bare, NULL, NULL);
        uint32_t heard = peer->state->heard;
        bench_add_round(&cpu, round_of(gateway->pid, of_gateway, &sending_ms[i], NULL), bare_us);
        multicasts[i] = peer->state->heard - heard;
    }
    put_counts(multicasts, sending_ms, rounds);
    bench_put_rounds(&cpu, (struct bench_row){.figure = "1000 equal requests in 100 ms, each",
                                              .unit = "µs CPU/request",
                                              .beside = "bare reply of that size"});
    close_all(of_gateway);
    close_all(of_bare);
    bench_stop_server(&bare);
}

int main(int argc, char **argv) {
    size_t rounds = bench_is_quick(argc, argv) ? 5 : ROUNDS;
    struct bench_peer peer;
    struct bench_gateway gateway;
    struct cg_buf mappings;
    raise_fds();
    bench_peer_start(&peer);
    bench_peer_set(&peer, FEW, BYTES);
    cg_buf_init(&mappings, 0);
    bench_put_mapping(&mappings, &peer, "few", "all", FEW);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), 0);
    measure(&gateway, &peer, rounds);
    bench_gateway_stop(&gateway);
    bench_peer_stop(&peer);
    cg_buf_fini(&mappings);
    return 0;
}
