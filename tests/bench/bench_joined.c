/* What thousands who ask the same cost: 8000 equal requests that share one group request to 100 members, each of which
 * gets a whole reply. In the core itself, with a port and a front that do nothing, so that the figures are the core's
 * own: the longest turn, as CPU time, and the memory that all replies hold while nobody has read any of them. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "builtin.h"
#include "common/figures.h"
#include "exchange/gateway.h"
#include "reply/reply.h"
#include "settings/settings.h"

enum { CLIENTS = 8000, MEMBERS = 100, SECOND = 1000000, PAYLOAD = 400 };

#define TURN_AIM 10.0 /* ms */

/* Shell. */

struct shell {
    struct cg_gateway *gateway;
    struct cg_token token; /* of the group request */
    uint64_t now_us;
    double longest_ms;
    uint64_t random;
    unsigned replies;
    struct cg_outq *bodies[CLIENTS];
};

static int on_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct shell *shell = ctx;
    struct cg_msg msg;
    (void)route;
    (void)problem;
    CG_CHECK(cg_msg_parse(&msg, datagram) == CG_OK);
    shell->token = msg.token;
    return CG_OK;
}

static void on_random(void *ctx, void *to, size_t len) {
    struct shell *shell = ctx;
    for (size_t i = 0; i < len; i++) {
        shell->random = shell->random * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)to)[i] = (uint8_t)(shell->random >> 56);
    }
}

static uint64_t on_kernel_drops(void *ctx) {
    (void)ctx;
    return 0;
}

static void on_wake(void *ctx) { (void)ctx; }

static void on_reply(void *ctx, const struct cg_reply *reply) {
    struct shell *shell = ctx;
    CG_CHECK(reply->status == 200 && reply->summary.answered == MEMBERS);
    shell->bodies[shell->replies++] = cg_outq_ref(reply->body);
}

static void on_problem(void *ctx, const struct cg_problem *problem, const char *exchange_id) {
    (void)ctx;
    (void)exchange_id;
    fprintf(stderr, "%s\n", problem->detail);
    exit(1);
}

static const struct cg_front front = {.reply = on_reply, .problem = on_problem};

/* One turn of the loop. Returns when the next is due. */
static uint64_t turn(struct shell *shell) {
    uint64_t begin_ns = bench_thread_ns();
    uint64_t next_us = cg_gateway_run(shell->gateway, shell->now_us);
    double ms = (double)(bench_thread_ns() - begin_ns) / 1e6;
    if (ms > shell->longest_ms) shell->longest_ms = ms;
    return next_us;
}

static void pass_until(struct shell *shell, uint64_t until_us) {
    for (uint64_t next_us; (next_us = turn(shell)) <= until_us;) shell->now_us = next_us;
    shell->now_us = until_us;
}

/* What happens. */

static void ask(struct shell *shell, const struct castgate_encoder *encoder, const struct cg_port *port) {
    struct cg_ticket ticket;
    struct cg_problem problem = {0};
    CG_CHECK(cg_gateway_new_exchange(shell->gateway, &ticket, &problem) == CG_OK);
    *cg_gateway_request(shell->gateway, ticket) =
        (struct cg_request){.method = CG_GET, .may_be_anonymous = true, .path = cg_slice_str("/all")};
    const struct cg_reply_to to = {.encoder = encoder,
                                   .front = &front,
                                   .front_ctx = shell,
                                   .quota = cg_gateway_quota(shell->gateway),
                                   .port = port};
    struct cg_sink *sink = cg_reply_new(&to);
    CG_CHECK(sink != NULL);
    cg_gateway_start(shell->gateway, ticket, sink, shell->now_us);
}

static void answer(struct shell *shell, uint32_t number) {
    uint8_t bytes[PAYLOAD + 32];
    char payload[PAYLOAD];
    struct cg_msg_writer writer;
    for (size_t i = 0; i < sizeof payload; i++) payload[i] = (char)('a' + i % 26);
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_CODE(2, 5), (uint16_t)number, shell->token);
    cg_msg_put_payload(&writer, cg_slice_of(payload, sizeof payload));
    int len = cg_msg_end(&writer);
    CG_CHECK(len > 0);
    struct cg_datagram datagram = {.from = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {10, 0, 0, (uint8_t)number}},
                                   .bytes = cg_slice_of(bytes, (size_t)len),
                                   .arrival_us = shell->now_us};
    cg_gateway_receive(shell->gateway, &datagram);
}

static struct cg_config *settings(void) {
    struct cg_config *config = cg_settings_defaults();
    CG_CHECK(config != NULL);
    struct cg_mapping *mapping = cg_arena_zalloc(&config->arena, sizeof *mapping);
    struct cg_target *target = cg_arena_zalloc(&config->arena, sizeof *target);
    struct cg_grant *grant = cg_arena_zalloc(&config->arena, sizeof *grant);
    CG_CHECK(mapping != NULL && target != NULL && grant != NULL);
    *target = (struct cg_target){.uri = "coap://224.0.1.187/",
                                 .group = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {224, 0, 1, 187}},
                                 .hops = 1};
    grant->methods = CG_METHODS_ALL;
    *mapping = (struct cg_mapping){.name = "all",
                                   .path = "/all",
                                   .methods = CG_METHODS_ALL,
                                   .protector = cg_protector_none(),
                                   .has_timeout = true,
                                   .timeout_us = 2 * SECOND,
                                   .max_timeout_us = 60 * SECOND,
                                   .max_answers = 10000,
                                   .targets = target,
                                   .target_count = 1,
                                   .grants = grant,
                                   .grant_count = 1};
    config->mappings = mapping;
    config->mapping_count = 1;
    config->limits.exchanges = config->limits.exchanges_per_client = CLIENTS;
    config->limits.total_memory = (size_t)4 << 30;
    CG_CHECK(cg_config_index(config) == CG_OK);
    return config;
}

static size_t heap_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void put(const char *name, const char *what, const char *unit, double measured, double aim) {
    char figure[128];
    snprintf(figure, sizeof figure, "%d equal requests joined, %d members, %s: %s", CLIENTS, MEMBERS, name, what);
    bench_put_row(&(struct bench_row){.figure = figure, .unit = unit, .measured = measured, .figure_aim = aim});
}

static void measure(const char *name, const struct castgate_encoder *encoder) {
    struct shell *shell = calloc(1, sizeof *shell);
    CG_CHECK(shell != NULL);
    const struct cg_port port = {
        .ctx = shell, .emit = on_emit, .random = on_random, .kernel_drops = on_kernel_drops, .wake = on_wake};
    struct cg_config *config = settings();
    shell->now_us = 1000 * (uint64_t)SECOND;
    shell->gateway = cg_gateway_new(config, &port);
    CG_CHECK(shell->gateway != NULL);
    size_t before = heap_in_use();
    for (int i = 0; i < CLIENTS; i++) {
        ask(shell, encoder, &port);
        turn(shell);
    }
    for (uint32_t i = 1; i <= MEMBERS; i++) answer(shell, i);
    pass_until(shell, shell->now_us + 2 * SECOND);
    CG_CHECK(shell->replies == CLIENTS && cg_gateway_running(shell->gateway) == 0);
    put(name, "longest turn", "ms CPU", shell->longest_ms, TURN_AIM);
    put(name, "memory of all replies, unread", "MB", ((double)heap_in_use() - (double)before) / 1e6, 0);
    for (int i = 0; i < CLIENTS; i++) cg_outq_unref(shell->bodies[i]);
    cg_gateway_free(shell->gateway);
    cg_config_unref(config);
    free(shell);
}

int main(int argc, char **argv) {
    (void)bench_is_quick(argc, argv);
    cg_log_set_level(CG_LOG_ERROR);
    measure("multipart/mixed", cg_plugin_mixed.ops.encoder);
    measure("application/json", cg_plugin_json.ops.encoder);
    return 0;
}
