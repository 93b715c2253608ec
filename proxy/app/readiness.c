/* Reasons, from those who know them. The hard thing is that none of it may cost by mappings: who relies on what was
 * counted when the settings were read (model/reliance.h). */
#include "app/readiness.h"

#include "app/program.h"
#include "base/log.h"

#include <stdio.h>

enum { LINES_MAX = 20 };

struct report {
    struct cg_buf *to;
    enum cg_readiness_names names;
    size_t count;
};

static void put_reliance(struct cg_buf *to, const struct cg_reliance *on, enum cg_readiness_names names) {
    size_t named = 0;
    while (named < CG_RELIANCE_NAMED && on->names[named] != NULL) named++;
    if (names == CG_READINESS_COUNTS || named == 0) {
        cg_buf_printf(to, "%zu mapping%s", on->count, on->count == 1 ? "" : "s");
        return;
    }
    cg_buf_put_str(to, on->count == 1 ? "mapping" : "mappings");
    for (size_t i = 0; i < named; i++) cg_buf_printf(to, "%s %s", i == 0 ? "" : ",", on->names[i]);
    if (on->count > named) cg_buf_printf(to, " and %zu more", on->count - named);
}

/* False: there are lines enough. */
static bool begin_line(struct report *report) { return report->count++ < LINES_MAX; }

/* ---- The store and keys ---- */

static bool is_needed(const struct cg_config *config) {
    for (size_t i = 0; i < config->security_group_count; i++) {
        if (cg_reliance_on_group(config, i)->count > 0) return true;
    }
    return false;
}

static void report_store(struct report *report, const struct cg_program *program, const struct cg_config *config) {
    struct cg_problem problem = {0};
    if (cg_protectors_status(&program->protectors, &problem) == CG_OK || !begin_line(report)) return;
    cg_buf_printf(report->to, "%s%s\n", problem.detail, is_needed(config) ? "" : " (no mapping needs it)");
}

/* ---- What is stored ---- */

static void report_stock(struct report *report, const struct cg_program *program) {
    const struct cg_problem *problem = &program->stock_problem;
    if (problem->err == CG_OK || !begin_line(report)) return;
    cg_buf_printf(report->to, "what is stored is not in use: %s\n",
                  report->names == CG_READINESS_NAMES ? problem->detail : cg_err_info(problem->err)->text);
}

static void report_key(struct report *report, const char *group, const struct cg_reliance *on, const char *reason) {
    if (!begin_line(report)) return;
    bool named = report->names == CG_READINESS_NAMES;
    cg_buf_printf(report->to, "%s%s (", named ? "security group " : "a security group", named ? group : "");
    put_reliance(report->to, on, report->names);
    cg_buf_printf(report->to, "): %s\n", reason);
}

static void report_keys(struct report *report, const struct cg_program *program, const struct cg_config *config) {
    for (size_t i = 0; i < config->security_group_count; i++) {
        const char *name = config->security_groups[i].name;
        const struct cg_reliance *on = cg_reliance_on_group(config, i);
        const char *reason = on->count == 0 ? NULL : cg_claims_reason(cg_claims_state(&program->claims, name));
        if (reason != NULL) report_key(report, name, on, reason);
    }
}

static void report_clients(struct report *report, const struct cg_program *program, const struct cg_config *config) {
    bool named = report->names == CG_READINESS_NAMES;
    for (size_t i = 0; program->client_claims.refused > 0 && i < config->client_count; i++) {
        const char *reason = cg_client_claims_reason(&program->client_claims, &config->clients[i]);
        if (reason == NULL || !begin_line(report)) continue;
        cg_buf_printf(report->to, "%s%s: %s\n", named ? "client " : "a client", named ? config->clients[i].name : "",
                      reason);
    }
}

/* ---- Interfaces ---- */

bool cg_readiness_has_interface(const struct cg_program *program, const struct cg_config *config,
                                const struct cg_interface_reliance *by, struct cg_problem *problem) {
    bool source_is_set = config->group.address.family == CG_FAMILY_IPV4;
    enum cg_source_need need = by->over_ipv4 > 0 && !source_is_set ? CG_SOURCE_IS_ITS_IPV4 : CG_SOURCE_IS_THERE;
    return cg_group_socket_look(program->loop.group, by->interface, need, problem) == CG_OK;
}

/* What is done with each interface that is missing or of no use. */
typedef void useless_fn(void *ctx, const struct cg_reliance *on, const char *reason);

static void each_useless(const struct cg_program *program, const struct cg_config *config, useless_fn *take,
                         void *ctx) {
    for (size_t i = 0; i < config->reliances.interface_count; i++) {
        const struct cg_interface_reliance *by = &config->reliances.interfaces[i];
        struct cg_problem problem = {0};
        if (!cg_readiness_has_interface(program, config, by, &problem)) take(ctx, &by->on, problem.detail);
    }
}

static void report_interface(void *ctx, const struct cg_reliance *on, const char *reason) {
    struct report *report = ctx;
    if (!begin_line(report)) return;
    put_reliance(report->to, on, report->names);
    cg_buf_printf(report->to, ": %s\n", report->names == CG_READINESS_NAMES ? reason : "the interface is of no use");
}

static void put_consequence(struct cg_buf *to, const struct cg_reliance *on, const char *reason) {
    cg_buf_init(to, 0);
    cg_buf_printf(to, "%s; until this is mended nothing can be sent for ", reason);
    put_reliance(to, on, CG_READINESS_NAMES);
}

static void log_interface(void *ctx, const struct cg_reliance *on, const char *reason) {
    struct cg_buf said;
    (void)ctx;
    put_consequence(&said, on, reason);
    cg_log(CG_LOG_WARNING, "interface", "%.*s", (int)said.len, (const char *)said.data);
    cg_buf_fini(&said);
}

void cg_readiness_log_interfaces(struct cg_program *program) {
    each_useless(program, cg_gateway_config(program->loop.gateway), log_interface, NULL);
}

size_t cg_readiness_put(struct cg_program *program, enum cg_readiness_names names, struct cg_buf *to) {
    const struct cg_config *config = cg_gateway_config(program->loop.gateway);
    struct report report = {.to = to, .names = names};
    report_store(&report, program, config);
    report_stock(&report, program);
    report_keys(&report, program, config);
    report_clients(&report, program, config);
    each_useless(program, config, report_interface, &report);
    if (report.count > LINES_MAX) cg_buf_printf(to, "and %zu more\n", report.count - LINES_MAX);
    return report.count;
}

/* ---- As warnings ---- */

static void warn_of_keys(struct cg_program *program, const struct cg_config *config, struct cg_mistakes *warnings) {
    char pointer[CG_NAME_MAX + 32];
    for (size_t i = 0; i < config->security_group_count; i++) {
        const char *name = config->security_groups[i].name;
        const char *reason = cg_claims_reason(cg_claims_state(&program->claims, name));
        if (reason == NULL) continue;
        snprintf(pointer, sizeof pointer, "/security-groups/%s", name);
        cg_warnings_add(warnings, "key-cannot-send", pointer, "security group %s: %s", name, reason);
    }
}

static void warn_of_clients(struct cg_program *program, const struct cg_config *config, struct cg_mistakes *warnings) {
    char pointer[CG_NAME_MAX + 32];
    for (size_t i = 0; program->client_claims.refused > 0 && i < config->client_count; i++) {
        const char *name = config->clients[i].name;
        const char *reason = cg_client_claims_reason(&program->client_claims, &config->clients[i]);
        if (reason == NULL) continue;
        snprintf(pointer, sizeof pointer, "/clients/%s", name);
        cg_warnings_add(warnings, "key-cannot-send", pointer, "client %s: %s", name, reason);
    }
}

static void warn_of_interface(void *ctx, const struct cg_reliance *on, const char *reason) {
    struct cg_buf said;
    put_consequence(&said, on, reason);
    cg_warnings_add(ctx, "interface-missing", "/group/interface", "%.*s", (int)said.len, (const char *)said.data);
    cg_buf_fini(&said);
}

void cg_readiness_warn(struct cg_program *program, struct cg_mistakes *warnings) {
    const struct cg_config *config = cg_gateway_config(program->loop.gateway);
    struct cg_problem problem = {0};
    if (cg_protectors_status(&program->protectors, &problem) < 0)
        cg_warnings_add(warnings, "store-unavailable", "/state", "%s", problem.detail);
    if (program->stock_problem.err < 0)
        cg_warnings_add(warnings, "store-unavailable", "/state", "what is stored is not in use: %s",
                        program->stock_problem.detail);
    warn_of_keys(program, config, warnings);
    warn_of_clients(program, config, warnings);
    each_useless(program, config, warn_of_interface, warnings);
}
