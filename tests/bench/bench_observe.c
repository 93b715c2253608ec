/* What a notification costs: of 100 members that an observing request has registered with, from the datagram to the
 * sink that hears of it, beside an answer of the same size to a fresh group request. In the core itself, with a port
 * and a sink that do nothing; CPU time. */
#include <stdlib.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "builtin.h"
#include "common/figures.h"
#include "exchange/gateway.h"
#include "reply/sink.h"
#include "settings/settings.h"

enum { MEMBERS = 100, TIMES = 200, ROUNDS = 15, SECOND = 1000000, PAYLOAD = 40 };

struct shell {
    struct cg_sink sink;
    struct cg_gateway *gateway;
    struct cg_ticket ticket;
    struct cg_token token; /* of the latest group request */
    uint64_t now_us, random, heard;
    uint16_t mid;
    bool ended;
};

static int on_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct shell *shell = ctx;
    struct cg_msg msg;
    (void)route, (void)problem;
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

/* The sink. */

static struct shell *of_sink(struct cg_sink *sink) { return CG_CONTAINER(sink, struct shell, sink); }

static int on_begin(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    (void)sink, (void)view, (void)problem;
    return CG_OK;
}

static bool has_room(struct cg_sink *sink, enum cg_sink_word word) {
    (void)sink, (void)word;
    return true;
}

static int on_answer(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                     struct cg_problem *problem) {
    (void)view, (void)answer, (void)problem;
    of_sink(sink)->heard++;
    return CG_OK;
}

static uint64_t on_look(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    (void)sink, (void)view, (void)problem;
    return UINT64_MAX;
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    (void)view, (void)how, (void)problem, (void)ending;
    of_sink(sink)->ended = true;
}

static const struct cg_sink_ops sink_ops = {
    .begin = on_begin, .has_room = has_room, .answer = on_answer, .look = on_look, .end = on_end};

/* What happens. */

static void turn(struct shell *shell) {
    while (cg_gateway_run(shell->gateway, shell->now_us) <= shell->now_us) {
    }
}

static void ask(struct shell *shell, bool observes) {
    struct cg_problem problem = {0};
    CG_CHECK(cg_gateway_new_exchange(shell->gateway, &shell->ticket, &problem) == CG_OK);
    *cg_gateway_request(shell->gateway, shell->ticket) = (struct cg_request){.method = CG_GET,
                                                                             .may_be_anonymous = true,
                                                                             .path = cg_slice_str("/all"),
                                                                             .observes = observes,
                                                                             .finishing = CG_FINISH_BY_TIME};
    shell->sink = (struct cg_sink){.ops = &sink_ops};
    shell->ended = false;
    cg_gateway_start(shell->gateway, shell->ticket, &shell->sink, shell->now_us);
    turn(shell);
}

static void leave(struct shell *shell) {
    cg_gateway_abandon(shell->gateway, shell->ticket);
    turn(shell);
    CG_CHECK(shell->ended);
}

/* Each member says something. */
static void answer_all(struct shell *shell, uint32_t order, bool observed) {
    uint8_t bytes[PAYLOAD + 32], payload[PAYLOAD] = {0};
    payload[0] = (uint8_t)order;
    for (uint8_t i = 1; i <= MEMBERS; i++) {
        struct cg_msg_writer writer;
        cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_CODE(2, 5), shell->mid++, shell->token);
        if (observed) cg_msg_put_uint(&writer, CG_OPT_OBSERVE, order);
        cg_msg_put_payload(&writer, cg_slice_of(payload, sizeof payload));
        int len = cg_msg_end(&writer);
        CG_CHECK(len > 0);
        struct cg_datagram datagram = {.from = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {10, 0, 0, i}},
                                       .bytes = cg_slice_of(bytes, (size_t)len),
                                       .arrival_us = shell->now_us};
        cg_gateway_receive(shell->gateway, &datagram);
    }
    turn(shell);
}

/* ns an answer */
static double fresh(struct shell *shell) {
    uint64_t spent_ns = 0;
    for (unsigned i = 0; i < TIMES; i++) {
        shell->now_us += SECOND;
        ask(shell, false);
        uint64_t heard = shell->heard, begin_ns = bench_thread_ns();
        answer_all(shell, i, false);
        spent_ns += bench_thread_ns() - begin_ns;
        CG_CHECK(shell->heard == heard + MEMBERS);
        leave(shell);
    }
    return (double)spent_ns / TIMES / MEMBERS;
}

static double notified(struct shell *shell) {
    ask(shell, true);
    answer_all(shell, 0, true);
    uint64_t heard = shell->heard, spent_ns = 0;
    for (uint32_t i = 1; i <= TIMES; i++) {
        shell->now_us += SECOND / 10; /* more often no member is told of */
        uint64_t begin_ns = bench_thread_ns();
        answer_all(shell, i, true);
        spent_ns += bench_thread_ns() - begin_ns;
    }
    CG_CHECK(shell->heard == heard + (uint64_t)TIMES * MEMBERS);
    leave(shell);
    return (double)spent_ns / TIMES / MEMBERS;
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
                                   .timeout_us = 60 * (uint64_t)SECOND,
                                   .max_timeout_us = 60 * (uint64_t)SECOND,
                                   .max_answers = 10000,
                                   .targets = target,
                                   .target_count = 1,
                                   .grants = grant,
                                   .grant_count = 1};
    config->mappings = mapping;
    config->mapping_count = 1;
    CG_CHECK(cg_config_index(config) == CG_OK);
    return config;
}

int main(int argc, char **argv) {
    size_t rounds = bench_is_quick(argc, argv) ? 5 : ROUNDS;
    struct shell shell = {.now_us = 1000 * (uint64_t)SECOND};
    const struct cg_port port = {
        .ctx = &shell, .emit = on_emit, .random = on_random, .kernel_drops = on_kernel_drops, .wake = on_wake};
    struct cg_config *config = settings();
    struct bench_rounds cpu = {0};
    cg_log_set_level(CG_LOG_ERROR);
    shell.gateway = cg_gateway_new(config, &port);
    CG_CHECK(shell.gateway != NULL);
    for (size_t i = 0; i < rounds; i++) {
        double peer = fresh(&shell);
        bench_add_round(&cpu, notified(&shell), peer);
        shell.now_us += 100 * (uint64_t)SECOND; /* the cancellation's leisure */
        turn(&shell);
    }
    bench_put_rounds(&cpu, (struct bench_row){.figure = "a notification, from the datagram to the sink",
                                              .unit = "ns CPU",
                                              .beside = "answer to a fresh group request",
                                              .ratio_aim = 1.5});
    cg_gateway_free(shell.gateway);
    cg_config_unref(config);
    return 0;
}
