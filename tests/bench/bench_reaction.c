/* What following an alert costs (R25): a thousand alerts, each of which commands two groups, from the moment at which
 * the alert was accepted to its second group request at the port. Beside it as many pairs of ordinary requests to the
 * same groups, begun one after the other as a front does. In the core itself, with a port that does nothing and no
 * protection, so that what differs is the core's own: sealing costs both alike. */
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "builtin.h"
#include "common/figures.h"
#include "jobs/reactions.h"
#include "model/reaction.h"
#include "reply/sink.h"
#include "settings/settings.h"

enum { ALERTS = 1000, GROUPS = 2, ROUNDS = 15, QUICK_ROUNDS = 3, SECOND = 1000000 };

struct shell {
    struct cg_gateway *gateway;
    struct cg_reactions *reactions;
    uint64_t now_us, random;
    unsigned sent;
};

static int on_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct shell *shell = ctx;
    (void)route, (void)datagram, (void)problem;
    shell->sent++;
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

/* Settings. */

static const char *const names[GROUPS] = {"doors", "extinguishers"};
static const char *const paths[GROUPS] = {"/doors", "/extinguishers"};

static void add_mapping(struct cg_config *config, size_t index, struct cg_grant *grant) {
    struct cg_target *target = cg_arena_zalloc(&config->arena, sizeof *target);
    CG_CHECK(target != NULL);
    *target = (struct cg_target){.uri = "coap://224.0.1.187/",
                                 .group = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {224, 0, 1, 187}},
                                 .hops = 1};
    target->group.ip[3] = (uint8_t)(target->group.ip[3] + index);
    config->mappings[index] = (struct cg_mapping){.name = names[index],
                                                  .path = paths[index],
                                                  .methods = CG_METHODS_ALL,
                                                  .unsafe_methods = true,
                                                  .protector = cg_protector_none(),
                                                  .has_timeout = true,
                                                  .timeout_us = SECOND,
                                                  .max_timeout_us = 60 * SECOND,
                                                  .max_answers = 10000,
                                                  .targets = target,
                                                  .target_count = 1,
                                                  .grants = grant,
                                                  .grant_count = 1};
}

static struct cg_config *settings(void) {
    struct cg_config *config = cg_settings_defaults();
    CG_CHECK(config != NULL);
    struct cg_grant *grant = cg_arena_zalloc(&config->arena, sizeof *grant);
    struct cg_command *commands = cg_arena_zalloc(&config->arena, GROUPS * sizeof *commands);
    struct cg_reaction *reaction = cg_arena_zalloc(&config->arena, sizeof *reaction);
    config->mappings = cg_arena_zalloc(&config->arena, GROUPS * sizeof *config->mappings);
    CG_CHECK(grant != NULL && commands != NULL && reaction != NULL && config->mappings != NULL);
    grant->methods = CG_METHODS_ALL;
    config->mapping_count = GROUPS;
    for (size_t i = 0; i < GROUPS; i++) {
        add_mapping(config, i, grant);
        commands[i] = (struct cg_command){
            .mapping = names[i], .method = CG_PUT, .path = "", .whole = cg_slice_str(paths[i]), .body = "open"};
    }
    *reaction = (struct cg_reaction){.name = "fire",
                                     .when = {.group = "sensors", .path = "/fire", .method = CG_POST},
                                     .commands = commands,
                                     .command_count = GROUPS,
                                     .requests_per_minute = SECOND};
    config->reactions = reaction;
    config->reaction_count = 1;
    config->group.nstart = 65535;
    config->group.probing_burst = 1000 * SECOND;
    CG_CHECK(cg_config_index(config) == CG_OK);
    return config;
}

/* The two sides. */

static void follow_alert(struct shell *shell) {
    struct cg_alert_hearer *hearer = cg_reactions_hearer(shell->reactions);
    const struct cg_alert alert = {.group = "sensors",
                                   .member = "sensor-1",
                                   .method = CG_POST,
                                   .path = cg_slice_str("/fire"),
                                   .payload = cg_slice_str("smoke"),
                                   .arrival_us = shell->now_us};
    hearer->hear(hearer, &alert);
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    (void)view, (void)how, (void)problem, (void)ending;
    free(sink);
}

static const struct cg_sink_ops ops = {.end = on_end};

static void ask(struct shell *shell, size_t index) {
    struct cg_ticket ticket;
    struct cg_problem problem = {0};
    struct cg_sink *sink = calloc(1, sizeof *sink);
    CG_CHECK(sink != NULL && cg_gateway_new_exchange(shell->gateway, &ticket, &problem) == CG_OK);
    sink->ops = &ops;
    *cg_gateway_request(shell->gateway, ticket) = (struct cg_request){.method = CG_PUT,
                                                                      .proof = CG_PROOF_NONE,
                                                                      .may_be_anonymous = true,
                                                                      .path = cg_slice_str(paths[index]),
                                                                      .payload = cg_slice_str("open")};
    cg_gateway_start(shell->gateway, ticket, sink, shell->now_us);
    cg_gateway_advance(shell->gateway, ticket);
}

static void ask_both(struct shell *shell) {
    for (size_t i = 0; i < GROUPS; i++) ask(shell, i);
}

/* All that began ends before the next, which is not measured. */
static void pass(struct shell *shell) {
    shell->now_us += 10 * SECOND;
    while (cg_gateway_running(shell->gateway) > 0) cg_gateway_run(shell->gateway, shell->now_us);
}

/* µs for each alert, or pair. */
static double measure(struct shell *shell, void (*act)(struct shell *shell)) {
    uint64_t spent_ns = 0;
    shell->sent = 0;
    for (unsigned i = 0; i < ALERTS; i++) {
        const uint64_t begin_ns = bench_thread_ns();
        act(shell);
        spent_ns += bench_thread_ns() - begin_ns;
        pass(shell);
    }
    CG_CHECK(shell->sent == ALERTS * GROUPS);
    return (double)spent_ns / 1e3 / ALERTS;
}

int main(int argc, char **argv) {
    const size_t rounds = bench_is_quick(argc, argv) ? QUICK_ROUNDS : ROUNDS;
    struct shell shell = {.now_us = 1000 * (uint64_t)SECOND, .random = 42};
    const struct cg_port port = {
        .ctx = &shell, .emit = on_emit, .random = on_random, .kernel_drops = on_kernel_drops, .wake = on_wake};
    struct bench_rounds figures = {0};
    struct cg_config *config = settings();
    cg_log_set_level(CG_LOG_ERROR);
    shell.gateway = cg_gateway_new(config, &port);
    CG_CHECK(shell.gateway != NULL);
    shell.reactions = cg_reactions_new(shell.gateway);
    CG_CHECK(shell.reactions != NULL);
    for (size_t i = 0; i < rounds; i++) {
        const double followed_us = measure(&shell, follow_alert);
        bench_add_round(&figures, followed_us, measure(&shell, ask_both));
    }
    bench_put_rounds(&figures, (struct bench_row){.figure = "alert to second group request",
                                                  .unit = "µs",
                                                  .beside = "two requests of a client",
                                                  .ratio_aim = 1.25});
    cg_reactions_close(shell.reactions);
    cg_gateway_free(shell.gateway);
    cg_reactions_free(shell.reactions);
    cg_config_unref(config);
    return 0;
}
