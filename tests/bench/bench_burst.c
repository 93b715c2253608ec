/* How much of an unpaced burst of 10 000 answers survives, and whether castgate knows of the rest: every answer is
 * either in the reply or in kernel_drops. The hard thing: how much is lost depends on who runs when; so, beside the
 * burst into a running gateway, one goes to a gateway that is stopped meanwhile, which is the size of the buffer alone.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"

enum { ANSWERS = 10000, BYTES = 60, SYSTEM_DEFAULT = 212992 };

static double summary_of(const struct bench_http *http, size_t head_len, const char *key) {
    char head[2048];
    CG_CHECK(head_len < sizeof head);
    memcpy(head, http->in.data, head_len);
    head[head_len] = '\0';
    const char *at = strstr(head, key);
    CG_CHECK(at != NULL);
    return strtod(at + strlen(key), NULL);
}

static void put(const char *buffer, bool stopped, const char *what, double measured, double aim) {
    char figure[128];
    snprintf(figure, sizeof figure, "burst of %u, %s buffer, gateway %s: %s", ANSWERS, buffer,
             stopped ? "stopped" : "running", what);
    bench_put_row(&(struct bench_row){.figure = figure, .unit = "answers", .measured = measured, .figure_aim = aim});
}

static void measure(struct bench_peer *peer, const char *name, uint32_t buffer, bool stopped) {
    struct bench_gateway gateway;
    struct bench_http http;
    struct bench_reply reply;
    struct cg_buf mappings;
    uint32_t heard = peer->state->heard;
    cg_buf_init(&mappings, 0);
    bench_put_mapping(&mappings, peer, "open", "deadline", 0);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), buffer);
    bench_peer_set(peer, ANSWERS, BYTES);
    peer->state->hold = stopped;
    bench_http_open(&http, gateway.http);
    bench_http_send_get(&http, "/open", "Multicast-Timeout: 2\r\n");
    CG_CHECK(bench_peer_wait_heard(peer, heard + 1));
    if (stopped) {
        kill(gateway.pid, SIGSTOP);
        peer->state->hold = 0;
        CG_CHECK(bench_peer_wait(peer, heard + 1));
        kill(gateway.pid, SIGCONT);
    }
    bench_http_read_reply(&http, &reply);
    CG_CHECK(reply.status == 200);
    double answered = summary_of(&http, reply.head_len, "answered=");
    double drops = summary_of(&http, reply.head_len, "kernel_drops=");
    double metric = bench_gateway_metric(&gateway, "castgate_kernel_drops_total");
    bench_http_close(&http);
    bench_gateway_stop(&gateway);
    cg_buf_fini(&mappings);
    put(name, stopped, "lost", drops, 0);
    double unknown = ANSWERS - answered - drops;
    put(name, stopped, "neither in the reply nor in kernel_drops", unknown < 0 ? -unknown : unknown, 0.5);
    CG_CHECK(metric == drops);
}

int main(int argc, char **argv) {
    struct bench_peer peer;
    (void)bench_is_quick(argc, argv);
    bench_peer_start(&peer);
    for (int stopped = 0; stopped < 2; stopped++) {
        measure(&peer, "the system's", SYSTEM_DEFAULT, stopped);
        measure(&peer, "castgate's default", 0, stopped);
        measure(&peer, "64 MiB", BENCH_RECEIVE_BUFFER, stopped);
    }
    bench_peer_stop(&peer);
    return 0;
}
