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
#include "fronts/admin/try_wish.h"
#include "io/loop.h"
#include "model/mapping.h"
#include "recorder/recorder.h"
#include "reply/reply.h"
#include "settings/stored.h"

struct trial {
    struct cg_admin_call *call;
    struct cg_gateway *gateway;
    struct cg_recorder *recorder; /* NULL: none */
    struct cg_ticket ticket;
    struct cg_preview prediction;
    char target[sizeof "mappings/" + CG_NAME_MAX];
};

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

static void go(struct trial *trial, const struct cg_try_wish *wish, enum cg_change_mode mode) {
    struct cg_problem problem = {0};
    struct cg_gateway *gateway = trial->gateway;
    struct cg_request *request = cg_gateway_request(gateway, trial->ticket);
    struct cg_config *config = cg_gateway_exchange_config(gateway, trial->ticket);
    int err = cg_try_fill(request, cg_gateway_arena(gateway, trial->ticket), trial->call, config, wish, &problem);
    if (err == CG_OK && mode == CG_CHANGE_DRY) {
        err = cg_preview_request(gateway, config, request, &trial->prediction, &problem);
    } else if (err == CG_OK) {
        err = begin(trial, request, &problem);
    }
    if (err < 0) {
        refuse_trial(trial, &problem);
    } else if (mode == CG_CHANGE_DRY) {
        reply_dry(trial);
    }
}

static struct trial *new_trial(struct cg_admin_call *call, const struct cg_try_wish *wish, struct cg_problem *problem) {
    struct trial *trial = calloc(1, sizeof *trial);
    if (trial == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    trial->call = call;
    trial->gateway = cg_admin_gateway(call);
    trial->recorder = cg_admin_recorder(call);
    snprintf(trial->target, sizeof trial->target, "mappings/%.*s", CG_NAME_MAX, wish->mapping);
    if (cg_gateway_new_exchange(trial->gateway, &trial->ticket, problem) == CG_OK) return trial;
    free(trial);
    return NULL;
}

/* `config`: what it runs under, where that is not what is in use. */
static void try_it(struct cg_admin_call *call, const struct cg_try_wish *wish, enum cg_change_mode mode,
                   struct cg_config *config) {
    struct cg_problem problem = {0};
    struct trial *trial = new_trial(call, wish, &problem);
    if (trial == NULL) {
        cg_admin_reply_problem(call, &problem);
        return;
    }
    if (config != NULL) cg_gateway_use_config(trial->gateway, trial->ticket, config);
    go(trial, wish, mode);
}

/* ---- A mapping that is not saved ---- */

enum { NAMES_MAX = 1000 };

struct unsaved {
    struct cg_admin_edit edit;
    struct cg_manage *manage;
    struct cg_gateway *gateway;
    struct cg_try_wish wish;
    json_t *document;
    char name[CG_NAME_MAX + 1]; /* "": any that is free */
    enum cg_change_mode mode;
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
    own->wish.mapping = own->name;
    edit->call->left = NULL;
    try_it(edit->call, &own->wish, own->mode, config);
}

static void note_refusal(const struct unsaved *own) {
    const struct cg_change *change = &own->edit.change;
    if (change->err == CG_OK || own->mode == CG_CHANGE_DRY) return;
    cg_manage_note(own->manage, &change->author, "try", own->edit.target, "refused", change->problem.detail);
}

static void free_unsaved(struct cg_admin_edit *edit) {
    struct unsaved *own = unsaved_of(edit);
    note_refusal(own);
    cg_buf_fini(&own->wish.payload);
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

static struct unsaved *new_unsaved(struct cg_admin_call *call, const struct cg_try_wish *wish,
                                   enum cg_change_mode mode) {
    struct unsaved *own = calloc(1, sizeof *own);
    json_t *document = own == NULL ? NULL : document_of(wish->unsaved);
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
                            .wish = *wish,
                            .document = document,
                            .mode = mode};
    return own;
}

/* True: the payload is taken over. */
static bool try_unsaved(struct cg_admin_call *call, const struct cg_try_wish *wish, enum cg_change_mode mode) {
    struct cg_problem problem = {0};
    const json_t *said = json_object_get(wish->unsaved, "name");
    const char *name = said == NULL ? "" : json_string_value(said);
    int err = check_unsaved(call, &problem);
    if (err == CG_OK && said != NULL && (name == NULL || !cg_admin_is_name(name))) {
        cg_admin_reply_invalid(call, "/mapping/name", "must match [a-z0-9][a-z0-9._-]{0,63}, or be absent");
        return false;
    }
    struct unsaved *own = err < 0 ? NULL : new_unsaved(call, wish, mode);
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
    struct cg_try_wish wish = {0};
    enum cg_change_mode mode;
    cg_buf_init(&wish.payload, 0);
    int err = cg_admin_mode(call, &mode, &problem);
    if (err == CG_OK) err = cg_try_read(&wish, call->body, &problem);
    bool is_taken = false;
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
    } else if (wish.unsaved != NULL) {
        is_taken = try_unsaved(call, &wish, mode);
    } else {
        try_it(call, &wish, mode, NULL);
    }
    if (!is_taken) cg_buf_fini(&wish.payload);
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
