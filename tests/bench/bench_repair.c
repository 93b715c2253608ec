/* What repair costs the network and the client: datagrams beyond the group request for each answer that was lost, and
 * how long a complete reply takes beside the slowest member. The hard thing is what to hold them against: asking a
 * member again and again until a request and its answer get through takes 1 / (1 - p)² requests; a second group request
 * can do better, and nothing can be complete before its slowest member has answered. */
#include <stdio.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"
#include "common/lossy_members.h"

enum { ROUNDS = 40, SPREAD_US = 300000, TENTH = 6554 /* of 65536 */, SIZES = 3 };

#define ONE_BY_ONE      (1 / (0.9 * 0.9))
#define AIM_DATAGRAMS   1.25
#define AIM_UNDISTURBED 1.1

static const uint32_t sizes[SIZES] = {5, 30, 100};

static void put_mapping(struct cg_buf *mappings, const struct bench_lossy *lossy, uint32_t members) {
    cg_buf_printf(mappings,
                  "%s{\"name\":\"m%u\",\"path\":\"/m%u\",\"group\":\"coap://" BENCH_GROUP
                  ":%u\",\"security\":\"none\",\"timeout\":30,\"leisure\":0.5,\"finish\":\"all\","
                  "\"clients\":[\"anonymous\"],\"repair\":{\"unicast\":true},\"membership\":\"complete\",\"members\":[",
                  mappings->len == 0 ? "" : ",", members, members, (unsigned)lossy->group_port);
    for (uint32_t i = 0; i < members; i++)
        cg_buf_printf(mappings, "%s\"127.1.0.%u:%u\"", i == 0 ? "" : ",", 1 + i, (unsigned)lossy->port);
    cg_buf_put_str(mappings, "]}");
}

/* One exchange: how long it took over how long its slowest member takes. */
static void run_exchange(struct bench_http *http, const struct bench_lossy *lossy, uint32_t members,
                         struct bench_rounds *times) {
    struct bench_reply reply;
    char path[16];
    snprintf(path, sizeof path, "/m%u", members);
    lossy->state->exchange++;
    bench_http_get(http, path, "Accept: application/json\r\n", &reply);
    CG_CHECK(reply.status == 200);
    double reached_ms = (double)(lossy->state->heard_ns - reply.sent_ns) / 1e6;
    bench_add_round(times, (double)(reply.received_ns - reply.sent_ns) / 1e6, reached_ms + SPREAD_US / 1e3);
}

static void put_times(const struct bench_rounds *times, uint32_t members, const char *network, double aim) {
    char figure[96];
    snprintf(figure, sizeof figure, "complete reply of %u members, %s", members, network);
    bench_put_rounds(
        times, (struct bench_row){.figure = figure, .unit = "ms", .beside = "the slowest member", .ratio_aim = aim});
}

static void put_datagrams(const struct bench_lossy_state *state, uint32_t members, uint32_t exchanges) {
    char figure[96];
    double extra = (double)(state->casts - exchanges + state->asks) / (state->lost == 0 ? 1 : state->lost);
    snprintf(figure, sizeof figure, "repair's datagrams for each answer lost, %u members", members);
    bench_put_row(&(struct bench_row){.figure = figure,
                                      .unit = "datagrams",
                                      .measured = extra,
                                      .beside = "asked one by one",
                                      .peer = ONE_BY_ONE,
                                      .ratio = extra / ONE_BY_ONE,
                                      .ratio_aim = AIM_DATAGRAMS});
}

static void measure(struct bench_http *http, const struct bench_lossy *lossy, uint32_t members, uint32_t rounds) {
    struct bench_rounds undisturbed = {0}, lossy_times = {0};
    struct bench_lossy_state *state = lossy->state;
    state->members = members;
    state->spread_us = SPREAD_US;
    state->loss = 0;
    for (uint32_t i = 0; i < rounds / 4 + 1; i++) run_exchange(http, lossy, members, &undisturbed);
    state->loss = TENTH;
    state->casts = state->asks = state->lost = 0;
    for (uint32_t i = 0; i < rounds; i++) run_exchange(http, lossy, members, &lossy_times);
    put_datagrams(state, members, rounds);
    put_times(&undisturbed, members, "nothing lost", AIM_UNDISTURBED);
    put_times(&lossy_times, members, "a tenth lost each way", 0);
}

int main(int argc, char **argv) {
    uint32_t rounds = bench_is_quick(argc, argv) ? 8 : ROUNDS;
    struct bench_lossy lossy;
    struct bench_gateway gateway;
    struct bench_http http;
    struct cg_buf mappings;
    bench_lossy_start(&lossy);
    cg_buf_init(&mappings, 0);
    for (size_t i = 0; i < SIZES; i++) put_mapping(&mappings, &lossy, sizes[i]);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), 0);
    bench_http_open(&http, gateway.http);
    for (size_t i = 0; i < SIZES; i++) measure(&http, &lossy, sizes[i], rounds);
    bench_http_close(&http);
    bench_gateway_stop(&gateway);
    bench_lossy_stop(&lossy);
    cg_buf_fini(&mappings);
    return 0;
}
