/* SIGHUP with 100 000 mappings of which one has changed: the longest turn of the loop meanwhile, and what the process
 * holds in memory after the start and after three and twenty of them. The hard thing: /metrics has to be read for the
 * longest turn, and is itself work, so it is read once, at the end. */
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"

enum { MAPPINGS = 100000, QUICK_MAPPINGS = 20000, FEW = 3, MANY = 20, SETTLE_US = 3000000, MB = 1000000 };

/* `changed` has another timeout than the others. */
static void put_mappings(struct cg_buf *to, unsigned count, unsigned changed) {
    to->len = 0;
    for (unsigned i = 0; i < count; i++) {
        cg_buf_printf(to,
                      "%s{\"name\":\"room-%u\",\"path\":\"/building/room-%u\",\"group\":\"coap://239.%u.%u.%u:5683/l\","
                      "\"security\":\"none\",\"timeout\":%u,\"clients\":[\"anonymous\"]}",
                      i == 0 ? "" : ",", i, i, 1 + i / 65536, i / 256 % 256, i % 256, i == changed ? 7u : 5u);
    }
    CG_CHECK(!to->failed);
}

static double settled_rss(const struct bench_gateway *gateway) {
    usleep(SETTLE_US); /* what was replaced is freed after it was replaced */
    return (double)bench_gateway_rss(gateway) / MB;
}

static void put_memory(const char *when, unsigned count, double measured, double at_start) {
    char figure[96];
    snprintf(figure, sizeof figure, "memory of %u mappings, %s", count, when);
    struct bench_row row = {.figure = figure, .unit = "MB", .measured = measured};
    if (at_start > 0) {
        row.beside = "after the start";
        row.peer = at_start;
        row.ratio = measured / at_start;
        row.ratio_aim = 1.2; /* each load finds other gaps than the one before: it goes up and down, not up */
    } else if (count == MAPPINGS) {
        row.figure_aim = 150;
    }
    bench_put_row(&row);
}

static void reload_times(struct bench_gateway *gateway, struct cg_buf *mappings, unsigned count, unsigned from,
                         unsigned to) {
    for (unsigned i = from; i < to; i++) {
        put_mappings(mappings, count, i);
        bench_gateway_reload(gateway, cg_buf_slice(mappings));
    }
}

int main(int argc, char **argv) {
    unsigned count = bench_is_quick(argc, argv) ? QUICK_MAPPINGS : MAPPINGS;
    struct bench_gateway gateway;
    struct cg_buf mappings;
    char figure[96];
    cg_buf_init(&mappings, 0);
    put_mappings(&mappings, count, 0);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), 0);
    double at_start = settled_rss(&gateway);
    uint64_t cpu_ns = bench_process_ns(gateway.pid);
    put_memory("after the start", count, at_start, 0);
    reload_times(&gateway, &mappings, count, 0, FEW);
    put_memory("after 3 reloads", count, settled_rss(&gateway), at_start);
    reload_times(&gateway, &mappings, count, FEW, MANY);
    put_memory("after 20 reloads", count, settled_rss(&gateway), at_start);
    cpu_ns = bench_process_ns(gateway.pid) - cpu_ns;
    snprintf(figure, sizeof figure, "reload of %u mappings, all threads", count);
    bench_put_row(&(struct bench_row){.figure = figure, .unit = "ms CPU", .measured = (double)cpu_ns / 1e6 / MANY});
    snprintf(figure, sizeof figure, "longest turn of the loop, 20 reloads of %u mappings", count);
    bench_put_row(&(struct bench_row){
        .figure = figure,
        .unit = "ms CPU",
        .measured = bench_gateway_metric(&gateway, "castgate_loop_longest_turn_seconds") * 1000,
        .figure_aim = 10,
    });
    bench_gateway_stop(&gateway);
    cg_buf_fini(&mappings);
    return 0;
}
