/* One request, told in full, and further ones where that was not answered. The hard thing is that the check must be the
 * real thing: the gateway that runs, or one like it (bench.h), sends what clients send. What this host can see of it
 * beside that is looked at here, with the rights of whoever asks. */
#include "app/check/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/check/bench.h"
#include "app/check/print.h"
#include "base/log.h"
#include "model/mapping.h"

enum {
    SELF_TEST_PATIENCE_MS = 500,
    NEIGHBOUR_PATIENCE_MS = 9000, /* DELAY_FIRST_PROBE_TIME, and three probes a second apart (RFC 4861 §10) */
    LOOK_MS = 50,                 /* between looks */
    ASKED_MAX = 3,                /* silent members that are asked by unicast */
};

struct check {
    struct cg_config *config;
    const struct cg_mapping *mapping;
    struct cg_check_order order; /* of the group request */
    char path[256];
    struct cg_check_bench *bench;
    struct cg_interfaces interfaces;
    struct cg_findings findings;
};

static void pause_ms(unsigned ms) {
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* The ways out */

/* As the core does it: a link-local member without zone is on the first target's link. */
static struct cg_addr with_zone(struct check *check, struct cg_addr addr) {
    struct cg_interface by;
    struct cg_problem unused = {0};
    bool misses_zone = cg_addr_is_link_local(&addr) && addr.scope == 0;
    if (misses_zone &&
        cg_interfaces_find(&check->interfaces, check->mapping->targets[0].interface, &by, &unused) == CG_OK)
        addr.scope = by.index;
    return addr;
}

/* What a name stands for the gateway knows. */
static struct cg_addr group_of(const struct check *check, size_t i) {
    const struct cg_target *target = &check->mapping->targets[i];
    if (cg_target_is_hop(target)) return cg_next_hop_addr(&target->next_hop);
    if (target->host.len == 0) return target->group;
    return i < CG_CHECK_SENT_MAX ? check->findings.facts.groups[i] : (struct cg_addr){0};
}

static void look_at_outlet(struct check *check, size_t i) {
    const struct cg_findings *findings = &check->findings;
    struct cg_outlet *outlet = &findings->outlets[i];
    const struct cg_target *target = &check->mapping->targets[i];
    bool unicast = findings->unicast;
    outlet->target = target;
    outlet->group = unicast ? with_zone(check, check->mapping->members[0].addr) : group_of(check, i);
    if (outlet->group.family == CG_FAMILY_NONE) {
        cg_problem_set(&outlet->problem, CG_E_EMIT, "%.*s is no group: %s", (int)target->host.len,
                       (const char *)target->host.data, findings->facts.why);
        return;
    }
    uint32_t port = outlet->group.family == CG_FAMILY_IPV4 ? findings->facts.port_v4 : findings->facts.port_v6;
    cg_outlet_look(outlet, unicast || cg_target_is_hop(target), &check->config->group, &check->interfaces,
                   (uint16_t)port);
}

static bool self_test_arrived(struct check *check) {
    struct cg_check_facts now;
    struct cg_problem unused = {0};
    for (unsigned ms = 0; ms < SELF_TEST_PATIENCE_MS; ms += LOOK_MS) {
        if (check->bench->facts(check->bench, &now, &unused) && now.malformed != check->findings.facts.malformed)
            return true;
        pause_ms(LOOK_MS);
    }
    return false;
}

static void test_itself(struct check *check, struct cg_outlet *outlet) {
    struct cg_problem unused = {0};
    if (!outlet->has_interface || outlet->source.family == CG_FAMILY_NONE) return;
    if (!check->bench->facts(check->bench, &check->findings.facts, &unused)) return;
    outlet->self_test_done = cg_outlet_send_self_test(outlet);
    if (outlet->self_test_done) outlet->self_test_passed = self_test_arrived(check);
}

static void look_at_outlets(struct check *check) {
    struct cg_findings *findings = &check->findings;
    for (size_t i = 0; i < findings->outlet_count; i++) {
        look_at_outlet(check, i);
        cg_print_outlet(findings, &findings->outlets[i]);
    }
    fflush(stdout);
    for (size_t i = 0; i < findings->outlet_count && !check->bench->interrupted; i++)
        test_itself(check, &findings->outlets[i]);
}

/* The request */

static void send_and_watch(struct check *check) {
    struct cg_findings *findings = &check->findings;
    struct cg_drops before;
    cg_evidence_drops(&before);
    cg_wiretap_open(&findings->tap, (uint16_t)findings->facts.port_v4, (uint16_t)findings->facts.port_v6);
    findings->tapped = findings->tap.fd >= 0;
    if (check->bench->run(check->bench, &check->order, &findings->group, &findings->problem))
        findings->problem = findings->group.problem;
    cg_wiretap_read(&findings->tap);
    cg_wiretap_close(&findings->tap);
    cg_evidence_drops(&findings->drops);
    findings->drops.reverse_path -= before.reverse_path;
    findings->drops.checksums -= before.checksums;
    findings->interrupted = check->bench->interrupted;
}

/* Silent members */

static void ping_silent(struct cg_silent *silent, size_t count) {
    struct cg_probe probes[CG_SILENT_MAX];
    for (size_t i = 0; i < count; i++) probes[i] = silent[i].probe;
    cg_probes_run(probes, count);
    for (size_t i = 0; i < count; i++) silent[i].probe = probes[i];
}

/* Where a next hop is asked nobody: behind it an address is not the host that has it here. */
static void find_silent(struct check *check) {
    struct cg_findings *findings = &check->findings;
    if (cg_mapping_has_hop(check->mapping)) return;
    findings->silent_count = findings->group.silent_count;
    for (size_t i = 0; i < findings->silent_count; i++) {
        struct cg_silent *silent = &findings->silent[i];
        const struct cg_addr to = with_zone(check, findings->group.silent[i].addr);
        memcpy(silent->name, findings->group.silent[i].name, sizeof silent->name);
        silent->probe.to = to;
        silent->way = cg_evidence_route(&to);
        silent->source = cg_evidence_source(&to, NULL);
    }
}

static bool look_for_neighbour(struct cg_silent *silent) {
    if (silent->probe.result == CG_PROBE_PONG || silent->way.routed || silent->way.interface == 0) return false;
    silent->neighbour = cg_evidence_neighbour(&silent->probe.to, silent->way.interface);
    return true;
}

static bool is_doubtful(struct cg_silent *silent) {
    return look_for_neighbour(silent) && silent->neighbour == CG_NEIGHBOUR_DOUBTFUL;
}

/* Who was there some time ago may have gone since. */
static void look_for_neighbours(struct cg_findings *findings) {
    for (size_t i = 0; i < findings->silent_count; i++) {
        struct cg_silent *silent = &findings->silent[i];
        if (look_for_neighbour(silent) && silent->neighbour == CG_NEIGHBOUR_PRESENT)
            cg_evidence_doubt_neighbour(&silent->probe.to, silent->way.interface);
    }
    for (unsigned ms = 0; ms < NEIGHBOUR_PATIENCE_MS; ms += LOOK_MS) {
        size_t doubtful = 0;
        for (size_t i = 0; i < findings->silent_count; i++) doubtful += is_doubtful(&findings->silent[i]);
        if (doubtful == 0) return;
        pause_ms(LOOK_MS);
    }
}

/* Where nothing listens at a member's port something may at the group's, or at CoAP's own. */
static void look_at_other_ports(struct cg_findings *findings) {
    const uint16_t group_port = findings->mapping->targets[0].group.port;
    const uint16_t ports[] = {group_port, CG_COAP_PORT};
    for (size_t i = 0; i < findings->silent_count; i++) {
        struct cg_silent *silent = &findings->silent[i];
        if (silent->probe.result != CG_PROBE_ICMP || silent->probe.why != CG_UNREACHABLE_PORT) continue;
        for (size_t j = 0; j < 2 && silent->other_port == 0; j++) {
            struct cg_probe other = {.to = silent->probe.to};
            other.to.port = ports[j];
            if (ports[j] == silent->probe.to.port) continue;
            cg_probes_run(&other, 1);
            if (other.result == CG_PROBE_PONG) silent->other_port = ports[j];
        }
        return; /* the others are as this one, or told by their own ping */
    }
}

/* The last that it said, an answer before rejections. */
static void ask(struct check *check, struct cg_silent *silent) {
    struct cg_check_order order = check->order;
    struct cg_check_result result;
    struct cg_problem unused = {0};
    order.only = cg_mapping_member(check->mapping, cg_slice_str(silent->name));
    if (order.only == NULL) return;
    cg_check_result_init(&result);
    silent->asked = check->bench->run(check->bench, &order, &result, &unused) && result.problem.err == 0;
    silent->said = result.kind_count > 0;
    if (silent->said) silent->word = result.kinds[0];
    cg_check_result_fini(&result);
}

/* Those who are up. */
static void ask_silent(struct check *check) {
    struct cg_findings *findings = &check->findings;
    unsigned asked = 0;
    for (size_t i = 0; i < findings->silent_count && asked < ASKED_MAX && !check->bench->interrupted; i++) {
        struct cg_silent *silent = &findings->silent[i];
        if (silent->probe.result != CG_PROBE_PONG) continue;
        ask(check, silent);
        asked++;
    }
}

/* What every member may answer, where nobody is known who could be asked. */
static void ask_for_core(struct check *check) {
    struct cg_findings *findings = &check->findings;
    struct cg_check_order order = check->order;
    struct cg_problem unused = {0};
    bool nothing = findings->group.answered == 0 && findings->group.received == 0 && findings->tap.total == 0;
    if (!nothing || check->order.core || check->mapping->member_count > 0 || check->bench->interrupted) return;
    order.core = true;
    order.rest = order.query = CG_SLICE_NONE;
    findings->core_asked =
        check->bench->run(check->bench, &order, &findings->core, &unused) && findings->core.problem.err == 0;
}

static void find_causes(struct check *check) {
    struct cg_findings *findings = &check->findings;
    find_silent(check);
    ping_silent(findings->silent, findings->silent_count);
    look_for_neighbours(findings);
    look_at_other_ports(findings);
    if (!findings->unicast) ask_silent(check);
    ask_for_core(check);
}

/* All of it */

static bool somebody_answered(const struct cg_findings *findings) {
    if (findings->group.answered > 0) return true;
    for (size_t i = 0; i < findings->silent_count && findings->mapping->repair_unicast; i++) {
        if (findings->silent[i].said && findings->silent[i].word.reason[0] == '\0') return true;
    }
    return false;
}

static int perform(struct check *check) {
    struct cg_findings *findings = &check->findings;
    struct cg_buf rules;
    cg_buf_init(&rules, 0);
    cg_print_mapping(findings);
    look_at_outlets(check);
    send_and_watch(check);
    if (findings->problem.err == 0 && !findings->interrupted) find_causes(check);
    if (findings->group.answered == 0 || findings->group.missing > 0) findings->has_rules = cg_evidence_rules(&rules);
    findings->rules = cg_buf_slice(&rules);
    cg_print_findings(findings);
    cg_buf_fini(&rules);
    return somebody_answered(findings) ? CG_CHECK_ANSWERED : CG_CHECK_SILENT;
}

/* Getting ready */

/* "MAPPING", "MAPPING/PATH", "MAPPING?QUERY", with PATH and QUERY as in a URI. */
static struct cg_slice split(const char *text, struct cg_check_order *order) {
    size_t name = strcspn(text, "/?"), rest = strcspn(text + name, "?");
    order->rest = cg_slice_of(text + name, rest);
    if (text[name + rest] == '?') order->query = cg_slice_str(text + name + rest + 1);
    return cg_slice_of(text, name);
}

static const struct cg_mapping *find_mapping(const struct cg_config *config, struct cg_slice name) {
    const struct cg_mapping *mapping;
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(config, &next)) != NULL;) {
        if (cg_slice_is(name, mapping->name)) return mapping;
    }
    fprintf(stderr, "castgate: no mapping is called \"%.*s\"%s", (int)name.len, (const char *)name.data,
            cg_config_mappings(config) > 0 ? "; there are:" : "");
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(config, &next)) != NULL;)
        fprintf(stderr, " %s", mapping->name);
    fputc('\n', stderr);
    return NULL;
}

/* A server need not have anything at its root. */
static bool has_no_path(const struct cg_check_order *order) {
    const struct cg_target *target = &order->mapping->targets[0];
    return order->rest.len == 0 && order->query.len == 0 && target->query.len == 0 &&
           (target->path.len == 0 || cg_slice_is(target->path, "/"));
}

static bool prepare(struct check *check, struct cg_problem *problem) {
    struct cg_findings *findings = &check->findings;
    const struct cg_mapping *mapping = check->mapping;
    findings->config = check->config;
    findings->mapping = mapping;
    findings->tap.fd = -1;
    findings->as_root = geteuid() == 0;
    findings->listened_s = cg_check_listens(&check->order);
    findings->unicast = mapping->complete && mapping->member_count == 1 && mapping->target_count == 1 &&
                        mapping->members[0].addr.family != CG_FAMILY_NONE;
    findings->outlet_count = mapping->target_count;
    findings->outlets = calloc(mapping->target_count, sizeof *findings->outlets);
    if (findings->outlets == NULL) return cg_problem_no_memory(problem) == CG_OK;
    return cg_interfaces_init(&check->interfaces, problem) == CG_OK;
}

static const char *other_settings = "The running gateway has other settings of this mapping than the file: it was "
                                    "checked as the gateway has it. Reload the gateway (SIGHUP) for the file's.\n";

/* A gateway that runs and will not be asked keeps the state folder, which a plain mapping does not need. */
static bool choose_bench(struct check *check, struct cg_problem *problem) {
    struct cg_findings *findings = &check->findings;
    struct cg_problem refusal = {0};
    bool differs = false;
    enum cg_check_beside beside =
        cg_check_beside(check->config->state, check->mapping, &check->bench, &differs, &refusal);
    findings->beside = beside == CG_CHECK_BESIDE;
    if (differs) fputs(other_settings, stdout);
    if (beside == CG_CHECK_REFUSED && check->mapping->security == CG_SECURITY_GROUP) {
        *problem = refusal;
        return false;
    }
    if (beside == CG_CHECK_REFUSED) printf("Checked without the gateway that runs: %s\n", refusal.detail);
    if (check->bench == NULL) check->bench = cg_check_own(check->config, check->mapping, problem);
    return check->bench != NULL && check->bench->facts(check->bench, &findings->facts, problem);
}

static int check_it(struct check *check, struct cg_problem *problem) {
    int status = CG_CHECK_SETTINGS;
    if (prepare(check, problem) && choose_bench(check, problem)) status = perform(check);
    if (check->bench != NULL) check->bench->close(check->bench);
    cg_interfaces_fini(&check->interfaces);
    cg_check_result_fini(&check->findings.group);
    cg_check_result_fini(&check->findings.core);
    free(check->findings.outlets);
    return status;
}

/* For people; what does not fit is cut. */
static void put_path(char *to, size_t size, const struct cg_check_order *order) {
    struct cg_slice path = order->mapping->targets[0].path;
    if (order->core) path = cg_slice_str(CG_CHECK_CORE_PATH);
    if (path.len > 0 && order->rest.len > 0 && path.data[path.len - 1] == '/') path.len--;
    snprintf(to, size, "%.*s%.*s%s%.*s", (int)path.len, (const char *)path.data, (int)order->rest.len,
             (const char *)order->rest.data, order->query.len > 0 ? "?" : "", (int)order->query.len,
             (const char *)order->query.data);
}

static int run(struct cg_config *config, const struct cg_check_order *order, struct cg_problem *problem) {
    struct check *check = calloc(1, sizeof *check);
    if (check == NULL) {
        cg_problem_no_memory(problem);
        return CG_CHECK_SETTINGS;
    }
    check->config = config;
    check->mapping = order->mapping;
    check->order = *order;
    put_path(check->path, sizeof check->path, order);
    check->findings.path = check->path;
    check->interfaces = (struct cg_interfaces){.query_fd = -1, .news_fd = -1};
    cg_check_result_init(&check->findings.group);
    cg_check_result_init(&check->findings.core);
    int status = check_it(check, problem);
    free(check);
    return status;
}

int cg_check_run(struct cg_config *config, const char *what) {
    struct cg_problem problem = {0};
    struct cg_check_order order = {0};
    order.mapping = find_mapping(config, split(what, &order));
    if (order.mapping == NULL) return CG_CHECK_SETTINGS;
    if (order.mapping->security == CG_SECURITY_RELAY) {
        fprintf(stderr,
                "castgate: mapping \"%s\" relays what its clients have protected: only one of them can send such a "
                "request\n",
                order.mapping->name);
        return CG_CHECK_SETTINGS;
    }
    order.core = has_no_path(&order);
    cg_log_set_level((enum cg_log_level)(CG_LOG_ERROR + 1)); /* it is all told in words */
    int status = run(config, &order, &problem);
    if (problem.err < 0) fprintf(stderr, "castgate: %s\n", problem.detail);
    return status;
}
