/* What a CoAP client's separate response costs: the whole gateway, from the client's request to the last response, over
 * the responses, beside libcoap that only sends as many of the same size; the message layer and its socket alone,
 * beside the same; and what thousands of clients that wait for one group cost. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "common/bare_coap.h"
#include "common/bare_receive.h"
#include "common/coap_client.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/peer.h"
#include "fronts/coap/server.h"

enum { ROUNDS = 9, BYTES = 60, SIZES = 3, ALONE = 1000, SECONDS = 2, MANY = 5000, FEW = 100, OF_MANY = 3 };

static const uint32_t sizes[SIZES] = {10, 100, 1000};

static void name_of(char name[16], uint32_t size) { snprintf(name, 16, "of%u", size); }

/* ---- The whole gateway ---- */

static double gateway_round(const struct bench_gateway *gateway, struct bench_coap *client, uint32_t responses) {
    char name[16];
    name_of(name, responses);
    struct bench_span begin = bench_gateway_begin(gateway);
    bench_coap_ask(client, name, SECONDS);
    CG_CHECK(bench_coap_take(client, responses));
    return bench_gateway_end(gateway, begin) / responses;
}

static void compare_whole(const struct bench_gateway *gateway, struct bench_peer *peer, struct bench_bare_coap *bare,
                          uint32_t responses, size_t count) {
    struct bench_rounds rounds = {0};
    struct bench_coap client;
    char figure[96];
    bench_coap_open(&client, gateway->coap);
    bench_peer_set(peer, responses, BYTES);
    gateway_round(gateway, &client, responses);
    for (size_t i = 0; i < count; i++) {
        double gateway_ns = gateway_round(gateway, &client, responses);
        bench_add_round(&rounds, gateway_ns / 1000, bench_bare_coap_round(bare, responses, client.last) / 1000);
    }
    bench_coap_close(&client);
    snprintf(figure, sizeof figure, "whole gateway, %u responses to a CoAP client", responses);
    bench_put_rounds(&rounds, (struct bench_row){.figure = figure,
                                                 .unit = "µs CPU/response",
                                                 .beside = "coap_send alone",
                                                 .ratio_aim = responses < 1000 ? 0 : 2});
}

/* ---- The front's side alone ---- */

struct alone {
    uv_loop_t uv;
    struct cg_coap_server *server;
    struct cg_coap_peer *peer; /* held */
};

static void on_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct alone *alone = ctx;
    (void)request;
    alone->peer = peer;
    cg_coap_peer_hold(peer);
}

static void on_token(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    (void)ctx, (void)peer, (void)token;
}

static void on_gone(void *ctx, struct cg_coap_peer *peer) { (void)ctx, (void)peer; }

static const struct cg_coap_peer_ops ops = {
    .request = on_request, .lost = on_token, .acknowledged = on_token, .gone = on_gone};

static double alone_round(const struct alone *alone, uint32_t responses, size_t bytes) {
    static const uint8_t token[] = {1, 2}, options[] = {0xd9, 0xeb, 0, 0, 0, 0, 0, 0, 0, 0, 0}, payload[BYTES];
    const struct cg_coap_message message = {.code = CG_CODE(2, 5),
                                            .token = cg_slice_of(token, sizeof token),
                                            .options = cg_slice_of(options, sizeof options),
                                            .payload = cg_slice_of(payload, bytes - 7 - sizeof options)};
    uint64_t start_ns = bench_thread_ns();
    for (uint32_t i = 0; i < responses; i++) CG_CHECK(cg_coap_peer_send(alone->peer, &message, CG_NON) == CG_OK);
    return (double)(bench_thread_ns() - start_ns) / responses;
}

static void compare_alone(struct bench_bare_coap *bare, size_t count) {
    struct bench_rounds rounds = {0};
    struct bench_coap client;
    struct cg_problem problem = {0};
    struct alone alone = {0};
    struct cg_coap_listen listen = {.scheme = CG_SCHEME_COAP};
    struct cg_config *config = cg_config_new();
    CG_CHECK(config != NULL && uv_loop_init(&alone.uv) == 0);
    CG_CHECK(cg_addr_parse(&listen.listen.addr, cg_slice_str("127.0.0.1"), 0) == CG_OK);
    config->coap.listen = &listen;
    config->coap.listen_count = 1;
    const struct cg_coap_server_options options = {
        .listen = config->coap.listen, .listen_count = config->coap.listen_count, .ops = &ops, .ctx = &alone};
    alone.server = cg_coap_server_open(&alone.uv, config, &options, &problem);
    CG_CHECK(alone.server != NULL);
    bench_coap_open(&client, cg_coap_server_listen(alone.server, 0)->addr.port);
    bench_coap_ask(&client, "r", SECONDS);
    while (alone.peer == NULL) uv_run(&alone.uv, UV_RUN_ONCE);
    for (size_t i = 0; i < count; i++) {
        double alone_ns = alone_round(&alone, ALONE, BYTES);
        bench_add_round(&rounds, alone_ns / 1000, bench_bare_coap_round(bare, ALONE, BYTES) / 1000);
    }
    bench_coap_close(&client);
    cg_coap_server_close(alone.server, NULL, NULL);
    uv_run(&alone.uv, UV_RUN_DEFAULT);
    CG_CHECK(uv_loop_close(&alone.uv) == 0);
    cg_config_unref(config);
    bench_put_rounds(&rounds, (struct bench_row){.figure = "message layer and socket alone, a response",
                                                 .unit = "µs CPU/response",
                                                 .beside = "coap_send alone",
                                                 .ratio_aim = 2});
}

/* ---- Many clients ---- */

static double crowd_round(const struct bench_gateway *gateway, struct bench_coap *clients, uint32_t count) {
    char name[16];
    name_of(name, OF_MANY);
    struct bench_span begin = bench_gateway_begin(gateway);
    for (uint32_t i = 0; i < count; i++) bench_coap_ask(&clients[i], name, SECONDS);
    for (uint32_t i = 0; i < count; i++) CG_CHECK(bench_coap_take(&clients[i], OF_MANY));
    double spent_ns = bench_gateway_end(gateway, begin);
    sleep(SECONDS + 1); /* until their exchanges are over */
    return spent_ns / (count * OF_MANY);
}

static void raise_fd_limit(void) {
    struct rlimit fds;
    CG_CHECK(getrlimit(RLIMIT_NOFILE, &fds) == 0);
    fds.rlim_cur = fds.rlim_max;
    CG_CHECK(setrlimit(RLIMIT_NOFILE, &fds) == 0);
}

static void compare_crowds(const struct bench_gateway *gateway, struct bench_peer *peer, size_t count) {
    struct bench_rounds rounds = {0};
    struct bench_coap *clients = calloc(MANY, sizeof *clients);
    CG_CHECK(clients != NULL);
    raise_fd_limit();
    for (uint32_t i = 0; i < MANY; i++) bench_coap_open(&clients[i], gateway->coap);
    bench_peer_set(peer, OF_MANY, BYTES);
    uint64_t before = bench_gateway_rss(gateway);
    for (size_t i = 0; i < count; i++) {
        double many_ns = crowd_round(gateway, clients, MANY);
        bench_add_round(&rounds, many_ns / 1000, crowd_round(gateway, clients, FEW) / 1000);
    }
    uint64_t grown = bench_gateway_peak(gateway) - before;
    for (uint32_t i = 0; i < MANY; i++) bench_coap_close(&clients[i]);
    free(clients);
    bench_put_rounds(&rounds, (struct bench_row){.figure = "5000 CoAP clients at once, groups of three",
                                                 .unit = "µs CPU/response",
                                                 .beside = "100 clients at once"});
    bench_put_row(&(struct bench_row){.figure = "5000 CoAP clients at once, what the process grew by at the most",
                                      .unit = "KiB/client",
                                      .measured = (double)grown / 1024 / MANY});
}

int main(int argc, char **argv) {
    const size_t count = bench_is_quick(argc, argv) ? 3 : ROUNDS;
    struct bench_peer peer;
    struct bench_gateway gateway;
    struct cg_buf mappings;
    char name[16];
    bench_peer_start(&peer);
    struct bench_bare_coap *bare = bench_bare_coap_new();
    cg_buf_init(&mappings, 0);
    for (int i = 0; i < SIZES; i++) {
        name_of(name, sizes[i]);
        bench_put_mapping(&mappings, &peer, name, "deadline", 0);
    }
    name_of(name, OF_MANY);
    bench_put_mapping(&mappings, &peer, name, "deadline", 0);
    compare_alone(bare, count);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), BENCH_RECEIVE_BUFFER);
    bench_gateway_rest(&gateway);
    for (int i = 0; i < SIZES; i++) compare_whole(&gateway, &peer, bare, sizes[i], count);
    compare_crowds(&gateway, &peer, count / 3);
    bench_gateway_stop(&gateway);
    bench_bare_coap_free(bare);
    bench_peer_stop(&peer);
    cg_buf_fini(&mappings);
    return 0;
}
