/* A client's tokens: made, listed, revoked. The hard thing is that a token is said once, to whoever asked for it, and
 * is then nowhere: what is stored is its hash, and what it was made in is wiped. */
#include <stdlib.h>
#include <time.h>

#include "base/calendar.h"
#include "base/container.h"
#include "fronts/admin/call.h"
#include "fronts/admin/resources.h"
#include "manage/tokens.h"
#include "settings/json_load.h"

enum { TARGET_MAX = 2 * CG_NAME_MAX + 32 };

#define LASTS_MAX_S ((json_int_t)10 * 366 * 86400)

/* One change, which goes its way whoever waits for it. */
struct token_job {
    struct cg_change change;
    struct cg_admin_call *call; /* NULL: its client has left */
    struct cg_gateway *gateway;
    char client[CG_NAME_MAX + 1];
    char id[CG_NAME_MAX + 1]; /* of one that goes */
    char target[TARGET_MAX];
    char label[CG_TOKEN_LABEL_MAX + 1];
    struct cg_fresh_token token;
    struct cg_token_terms terms;
};

static int no_client(struct cg_problem *problem, const char *name) {
    return cg_problem_set(problem, CG_E_NOT_FOUND, "there is no \"%s\" among the clients", name);
}

static int no_token(struct cg_problem *problem, const char *client, const char *id) {
    return cg_problem_set(problem, CG_E_NOT_FOUND, "client \"%s\" has no token \"%s\" here", client, id);
}

/* The file's clients may have stored tokens, too. */
static bool is_client(const struct cg_manage *manage, const struct cg_config *config, const char *name) {
    return cg_manage_find(manage, CG_ITEM_CLIENT, name) != NULL || cg_config_client_by_name(config, name) != NULL;
}

static struct token_job *new_job(struct cg_admin_call *call) {
    struct token_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        struct cg_problem problem = {0};
        cg_problem_no_memory(&problem);
        cg_admin_reply_problem(call, &problem);
        return NULL;
    }
    job->call = call;
    job->gateway = cg_admin_gateway(call);
    snprintf(job->client, sizeof job->client, "%s", cg_admin_part(call, 0));
    job->change = (struct cg_change){.author = cg_admin_author(call),
                                     .operation = call->match.route->id,
                                     .target = job->target,
                                     .undo = CG_UNDO_NEVER};
    call->ctx = job;
    return job;
}

static void free_job(struct token_job *job) {
    cg_fresh_token_wipe(&job->token);
    cg_change_fini(&job->change);
    free(job);
}

static void left(struct cg_admin_call *call) {
    struct token_job *job = call->ctx;
    job->call = NULL;
}

/* ---- Showing ---- */

static bool has_expired(const json_t *document) {
    const char *text = json_string_value(json_object_get(document, "expires"));
    int64_t at_s;
    return text != NULL && cg_calendar_parse(cg_slice_str(text), &at_s) == CG_OK && at_s <= (int64_t)time(NULL);
}

/* Nothing of it leads to the token. NULL: no memory. */
static json_t *shown(const struct cg_item *item) {
    json_t *document = cg_json_load(item->document, 0, NULL);
    if (document == NULL) return NULL;
    json_t *shows =
        json_pack("{s:s,s:O?,s:O?,s:O?,s:O?,s:b,s:s}", "id", item->name, "client", json_object_get(document, "client"),
                  "label", json_object_get(document, "label"), "made", json_object_get(document, "made"), "expires",
                  json_object_get(document, "expires"), "expired", has_expired(document), "made_by", item->changed_by);
    json_decref(document);
    return shows;
}

static void serve_list(struct cg_admin_call *call) {
    const struct cg_manage *manage = cg_admin_manage(call);
    const char *client = cg_admin_part(call, 0);
    struct cg_problem problem = {0};
    if (!is_client(manage, cg_admin_config(call), client)) {
        no_client(&problem, client);
        cg_admin_reply_problem(call, &problem);
        return;
    }
    json_t *items = json_array();
    const struct cg_item *item = cg_client_token_next(manage, client, "");
    bool whole = items != NULL;
    for (; whole && item != NULL; item = cg_client_token_next(manage, client, item->name))
        whole = json_array_append_new(items, shown(item)) == 0;
    json_t *body = whole ? json_pack("{s:O,s:n}", "items", items, "next") : NULL;
    json_decref(items);
    cg_admin_reply_json(call, &(struct cg_admin_head){.status = 200}, body);
}

static void serve_get(struct cg_admin_call *call) {
    const char *client = cg_admin_part(call, 0), *id = cg_admin_part(call, 1);
    const struct cg_item *item = cg_client_token_find(cg_admin_manage(call), client, id);
    struct cg_problem problem = {0};
    if (item != NULL) {
        cg_admin_reply_json(call, &(struct cg_admin_head){.status = 200}, shown(item));
    } else {
        no_token(&problem, client, id);
        cg_admin_reply_problem(call, &problem);
    }
}

/* ---- Making ---- */

static void read_label(struct token_job *job, const json_t *value, struct cg_mistakes *mistakes) {
    const char *text = json_string_value(value);
    if (json_is_null(value)) return;
    if (text == NULL || strlen(text) != json_string_length(value) || strlen(text) > CG_TOKEN_LABEL_MAX) {
        cg_mistakes_add(mistakes, "/label", "must be a text of at most %d bytes", CG_TOKEN_LABEL_MAX);
        return;
    }
    strcpy(job->label, text);
}

static void read_expires(struct token_job *job, const json_t *value, struct cg_mistakes *mistakes) {
    const char *text = json_string_value(value);
    if (json_is_null(value)) return;
    if (text == NULL || cg_calendar_parse(cg_slice_str(text), &job->terms.expires_s) < 0) {
        cg_mistakes_add(mistakes, "/expires", "must be a date and time such as \"2026-11-29T12:00:00Z\", or null");
    } else if (job->terms.expires_s <= job->terms.made_s) {
        cg_mistakes_add(mistakes, "/expires", "is over already");
    }
}

static void read_lasts(struct token_job *job, const json_t *value, struct cg_mistakes *mistakes) {
    json_int_t seconds = json_integer_value(value);
    if (!json_is_integer(value) || seconds < 1 || seconds > LASTS_MAX_S) {
        cg_mistakes_add(mistakes, "/lasts", "must be a whole number of seconds from 1 to %lld", (long long)LASTS_MAX_S);
        return;
    }
    job->terms.expires_s = job->terms.made_s + seconds;
}

static const struct {
    const char *key;
    void (*read)(struct token_job *job, const json_t *value, struct cg_mistakes *mistakes);
} keys[] = {{"label", read_label}, {"expires", read_expires}, {"lasts", read_lasts}};

static void read_key(struct token_job *job, const char *key, const json_t *value, struct cg_mistakes *mistakes) {
    char pointer[64];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(key, keys[i].key) != 0) continue;
        keys[i].read(job, value, mistakes);
        return;
    }
    snprintf(pointer, sizeof pointer, "/%.40s", key);
    cg_mistakes_add(mistakes, pointer, "unknown key; known here: label, expires, lasts");
}

static void read_body(struct token_job *job, json_t *body, struct cg_mistakes *mistakes) {
    const char *key;
    json_t *value;
    job->terms = (struct cg_token_terms){
        .client = job->client, .label = job->label, .made_s = (int64_t)time(NULL), .expires_s = CG_PASS_FOR_EVER};
    json_object_foreach(body, key, value) read_key(job, key, value, mistakes);
    if (json_object_get(body, "expires") != NULL && json_object_get(body, "lasts") != NULL)
        cg_mistakes_add(mistakes, "/lasts", "says the same as \"expires\": give one of them");
}

static int plan_post(struct cg_change *change, const struct cg_manage *manage) {
    struct token_job *job = CG_CONTAINER(change, struct token_job, change);
    if (!is_client(manage, cg_gateway_config(job->gateway), job->client))
        return no_client(&change->problem, job->client);
    return cg_client_token_plan(change, manage, &job->token, &job->terms);
}

static json_t *made(const struct token_job *job) {
    char made_text[CG_CALENDAR_MAX], expires[CG_CALENDAR_MAX];
    cg_calendar_emit_s(made_text, job->terms.made_s);
    cg_calendar_emit_s(expires, job->terms.expires_s);
    return json_pack("{s:s,s:s,s:s,s:s?,s:s,s:s?,s:b,s:s}", "id", job->token.id, "client", job->client, "token",
                     job->token.text, "label", job->label[0] == '\0' ? NULL : job->label, "made", made_text, "expires",
                     job->terms.expires_s == CG_PASS_FOR_EVER ? NULL : expires, "expired", 0, "made_by",
                     job->change.author.who);
}

static void on_made(struct cg_change *change) {
    struct token_job *job = CG_CONTAINER(change, struct token_job, change);
    char location[sizeof CG_ADMIN_ROOT + TARGET_MAX];
    snprintf(location, sizeof location, CG_ADMIN_ROOT "/%s", job->target);
    if (job->call != NULL && change->err == CG_OK) {
        cg_admin_reply_json(job->call, &(struct cg_admin_head){.status = 201, .location = location}, made(job));
    } else if (job->call != NULL) {
        cg_admin_reply_problem(job->call, &change->problem);
    }
    free_job(job);
}

static void refuse_body(struct cg_admin_call *call, const struct cg_mistakes *mistakes) {
    struct cg_problem problem = {0};
    cg_problem_set(&problem, CG_E_INVALID, "%s: %s", mistakes->first->pointer, mistakes->first->message);
    cg_admin_reply_mistakes(call, &problem, mistakes, "", CG_SLICE_NONE);
}

static void serve_post(struct cg_admin_call *call) {
    struct cg_mistakes mistakes;
    struct token_job *job = new_job(call);
    if (job == NULL) return;
    cg_mistakes_init(&mistakes);
    read_body(job, call->body, &mistakes);
    if (mistakes.count > 0) {
        refuse_body(call, &mistakes);
        free_job(job);
    } else {
        cg_fresh_token_make(&job->token, job->client);
        snprintf(job->target, sizeof job->target, "clients/%s/tokens/%s", job->client, job->token.id);
        job->change.plan = plan_post;
        job->change.detail = "revoke it (DELETE clients/{name}/tokens/{id})";
        job->change.done = on_made;
        cg_manage_change(cg_admin_manage(call), &job->change);
    }
    cg_mistakes_fini(&mistakes);
}

/* ---- Revoking ---- */

static int plan_delete(struct cg_change *change, const struct cg_manage *manage) {
    struct token_job *job = CG_CONTAINER(change, struct token_job, change);
    if (cg_client_token_find(manage, job->client, job->id) == NULL)
        return no_token(&change->problem, job->client, job->id);
    if (cg_change_remove(change, CG_ITEM_TOKEN, job->id) == CG_OK) return CG_OK;
    return cg_problem_no_memory(&change->problem);
}

static void on_revoked(struct cg_change *change) {
    struct token_job *job = CG_CONTAINER(change, struct token_job, change);
    if (job->call != NULL && change->err == CG_OK) {
        cg_admin_reply_none(job->call);
    } else if (job->call != NULL) {
        cg_admin_reply_problem(job->call, &change->problem);
    }
    free_job(job);
}

static void serve_delete(struct cg_admin_call *call) {
    struct token_job *job = new_job(call);
    if (job == NULL) return;
    snprintf(job->id, sizeof job->id, "%s", cg_admin_part(call, 1));
    snprintf(job->target, sizeof job->target, "clients/%s/tokens/%s", job->client, job->id);
    job->change.plan = plan_delete;
    job->change.detail = "make another token (POST clients/{name}/tokens)";
    job->change.done = on_revoked;
    cg_manage_change(cg_admin_manage(call), &job->change);
}

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/clients/{name}/tokens",
     .role = CG_ROLE_VIEWER,
     .serve = serve_list,
     .id = "tokens.list",
     .says = "The client's tokens that are stored, without anything that would let somebody use them.",
     .answer = "TokenList",
     .status = 200,
     .others = {404}},
    {.method = "POST",
     .path = "/clients/{name}/tokens",
     .role = CG_ROLE_ADMIN,
     .serve = serve_post,
     .left = left,
     .id = "tokens.post",
     .says = "Makes a token for the client. It is said here and never again. This cannot be undone: revoke it.",
     .body = "TokenOrder",
     .body_max = 4096,
     .answer = "TokenMade",
     .flags = CG_ROUTE_BODY_OPTIONAL,
     .status = 201,
     .others = {404, 409}},
    {.method = "GET",
     .path = "/clients/{name}/tokens/{id}",
     .role = CG_ROLE_VIEWER,
     .serve = serve_get,
     .id = "tokens.get",
     .says = "One of them.",
     .answer = "Token",
     .status = 200,
     .others = {404}},
    {.method = "DELETE",
     .path = "/clients/{name}/tokens/{id}",
     .role = CG_ROLE_ADMIN,
     .serve = serve_delete,
     .left = left,
     .id = "tokens.delete",
     .says = "Revokes it: what runs by it ends within a second. This cannot be undone: make another one.",
     .status = 204,
     .others = {404}},
};

#define TOKEN_NEEDS "'id', 'client', 'label', 'made', 'expires', 'expired', 'made_by'"
#define TOKEN_HAS                                                                                                      \
    "'id': {'type': 'string'}, 'client': {'type': 'string'}, 'label': {'type': ['string', 'null']},"                   \
    "'made': {'type': ['string', 'null'], 'format': 'date-time'},"                                                     \
    "'expires': {'type': ['string', 'null'], 'format': 'date-time'}, 'expired': {'type': 'boolean'},"                  \
    "'made_by': {'type': 'string'}"

static const struct cg_admin_schema schemas[] = {
    {"Token",
     "{'type': 'object', 'additionalProperties': false, 'required': [" TOKEN_NEEDS "], 'properties': {" TOKEN_HAS "}}"},
    {"TokenMade",
     "{'type': 'object', 'additionalProperties': false, 'required': ['token', " TOKEN_NEEDS
     "], 'properties': {'token': {'type': 'string', 'description': 'Said here and never again.'}, " TOKEN_HAS "}}"},
    {"TokenList", CG_ADMIN_LIST_SCHEMA("Token")},
    {"TokenOrder", "{'type': 'object', 'additionalProperties': false, 'properties': {"
                   "'label': {'type': ['string', 'null'], 'maxLength': 128, 'description': 'What it is for.'},"
                   "'expires': {'type': ['string', 'null'], 'format': 'date-time'},"
                   "'lasts': {'type': 'integer', 'minimum': 1, 'maximum': 316224000,"
                   "'description': 'Seconds from now, instead of expires.'}}}"},
};

const struct cg_admin_routes cg_routes_tokens = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
