/* What a request costs the gateway while thousands of other clients wait for theirs, beside the same gateway where
 * nobody else waits: what is walked for each request shows here. The hard thing: those who wait must do nothing else
 * meanwhile, so each asks for a path of its own (none joins another), gets one answer, and waits for its deadline. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"

enum { ROUNDS = 15, REQUESTS = 300, FEW = 3, BYTES = 60, OTHERS_MAX = 8000, AT_ONCE = 200 };

static const struct {
    unsigned others;
    double aim;
} crowds[] = {{1000, 1.1}, {4000, 1.2}, {OTHERS_MAX, 1.3}};

static const struct {
    const char *name, *path;
    unsigned status;
} requests[] = {{"3 members", "/few", 200}, {"404", "/nothing", 404}};

static struct bench_http others[OTHERS_MAX];

static void raise_fds(void) {
    struct rlimit fds;
    CG_CHECK(getrlimit(RLIMIT_NOFILE, &fds) == 0);
    fds.rlim_cur = fds.rlim_max;
    CG_CHECK(setrlimit(RLIMIT_NOFILE, &fds) == 0);
}

static void wait_until_running(const struct bench_gateway *gateway, unsigned count) {
    for (int i = 0; bench_gateway_metric(gateway, "castgate_exchanges_running") < count; i++) {
        CG_CHECK(i < 1000);
        usleep(10000);
    }
}

/* In portions that the listener's backlog holds. */
static void let_wait(const struct bench_gateway *gateway, unsigned count) {
    char path[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/wait/%u", i);
        bench_http_open(&others[i], gateway->http);
        bench_http_send_get(&others[i], path, "Multicast-Timeout: 60\r\n");
        if ((i + 1) % AT_ONCE == 0) wait_until_running(gateway, i + 1);
    }
}

/* CPU µs a request. */
static double round_of(const struct bench_gateway *gateway, size_t which) {
    const struct bench_load load = {.port = gateway->http,
                                    .path = requests[which].path,
                                    .connections = 1,
                                    .requests = REQUESTS,
                                    .status = requests[which].status};
    struct bench_span begin = bench_gateway_begin(gateway);
    bench_http_load(&load);
    return bench_gateway_end(gateway, begin) / REQUESTS / 1000;
}

static void compare(const struct bench_gateway *crowded, const struct bench_gateway *quiet, size_t crowd, size_t which,
                    size_t rounds) {
    struct bench_rounds cpu = {0};
    char figure[96];
    round_of(quiet, which);
    round_of(crowded, which);
    for (size_t i = 0; i < rounds; i++) {
        double quiet_us = round_of(quiet, which);
        bench_add_round(&cpu, round_of(crowded, which), quiet_us);
    }
    snprintf(figure, sizeof figure, "HTTP request, %s, %u others wait", requests[which].name, crowds[crowd].others);
    bench_put_rounds(&cpu, (struct bench_row){
                               .figure = figure, .unit = "µs", .beside = "none waits", .ratio_aim = crowds[crowd].aim});
}

static void measure(struct bench_peer *peer, struct cg_slice mappings, const struct bench_gateway *quiet, size_t crowd,
                    size_t rounds) {
    struct bench_gateway crowded;
    bench_gateway_start(&crowded, mappings, 0);
    bench_peer_set(peer, 1, BYTES);
    let_wait(&crowded, crowds[crowd].others);
    bench_peer_set(peer, FEW, BYTES);
    bench_gateway_rest(&crowded);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) compare(&crowded, quiet, crowd, i, rounds);
    CG_CHECK(bench_gateway_metric(&crowded, "castgate_exchanges_running") == crowds[crowd].others);
    for (unsigned i = 0; i < crowds[crowd].others; i++) bench_http_close(&others[i]);
    bench_gateway_stop(&crowded);
}

int main(int argc, char **argv) {
    size_t rounds = bench_is_quick(argc, argv) ? 5 : ROUNDS;
    struct bench_peer peer;
    struct bench_gateway quiet;
    struct cg_buf mappings;
    raise_fds();
    bench_peer_start(&peer);
    cg_buf_init(&mappings, 0);
    bench_put_mapping(&mappings, &peer, "few", "all", FEW);
    bench_put_mapping(&mappings, &peer, "wait", "deadline", 0);
    bench_gateway_start(&quiet, cg_buf_slice(&mappings), 0);
    bench_gateway_rest(&quiet);
    for (size_t i = 0; i < sizeof crowds / sizeof crowds[0]; i++) {
        measure(&peer, cg_buf_slice(&mappings), &quiet, i, rounds);
    }
    bench_gateway_stop(&quiet);
    bench_peer_stop(&peer);
    cg_buf_fini(&mappings);
    return 0;
}
