/* What administration costs: a mapping that is changed over HTTP, among few and among many, and the flight recorder,
 * which is there for administrators, in each exchange. The hard thing: a change is written to the disk, whose calls
 * cost what the system makes of them, so both sides write, in alternating rounds. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/http_client.h"

enum { ROUNDS = 21, CHANGES = 50, FEW = 10, MANY = 10000, REQUESTS = 400, CONNECTIONS = 1, MEMBERS = 3, BYTES = 60 };

/* ---- Changes ---- */

/* Of the file's, which no import takes away. */
static const char administrator[] =
    "\"clients\":{\"bench\":{\"role\":\"admin\","
    "\"token_sha256\":\"94384a7c723c40b368be38415c5e05eb72778227e7cb8689f3abba1e597090df\"}}";
#define HEADERS "Authorization: Bearer bench-administrator\r\nContent-Type: application/json\r\n"

struct side {
    struct bench_gateway gateway;
    struct bench_http http;
    unsigned mappings;
};

static void put_mapping(struct cg_buf *to, unsigned number, unsigned timeout) {
    cg_buf_printf(to,
                  "{\"path\":\"/building/room-%u\",\"group\":\"coap://239.1.%u.%u:5683/l\",\"security\":\"none\","
                  "\"timeout\":%u,\"name\":\"m%u\"}",
                  number, number / 256 % 256, number % 256, timeout, number);
}

static void ask(struct side *side, const char *path, const char *headers, const struct cg_buf *body) {
    struct bench_reply reply;
    CG_CHECK(!body->failed);
    bench_http_put(&side->http, path, headers, cg_buf_slice(body), &reply);
    if (reply.status == 200 || reply.status == 201) return;
    fprintf(stderr, "PUT %s: %.*s\n", path, (int)side->http.in.len, (const char *)side->http.in.data);
    CG_CHECK(reply.status == 200);
}

static void import(struct side *side) {
    struct cg_buf body;
    cg_buf_init(&body, 0);
    cg_buf_put_str(&body, "{\"version\":1,\"mappings\":[");
    for (unsigned i = 0; i < side->mappings; i++) {
        if (i > 0) cg_buf_put_u8(&body, ',');
        put_mapping(&body, i, 5);
    }
    cg_buf_put_str(&body, "]}");
    ask(side, "/admin/v1/import", HEADERS, &body);
    cg_buf_fini(&body);
}

static void begin(struct side *side, unsigned mappings) {
    side->mappings = mappings;
    bench_gateway_start_with(&side->gateway, CG_SLICE_NONE, administrator);
    bench_http_open(&side->http, side->gateway.admin);
    import(side);
    bench_gateway_rest(&side->gateway);
}

static void end(struct side *side) {
    bench_http_close(&side->http);
    bench_gateway_stop(&side->gateway);
}

/* CPU µs a change, of all threads. */
static double change(struct side *side, unsigned round) {
    struct bench_span span = bench_gateway_begin(&side->gateway);
    struct cg_buf body;
    cg_buf_init(&body, 0);
    for (unsigned i = 0; i < CHANGES; i++) {
        unsigned number = (round * CHANGES + i) * 7919 % side->mappings;
        char path[64];
        snprintf(path, sizeof path, "/admin/v1/mappings/m%u", number);
        cg_buf_clear(&body);
        put_mapping(&body, number, 6 + i % CHANGES); /* another one than it had */
        ask(side, path, HEADERS "If-Match: *\r\n", &body);
    }
    cg_buf_fini(&body);
    return bench_gateway_end(&side->gateway, span) / CHANGES / 1000;
}

static void compare_changes(size_t rounds) {
    static struct side few, many;
    struct bench_rounds cpu = {0};
    begin(&few, FEW);
    begin(&many, MANY);
    change(&few, 0);
    change(&many, 0);
    for (size_t i = 0; i < rounds; i++) {
        double few_us = change(&few, (unsigned)i + 1);
        bench_add_round(&cpu, change(&many, (unsigned)i + 1), few_us);
    }
    bench_put_rounds(&cpu, (struct bench_row){.figure = "PUT of a mapping among 10 000, all threads",
                                              .unit = "µs",
                                              .beside = "among 10",
                                              .ratio_aim = 1.5});
    bench_put_row(&(struct bench_row){
        .figure = "longest turn of the loop, import of 10 000 mappings and changes of them",
        .unit = "ms CPU",
        .measured = bench_gateway_metric(&many.gateway, "castgate_loop_longest_turn_seconds") * 1000,
        .figure_aim = 10,
    });
    end(&few);
    end(&many);
}

/* ---- The recorder ---- */

/* CPU µs an exchange, of all threads. One after another, so that none joins another's group request. */
static double exchange(struct bench_gateway *gateway) {
    const struct bench_load load = {
        .port = gateway->http, .path = "/few", .connections = CONNECTIONS, .requests = REQUESTS, .status = 200};
    struct bench_span span = bench_gateway_begin(gateway);
    bench_http_load(&load);
    return bench_gateway_end(gateway, span) / REQUESTS / 1000;
}

static void compare_recorder(size_t rounds) {
    struct bench_gateway records, forgets;
    struct bench_peer peer;
    struct bench_rounds cpu = {0};
    struct cg_buf mappings;
    bench_peer_start(&peer);
    bench_peer_set(&peer, MEMBERS, BYTES);
    cg_buf_init(&mappings, 0);
    bench_put_mapping(&mappings, &peer, "few", "all", MEMBERS);
    bench_gateway_start(&records, cg_buf_slice(&mappings), 0);
    bench_gateway_start_with(&forgets, cg_buf_slice(&mappings), "\"recorder\":{\"memory\":0}");
    bench_gateway_rest(&records);
    bench_gateway_rest(&forgets);
    exchange(&records);
    exchange(&forgets);
    for (size_t i = 0; i < rounds; i++) {
        double without_us = exchange(&forgets);
        bench_add_round(&cpu, exchange(&records), without_us);
    }
    bench_put_rounds(&cpu, (struct bench_row){.figure = "HTTP request, 3 members, 1 connection, recorded",
                                              .unit = "µs",
                                              .beside = "recorder.memory 0",
                                              .ratio_aim = 1.2});
    bench_gateway_stop(&records);
    bench_gateway_stop(&forgets);
    bench_peer_stop(&peer);
    cg_buf_fini(&mappings);
}

int main(int argc, char **argv) {
    size_t rounds = bench_is_quick(argc, argv) ? 5 : ROUNDS;
    compare_changes(rounds);
    compare_recorder(rounds);
    return 0;
}
