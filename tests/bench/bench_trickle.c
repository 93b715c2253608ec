/* What an answer costs when answers come one by one: the real gateway, from the client's HTTP request to the last byte
 * of its reply, beside epoll_wait and recvmmsg that get the same. The hard thing: nearly all of it is waking up, so
 * what stands beside it must wake up as often: it rests when the gateway's socket would (io/gather.h). */
#include <stdio.h>

#include "base/check.h"
#include "common/bare_receive.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"

enum { ROUNDS = 5, BYTES = 60, SPREAD_US = 2000000, SIZES = 3, FAST = 2000 /* answers: 1000 a second */ };

static const uint32_t sizes[SIZES] = {100, 1000, 10000};

/* How the client takes them. */
struct way {
    const char *name, *headers;
    double aim_slow, aim_fast;
};

static const struct way ways[] = {
    {"multipart/mixed", "Accept: multipart/mixed\r\n", 2.0, 1.5},
    {"event stream", "Accept: text/event-stream\r\n", 4.0, 4.0},
};

static void name_of(char name[16], uint32_t answers) { snprintf(name, 16, "all%u", answers); }

/* CPU ns an answer. */
static double gateway_round(const struct bench_gateway *gateway, const struct way *way, uint32_t answers) {
    char path[20] = "/";
    struct bench_http http;
    struct bench_reply reply;
    name_of(path + 1, answers);
    bench_http_open(&http, gateway->http);
    struct bench_span begin = bench_gateway_begin(gateway);
    if (way == &ways[0]) {
        bench_http_get(&http, path, way->headers, &reply);
        CG_CHECK(reply.status == 200);
    } else {
        bench_http_send_get(&http, path, way->headers);
        CG_CHECK(bench_http_read_until(&http, "event: summary"));
    }
    double spent_ns = bench_gateway_end(gateway, begin);
    bench_http_close(&http);
    return spent_ns / answers;
}

static void put(const struct bench_rounds *rounds, const struct way *way, uint32_t answers, const char *beside,
                double aim) {
    char figure[96];
    snprintf(figure, sizeof figure, "%u answers one by one over 2 s, %s", answers, way->name);
    bench_put_rounds(rounds,
                     (struct bench_row){.figure = figure, .unit = "µs CPU/answer", .beside = beside, .ratio_aim = aim});
}

static void compare(const struct bench_gateway *gateway, struct bench_peer *peer, struct bench_bare *bare,
                    const struct way *way, uint32_t answers, size_t rounds) {
    struct bench_rounds gathering = {0}, at_once = {0};
    const struct bench_order order = {.answers = answers, .bytes = BYTES, .spread_us = SPREAD_US};
    bench_peer_set(peer, answers, BYTES);
    peer->state->spread_us = SPREAD_US;
    for (size_t i = 0; i < rounds; i++) {
        double gateway_ns = gateway_round(gateway, way, answers);
        bench_add_round(&gathering, gateway_ns / 1000, bench_bare_trickle(bare, peer, &order, true) / 1000);
        bench_add_round(&at_once, gateway_ns / 1000, bench_bare_trickle(bare, peer, &order, false) / 1000);
    }
    put(&gathering, way, answers, "epoll_wait + recvmmsg, gathering", answers < FAST ? way->aim_slow : way->aim_fast);
    if (answers >= FAST) put(&at_once, way, answers, "epoll_wait + recvmmsg, at once", 0);
}

int main(int argc, char **argv) {
    static struct bench_bare bare;
    size_t rounds = bench_is_quick(argc, argv) ? 1 : ROUNDS;
    struct bench_peer peer;
    struct bench_gateway gateway;
    struct cg_buf mappings;
    bench_peer_start(&peer);
    bench_bare_init(&bare);
    cg_buf_init(&mappings, 0);
    for (int i = 0; i < SIZES; i++) {
        char name[16];
        name_of(name, sizes[i]);
        bench_put_mapping(&mappings, &peer, name, "all", sizes[i]);
    }
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), BENCH_RECEIVE_BUFFER);
    bench_gateway_rest(&gateway);
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        for (int i = 0; i < SIZES; i++) compare(&gateway, &peer, &bare, &ways[way], sizes[i], rounds);
    }
    bench_gateway_stop(&gateway);
    bench_bare_fini(&bare);
    bench_peer_stop(&peer);
    cg_buf_fini(&mappings);
    return 0;
}
