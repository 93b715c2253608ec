/* One request, told in full. The hard thing is that the check must be the real thing: the same gateway, sockets and
 * protectors as in service, so it stands at the edges only: a sink that writes down what it hears, and a port that
 * writes down what goes through it. */
#include "app/check/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/check/print.h"
#include "app/protectors.h"
#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/names.h"
#include "model/mapping.h"

enum {
    NAMES_PATIENCE_MS = 10000,
    SELF_TEST_PATIENCE_MS = 500,
    STRAGGLERS_MS = 200, /* after the end of collecting */
    REPLY_MARGIN_MS = 30000,
};

struct check {
    struct cg_config *config;
    struct cg_mapping *mapping;
    struct cg_loop loop;
    struct cg_protectors protectors;
    struct cg_names *names;
    struct cg_interfaces interfaces;
    struct cg_check_sink heard;
    struct cg_emissions emissions;
    struct cg_findings findings;
    uint64_t malformed_before;
    uv_timer_t timer;
    bool timed_out;
};

/* Waiting */

static void on_time(uv_timer_t *timer) {
    struct check *check = timer->data;
    check->timed_out = true;
}

static void on_over(void *ctx) {
    struct check *check = ctx;
    uv_stop(&check->loop.uv); /* the core speaks right before the loop goes to sleep, which must not happen then */
}

typedef bool (*done_fn)(const struct check *check);

static bool never(const struct check *check) { return (void)check, false; }

static bool wait_until(struct check *check, done_fn done, uint64_t most_ms) {
    check->timed_out = false;
    uv_update_time(&check->loop.uv);
    CG_CHECK(uv_timer_start(&check->timer, on_time, most_ms, 0) == 0);
    while (!done(check) && !check->timed_out) uv_run(&check->loop.uv, UV_RUN_ONCE);
    uv_timer_stop(&check->timer);
    return done(check);
}

/* Whoever is tired of waiting still gets to see what came. */
static void on_signal(void *ctx, int number) {
    struct check *check = ctx;
    if (number == SIGHUP) return;
    check->findings.interrupted = true;
    cg_gateway_stop(check->loop.gateway);
    cg_gateway_finish_all(check->loop.gateway);
}

/* The ways out */

static bool names_are_known(const struct check *check) {
    for (size_t i = 0; i < check->mapping->target_count; i++) {
        if (cg_target_group(&check->mapping->targets[i]).family == CG_FAMILY_NONE) return check->findings.interrupted;
    }
    return true;
}

/* As the core does it: a link-local member without zone is on the first target's link. */
static struct cg_addr with_zone(struct check *check, struct cg_addr addr) {
    bool misses_zone = cg_addr_is_link_local(&addr) && addr.scope == 0;
    if (misses_zone) addr.scope = check->loop.port.zone(check->loop.port.ctx, check->mapping->targets[0].interface);
    return addr;
}

static void look_at_outlet(struct check *check, struct cg_outlet *outlet, const struct cg_target *target) {
    bool unicast = check->findings.unicast;
    outlet->target = target;
    outlet->group = unicast ? with_zone(check, check->mapping->members[0].addr) : cg_target_group(target);
    if (outlet->group.family == CG_FAMILY_NONE) {
        cg_problem_set(&outlet->problem, CG_E_EMIT, "%.*s is no group: %s", (int)target->host.len,
                       (const char *)target->host.data, target->resolved->why);
        return;
    }
    cg_outlet_look(outlet, unicast, &check->config->group, &check->interfaces, check->loop.group);
}

static bool self_test_arrived(const struct check *check) {
    return cg_gateway_totals(check->loop.gateway)->fates[CG_FATE_MALFORMED] > check->malformed_before;
}

static void test_itself(struct check *check, struct cg_outlet *outlet) {
    if (!outlet->has_interface || outlet->source.family == CG_FAMILY_NONE) return;
    check->malformed_before = cg_gateway_totals(check->loop.gateway)->fates[CG_FATE_MALFORMED];
    outlet->self_test_done = cg_outlet_send_self_test(outlet);
    if (outlet->self_test_done) outlet->self_test_passed = wait_until(check, self_test_arrived, SELF_TEST_PATIENCE_MS);
}

/* The request */

static bool is_replied(const struct check *check) { return check->heard.is_over; }

static void request(struct check *check) {
    struct cg_ticket ticket;
    struct cg_gateway *gateway = check->loop.gateway;
    const struct cg_mapping *mapping = check->mapping;
    if (cg_gateway_new_exchange(gateway, &ticket, &check->findings.problem) < 0) return;
    struct cg_request *fresh = cg_gateway_request(gateway, ticket);
    fresh->method = CG_GET;
    fresh->may_be_anonymous = true;
    fresh->host = mapping->host == NULL ? CG_SLICE_NONE : cg_slice_str(mapping->host);
    fresh->path = cg_slice_str(mapping->path[0] == 0 ? "/" : mapping->path);
    cg_gateway_start(gateway, ticket, &check->heard.sink, cg_loop_now_us());
    wait_until(check, is_replied, 3 * mapping->timeout_us / 1000 + REPLY_MARGIN_MS);
    check->findings.problem = check->heard.problem;
}

static void ping_silent(struct cg_silent *silent, size_t count, struct check *check) {
    struct cg_probe probes[CG_SILENT_MAX];
    for (size_t i = 0; i < count; i++) {
        silent[i].probe.to = with_zone(check, silent[i].probe.to);
        silent[i].way = cg_evidence_route(&silent[i].probe.to);
        probes[i] = silent[i].probe;
    }
    cg_probes_run(probes, count);
    for (size_t i = 0; i < count; i++) silent[i].probe = probes[i];
}

static enum cg_family family_of(const struct cg_findings *findings) {
    return findings->outlets[0].group.family == CG_FAMILY_IPV6 ? CG_FAMILY_IPV6 : CG_FAMILY_IPV4;
}

static void send_and_watch(struct check *check) {
    struct cg_findings *findings = &check->findings;
    struct cg_group_socket *group = check->loop.group;
    const struct cg_totals *totals = cg_gateway_totals(check->loop.gateway);
    const struct cg_totals before = *totals;
    uint64_t reverse = cg_evidence_reverse_path_drops(), drops = cg_group_socket_kernel_drops(group);
    cg_wiretap_open(&findings->tap, cg_group_socket_port(group, CG_FAMILY_IPV4),
                    cg_group_socket_port(group, CG_FAMILY_IPV6));
    findings->tapped = findings->tap.fd >= 0;
    request(check);
    if (findings->problem.err == 0) wait_until(check, never, STRAGGLERS_MS);
    cg_wiretap_read(&findings->tap);
    cg_wiretap_close(&findings->tap);
    uv_run(&check->loop.uv, UV_RUN_NOWAIT); /* what the tap has seen is the gateway's to read, too */
    findings->received = totals->datagrams - before.datagrams;
    for (size_t i = 0; i < CG_FATE_COUNT; i++) findings->fates[i] = totals->fates[i] - before.fates[i];
    findings->reverse_path_drops = cg_evidence_reverse_path_drops() - reverse;
    findings->kernel_drops = cg_group_socket_kernel_drops(group) - drops;
    findings->buffer_asked = check->config->group.receive_buffer;
    findings->buffer_got = cg_group_socket_buffer(group, family_of(findings));
}

static void look_at_outlets(struct check *check) {
    struct cg_findings *findings = &check->findings;
    for (size_t i = 0; i < findings->outlet_count; i++) {
        look_at_outlet(check, &findings->outlets[i], &check->mapping->targets[i]);
        cg_print_outlet(findings, &findings->outlets[i]);
    }
    fflush(stdout);
    for (size_t i = 0; i < findings->outlet_count && !findings->interrupted; i++)
        test_itself(check, &findings->outlets[i]);
}

static void conclude(struct check *check, struct cg_buf *rules) {
    struct cg_findings *findings = &check->findings;
    findings->answered = check->heard.summary.answered;
    findings->missing = check->heard.summary.missing;
    findings->rejected = check->heard.summary.rejected;
    findings->late = (uint32_t)findings->fates[CG_FATE_LATE]; /* those after the reply, too */
    findings->first_rejection = check->heard.first_rejection[0] == 0 ? NULL : check->heard.first_rejection;
    findings->silent = check->heard.silent;
    findings->silent_count = check->heard.silent_count;
    if (findings->answered == 0 || findings->missing > 0) findings->has_rules = cg_evidence_rules(rules);
    findings->rules = cg_buf_slice(rules);
}

static int perform(struct check *check) {
    struct cg_buf rules;
    cg_buf_init(&rules, 0);
    cg_names_open(check->names, &check->loop.uv);
    if (!names_are_known(check)) wait_until(check, names_are_known, NAMES_PATIENCE_MS);
    cg_print_mapping(check->mapping);
    look_at_outlets(check);
    send_and_watch(check);
    if (check->findings.problem.err == 0 && !check->findings.interrupted)
        ping_silent(check->heard.silent, check->heard.silent_count, check);
    conclude(check, &rules);
    cg_print_findings(&check->findings, &check->heard, &check->emissions);
    cg_buf_fini(&rules);
    return check->heard.summary.answered > 0 ? CG_CHECK_ANSWERED : CG_CHECK_SILENT;
}

/* Getting ready */

static struct cg_mapping *find_mapping(struct cg_config *config, const char *name) {
    const struct cg_mapping *found = cg_mapping_by_name(config, name);
    if (found != NULL) return &config->mappings[found->number];
    fprintf(stderr, "castgate: no mapping is called \"%s\"%s", name, config->mapping_count > 0 ? "; there are:" : "");
    for (size_t i = 0; i < config->mapping_count; i++) fprintf(stderr, " %s", config->mappings[i].name);
    fputc('\n', stderr);
    return NULL;
}

/* Who may run this may read the keys: grants, methods and budgets are not what is checked. */
static bool open_mapping(struct cg_config *config, struct cg_mapping *mapping) {
    struct cg_grant *grant = cg_arena_zalloc(&config->arena, sizeof *grant);
    if (grant == NULL) return false;
    grant->methods = CG_METHODS_ALL;
    mapping->grants = grant;
    mapping->grant_count = 1;
    mapping->methods |= CG_METHOD_BIT(CG_GET);
    mapping->requests_per_minute = 0;
    config->http.strict = false;
    if (mapping->has_timeout) return true;
    mapping->has_timeout = true;
    mapping->timeout_us = (uint64_t)((mapping->leisure + 2) * 1e6);
    return true;
}

static bool port_is_taken(const struct cg_group_settings *group) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(group->port)};
    if (group->port == 0) return false;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool taken = fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof any) != 0;
    if (fd >= 0) close(fd);
    return taken;
}

static void leave_port(struct cg_config *config) {
    if (!port_is_taken(&config->group)) return;
    printf("group.port %u is in use, by a gateway that runs perhaps: this check uses another one.\n",
           (unsigned)config->group.port);
    config->group.port = 0;
}

static bool prepare(struct check *check, struct cg_problem *problem) {
    struct cg_config *config = check->config;
    struct cg_findings *findings = &check->findings;
    const struct cg_mapping *mapping = check->mapping;
    *findings = (struct cg_findings){.config = config, .mapping = mapping, .tap = {.fd = -1}};
    findings->unicast = mapping->complete && mapping->member_count == 1 && mapping->target_count == 1 &&
                        mapping->members[0].addr.family != CG_FAMILY_NONE;
    findings->outlet_count = mapping->target_count;
    findings->outlets = calloc(mapping->target_count, sizeof *findings->outlets);
    check->names = cg_names_new(&(struct cg_names_options){0});
    if (findings->outlets == NULL || check->names == NULL || cg_emissions_init(&check->emissions, findings) < 0) {
        return cg_problem_no_memory(problem) == CG_OK;
    }
    return cg_interfaces_init(&check->interfaces, problem) == CG_OK &&
           cg_names_attach(check->names, config, problem) == CG_OK &&
           cg_protectors_attach(&check->protectors, config, problem) == CG_OK;
}

/* A plain mapping leaves the state folder to the gateway that may be running. */
static bool open_protectors(struct check *check, struct cg_problem *problem) {
    if (check->mapping->security != CG_SECURITY_GROUP) return true;
    return cg_protectors_open(&check->protectors, &check->loop.uv, check->loop.gateway, check->config, problem) ==
           CG_OK;
}

static int run_loop(struct check *check, struct cg_problem *problem) {
    if (cg_loop_init(&check->loop, check->config, on_signal, check, problem) < 0) return CG_CHECK_SETTINGS;
    cg_emissions_attach(&check->emissions, &check->loop.port);
    CG_CHECK(uv_timer_init(&check->loop.uv, &check->timer) == 0);
    check->timer.data = check;
    int status = CG_CHECK_SETTINGS;
    if (open_protectors(check, problem)) status = perform(check);
    uv_close((uv_handle_t *)&check->timer, NULL);
    cg_protectors_close(&check->protectors, NULL, NULL);
    cg_names_close(check->names);
    cg_loop_close(&check->loop);
    cg_loop_run(&check->loop);
    cg_loop_fini(&check->loop);
    return status;
}

static void finish(struct check *check) {
    cg_protectors_fini(&check->protectors);
    cg_names_free(check->names);
    cg_interfaces_fini(&check->interfaces);
    cg_check_sink_fini(&check->heard);
    cg_emissions_fini(&check->emissions);
    free(check->findings.outlets);
    free(check);
}

static struct check *new_check(struct cg_config *config, struct cg_mapping *mapping) {
    struct check *check = calloc(1, sizeof *check);
    if (check == NULL) return NULL;
    check->config = config;
    check->mapping = mapping;
    check->interfaces = (struct cg_interfaces){.query_fd = -1, .news_fd = -1};
    cg_check_sink_init(&check->heard, on_over, check);
    cg_protectors_init(&check->protectors);
    return check;
}

static int run(struct cg_config *config, struct cg_mapping *mapping, struct cg_problem *problem) {
    int status = CG_CHECK_SETTINGS;
    struct check *check = open_mapping(config, mapping) ? new_check(config, mapping) : NULL;
    if (check == NULL) {
        cg_problem_no_memory(problem);
        return CG_CHECK_SETTINGS;
    }
    leave_port(config);
    if (prepare(check, problem)) status = run_loop(check, problem);
    finish(check);
    return status;
}

int cg_check_run(struct cg_config *config, const char *name) {
    struct cg_problem problem = {0};
    struct cg_mapping *mapping = find_mapping(config, name);
    if (mapping == NULL) return CG_CHECK_SETTINGS;
    if (mapping->security == CG_SECURITY_RELAY) {
        fprintf(stderr,
                "castgate: mapping \"%s\" relays what its clients have protected: only one of them can send such a "
                "request\n",
                name);
        return CG_CHECK_SETTINGS;
    }
    cg_log_set_level((enum cg_log_level)(CG_LOG_ERROR + 1)); /* it is all told in words */
    int status = run(config, mapping, &problem);
    if (problem.err < 0) fprintf(stderr, "castgate: %s\n", problem.detail);
    return status;
}
