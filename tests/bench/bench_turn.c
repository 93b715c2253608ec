/* The longest turn of the gateway's loop, as CPU time: nothing else happens meanwhile, so this is what a busy neighbour
 * costs everybody: bursts of 10 000 answers, 1000 idle event streams, new connections, connections that all close. The
 * gateway measures it itself (castgate_loop_longest_turn_seconds), a fresh one for each. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"

enum { ANSWERS = 10000, BYTES = 60, CONNECTIONS = 1000, FLOODS = 10, REST_S = 17 };

static void answers_arrive(const struct bench_gateway *gateway, const char *accept, unsigned requests) {
    struct bench_http http;
    bench_http_open(&http, gateway->http);
    for (unsigned i = 0; i < requests; i++) {
        struct bench_reply reply;
        bench_http_get(&http, "/all", accept, &reply);
        CG_CHECK(reply.status == 200);
    }
    bench_http_close(&http);
}

static void mixed_arrives(const struct bench_gateway *gateway, bool quick) {
    answers_arrive(gateway, "Accept: multipart/mixed\r\n", quick ? 2 : 10);
}

static void json_arrives(const struct bench_gateway *gateway, bool quick) {
    answers_arrive(gateway, "Accept: application/json\r\n", quick ? 2 : 10);
}

static struct bench_http clients[CONNECTIONS];
static int client_count;

static void add_client(const struct bench_gateway *gateway, const char *path, const char *headers) {
    struct bench_http *client = &clients[client_count++];
    bench_http_open(client, gateway->http);
    bench_http_send_get(client, path, headers);
}

static void wait_for_heads(void) {
    for (int i = 0; i < client_count; i++) CG_CHECK(bench_http_read_until(&clients[i], "\r\n\r\n"));
}

static void close_clients(void) {
    while (client_count > 0) bench_http_close(&clients[--client_count]);
}

/* Long enough for the comment that a stream gets after 15 s of silence. Each gets one answer: requests to a group that
 * is silent altogether would be spaced out (RFC 10020 §3.6). */
static void streams_idle(const struct bench_gateway *gateway, bool quick) {
    while (client_count < CONNECTIONS)
        add_client(gateway, "/idle", "Accept: text/event-stream\r\nMulticast-Timeout: 40\r\n");
    wait_for_heads();
    CG_CHECK(bench_gateway_metric(gateway, "castgate_exchanges_running") == CONNECTIONS);
    sleep(quick ? 2 : REST_S);
}

static void connections_open(const struct bench_gateway *gateway, bool quick) {
    (void)quick;
    while (client_count < CONNECTIONS) add_client(gateway, "/nothing", "");
    wait_for_heads();
}

/* All are closed at once, as when a proxy in front of the gateway ends. */
static void connections_flood(const struct bench_gateway *gateway, bool quick) {
    for (int flood = 0; flood < (quick ? 2 : FLOODS); flood++) {
        connections_open(gateway, quick);
        close_clients();
    }
}

static const struct {
    const char *name;
    void (*run)(const struct bench_gateway *gateway, bool quick);
} neighbours[] = {{"10000 answers, multipart/mixed", mixed_arrives},
                  {"10000 answers, application/json", json_arrives},
                  {"1000 idle event streams", streams_idle},
                  {"1000 new connections", connections_open},
                  {"1000 connections come and go", connections_flood}};

static void raise_fds(void) {
    struct rlimit fds;
    CG_CHECK(getrlimit(RLIMIT_NOFILE, &fds) == 0);
    fds.rlim_cur = fds.rlim_max;
    CG_CHECK(setrlimit(RLIMIT_NOFILE, &fds) == 0);
}

int main(int argc, char **argv) {
    bool quick = bench_is_quick(argc, argv);
    struct bench_peer peer;
    struct cg_buf mappings;
    raise_fds();
    bench_peer_start(&peer);
    cg_buf_init(&mappings, 0);
    bench_put_mapping(&mappings, &peer, "all", "all", ANSWERS);
    bench_put_mapping(&mappings, &peer, "idle", "deadline", 0);
    for (size_t i = 0; i < sizeof neighbours / sizeof neighbours[0]; i++) {
        struct bench_gateway gateway;
        char figure[96];
        bench_peer_set(&peer, neighbours[i].run == streams_idle ? 1 : ANSWERS, BYTES);
        bench_gateway_start(&gateway, cg_buf_slice(&mappings), BENCH_RECEIVE_BUFFER);
        double turns = bench_gateway_metric(&gateway, "castgate_loop_turn_seconds_count");
        neighbours[i].run(&gateway, quick);
        CG_CHECK(bench_gateway_metric(&gateway, "castgate_loop_turn_seconds_count") > turns);
        snprintf(figure, sizeof figure, "longest turn of the loop, %s", neighbours[i].name);
        bench_put_row(&(struct bench_row){
            .figure = figure,
            .unit = "ms CPU",
            .measured = bench_gateway_metric(&gateway, "castgate_loop_longest_turn_seconds") * 1000,
        });
        close_clients();
        bench_gateway_stop(&gateway);
    }
    bench_peer_stop(&peer);
    cg_buf_fini(&mappings);
    return 0;
}
