/* The admin listener. The hard thing: it serves some things without a token, and a browser may hold a certificate, so a
 * page in somebody's browser must not reach it, be it under another name or from another site: Host and origin are
 * checked before anything else (and there are no CORS headers that would let it read). */
#include "fronts/admin/private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "fronts/admin/page.h"
#include "fronts/http/host.h"
#include "fronts/http/origin.h"
#include "io/loop.h"
#include "settings/settings.h"

enum {
    CONNECTIONS = 64,
    BODIES = 192 << 20, /* bytes, of all bodies that come in or are looked at, as text and as trees */
};

static void reply(struct cg_http_call *call, uint16_t status, const char *content_type, struct cg_buf *body) {
    const struct cg_http_head head = {.status = status, .content_type = content_type};
    cg_http_call_reply_bytes(call, &head, body);
}

static void reply_text(struct cg_http_call *call, uint16_t status, const char *text) {
    struct cg_buf body;
    cg_buf_init(&body, 0);
    cg_buf_put_str(&body, text);
    reply(call, status, "text/plain; charset=utf-8", &body);
}

/* ---- What there is ---- */

static void put_gauge(struct cg_buf *to, const char *name, const char *help, double value) {
    cg_buf_printf(to, "# HELP %s %s\n# TYPE %s gauge\n%s %.17g\n", name, help, name, name, value);
}

/* Behind the gateway's own figures. */
static void put_rest(void *ctx, struct cg_buf *to) {
    const struct cg_admin *admin = ctx;
    put_gauge(to, "castgate_exchanges_running", "Exchanges that have not ended.",
              (double)cg_gateway_running(admin->gateway));
    put_gauge(to, "castgate_observers", "Of them, those whose clients observe.",
              (double)cg_gateway_observers(admin->gateway));
    put_gauge(to, "castgate_observations", "Observations of groups and of single members, however many clients watch.",
              (double)cg_gateway_observations(admin->gateway));
    put_gauge(to, "castgate_uptime_seconds", "Time since the start.",
              (double)(cg_loop_now_us() - admin->started_us) / 1e6);
    cg_buf_put_str(to, "# HELP castgate_build_info The program's version.\n# TYPE castgate_build_info gauge\n"
                       "castgate_build_info{version=\"" CASTGATE_VERSION "\"} 1\n");
    if (admin->source.metrics != NULL) admin->source.metrics(admin->source.ctx, to);
}

static void serve_healthz(struct cg_admin *admin, struct cg_http_call *call, enum cg_admin_reader reader) {
    (void)admin, (void)reader;
    reply_text(call, 200, "ok\n");
}

int cg_admin_log_in(struct cg_admin *admin, struct cg_http_call *http, struct cg_admin_who *who,
                    struct cg_problem *problem) {
    int err = cg_admin_who(who, cg_gateway_config(admin->gateway), http, problem);
    if (err == CG_OK && who->role == CG_ROLE_ADMIN && admin->source.admin_seen != NULL)
        admin->source.admin_seen(admin->source.ctx, who);
    if (err != CG_E_UNAUTHORIZED || who->proof == CG_PROOF_NONE) return err;
    return cg_logins_fail(&admin->logins, cg_http_call_peer(http), problem);
}

/* Who shows nothing, or what is nobody's, is a stranger; but not one who guesses. */
static int find_reader(struct cg_admin *admin, struct cg_http_call *call, enum cg_admin_reader *reader,
                       struct cg_problem *problem) {
    struct cg_admin_who who;
    *reader = cg_http_call_listen(call)->loopback ? CG_ADMIN_TRUSTED : CG_ADMIN_STRANGER;
    if (*reader == CG_ADMIN_TRUSTED) return CG_OK;
    int err = cg_admin_log_in(admin, call, &who, problem);
    if (err == CG_E_RATE) return err;
    if (err == CG_OK && who.role >= CG_ROLE_VIEWER) *reader = CG_ADMIN_TRUSTED;
    return CG_OK;
}

static void serve_metrics(struct cg_admin *admin, struct cg_http_call *call, enum cg_admin_reader reader) {
    cg_scrapes_serve(&admin->scrapes, call, reader == CG_ADMIN_TRUSTED ? CG_STATS_BY_MAPPING : CG_STATS_SUMMED);
}

static void serve_readyz(struct cg_admin *admin, struct cg_http_call *call, enum cg_admin_reader reader) {
    struct cg_buf body, said;
    bool ready = true;
    if (cg_gateway_is_stopping(admin->gateway)) {
        reply_text(call, 503, "stopping\n");
        return;
    }
    cg_buf_init(&body, 0);
    cg_buf_init(&said, 0);
    if (admin->source.ready != NULL) ready = admin->source.ready(admin->source.ctx, reader, &said);
    if (ready) cg_buf_put_str(&body, "ok\n");
    cg_buf_put_slice(&body, cg_buf_slice(&said));
    cg_buf_fini(&said);
    reply(call, ready ? 200 : 503, "text/plain; charset=utf-8", &body);
}

static const struct {
    const char *path;
    void (*serve)(struct cg_admin *admin, struct cg_http_call *call, enum cg_admin_reader reader);
} resources[] = {{"/metrics", serve_metrics}, {"/healthz", serve_healthz}, {"/readyz", serve_readyz}};

void cg_admin_find_warnings(const struct cg_admin *admin, struct cg_mistakes *warnings) {
    const struct cg_admin_source *source = &admin->source;
    warnings->by_name = true;
    cg_settings_warnings(cg_gateway_config(admin->gateway), warnings);
    if (source->warnings != NULL) source->warnings(source->ctx, warnings);
}

/* ---- Requests ---- */

static struct cg_slice path_of(struct cg_slice target, struct cg_slice *query) {
    const uint8_t *mark = target.len == 0 ? NULL : memchr(target.data, '?', target.len);
    *query = CG_SLICE_NONE;
    if (mark == NULL) return target;
    size_t len = (size_t)(mark - target.data);
    *query = cg_slice_of(mark + 1, target.len - len - 1);
    return cg_slice_of(target.data, len);
}

/* Takes the root off; false: it is none of the REST side's. */
static bool is_api(struct cg_slice *path) {
    size_t len = sizeof CG_ADMIN_ROOT - 1;
    if (!cg_slice_starts(*path, CG_ADMIN_ROOT) || (path->len > len && path->data[len] != '/')) return false;
    *path = cg_slice_of(path->data + len, path->len - len);
    return true;
}

/* There is nobody else here, not a link from elsewhere either. */
static int check_origin(const struct cg_admin *admin, const struct cg_http_message *message,
                        struct cg_problem *problem) {
    const char *allowed;
    enum cg_origin origin = cg_http_origin(&cg_gateway_config(admin->gateway)->admin, message, &allowed);
    if (origin == CG_ORIGIN_HERE) return CG_OK;
    return cg_problem_set(problem, CG_E_ORIGIN,
                          "the browser says that this comes from another site, which the admin side takes nothing "
                          "from; type its address to go there");
}

/* `page`: what is asked for, where it is a part of the page. A link from elsewhere may lead to that, since opening it
 * does nothing. */
static int check_site(const struct cg_admin *admin, struct cg_http_call *call, const struct cg_page_file *page,
                      struct cg_problem *problem) {
    const struct cg_http_message *message = cg_http_call_message(call);
    struct cg_slice host;
    int err = cg_http_check_host(&cg_gateway_config(admin->gateway)->admin, cg_http_call_listen(call), message, &host,
                                 problem);
    if (err < 0 || (page != NULL && cg_http_is_navigation(message))) return err;
    return check_origin(admin, message, problem);
}

static int serve(struct cg_admin *admin, struct cg_http_call *call, struct cg_problem *problem) {
    const struct cg_http_message *message = cg_http_call_message(call);
    struct cg_slice query, path = path_of(message->target, &query);
    const struct cg_page_file *page = cg_page_find(path);
    enum cg_admin_reader reader;
    int err = check_site(admin, call, page, problem);
    if (err < 0) return err;
    if (page != NULL) return cg_page_serve(page, call, problem);
    if (is_api(&path)) return cg_api_serve(admin, call, path, query, problem);
    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++) {
        if (!cg_slice_is(path, resources[i].path)) continue;
        if (message->body_is_too_big)
            return cg_problem_set(problem, CG_E_TOO_BIG, "%s takes no body", resources[i].path);
        if (cg_slice_is(message->method, "GET") || cg_slice_is(message->method, "HEAD")) {
            err = find_reader(admin, call, &reader, problem);
            if (err == CG_OK) resources[i].serve(admin, call, reader);
            return err;
        }
        problem->allow = CG_METHOD_BIT(CG_GET);
        return cg_problem_set(problem, CG_E_METHOD, "%s is read with GET", resources[i].path);
    }
    return cg_problem_set(problem, CG_E_NOT_FOUND,
                          "there is nothing here; the page is at /, and /metrics, /healthz, /readyz and " CG_ADMIN_ROOT
                          " are served");
}

static void on_request(void *ctx, struct cg_http_call *call) {
    struct cg_problem problem = {0};
    if (serve(ctx, call, &problem) < 0) cg_http_call_reply_problem(call, &problem, NULL);
}

static void on_done(void *ctx, struct cg_http_call *call) {
    struct cg_admin *admin = ctx;
    struct cg_admin_call *api = cg_http_call_ctx(call);
    cg_scrapes_forget(&admin->scrapes, call);
    if (api != NULL) cg_api_done(api);
}

static size_t body_max(void *ctx, struct cg_http_call *call) {
    struct cg_admin *admin = ctx;
    struct cg_problem problem = {0};
    struct cg_slice query, path = path_of(cg_http_call_message(call)->target, &query);
    if (!is_api(&path) || check_site(admin, call, NULL, &problem) < 0) return 0;
    return cg_api_body_max(admin, call, path);
}

static const struct cg_http_handler handler = {.request = on_request, .done = on_done, .body_max = body_max};

/* ---- Opening and closing ---- */

struct cg_admin *cg_admin_open(uv_loop_t *uv, struct cg_gateway *gateway, const struct cg_admin_source *source,
                               struct cg_problem *problem) {
    struct cg_admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL) {
        cg_problem_set(problem, CG_E_NO_MEMORY, "no memory for the admin listener");
        return NULL;
    }
    admin->gateway = gateway;
    admin->source = *source;
    admin->started_us = cg_loop_now_us();
    admin->bodies.max = BODIES;
    admin->scrapes = (struct cg_scrapes){
        .stats = cg_gateway_stats(gateway), .totals = cg_gateway_totals(gateway), .rest = put_rest, .ctx = admin};
    const struct cg_http_options options = {
        .settings = &cg_gateway_config(gateway)->admin,
        .key_may_be_shared = cg_gateway_config(gateway)->key_files_may_be_shared,
        .handler = &handler,
        .ctx = admin,
        .connections = CONNECTIONS,
        .bodies = &admin->bodies,
    };
    admin->server = cg_http_server_open(uv, &options, problem);
    if (admin->server == NULL) {
        free(admin);
        return NULL;
    }
    cg_scrapes_open(&admin->scrapes, uv);
    cg_logins_open(&admin->logins, uv, source->manage);
    admin->events = (struct cg_events){
        .gateway = gateway, .manage = source->manage, .reports = source->reports, .put_report = source->put_report};
    cg_events_open(&admin->events, uv);
    cg_live_open(&admin->live, admin);
    cg_searches_open(&admin->searches, uv, source->discoveries);
    cg_member_pages_open(&admin->member_pages, uv, gateway);
    return admin;
}

int cg_admin_reload(struct cg_admin *admin, struct cg_problem *problem) {
    const struct cg_config *config = cg_gateway_config(admin->gateway);
    return cg_http_server_reload_tls(admin->server, &config->admin.tls, config->key_files_may_be_shared, problem);
}

void cg_admin_may_end(struct cg_admin *admin) {
    if (!admin->is_closed || admin->readings > 0) return;
    if (admin->on_closed != NULL) admin->on_closed(admin->on_closed_ctx);
    cg_buf_fini(&admin->document);
    free(admin);
}

static void on_pages_closed(void *ctx) {
    struct cg_admin *admin = ctx;
    admin->is_closed = true;
    cg_admin_may_end(admin);
}

static void on_searches_closed(void *ctx) {
    struct cg_admin *admin = ctx;
    cg_member_pages_close(&admin->member_pages, on_pages_closed, admin);
}

static void on_events_closed(void *ctx) {
    struct cg_admin *admin = ctx;
    cg_searches_close(&admin->searches, on_searches_closed, admin);
}

static void on_logins_closed(void *ctx) {
    struct cg_admin *admin = ctx;
    cg_live_close(&admin->live);
    cg_events_close(&admin->events, on_events_closed, admin);
}

static void on_scrapes_closed(void *ctx) {
    struct cg_admin *admin = ctx;
    cg_logins_close(&admin->logins, on_logins_closed, admin);
}

static void on_server_closed(void *ctx) {
    struct cg_admin *admin = ctx;
    cg_scrapes_close(&admin->scrapes, on_scrapes_closed);
}

void cg_admin_close(struct cg_admin *admin, void (*on_closed)(void *ctx), void *ctx) {
    if (admin == NULL) return;
    admin->on_closed = on_closed;
    admin->on_closed_ctx = ctx;
    cg_http_server_close(admin->server, on_server_closed, admin);
}

const struct cg_listen *cg_admin_listen(const struct cg_admin *admin, size_t index) {
    return cg_http_server_listen(admin->server, index);
}
