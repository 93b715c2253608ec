/* A request below /admin/v1 from its head to its resource. The hard thing is the order: nobody who is not known learns
 * what there is, or makes us hold a body; so who asks is looked at when the head is there, before anything of the body
 * is read, and again when it is whole, since a token may have been revoked meanwhile. */
#include "fronts/admin/private.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "fronts/http/allow.h"

/* ---- Who may what ---- */

static int check_role(const struct cg_admin_call *call, struct cg_problem *problem) {
    enum cg_role needed = call->match.route->role;
    if (call->who.role >= needed) return CG_OK;
    return cg_problem_set(problem, CG_E_FORBIDDEN, "client \"%s\" may not do this: it needs the role \"%s\"",
                          call->who.name, cg_role_names[needed]);
}

enum look { LOOK_AHEAD, LOOK_AT_WHOLE };

static int find_out_who(struct cg_admin_call *call, enum look look, struct cg_problem *problem) {
    if (look == LOOK_AT_WHOLE) return cg_admin_log_in(call->admin, call->http, &call->who, problem);
    return cg_admin_who(&call->who, cg_admin_config(call), call->http, problem);
}

/* Which route, for whom. What needs no token is there for everybody; of the rest nobody learns without one. */
static int sort(struct cg_admin_call *call, struct cg_slice path, enum look look, struct cg_problem *problem) {
    struct cg_problem nowhere = {0};
    const struct cg_http_message *message = cg_http_call_message(call->http);
    int found = cg_admin_route_find(&call->match, message->method, path, &nowhere);
    if (found == CG_OK && call->match.route->role == CG_ROLE_NOBODY) return CG_OK;
    int err = find_out_who(call, look, problem);
    if (err < 0) return err;
    if (found == CG_OK) return check_role(call, problem);
    *problem = nowhere;
    return found;
}

static size_t body_max_of(const struct cg_admin_route *route) {
    if (route->body == NULL) return 0;
    return route->body_max == 0 ? CG_ADMIN_BODY_MAX : route->body_max;
}

size_t cg_api_body_max(struct cg_admin *admin, struct cg_http_call *http, struct cg_slice path) {
    struct cg_admin_call call = {.http = http, .admin = admin};
    struct cg_problem problem = {0};
    return sort(&call, path, LOOK_AHEAD, &problem) == CG_OK ? body_max_of(call.match.route) : 0;
}

/* ---- Serving ---- */

static int check_body(const struct cg_admin_call *call, struct cg_problem *problem) {
    const struct cg_http_message *message = cg_http_call_message(call->http);
    if (message->body_has_no_room) return cg_admin_body_no_room(problem);
    if (!message->body_is_too_big) return CG_OK;
    if (call->match.route->body == NULL) return cg_problem_set(problem, CG_E_TOO_BIG, "this takes no body");
    problem->at_most = body_max_of(call->match.route);
    return cg_problem_set(problem, CG_E_TOO_BIG, "the body may have %zu bytes at most", problem->at_most);
}

static bool is_options(const struct cg_admin_call *call) {
    return cg_slice_is(cg_http_call_message(call->http)->method, "OPTIONS");
}

/* RFC 9110 §9.3.7; without a word of CORS, so a preflight has no success. */
static void reply_options(struct cg_admin_call *call, uint32_t methods) {
    char allow[CG_HTTP_ALLOW_MAX];
    cg_http_allow_options(allow, methods);
    const struct cg_http_header header = {"Allow", allow};
    const struct cg_http_head head = {.status = 204, .content_type = "", .headers = &header, .header_count = 1};
    struct cg_buf none;
    cg_buf_init(&none, 0);
    call->is_replied = true;
    cg_http_call_reply_bytes(call->http, &head, &none);
}

static void serve(struct cg_admin_call *call, const struct cg_problem *problem) {
    if (problem->err < 0) {
        cg_admin_reply_problem(call, problem);
    } else {
        call->is_serving = true;
        call->match.route->serve(call);
    }
}

/* Who tries what is not for them, and would change something. */
static void note_refusal(const struct cg_admin_call *call, const struct cg_problem *problem) {
    char target[CG_ADMIN_TARGET_MAX];
    const struct cg_admin_route *route = call->match.route;
    const struct cg_author author = cg_admin_author(call);
    if (route->method[0] == 'G' || cg_admin_manage(call) == NULL) return;
    cg_admin_target(call, target);
    cg_manage_note(cg_admin_manage(call), &author, route->id, target, "refused", problem->detail);
}

static struct cg_admin_call *new_call(struct cg_admin *admin, struct cg_http_call *http, struct cg_slice query) {
    struct cg_admin_call *call = calloc(1, sizeof *call);
    if (call == NULL) return NULL;
    *call = (struct cg_admin_call){.http = http, .admin = admin, .query = query};
    DL_APPEND(admin->calls, call);
    cg_http_call_set_ctx(http, call);
    return call;
}

int cg_api_serve(struct cg_admin *admin, struct cg_http_call *http, struct cg_slice path, struct cg_slice query,
                 struct cg_problem *problem) {
    struct cg_admin_call *call = new_call(admin, http, query);
    if (call == NULL) return cg_problem_no_memory(problem);
    int err = sort(call, path, LOOK_AT_WHOLE, problem);
    if (err == CG_E_METHOD && is_options(call)) {
        reply_options(call, problem->allow);
        return CG_OK;
    }
    if (err == CG_OK) err = check_body(call, problem);
    if (err == CG_OK) err = cg_admin_check_query(call, problem);
    if (err < 0) {
        if (err == CG_E_FORBIDDEN) note_refusal(call, problem);
        cg_admin_reply_problem(call, problem);
        return CG_OK;
    }
    cg_admin_body_read(call, serve);
    return CG_OK;
}

static void tell_left(struct cg_admin_call *call) {
    void (*left)(struct cg_admin_call * call) = call->left != NULL ? call->left : call->match.route->left;
    if (left != NULL) left(call);
}

void cg_api_done(struct cg_admin_call *call) {
    const struct cg_admin_route *route = call->match.route;
    if (call->is_serving && !call->is_replied) tell_left(call);
    if (call->is_streaming && route->over != NULL) route->over(call);
    cg_admin_body_release(call);
    DL_DELETE(call->admin->calls, call);
    free(call);
}
