/* Bodies: JSON objects, from whoever may send them. The hard thing is that a body of some megabytes makes a tree of
 * hundreds, and takes as many milliseconds: its shape is looked at first, so that the tree's size is known and charged
 * before it is there, and what is large is parsed, and freed, by the worker, which may still be at it when the client,
 * or the admin side, has gone. */
#include "fronts/admin/private.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/text.h"
#include "settings/json_text.h"

enum {
    HERE_MAX = 32 << 10, /* bytes that are parsed at once, in half a millisecond or so */
    DEPTH_MAX = 32,
    VALUES_MAX = 1 << 20,     /* of one body */
    BYTES_PER_VALUE_MIN = 16, /* of the largest body that is taken */
    VALUE_SIZE = 96,          /* bytes in the tree, about */
};

struct cg_admin_body {
    struct cg_work work;
    struct cg_admin *admin;
    struct cg_admin_call *call; /* NULL: it has gone */
    struct cg_buf bytes;
    size_t values;  /* in it, or a few more */
    size_t charged; /* to the quota: for the bytes and the tree, then for the tree */
    bool is_elsewhere, is_parsed;
    json_t *json;
    struct cg_problem problem;
    cg_admin_body_fn *next;
};

/* ---- What is looked at first ---- */

static int count_values(struct cg_slice text, size_t *values) {
    size_t depth = 0;
    bool in_string = false;
    *values = 1;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (in_string) {
            i += byte == '\\';
            in_string = byte != '"';
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '{' || byte == '[') {
            *values += 1;
            if (++depth > DEPTH_MAX) return CG_E_FORMAT;
        } else if (byte == '}' || byte == ']') {
            depth -= depth > 0;
        } else {
            *values += byte == ',';
        }
    }
    return CG_OK;
}

static size_t values_max(const struct cg_admin_route *route) {
    size_t max = (route->body_max == 0 ? CG_ADMIN_BODY_MAX : route->body_max) / BYTES_PER_VALUE_MIN;
    return max < VALUES_MAX ? max : VALUES_MAX;
}

static int check_shape(const struct cg_admin_route *route, struct cg_slice text, size_t *values,
                       struct cg_problem *problem) {
    if (count_values(text, values) < 0)
        return cg_problem_set(problem, CG_E_FORMAT, "the body is nested more than %d deep", DEPTH_MAX);
    if (*values <= values_max(route)) return CG_OK;
    return cg_problem_set(problem, CG_E_TOO_BIG, "the body has more than %zu values", values_max(route));
}

static bool is_type(struct cg_slice type, const char *name) {
    const uint8_t *semicolon = type.len == 0 ? NULL : memchr(type.data, ';', type.len);
    if (semicolon != NULL) type = cg_http_trim(cg_slice_of(type.data, (size_t)(semicolon - type.data)));
    return cg_slice_is_nocase(type, name);
}

static int check_type(const struct cg_admin_call *call, struct cg_problem *problem) {
    struct cg_slice type = CG_SLICE_NONE;
    bool is_patch = (call->match.route->flags & CG_ROUTE_MERGE_PATCH) != 0;
    int err = cg_http_field(cg_http_call_message(call->http), "Content-Type", &type);
    if (err == CG_OK && is_type(type, "application/json")) return CG_OK;
    if (err == CG_OK && is_patch && is_type(type, "application/merge-patch+json")) return CG_OK;
    return cg_problem_set(problem, CG_E_MEDIA_TYPE, "Content-Type must be application/json%s",
                          is_patch ? " or application/merge-patch+json" : "");
}

/* ---- Parsing ---- */

static json_t *parse(struct cg_slice text, struct cg_problem *problem) {
    json_error_t error;
    bool is_short;
    json_t *json = cg_json_read(text, &error, &is_short);
    if (is_short) {
        (void)cg_problem_no_memory(problem);
    } else if (json == NULL) {
        cg_problem_set(problem, CG_E_FORMAT, "the body is not JSON as it is taken here: %s (line %d, column %d)",
                       error.text, error.line, error.column);
    } else if (!json_is_object(json)) {
        json_decref(json);
        json = NULL;
        cg_problem_set(problem, CG_E_FORMAT, "the body must be a JSON object");
    }
    return json;
}

/* Bytes that are counted, in place of those that were. */
static void recharge(struct cg_admin_body *body, size_t len) {
    body->admin->bodies.used -= body->charged;
    body->admin->bodies.used += len;
    body->charged = len;
}

static void free_body(struct cg_admin_body *body) {
    recharge(body, 0);
    cg_buf_fini(&body->bytes);
    json_decref(body->json);
    free(body);
}

static void run_parse(struct cg_work *work) {
    struct cg_admin_body *body = CG_CONTAINER(work, struct cg_admin_body, work);
    body->json = parse(cg_buf_slice(&body->bytes), &body->problem);
    cg_buf_fini(&body->bytes);
}

static void run_free(struct cg_work *work) {
    struct cg_admin_body *body = CG_CONTAINER(work, struct cg_admin_body, work);
    json_decref(body->json);
    body->json = NULL;
}

static void on_freed(struct cg_work *work) {
    struct cg_admin_body *body = CG_CONTAINER(work, struct cg_admin_body, work);
    struct cg_admin *admin = body->admin;
    free_body(body);
    admin->readings--;
    cg_admin_may_end(admin);
}

/* Large trees are not freed on the loop either. */
static void give_back(struct cg_admin_body *body) {
    body->work = (struct cg_work){.run = run_free, .done = on_freed};
    cg_worker_do(body->admin->source.worker, &body->work);
}

static void tell(struct cg_admin_body *body) {
    body->is_parsed = true;
    recharge(body, body->json == NULL ? 0 : body->values * VALUE_SIZE);
    body->call->body = body->json;
    body->next(body->call, &body->problem);
}

static void on_parsed(struct cg_work *work) {
    struct cg_admin_body *body = CG_CONTAINER(work, struct cg_admin_body, work);
    if (body->call == NULL) {
        give_back(body);
    } else {
        tell(body);
    }
}

/* ---- Reading ---- */

static struct cg_admin_body *new_body(struct cg_admin_call *call, size_t values) {
    struct cg_admin_body *body = calloc(1, sizeof *body);
    if (body == NULL) return NULL;
    body->admin = call->admin;
    body->call = call;
    body->values = values;
    body->charged = cg_http_call_message(call->http)->body.len;
    cg_http_call_take_body(call->http, &body->bytes);
    recharge(body, body->charged + values * VALUE_SIZE);
    call->reading = body;
    return body;
}

/* Whether there is something to parse, and how many values it has. */
static int check(const struct cg_admin_call *call, size_t *values, struct cg_problem *problem) {
    const struct cg_admin_route *route = call->match.route;
    struct cg_slice text = cg_http_call_message(call->http)->body;
    *values = 0;
    if (route->body == NULL || (text.len == 0 && (route->flags & CG_ROUTE_BODY_OPTIONAL) != 0)) return CG_OK;
    int err = check_type(call, problem);
    if (err < 0) return err;
    if (text.len == 0) return cg_problem_set(problem, CG_E_FORMAT, "the request needs a body: a JSON object");
    err = check_shape(route, text, values, problem);
    if (err < 0 || cg_quota_has_room(&call->admin->bodies, *values * VALUE_SIZE)) return err;
    return cg_admin_body_no_room(problem);
}

void cg_admin_body_read(struct cg_admin_call *call, cg_admin_body_fn *next) {
    struct cg_problem problem = {0};
    struct cg_admin_body *body = NULL;
    size_t values, len = cg_http_call_message(call->http)->body.len;
    int err = check(call, &values, &problem);
    if (err == CG_OK && values > 0 && (body = new_body(call, values)) == NULL) err = cg_problem_no_memory(&problem);
    if (err < 0 || values == 0) {
        next(call, &problem);
        return;
    }
    body->next = next;
    body->work = (struct cg_work){.run = run_parse, .done = on_parsed};
    if (len <= HERE_MAX || call->admin->source.worker == NULL) {
        run_parse(&body->work);
        tell(body);
        return;
    }
    body->is_elsewhere = true;
    call->admin->readings++;
    cg_worker_do(call->admin->source.worker, &body->work);
}

int cg_admin_body_no_room(struct cg_problem *problem) {
    problem->retry_after = 1;
    return cg_problem_set(problem, CG_E_OVERLOAD, "too much is being sent to the admin side at once; try again");
}

void cg_admin_body_release(struct cg_admin_call *call) {
    struct cg_admin_body *body = call->reading;
    if (body == NULL) return;
    body->call = NULL;
    call->body = NULL;
    call->reading = NULL;
    if (!body->is_elsewhere) {
        free_body(body);
    } else if (body->is_parsed) {
        give_back(body);
    }
}
