/* A request through the admin side. The hard thing: the client's call and the exchange end independently, as at the
 * HTTP front; a trial is what ties them, and is gone with the first of them that ends. A mapping that is not saved is
 * proposed to the write path first, as if it were to be; the snapshot that would come of it is the exchange's alone.
 *
 * What comes back is the reply as JSON, with what was predicted beside what was measured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/container.h"
#include "fronts/admin/edit.h"
#include "fronts/admin/items.h"
#include "fronts/admin/resources.h"
#include "fronts/admin/shown.h"
#include "io/loop.h"
#include "model/mapping.h"
#include "recorder/recorder.h"
#include "reply/reply.h"
#include "settings/stored.h"
#include "wire/content_format.h"

struct trial {
    struct cg_admin_call *call;
    struct cg_gateway *gateway;
    struct cg_recorder *recorder; /* NULL: none */
    struct cg_ticket ticket;
    struct cg_preview prediction;
    char target[sizeof "mappings/" + CG_NAME_MAX];
};

/* What is asked for, as it stands in the body. */
struct wanted {
    const char *mapping, *path, *query, *content_type, *client;
    const json_t *unsaved; /* the whole mapping; NULL: it is one of those in use, by its name */
    size_t path_len;
    unsigned method;
    struct cg_buf payload;
    bool has_timeout;
    uint32_t timeout_s;
};

/* ---- The body ---- */

static int refuse(struct cg_problem *problem, const char *key, const char *what) {
    return cg_problem_set(problem, CG_E_INVALID, "\"%s\" %s", key, what);
}

/* A text; `fallback` (NULL: it is required) where there is none. */
static int take_text(const json_t *body, const char *key, const char *fallback, const char **text,
                     struct cg_problem *problem) {
    const json_t *value = json_object_get(body, key);
    const bool is_there = value != NULL && !json_is_null(value);
    *text = is_there ? json_string_value(value) : fallback;
    if (*text != NULL) return CG_OK;
    return refuse(problem, key, is_there ? "must be a string" : "is missing");
}

static int take_method(const json_t *body, struct wanted *wanted, struct cg_problem *problem) {
    const char *name;
    int err = take_text(body, "method", "GET", &name, problem);
    if (err < 0) return err;
    wanted->method = cg_method_code(name);
    return wanted->method != 0 ? CG_OK : refuse(problem, "method", "must be one of CoAP's, as GET or iPATCH");
}

static void split_path(struct wanted *wanted) {
    const char *mark = strchr(wanted->path, '?');
    wanted->path_len = mark == NULL ? strlen(wanted->path) : (size_t)(mark - wanted->path);
    wanted->query = mark == NULL ? "" : mark + 1;
}

static int on_text(const char *text, size_t len, void *ctx) {
    struct cg_buf *to = ctx;
    cg_buf_put(to, text, len);
    return to->failed ? -1 : 0;
}

/* A string is its bytes, anything else is JSON. */
static int take_payload(const json_t *body, struct wanted *wanted, struct cg_problem *problem) {
    const json_t *value = json_object_get(body, "body");
    if (value == NULL || json_is_null(value)) return CG_OK;
    if (json_is_string(value)) {
        cg_buf_put(&wanted->payload, json_string_value(value), json_string_length(value));
        if (wanted->content_type[0] == 0) wanted->content_type = "text/plain;charset=utf-8";
    } else {
        json_dump_callback(value, on_text, &wanted->payload, JSON_COMPACT | JSON_ENCODE_ANY);
        if (wanted->content_type[0] == 0) wanted->content_type = "application/json";
    }
    return wanted->payload.failed ? cg_problem_no_memory(problem) : CG_OK;
}

static int take_timeout(const json_t *body, struct wanted *wanted, struct cg_problem *problem) {
    const json_t *value = json_object_get(body, "timeout");
    if (value == NULL || json_is_null(value)) return CG_OK;
    const json_int_t seconds = json_integer_value(value);
    if (!json_is_integer(value) || seconds < 0 || seconds > UINT32_MAX)
        return refuse(problem, "timeout", "must be whole seconds");
    wanted->has_timeout = true;
    wanted->timeout_s = (uint32_t)seconds;
    return CG_OK;
}

static int check_keys(const json_t *body, struct cg_problem *problem) {
    static const char known[] = " mapping method path body content_type client timeout ";
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)body, key, value) {
        char padded[CG_NAME_MAX];
        snprintf(padded, sizeof padded, " %s ", key);
        if (strstr(known, padded) == NULL || strchr(key, ' ') != NULL)
            return cg_problem_set(problem, CG_E_INVALID, "the key \"%.60s\" means nothing here", key);
    }
    return CG_OK;
}

static int take_mapping(const json_t *body, struct wanted *wanted, struct cg_problem *problem) {
    const json_t *value = json_object_get(body, "mapping");
    if (!json_is_object(value)) return take_text(body, "mapping", NULL, &wanted->mapping, problem);
    wanted->unsaved = value;
    return CG_OK;
}

static int take_body(const json_t *body, struct wanted *wanted, struct cg_problem *problem) {
    int err = check_keys(body, problem);
    if (err == CG_OK) err = take_mapping(body, wanted, problem);
    if (err == CG_OK) err = take_method(body, wanted, problem);
    if (err == CG_OK) err = take_text(body, "path", "", &wanted->path, problem);
    if (err == CG_OK) err = take_text(body, "content_type", "", &wanted->content_type, problem);
    if (err == CG_OK) err = take_text(body, "client", "", &wanted->client, problem);
    if (err == CG_OK) err = take_payload(body, wanted, problem);
    if (err == CG_OK) err = take_timeout(body, wanted, problem);
    if (err == CG_OK) split_path(wanted);
    return err;
}

/* ---- The request ---- */

static bool keep(struct cg_slice *to, struct cg_arena *arena, struct cg_slice from) {
    *to = from.len == 0 ? CG_SLICE_NONE : cg_arena_copy(arena, from);
    return to->len == from.len;
}

/* The mapping's path and what is below it, as a client would have sent it. */
static int take_path(struct cg_request *request, struct cg_arena *arena, const struct cg_mapping *mapping,
                     const struct wanted *wanted, struct cg_problem *problem) {
    struct cg_buf path;
    cg_buf_init(&path, 0);
    cg_buf_put_str(&path, mapping->path);
    const bool lacks_slash = wanted->path_len > 0 && wanted->path[0] != '/';
    if (lacks_slash) cg_buf_put_u8(&path, '/');
    int err = cg_mapping_normal_path(&path, cg_slice_of(wanted->path, wanted->path_len));
    if (path.len == 0) cg_buf_put_u8(&path, '/');
    if (err == CG_E_BAD_URI) refuse(problem, "path", "is no path of a URI");
    if (err == CG_OK && (path.failed || !keep(&request->path, arena, cg_buf_slice(&path)))) err = CG_E_NO_MEMORY;
    if (err == CG_E_NO_MEMORY) cg_problem_no_memory(problem);
    cg_buf_fini(&path);
    return problem->err;
}

/* With Content-Format, where there is a payload. */
static int take_content(struct cg_request *request, struct cg_arena *arena, const struct wanted *wanted, size_t most,
                        struct cg_problem *problem) {
    uint16_t format;
    uint8_t value[2];
    const struct cg_slice payload = cg_buf_slice(&wanted->payload);
    if (payload.len == 0) return CG_OK;
    if (payload.len > most) {
        problem->at_most = most;
        return cg_problem_set(problem, CG_E_TOO_BIG, "the body may have %zu bytes at most (limits.request_body)", most);
    }
    if (cg_format_from_media_type(cg_slice_str(wanted->content_type), &format) < 0)
        return refuse(problem, "content_type", "has no Content-Format of CoAP");
    value[0] = (uint8_t)(format >> 8);
    value[1] = (uint8_t)format;
    struct cg_opt *option = cg_arena_zalloc(arena, sizeof *option);
    if (option == NULL) return cg_problem_no_memory(problem);
    option->number = CG_OPT_CONTENT_FORMAT;
    const size_t leading = format == 0 ? 2 : format < 256; /* zeros: the shortest form (RFC 7252 §3.2) */
    bool kept = keep(&option->value, arena, cg_slice_of(value + leading, sizeof value - leading)) &&
                keep(&request->payload, arena, payload);
    request->options = (struct cg_opts){.list = option, .count = 1};
    return kept ? CG_OK : cg_problem_no_memory(problem);
}

/* As that client, "anonymous", or nobody's: then no grant is needed. */
static int take_client(struct cg_request *request, const struct cg_admin_call *call, const struct cg_config *config,
                       const struct wanted *wanted, struct cg_problem *problem) {
    request->proof = call->who.role >= CG_ROLE_ADMIN ? CG_PROOF_ADMIN : CG_PROOF_TRIAL;
    if (wanted->client[0] == 0) return CG_OK;
    request->proof = CG_PROOF_TRIAL;
    request->may_be_anonymous = strcmp(wanted->client, "anonymous") == 0;
    if (request->may_be_anonymous) {
        request->proof = CG_PROOF_NONE;
        return CG_OK;
    }
    request->client = cg_config_client_by_name(config, wanted->client);
    if (request->client == NULL) return refuse(problem, "client", "is the name of no client");
    return CG_OK;
}

static int fill(struct cg_request *request, struct cg_arena *arena, const struct cg_admin_call *call,
                const struct cg_config *config, const struct wanted *wanted, struct cg_problem *problem) {
    const struct cg_mapping *mapping = cg_mapping_by_name(config, wanted->mapping);
    if (mapping == NULL)
        return cg_problem_set(problem, CG_E_NOT_FOUND, "no mapping is called \"%.64s\"", wanted->mapping);
    request->mapping = mapping->name;
    request->method = (uint8_t)wanted->method;
    request->host = mapping->host == NULL ? CG_SLICE_NONE : cg_slice_str(mapping->host);
    request->peer = *cg_http_call_peer(call->http);
    request->from = request->peer;
    request->from.port = 0;
    request->has_timeout = wanted->has_timeout;
    request->timeout_s = wanted->timeout_s;
    int err = take_client(request, call, config, wanted, problem);
    if (err == CG_OK) err = take_path(request, arena, mapping, wanted, problem);
    if (err == CG_OK && !keep(&request->query, arena, cg_slice_str(wanted->query))) err = cg_problem_no_memory(problem);
    return err == CG_OK ? take_content(request, arena, wanted, config->limits.request_body, problem) : err;
}

/* ---- The answer ---- */

static void note(const struct trial *trial, const char *result, const char *detail) {
    const struct cg_author author = cg_admin_author(trial->call);
    struct cg_manage *manage = cg_admin_manage(trial->call);
    if (manage != NULL) cg_manage_note(manage, &author, "try", trial->target, result, detail);
}

static void put_figures(struct cg_buf *to, const struct trial *trial) {
    const struct cg_traffic traffic =
        trial->recorder == NULL ? (struct cg_traffic){0} : cg_recorder_traffic(trial->recorder, trial->ticket);
    cg_buf_put_str(to, ",\"predicted\":");
    cg_preview_put_json(to, &trial->prediction);
    cg_buf_put_str(to, ",\"measured\":");
    cg_traffic_put_json(to, &traffic);
    cg_buf_put_str(to, "}\n");
}

/* The encoder's document without its end; nobody was to answer where there is none. */
static void put_document(struct cg_buf *to, const struct cg_reply *reply) {
    for (struct cg_slice block; reply->body != NULL && (block = cg_outq_peek(reply->body)).len > 0;) {
        cg_buf_put_slice(to, block);
        cg_outq_drop(reply->body, block.len);
    }
    while (to->len > 0 && to->data[to->len - 1] == '\n') to->len--;
    if (to->len > 1 && to->data[to->len - 1] == '}') {
        to->len--;
    } else {
        cg_buf_clear(to);
        cg_buf_printf(to, "{\"exchange\":\"%s\"", reply->exchange_id);
    }
}

static void on_reply(void *ctx, const struct cg_reply *reply) {
    struct trial *trial = ctx;
    struct cg_buf body;
    note(trial, "done", "");
    cg_buf_init(&body, 0);
    put_document(&body, reply);
    put_figures(&body, trial);
    cg_admin_reply_bytes(trial->call, &(struct cg_admin_head){.status = 200}, &body);
    free(trial);
}

static void on_problem(void *ctx, const struct cg_problem *problem, const char *exchange_id) {
    struct trial *trial = ctx;
    (void)exchange_id;
    note(trial, "refused", problem->detail);
    cg_admin_reply_problem(trial->call, problem);
    free(trial);
}

static const struct cg_front front = {.reply = on_reply, .problem = on_problem};

/* ---- Beginning ---- */

static int begin(struct trial *trial, const struct cg_request *request, struct cg_problem *problem) {
    struct cg_gateway *gateway = trial->gateway;
    const struct cg_reply_to to = {
        .encoder = cg_admin_encoder(trial->call, "application/json"),
        .is_named = true,
        .front = &front,
        .front_ctx = trial,
        .quota = cg_gateway_quota(gateway),
        .port = cg_gateway_port(gateway),
    };
    int err = cg_preview_request(gateway, cg_gateway_exchange_config(gateway, trial->ticket), request,
                                 &trial->prediction, problem);
    struct cg_sink *sink = err < 0 ? NULL : cg_reply_new(&to);
    if (err == CG_OK && sink == NULL) err = cg_problem_no_memory(problem);
    if (err < 0) return err;
    const struct trial copy = *trial; /* it may be over before this returns */
    trial->call->ctx = trial;
    cg_gateway_start(gateway, copy.ticket, sink, cg_loop_now_us());
    cg_gateway_advance(gateway, copy.ticket);
    if (copy.recorder != NULL) cg_recorder_predict(copy.recorder, copy.ticket, &copy.prediction);
    return CG_OK;
}

static void refuse_trial(struct trial *trial, const struct cg_problem *problem) {
    note(trial, "refused", problem->detail);
    cg_gateway_refuse(trial->gateway, trial->ticket, problem, cg_err_info(problem->err)->http_status);
    cg_admin_reply_problem(trial->call, problem);
    free(trial);
}

static void reply_dry(struct trial *trial) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_buf_put_str(&text, "{\"sends\":");
    cg_preview_put_json(&text, &trial->prediction);
    cg_buf_put_str(&text, "}\n");
    cg_gateway_abandon(trial->gateway, trial->ticket);
    cg_admin_reply_bytes(trial->call, &(struct cg_admin_head){.status = 200}, &text);
    free(trial);
}

static void go(struct trial *trial, const struct wanted *wanted, bool is_dry) {
    struct cg_problem problem = {0};
    struct cg_gateway *gateway = trial->gateway;
    struct cg_request *request = cg_gateway_request(gateway, trial->ticket);
    struct cg_config *config = cg_gateway_exchange_config(gateway, trial->ticket);
    int err = fill(request, cg_gateway_arena(gateway, trial->ticket), trial->call, config, wanted, &problem);
    if (err == CG_OK && is_dry) {
        err = cg_preview_request(gateway, config, request, &trial->prediction, &problem);
    } else if (err == CG_OK) {
        err = begin(trial, request, &problem);
    }
    if (err < 0) {
        refuse_trial(trial, &problem);
    } else if (is_dry) {
        reply_dry(trial);
    }
}

static struct trial *new_trial(struct cg_admin_call *call, const struct wanted *wanted, struct cg_problem *problem) {
    struct trial *trial = calloc(1, sizeof *trial);
    if (trial == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    trial->call = call;
    trial->gateway = cg_admin_gateway(call);
    trial->recorder = cg_admin_recorder(call);
    snprintf(trial->target, sizeof trial->target, "mappings/%.*s", CG_NAME_MAX, wanted->mapping);
    if (cg_gateway_new_exchange(trial->gateway, &trial->ticket, problem) == CG_OK) return trial;
    free(trial);
    return NULL;
}

/* `config`: what it runs under, where that is not what is in use. */
static void try_it(struct cg_admin_call *call, const struct wanted *wanted, bool is_dry, struct cg_config *config) {
    struct cg_problem problem = {0};
    struct trial *trial = new_trial(call, wanted, &problem);
    if (trial == NULL) {
        cg_admin_reply_problem(call, &problem);
        return;
    }
    if (config != NULL) cg_gateway_use_config(trial->gateway, trial->ticket, config);
    go(trial, wanted, is_dry);
}

/* ---- A mapping that is not saved ---- */

enum { NAMES_MAX = 1000 };

struct unsaved {
    struct cg_admin_edit edit;
    struct cg_manage *manage;
    struct cg_gateway *gateway;
    struct wanted wanted;
    json_t *document;
    char name[CG_NAME_MAX + 1]; /* "": any that is free */
    bool is_dry;
};

static struct unsaved *unsaved_of(struct cg_admin_edit *edit) { return CG_CONTAINER(edit, struct unsaved, edit); }

static bool is_free(const struct unsaved *own, const char *name) {
    return cg_manage_find(own->manage, CG_ITEM_MAPPING, name) == NULL &&
           !cg_stored_is_of_file(cg_gateway_config(own->gateway), CG_ITEM_MAPPING, name);
}

static void find_name(struct unsaved *own) {
    snprintf(own->name, sizeof own->name, "unsaved");
    for (unsigned i = 2; i < NAMES_MAX && !is_free(own, own->name); i++)
        snprintf(own->name, sizeof own->name, "unsaved-%u", i);
}

/* In place of the one of that name, where there is one. */
static int plan_unsaved(struct cg_change *change, const struct cg_manage *manage) {
    struct unsaved *own = unsaved_of(CG_CONTAINER(change, struct cg_admin_edit, change));
    (void)manage;
    if (own->name[0] == '\0') find_name(own);
    snprintf(own->edit.target, sizeof own->edit.target, "mappings/%s", own->name);
    if (cg_stored_is_of_file(cg_gateway_config(own->gateway), CG_ITEM_MAPPING, own->name))
        return cg_items_refuse_of_file(&change->problem, CG_ITEM_MAPPING, own->name);
    return cg_change_put(change, CG_ITEM_MAPPING, own->name, own->document, CG_SLICE_NONE);
}

/* "/mappings/NAME/timeout" of what would be stored is "/mapping/timeout" of the body. */
static void place_mistakes(struct cg_admin_edit *edit, struct cg_mistakes *mistakes) {
    char begin[CG_ADMIN_TARGET_MAX + 1], pointer[512];
    struct cg_mistakes placed;
    const int len = snprintf(begin, sizeof begin, "/%s", edit->target);
    cg_mistakes_init(&placed);
    for (const struct cg_mistake *at = mistakes->first; at != NULL; at = at->next) {
        const bool is_its = strncmp(at->pointer, begin, (size_t)len) == 0;
        snprintf(pointer, sizeof pointer, "/mapping%s", is_its ? at->pointer + len : "");
        cg_mistakes_add(&placed, pointer, "%s", at->message);
    }
    cg_mistakes_fini(mistakes);
    *mistakes = placed;
}

/* The snapshot is nobody else's, and never will be. */
static void reply_unsaved(struct cg_admin_edit *edit) {
    struct unsaved *own = unsaved_of(edit);
    struct cg_config *config = edit->change.will;
    const struct cg_mapping *mapping = cg_mapping_by_name(config, own->name);
    if (mapping != NULL) cg_config_mapping(config, mapping->number)->is_unsaved = true;
    own->wanted.mapping = own->name;
    edit->call->left = NULL;
    try_it(edit->call, &own->wanted, own->is_dry, config);
}

static void note_refusal(const struct unsaved *own) {
    const struct cg_change *change = &own->edit.change;
    if (change->err == CG_OK || own->is_dry) return;
    cg_manage_note(own->manage, &change->author, "try", own->edit.target, "refused", change->problem.detail);
}

static void free_unsaved(struct cg_admin_edit *edit) {
    struct unsaved *own = unsaved_of(edit);
    note_refusal(own);
    cg_buf_fini(&own->wanted.payload);
    json_decref(own->document);
    free(own);
}

/* As it was set, and in use for as long as it is tried. */
static json_t *document_of(const json_t *unsaved) {
    json_t *document = cg_shown_as_set(unsaved);
    if (json_is_false(json_object_get(document, "enabled"))) json_object_del(document, "enabled");
    return document;
}

static int check_unsaved(const struct cg_admin_call *call, struct cg_problem *problem) {
    if (call->who.role < CG_ROLE_ADMIN)
        return cg_problem_set(problem, CG_E_FORBIDDEN, "a mapping that is not saved is tried with the role admin");
    return cg_admin_manage(call) != NULL
               ? CG_OK
               : cg_problem_set(problem, CG_E_STORE, "there is no store here, so only what is in use can be tried");
}

static struct unsaved *new_unsaved(struct cg_admin_call *call, const struct wanted *wanted, bool is_dry) {
    struct unsaved *own = calloc(1, sizeof *own);
    json_t *document = own == NULL ? NULL : document_of(wanted->unsaved);
    if (document == NULL) {
        free(own);
        return NULL;
    }
    *own = (struct unsaved){.edit = {.change = {.plan = plan_unsaved},
                                     .reply = reply_unsaved,
                                     .is_rehearsal = true,
                                     .place_mistakes = place_mistakes,
                                     .free = free_unsaved},
                            .manage = cg_admin_manage(call),
                            .gateway = cg_admin_gateway(call),
                            .wanted = *wanted,
                            .document = document,
                            .is_dry = is_dry};
    return own;
}

/* True: the payload is taken over. */
static bool try_unsaved(struct cg_admin_call *call, const struct wanted *wanted, bool is_dry) {
    struct cg_problem problem = {0};
    const json_t *said = json_object_get(wanted->unsaved, "name");
    const char *name = said == NULL ? "" : json_string_value(said);
    int err = check_unsaved(call, &problem);
    if (err == CG_OK && said != NULL && (name == NULL || !cg_admin_is_name(name))) {
        cg_admin_reply_invalid(call, "/mapping/name", "must match [a-z0-9][a-z0-9._-]{0,63}, or be absent");
        return false;
    }
    struct unsaved *own = err < 0 ? NULL : new_unsaved(call, wanted, is_dry);
    if (own == NULL) {
        if (err == CG_OK) (void)cg_problem_no_memory(&problem);
        cg_admin_reply_problem(call, &problem);
        return false;
    }
    snprintf(own->name, sizeof own->name, "%s", name);
    call->left = cg_admin_edit_left;
    cg_admin_edit_start(&own->edit, call);
    return true;
}

/* ---- The resource ---- */

static void serve_try(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    struct wanted wanted = {0};
    bool is_dry = false;
    cg_buf_init(&wanted.payload, 0);
    int err = cg_admin_is_dry(call, &is_dry, &problem);
    if (err == CG_OK) err = take_body(call->body, &wanted, &problem);
    bool is_taken = false;
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
    } else if (wanted.unsaved != NULL) {
        is_taken = try_unsaved(call, &wanted, is_dry);
    } else {
        try_it(call, &wanted, is_dry, NULL);
    }
    if (!is_taken) cg_buf_fini(&wanted.payload);
}

static void leave_try(struct cg_admin_call *call) {
    struct trial *trial = call->ctx;
    cg_gateway_abandon(trial->gateway, trial->ticket);
    free(trial);
}

static const struct cg_admin_schema schemas[] = {
    {"Try", "{'type': 'object', 'required': ['mapping'], 'additionalProperties': false, 'properties': {"
            "'mapping': {'type': ['string', 'object'], 'description': 'The name of one, or a whole one that is not"
            " saved, which takes the role admin. Nothing of that is kept, or learnt.'}, 'method': {'type': 'string', "
            "'default': 'GET'},"
            "'path': {'type': 'string', 'description': 'Below the mapping, with a query.'},"
            "'body': {'description': 'A string is sent as it is, anything else as JSON.'},"
            "'content_type': {'type': ['string', 'null']},"
            "'client': {'type': ['string', 'null'], 'description': 'Whose grants count.'},"
            "'timeout': {'type': ['integer', 'null'], 'minimum': 0, 'description': 'Seconds.'}}}"},
    {"TryReply", "{'type': 'object', 'properties': {'exchange': {'type': 'string'}, 'mapping': {'type': 'string'},"
                 "'summary': {'type': 'object'}, 'answers': {'type': 'array'}, 'missing': {'type': 'array'},"
                 "'rejected': {'type': 'array'}, 'predicted': {'type': 'object'}, 'measured': {'type': 'object'},"
                 "'sends': {'type': 'object', 'description': 'With dry_run: what would go out.'}}}"},
};

static const struct cg_admin_route routes[] = {
    {.method = "POST",
     .path = "/try",
     .role = CG_ROLE_OPERATOR,
     .serve = serve_try,
     .left = leave_try,
     .id = "try",
     .says = "Sends a request to a mapping, or says what it would send.",
     .body = "Try",
     .answer = "TryReply",
     .queries = "dry_run",
     .flags = CG_ROUTE_OWN_PREVIEW,
     .status = 200,
     .others = {403, 404, 409, 502, 504}},
};

const struct cg_admin_routes cg_routes_try = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
