/* What an answer costs the whole gateway: the real process, from the client's HTTP request to the last byte of its
 * multipart reply, over the number of answers; beside it the bare receive of the same burst. The hard thing: the
 * gateway drains while the members still send, so it also pays for waking up; that is what happens in life, and it is
 * counted. */
#include <stdio.h>

#include "base/check.h"
#include "common/bare_receive.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"

enum { ROUNDS = 21, BYTES = 60, SIZES = 4, ANSWERS_A_ROUND = 10000 };

#define AIM 7.5 /* 6 µs where the bare receive costs 0.8 */

static const uint32_t sizes[SIZES] = {10, 100, 1000, 10000};

static void name_of(char name[16], uint32_t members) { snprintf(name, 16, "all%u", members); }

static double gateway_round(const struct bench_gateway *gateway, struct bench_http *http, uint32_t members,
                            const char *headers) {
    char path[20] = "/";
    name_of(path + 1, members);
    unsigned requests = ANSWERS_A_ROUND / members / (members < 100 ? 10 : 1);
    struct bench_span begin = bench_gateway_begin(gateway);
    for (unsigned i = 0; i < requests; i++) {
        struct bench_reply reply;
        bench_http_get(http, path, headers, &reply);
        CG_CHECK(reply.status == 200);
    }
    return bench_gateway_end(gateway, begin) / requests / members;
}

static void compare(const struct bench_gateway *gateway, struct bench_peer *peer, struct bench_bare *bare,
                    uint32_t members, const char *accept, size_t rounds) {
    struct bench_http http;
    char figure[96], headers[64];
    struct bench_rounds figures = {0};
    snprintf(headers, sizeof headers, "Accept: %s\r\n", accept);
    snprintf(figure, sizeof figure, "whole gateway, %u members, %s", members, accept);
    bench_peer_set(peer, members, BYTES);
    bench_http_open(&http, gateway->http);
    gateway_round(gateway, &http, members, headers);
    bench_bare_round(bare, peer, members, BYTES);
    for (size_t i = 0; i < rounds; i++) {
        double bare_ns = bench_bare_round(bare, peer, members, BYTES);
        bench_add_round(&figures, gateway_round(gateway, &http, members, headers) / 1000, bare_ns / 1000);
    }
    bench_http_close(&http);
    bench_put_rounds(&figures, (struct bench_row){.figure = figure,
                                                  .unit = "µs/answer",
                                                  .beside = "recvmmsg + parse",
                                                  .ratio_aim = members == 1000 ? AIM : 0});
}

int main(int argc, char **argv) {
    static struct bench_bare bare;
    size_t rounds = bench_is_quick(argc, argv) ? 5 : ROUNDS;
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
    for (int i = 0; i < SIZES; i++) compare(&gateway, &peer, &bare, sizes[i], "multipart/mixed", rounds);
    compare(&gateway, &peer, &bare, 1000, "application/json", rounds);
    bench_gateway_stop(&gateway);
    bench_bare_fini(&bare);
    bench_peer_stop(&peer);
    cg_buf_fini(&mappings);
    return 0;
}
