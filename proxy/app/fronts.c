/* The table of fronts. The hard thing: what a front is opened with differs from one to the next, and ends here; behind
 * this all are alike. */
#include "app/fronts.h"

#include <time.h>

#include "app/admin_forget.h"
#include "app/budget_links.h"
#include "app/certificates.h"
#include "app/program.h"
#include "app/readiness.h"
#include "app/report_line.h"
#include "app/system.h"
#include "base/log.h"
#include "fronts/admin/admin.h"
#include "fronts/coap/alerts.h"
#include "fronts/coap/front.h"
#include "fronts/http/front.h"

struct front {
    const char *name;
    void *(*open)(struct cg_program *program, struct cg_problem *problem);
    size_t (*listeners)(const struct cg_config *config);
    const struct cg_listen *(*wanted)(const struct cg_config *config, size_t index);
    bool (*encrypts)(const struct cg_config *config, size_t index);
    const struct cg_listen *(*listen)(const void *front, size_t index); /* NULL: it does without that one */
    int (*reload)(void *front, struct cg_problem *problem);             /* NULL: it reads no files */
    void (*stop)(void *front);                                          /* NULL: it serves to the end */
    bool (*is_idle)(const void *front);                                 /* NULL: nobody waits for it */
    void (*metrics)(const void *front, struct cg_buf *to);              /* NULL: it has no figures of its own */
    void (*close)(void *front);                                         /* NULL is fine */
};

/* ---- HTTP ---- */

static void *open_http(struct cg_program *program, struct cg_problem *problem) {
    struct cg_loop *loop = &program->loop;
    return cg_front_http_open(&loop->uv, loop->gateway, &program->plugins.encoders, problem);
}

static size_t http_listeners(const struct cg_config *config) { return config->http.listen_count; }

static const struct cg_listen *http_wanted(const struct cg_config *config, size_t index) {
    return &config->http.listen[index];
}

static bool http_encrypts(const struct cg_config *config, size_t index) {
    (void)index;
    return config->http.tls.certificate != NULL;
}

static const struct cg_listen *http_listen(const void *front, size_t index) {
    return cg_front_http_listen(front, index);
}

static int reload_http(void *front, struct cg_problem *problem) { return cg_front_http_reload(front, problem); }
static void stop_http(void *front) { cg_front_http_stop(front); }
static bool http_is_idle(const void *front) { return cg_front_http_connections(front) == 0; }
static void close_http(void *front) { cg_front_http_close(front, NULL, NULL); }

/* ---- CoAP ---- */

static void *open_coap(struct cg_program *program, struct cg_problem *problem) {
    struct cg_loop *loop = &program->loop;
    return cg_front_coap_open(&loop->uv, loop->gateway, &program->plugins.encoders, &program->protectors.senders,
                              problem);
}

static size_t coap_listeners(const struct cg_config *config) { return config->coap.listen_count; }

static const struct cg_listen *coap_wanted(const struct cg_config *config, size_t index) {
    return &config->coap.listen[index].listen;
}

static bool coap_encrypts(const struct cg_config *config, size_t index) {
    return cg_coap_is_secured(&config->coap.listen[index]);
}

static const struct cg_listen *coap_listen(const void *front, size_t index) {
    return cg_front_coap_listen(front, index);
}

static int reload_coap(void *front, struct cg_problem *problem) { return cg_front_coap_reload(front, problem); }
static bool coap_is_idle(const void *front) { return cg_front_coap_running(front) == 0; }
static void coap_metrics(const void *front, struct cg_buf *to) { cg_front_coap_metrics(front, to); }
static void close_coap(void *front) { cg_front_coap_close(front, NULL, NULL); }

/* ---- Alerts ---- */

static void *open_alerts(struct cg_program *program, struct cg_problem *problem) {
    struct cg_loop *loop = &program->loop;
    return cg_front_alerts_open(&loop->uv, loop->gateway, program->inbound, problem);
}

static size_t alert_listeners(const struct cg_config *config) { return config->alerts.listen_count; }

static const struct cg_listen *alerts_wanted(const struct cg_config *config, size_t index) {
    return &config->alerts.listen[index].listen;
}

static bool alerts_encrypt(const struct cg_config *config, size_t index) {
    return config->alerts.listen[index].scheme == CG_SCHEME_COAPS;
}

static const struct cg_listen *alerts_listen(const void *front, size_t index) {
    return cg_front_alerts_listen(front, index);
}

static void stop_alerts(void *front) { cg_front_alerts_stop(front); }
static bool alerts_are_idle(const void *front) { return cg_front_alerts_running(front) == 0; }
static void close_alerts(void *front) { cg_front_alerts_close(front); }

/* ---- Admin ---- */

static void put_metrics_of_fronts(const struct cg_program *program, struct cg_buf *to);

/* A listener that is missing keeps nobody from serving by the others. */
static bool is_ready(void *ctx, enum cg_admin_reader reader, struct cg_buf *why) {
    struct cg_program *program = ctx;
    bool is_trusted = reader == CG_ADMIN_TRUSTED;
    bool ready = cg_readiness_put(program, is_trusted ? CG_READINESS_NAMES : CG_READINESS_COUNTS, why) == 0;
    cg_listeners_put_missing(&program->listeners, is_trusted ? CG_LISTENERS_NAMED : CG_LISTENERS_COUNTED, why);
    return ready;
}

static void put_metrics(void *ctx, struct cg_buf *to) {
    const struct cg_program *program = ctx;
    cg_protectors_metrics(&program->protectors, to);
    cg_inbound_metrics(program->inbound, to);
    cg_hop_connections_metrics(program->hops, to);
    put_metrics_of_fronts(program, to);
    cg_reactions_metrics(program->reactions, to);
    cg_reports_metrics(program->reports, to);
    cg_certificate_metrics(cg_gateway_config(program->loop.gateway), to);
    cg_buf_printf(to,
                  "# HELP castgate_clock_seconds The gateway's clock, Unix time, to be compared with others'.\n"
                  "# TYPE castgate_clock_seconds gauge\ncastgate_clock_seconds %lld\n",
                  (long long)time(NULL));
    cg_buf_printf(to,
                  "# HELP castgate_log_lines_lost_total Lines of the log that standard error did not take in time.\n"
                  "# TYPE castgate_log_lines_lost_total counter\ncastgate_log_lines_lost_total %llu\n",
                  (unsigned long long)cg_log_writer_lost(program->log));
}

static void put_system(void *ctx, enum cg_role role, struct cg_buf *to) {
    cg_system_put(ctx, role == CG_ROLE_ADMIN ? CG_SYSTEM_PATHS : CG_SYSTEM_WITHOUT_PATHS, to);
}

static void put_report(struct cg_buf *to, const struct cg_handed *handed) {
    cg_report_line(to, handed, 0);
    if (!to->failed) to->len--; /* its end */
}

static void on_admin_seen(void *ctx, const struct cg_admin_who *who) {
    struct cg_program *program = ctx;
    cg_first_token_admin_seen(&program->first_token, who);
}

enum { YEAR_2026_S = 1767225600 };

/* A gateway without a clock of its own begins in 1970: certificates, tokens and the audit go by it. */
static void warn_of_clock(struct cg_mistakes *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec < YEAR_2026_S)
        cg_warnings_add(to, "clock-implausible", "", "the clock says a time before 2026: it has not been set");
}

static void put_warnings(void *ctx, struct cg_mistakes *to) {
    struct cg_program *program = ctx;
    cg_budget_links_warnings(cg_gateway_config(program->loop.gateway), to);
    cg_certificate_warnings(cg_gateway_config(program->loop.gateway), to);
    cg_readiness_warn(program, to);
    cg_protectors_warn(&program->protectors, to);
    warn_of_clock(to);
}

static void *open_admin(struct cg_program *program, struct cg_problem *problem) {
    const struct cg_admin_source source = {.discoveries = program->discoveries,
                                           .forget = cg_admin_forget_by_keeper,
                                           .ready = is_ready,
                                           .metrics = put_metrics,
                                           .put_system = put_system,
                                           .groups = program->groups.groups,
                                           .admin_seen = on_admin_seen,
                                           .warnings = put_warnings,
                                           .ctx = program,
                                           .reports = program->reports,
                                           .put_report = put_report,
                                           .manage = program->manage,
                                           .recorder = program->recorder,
                                           .figures = program->figures,
                                           .encoders = &program->plugins.encoders,
                                           .worker = program->worker};
    return cg_admin_open(&program->loop.uv, program->loop.gateway, &source, problem);
}

static size_t admin_listeners(const struct cg_config *config) { return config->admin.listen_count; }

static const struct cg_listen *admin_wanted(const struct cg_config *config, size_t index) {
    return &config->admin.listen[index];
}

static bool admin_encrypts(const struct cg_config *config, size_t index) {
    (void)index;
    return config->admin.tls.certificate != NULL;
}

static const struct cg_listen *admin_listen(const void *front, size_t index) { return cg_admin_listen(front, index); }
static int reload_admin(void *front, struct cg_problem *problem) { return cg_admin_reload(front, problem); }
static void close_admin(void *front) { cg_admin_close(front, NULL, NULL); }

/* ---- All ---- */

/* clang-format off */
static const struct front fronts[] = {
    {"http", open_http, http_listeners, http_wanted, http_encrypts, http_listen, reload_http, stop_http, http_is_idle, NULL, close_http},
    {"coap", open_coap, coap_listeners, coap_wanted, coap_encrypts, coap_listen, reload_coap, NULL, coap_is_idle, coap_metrics, close_coap},
    {"alerts", open_alerts, alert_listeners, alerts_wanted, alerts_encrypt, alerts_listen, NULL, stop_alerts, alerts_are_idle, NULL, close_alerts},
    {"admin", open_admin, admin_listeners, admin_wanted, admin_encrypts, admin_listen, reload_admin, NULL, NULL, NULL, close_admin},
};
/* clang-format on */

enum { COUNT = sizeof fronts / sizeof *fronts };
_Static_assert(COUNT <= CG_FRONTS_MAX, "the program has no room for so many fronts");

static void put_metrics_of_fronts(const struct cg_program *program, struct cg_buf *to) {
    for (size_t i = 0; i < COUNT; i++) {
        if (fronts[i].metrics != NULL) fronts[i].metrics(program->fronts[i], to);
    }
}

int cg_fronts_open(struct cg_program *program, struct cg_problem *problem) {
    for (size_t i = 0; i < COUNT; i++) {
        program->fronts[i] = fronts[i].open(program, problem);
        if (program->fronts[i] == NULL) return problem->err;
    }
    return CG_OK;
}

static void log_listener(const char *front, const struct cg_listen *listen) {
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&listen->addr, text);
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, "listening");
    cg_log_str(&line, "front", front);
    cg_log_str(&line, "at", text);
    cg_log_end(&line);
}

void cg_fronts_tell_listeners(struct cg_program *program) {
    const struct cg_config *config = cg_gateway_config(program->loop.gateway);
    for (size_t i = 0; i < COUNT; i++) {
        size_t count = fronts[i].listeners(config);
        for (size_t j = 0; j < count; j++) {
            const struct cg_listen *listen = fronts[i].listen(program->fronts[i], j);
            if (listen != NULL) log_listener(fronts[i].name, listen);
            enum cg_listener_security security =
                fronts[i].encrypts(config, j) ? CG_LISTENER_ENCRYPTS : CG_LISTENER_IS_PLAIN;
            cg_listeners_note(&program->listeners, fronts[i].name, fronts[i].wanted(config, j), listen, security);
        }
    }
}

void cg_fronts_reload(const struct cg_program *program) {
    for (size_t i = 0; i < COUNT; i++) {
        struct cg_problem problem = {0};
        if (fronts[i].reload == NULL || fronts[i].reload(program->fronts[i], &problem) == CG_OK) continue;
        cg_log(CG_LOG_ERROR, "reload", "%s: %s; the certificate in use stays", fronts[i].name, problem.detail);
    }
}

void cg_fronts_stop(const struct cg_program *program) {
    for (size_t i = 0; i < COUNT; i++) {
        if (fronts[i].stop != NULL) fronts[i].stop(program->fronts[i]);
    }
}

bool cg_fronts_are_idle(const struct cg_program *program) {
    for (size_t i = 0; i < COUNT; i++) {
        if (fronts[i].is_idle != NULL && !fronts[i].is_idle(program->fronts[i])) return false;
    }
    return true;
}

void cg_fronts_close(const struct cg_program *program) {
    for (size_t i = 0; i < COUNT; i++) fronts[i].close(program->fronts[i]);
}
