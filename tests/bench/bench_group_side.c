/* What an answer costs on the group side: receive, parse, match, tally through the gateway itself, against bare
 * recvmmsg with parsing. The hard thing is to compare like with like on a noisy machine: both receive the same bursts,
 * sent by another process into a socket buffer that holds them whole, then drained while only this thread's CPU time
 * counts; rounds alternate and the median of their ratios is taken. */
#include "io/loop.h"
#include "settings/settings.h"
#include "builtin.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "builtin.h"
#include "common/bare_receive.h"
#include "common/figures.h"
#include "reply/sink.h"

enum { ROUNDS = 21, ANSWERS_MAX = 10000 };

#define AIM 2.0

enum { OPEN, KNOWN, MAPPINGS }; /* without configured members, and with */

/* The gateway: the loop, its sockets and the core, as they are in the program. */

struct side {
    struct cg_loop loop;
    struct cg_config *config;
    struct cg_target target;
    struct cg_grant grant;
    struct cg_mapping mappings[MAPPINGS];
    struct cg_member members[ANSWERS_MAX];
};

static void attach_plain(struct cg_config *config) {
    for (size_t i = 0; i < config->mapping_count; i++) config->mappings[i].protector = cg_protector_none();
}

static void on_signal(void *ctx, int number) {
    struct side *side = ctx;
    (void)number;
    cg_loop_close(&side->loop);
}

static void on_end(struct cg_sink *self, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    (void)self;
    (void)ending;
    if (how == CG_SINK_LEFT) return; /* drained, as it should be */
    if (problem->err < 0) {
        fprintf(stderr, "%s\n", problem->detail);
    } else {
        fprintf(stderr, "the exchange ended before it was drained (%s)\n", view->summary.ended_by);
    }
    exit(1);
}

static const struct cg_sink_ops sink_ops = {.end = on_end};
static struct cg_sink sink = {.ops = &sink_ops};

/* The configured members of the second mapping: exactly those who answer. */
static void list_members(struct side *side, uint16_t port) {
    for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
        uint32_t ip = htonl(BENCH_FIRST_MEMBER + i);
        side->members[i] = (struct cg_member){.name = "member", .addr = {.family = CG_FAMILY_IPV4, .port = port}};
        memcpy(side->members[i].addr.ip, &ip, sizeof ip);
    }
    side->mappings[KNOWN].members = side->members;
    side->mappings[KNOWN].member_count = ANSWERS_MAX;
    side->mappings[KNOWN].complete = true;
}

static void side_init(struct side *side, const struct bench_peer *peer) {
    CG_CHECK(cg_addr_parse(&side->target.group, cg_slice_str(BENCH_GROUP), peer->group_port) == CG_OK);
    side->config = cg_settings_defaults();
    CG_CHECK(side->config != NULL);
    side->config->group.receive_buffer = BENCH_RECEIVE_BUFFER;
    side->grant = (struct cg_grant){.methods = CG_METHODS_SAFE};
    side->target.uri = "coap://" BENCH_GROUP "/";
    side->target.interface = "lo";
    side->target.hops = 1;
    static const char *const paths[MAPPINGS] = {"/open", "/known"};
    for (int i = 0; i < MAPPINGS; i++) {
        side->mappings[i] = (struct cg_mapping){.name = paths[i] + 1,
                                                .path = paths[i],
                                                .targets = &side->target,
                                                .target_count = 1,
                                                .methods = CG_METHODS_ALL,
                                                .has_timeout = true,
                                                .timeout_us = 60 * 1000000,
                                                .max_timeout_us = 60 * 1000000,
                                                .max_answers = ANSWERS_MAX,
                                                .grants = &side->grant,
                                                .grant_count = 1};
    }
    list_members(side, peer->port);
    side->config->mappings = side->mappings;
    side->config->mapping_count = MAPPINGS;
    CG_CHECK(cg_config_index(side->config) == CG_OK);
    struct cg_problem problem = {0};
    attach_plain(side->config);
    if (cg_loop_init(&side->loop, side->config, on_signal, side, &problem) == CG_OK) return;
    fprintf(stderr, "%s\n", problem.detail);
    exit(1);
}

/* Starts an exchange; true once all its answers are in the socket's buffer. */
static bool ask(struct side *side, struct bench_peer *peer, int mapping, struct cg_ticket *ticket) {
    struct cg_problem problem;
    struct cg_gateway *gateway = side->loop.gateway;
    uint32_t answered = peer->state->answered;
    CG_CHECK(cg_gateway_new_exchange(gateway, ticket, &problem) == CG_OK);
    struct cg_request *request = cg_gateway_request(gateway, *ticket);
    request->method = CG_GET;
    request->may_be_anonymous = true;
    request->path = cg_slice_str(side->mappings[mapping].path);
    cg_gateway_start(gateway, *ticket, &sink, cg_loop_now_us());
    cg_gateway_run(gateway, cg_loop_now_us()); /* not the loop: it would read early answers outside the measured time */
    return bench_peer_wait(peer, answered + 1);
}

/* Answers that were not tallied as a member's first. */
static uint64_t lost(const struct side *side, int mapping) {
    const struct cg_stats *stats = cg_stats_get(cg_gateway_stats(side->loop.gateway), side->mappings[mapping].name);
    CG_CHECK(stats != NULL);
    return stats->duplicate + stats->late + stats->over_cap + stats->rejected +
           cg_gateway_totals(side->loop.gateway)->fates[CG_FATE_UNKNOWN_TOKEN];
}

/* CPU ns an answer. */
static double gateway_round(struct side *side, struct bench_peer *peer, int mapping, uint32_t answers, uint32_t bytes) {
    struct cg_gateway *gateway = side->loop.gateway;
    struct cg_ticket ticket;
    uint64_t wanted = cg_gateway_totals(gateway)->datagrams + answers, lost_before = lost(side, mapping);
    bench_peer_set(peer, answers, bytes);
    CG_CHECK(ask(side, peer, mapping, &ticket));
    uint64_t start_ns = bench_thread_ns();
    while (cg_gateway_totals(gateway)->datagrams < wanted) uv_run(&side->loop.uv, UV_RUN_NOWAIT);
    uint64_t spent_ns = bench_thread_ns() - start_ns;
    CG_CHECK(lost(side, mapping) == lost_before);
    cg_gateway_abandon(gateway, ticket);
    uv_run(&side->loop.uv, UV_RUN_NOWAIT);
    return (double)spent_ns / answers;
}

static void compare(struct side *side, struct bench_bare *bare, struct bench_peer *peer, int mapping, uint32_t answers,
                    uint32_t bytes, size_t rounds) {
    struct bench_rounds figures = {0};
    bench_bare_round(bare, peer, answers, bytes); /* both once for nothing: first touch of memory */
    gateway_round(side, peer, mapping, answers, bytes);
    for (size_t i = 0; i < rounds; i++) {
        double bare_ns = bench_bare_round(bare, peer, answers, bytes);
        bench_add_round(&figures, gateway_round(side, peer, mapping, answers, bytes) / 1000, bare_ns / 1000);
    }
    char figure[96];
    snprintf(figure, sizeof figure, "group side, %u %s members, %u bytes", answers, side->mappings[mapping].name,
             bytes);
    bench_put_rounds(&figures, (struct bench_row){.figure = figure,
                                                  .unit = "µs/answer",
                                                  .beside = "recvmmsg + parse",
                                                  .ratio_aim = answers < 100 ? 0 : AIM});
}

int main(int argc, char **argv) {
    static struct bench_bare bare;
    static struct side side;
    static const struct {
        uint32_t answers, bytes;
    } bursts[] = {{10, 60}, {100, 60}, {1000, 60}, {1000, 300}, {ANSWERS_MAX, 60}};
    size_t rounds = bench_is_quick(argc, argv) ? 7 : ROUNDS;
    struct bench_peer peer;
    cg_log_set_level(CG_LOG_ERROR);
    bench_peer_start(&peer);
    bench_bare_init(&bare);
    side_init(&side, &peer);
    mallopt(M_TRIM_THRESHOLD, 8 << 20); /* what glibc adapts to by itself in the program, after its first large reply */
    for (int mapping = 0; mapping < MAPPINGS; mapping++) {
        for (size_t i = 0; i < sizeof bursts / sizeof bursts[0]; i++) {
            compare(&side, &bare, &peer, mapping, bursts[i].answers, bursts[i].bytes, rounds);
        }
    }
    bench_bare_fini(&bare);
    bench_peer_stop(&peer);
    cg_loop_fini(&side.loop);
    cg_config_unref(side.config);
    return 0;
}
