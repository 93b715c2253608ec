/* What might make the loop wait, or hold it for long, when there is much of something: a log that nobody reads,
 * /metrics with 100 000 mappings, rows that are to be forgotten. Each has a gateway of its own, which measures its
 * turns itself; in between it is asked for the metrics twice, since a scrape's own turn counts in the next one. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"

enum { MAPPINGS = 100000, QUICK_MAPPINGS = 20000, LOGGED = 20000, FORGOTTEN_S = 62 };

/* ---- A log that nobody reads ---- */

/* How many requests were answered before one took ten seconds. */
static unsigned ask_until_it_stops(uint16_t port, unsigned most) {
    const struct timeval patience = {.tv_sec = 10};
    static const char request[] = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char reply[4096];
    unsigned served = 0;
    int fd = bench_http_try_connect(port);
    CG_CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    while (served < most && send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0 &&
           recv(fd, reply, sizeof reply, 0) > 0)
        served++;
    close(fd);
    return served;
}

static void nobody_reads(bool quick) {
    struct bench_gateway gateway;
    unsigned most = quick ? LOGGED / 4 : LOGGED;
    bench_gateway_start_unread(&gateway, CG_SLICE_NONE);
    unsigned served = ask_until_it_stops(gateway.http, most);
    bench_put_row(&(struct bench_row){.figure = "requests served while nobody reads standard error",
                                      .unit = "requests",
                                      .measured = served,
                                      .beside = "asked",
                                      .peer = most,
                                      .ratio = (double)most / served,
                                      .ratio_aim = 1});
    bench_gateway_kill(&gateway);
}

/* ---- Many mappings ---- */

/* Each with a group and a budget of its own. */
static void put_mappings(struct cg_buf *to, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        cg_buf_printf(
            to,
            "%s{\"name\":\"building%u.floor%u\",\"path\":\"/b%u/f%u\",\"group\":\"coap://239.1.%u.%u:%u\",\"security\":"
            "\"none\",\"budget\":{\"requests_per_minute\":60},\"clients\":[\"anonymous\"]}",
            i == 0 ? "" : ",", i / 100, i % 100, i / 100, i % 100, i >> 8 & 255, i & 255, 10000 + (i >> 16));
    }
}

static void ask_each(const struct bench_gateway *gateway, unsigned count) {
    struct bench_http http;
    bench_http_open(&http, gateway->http);
    for (unsigned i = 0; i < count; i++) {
        struct bench_reply reply;
        char path[32];
        snprintf(path, sizeof path, "/b%u/f%u", i / 100, i % 100);
        bench_http_get(&http, path, "Multicast-Timeout: 0\r\n", &reply);
        CG_CHECK(reply.status == 204);
    }
    bench_http_close(&http);
}

static double longest_ms(const struct bench_gateway *gateway) {
    (void)bench_gateway_metric(gateway, "castgate_uptime_seconds");
    return bench_gateway_metric(gateway, "castgate_loop_longest_turn_seconds") * 1000;
}

static void put_turn(const char *figure, unsigned mappings, double ms) {
    char text[96];
    snprintf(text, sizeof text, "longest turn of the loop, %s %u mappings", figure, mappings);
    bench_put_row(&(struct bench_row){.figure = text, .unit = "ms CPU", .measured = ms, .figure_aim = 10});
}

static void put_memory(const char *figure, unsigned mappings, uint64_t bytes) {
    char text[96];
    snprintf(text, sizeof text, "memory, %s %u mappings", figure, mappings);
    bench_put_row(&(struct bench_row){.figure = text, .unit = "MB", .measured = (double)bytes / 1e6});
}

/* What the process grew by at the most while it was asked for its metrics. */
static void scrape(const struct bench_gateway *gateway, const char *figure, unsigned mappings) {
    uint64_t before = bench_gateway_peak(gateway);
    put_turn(figure, mappings, longest_ms(gateway));
    put_memory(figure, mappings, bench_gateway_peak(gateway) - before);
}

/* Up to now: the first scrape does not count its own turns. */
static void rest_after_asking(struct cg_slice mappings, const char *figure, unsigned count, unsigned seconds) {
    struct bench_gateway gateway;
    bench_gateway_start(&gateway, mappings, 0);
    ask_each(&gateway, count);
    sleep(seconds);
    put_turn(figure, count, bench_gateway_metric(&gateway, "castgate_loop_longest_turn_seconds") * 1000);
    bench_gateway_stop(&gateway);
}

static void many_mappings(bool quick) {
    struct bench_gateway gateway;
    struct cg_buf mappings;
    unsigned count = quick ? QUICK_MAPPINGS : MAPPINGS;
    cg_buf_init(&mappings, 0);
    put_mappings(&mappings, count);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), 0);
    put_memory("after the start,", count, bench_gateway_rss(&gateway));
    scrape(&gateway, "/metrics,", count);
    bench_gateway_stop(&gateway);

    bench_gateway_start(&gateway, cg_buf_slice(&mappings), 0);
    ask_each(&gateway, count);
    scrape(&gateway, "asking each once and /metrics,", count);
    bench_gateway_stop(&gateway);

    rest_after_asking(cg_buf_slice(&mappings), "asking each once,", count, 0);
    rest_after_asking(cg_buf_slice(&mappings), "asking each once and a minute's rest,", count, FORGOTTEN_S);
    cg_buf_fini(&mappings);
}

int main(int argc, char **argv) {
    bool quick = bench_is_quick(argc, argv);
    nobody_reads(quick);
    many_mappings(quick);
    return 0;
}
