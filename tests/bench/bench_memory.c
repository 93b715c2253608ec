/* What holding an answer costs beside its payload: in the tally, all that malloc gave for it, and in the real process,
 * by its resident set; and what an idle event stream costs, connection and exchange. The hard thing is not to count
 * what is used once: all are warmed up by some first. */
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"
#include "rounds/tally.h"

enum { ANSWERS = 10000, HEAD = 15 /* bytes of an answer that are no payload: header, token, Content-Format, marker */ };

#define AIM        512.0
#define STREAM_AIM 40.0 /* KiB */

enum { WARM_UP = 100, STREAMS = 1000 };

static size_t heap_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void hold(struct cg_tally *tally, uint32_t number, size_t payload_len) {
    static const uint8_t bytes[2048] = {0xc1, 50}; /* Content-Format: 50, as an option list */
    struct cg_opened opened = {
        .code = CG_CODE(2, 5), .options = cg_slice_of(bytes, 2), .payload = cg_slice_of(bytes, payload_len)};
    struct cg_arrival arrival = {.from = {.family = CG_FAMILY_IPV4, .port = 5683}, .opened = &opened};
    memcpy(arrival.from.ip, &number, sizeof number);
    CG_CHECK(cg_tally_add(tally, &arrival, NULL) == CG_TALLY_NEW);
}

static void measure_tally(size_t payload_len) {
    struct cg_mapping mapping = {.max_answers = ANSWERS};
    struct cg_quota quota = {.max = SIZE_MAX};
    struct cg_arena arena;
    struct cg_tally tally;
    size_t before = heap_in_use();
    cg_arena_init(&arena, 64 << 20, &quota);
    CG_CHECK(cg_tally_init(&tally, &arena, &mapping));
    for (uint32_t i = 0; i < ANSWERS; i++) hold(&tally, i, payload_len);
    double each = (double)(heap_in_use() - before) / ANSWERS - (double)payload_len;
    cg_tally_fini(&tally);
    cg_arena_fini(&arena);
    char figure[96];
    snprintf(figure, sizeof figure, "memory of a held answer beside its %zu bytes, heap", payload_len);
    bench_put_row(&(struct bench_row){.figure = figure, .unit = "bytes", .measured = each, .figure_aim = AIM});
}

/* The gateway collects until its deadline; meanwhile nothing is freed. */
static void begin_request(const struct bench_gateway *gateway, struct bench_peer *peer, struct bench_http *http,
                          uint32_t answers, uint32_t bytes) {
    uint32_t answered = peer->state->answered;
    bench_peer_set(peer, answers, bytes);
    bench_http_open(http, gateway->http);
    bench_http_send_get(http, "/open", "");
    CG_CHECK(bench_peer_wait(peer, answered + 1));
    usleep(200000); /* the last ones are on their way */
}

static void measure_process(struct bench_peer *peer, uint32_t payload_len) {
    struct bench_gateway gateway;
    struct bench_http warm_up, http;
    struct cg_buf mappings;
    cg_buf_init(&mappings, 0);
    bench_put_mapping(&mappings, peer, "open", "deadline", 0);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), BENCH_RECEIVE_BUFFER);
    begin_request(&gateway, peer, &warm_up, 200, payload_len + HEAD);
    bench_http_close(&warm_up);
    usleep(100000);
    double seen = bench_gateway_metric(&gateway, "castgate_datagrams_total");
    double before = (double)bench_gateway_rss(&gateway);
    begin_request(&gateway, peer, &http, ANSWERS, payload_len + HEAD);
    double after = (double)bench_gateway_rss(&gateway);
    CG_CHECK(bench_gateway_metric(&gateway, "castgate_datagrams_total") - seen == ANSWERS);
    bench_http_close(&http);
    usleep(100000);
    bench_gateway_stop(&gateway);
    cg_buf_fini(&mappings);
    char figure[96];
    snprintf(figure, sizeof figure, "memory of a held answer beside its %u bytes, RSS", payload_len);
    bench_put_row(&(struct bench_row){
        .figure = figure, .unit = "bytes", .measured = (after - before) / ANSWERS - payload_len, .figure_aim = AIM});
}

static struct bench_http streams[WARM_UP + STREAMS];

/* Each gets one answer, and then nothing. */
static void open_streams(const struct bench_gateway *gateway, unsigned first, unsigned end) {
    static const char headers[] = "Accept: text/event-stream\r\nMulticast-Timeout: 60\r\n";
    for (unsigned i = first; i < end; i++) {
        bench_http_open(&streams[i], gateway->http);
        bench_http_send_get(&streams[i], "/open", headers);
        CG_CHECK(bench_http_read_until(&streams[i], "event: answer"));
    }
}

static void measure_stream(struct bench_peer *peer) {
    struct bench_gateway gateway;
    struct cg_buf mappings;
    cg_buf_init(&mappings, 0);
    bench_put_mapping(&mappings, peer, "open", "deadline", 0);
    bench_gateway_start(&gateway, cg_buf_slice(&mappings), 0);
    bench_peer_set(peer, 1, 60);
    open_streams(&gateway, 0, WARM_UP);
    double before = (double)bench_gateway_rss(&gateway);
    open_streams(&gateway, WARM_UP, WARM_UP + STREAMS);
    double after = (double)bench_gateway_rss(&gateway);
    for (unsigned i = 0; i < WARM_UP + STREAMS; i++) bench_http_close(&streams[i]);
    bench_gateway_stop(&gateway);
    cg_buf_fini(&mappings);
    bench_put_row(&(struct bench_row){.figure = "memory of an idle event stream, RSS",
                                      .unit = "KiB",
                                      .measured = (after - before) / STREAMS / 1024,
                                      .figure_aim = STREAM_AIM});
}

int main(int argc, char **argv) {
    static const uint32_t payloads[] = {60, 1000};
    struct bench_peer peer;
    (void)bench_is_quick(argc, argv);
    bench_peer_start(&peer);
    for (int i = 0; i < 2; i++) measure_tally(payloads[i]);
    for (int i = 0; i < 2; i++) measure_process(&peer, payloads[i]);
    measure_stream(&peer);
    bench_peer_stop(&peer);
    return 0;
}
