/* Settings: what the file says, below it what is set here, below that the defaults. */
#include "fronts/admin/setting.h"

#include <stdlib.h>

#include "base/container.h"
#include "fronts/admin/edit.h"
#include "fronts/admin/merge.h"
#include "fronts/admin/private.h"
#include "fronts/admin/reading.h"
#include "fronts/admin/resources.h"
#include "settings/json_load.h"
#include "settings/stored.h"

static const struct cg_item *find(const struct cg_admin_call *call) {
    return cg_manage_find(cg_admin_manage(call), CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME);
}

/* ---- Single keys ---- */

/* What is done with each key that a document sets; the pointer ends with a NUL. Not CG_OK: that was the last one. */
typedef int key_fn(void *ctx, const char *pointer);

static void put_part(struct cg_buf *to, const char *key) {
    cg_buf_put_u8(to, '/');
    for (; *key != '\0'; key++) {
        if (*key == '~' || *key == '/') {
            cg_buf_put_str(to, *key == '~' ? "~0" : "~1");
        } else {
            cg_buf_put_u8(to, (uint8_t)*key);
        }
    }
}

static int each_key(json_t *document, struct cg_buf *pointer, key_fn *look, void *ctx) {
    const char *key;
    json_t *value;
    int err = CG_OK;
    json_object_foreach(document, key, value) {
        size_t len = pointer->len;
        put_part(pointer, key);
        if (json_is_object(value)) {
            err = each_key(value, pointer, look, ctx);
        } else if (!json_is_null(value)) {
            cg_buf_put_u8(pointer, '\0');
            err = pointer->failed ? CG_E_NO_MEMORY : look(ctx, (const char *)pointer->data);
        }
        if (err < 0) return err;
        pointer->len = len;
    }
    return CG_OK;
}

static int for_each_key(json_t *document, key_fn *look, void *ctx) {
    struct cg_buf pointer;
    cg_buf_init(&pointer, 0);
    int err = each_key(document, &pointer, look, ctx);
    cg_buf_fini(&pointer);
    return err;
}

struct sources {
    const struct cg_config *config;
    struct cg_buf *to;
    size_t count;
};

static void put_source(struct sources *sources, const char *pointer, const char *source) {
    if (sources->count++ > 0) cg_buf_put_u8(sources->to, ',');
    cg_buf_put_json(sources->to, cg_slice_str(pointer));
    cg_buf_printf(sources->to, ":\"%s\"", source);
}

static int put_stored_source(void *ctx, const char *pointer) {
    struct sources *sources = ctx;
    if (!cg_stored_file_sets(sources->config, pointer)) put_source(sources, pointer, "stored");
    return CG_OK;
}

/* Where each key that is no default comes from. `item` NULL: what is stored does not count. */
static void put_sources(struct cg_buf *to, const struct cg_config *config, const struct cg_item *item) {
    struct sources sources = {.config = config, .to = to};
    cg_buf_put_str(to, ",\"sources\":{");
    for (size_t i = 0; i < config->file_key_count; i++) put_source(&sources, config->file_keys[i], "file");
    if (item != NULL) {
        json_t *stored = cg_json_load(item->document, 0, NULL);
        if (stored == NULL || for_each_key(stored, put_stored_source, &sources) < 0) to->failed = true;
        json_decref(stored);
    }
    cg_buf_put_u8(to, '}');
}

static void put_settings(struct cg_buf *to, const struct cg_admin_call *call, const struct cg_item *item) {
    const struct cg_config *config = cg_admin_config(call);
    const char *reason;
    enum cg_item_state state = cg_stored_state(config, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, &reason);
    cg_buf_put_str(to, "{\"stored\":");
    cg_buf_put_slice(to, item == NULL ? cg_slice_str("{}") : item->document);
    cg_admin_put_text(to, "state", cg_item_state_names[state]);
    cg_admin_put_text(to, "reason", reason);
    cg_admin_put_number(to, "revision", item == NULL ? 0 : item->revision);
    if (item == NULL) {
        cg_buf_put_str(to, ",\"changed\":null,\"changed_by\":null");
    } else {
        cg_admin_put_time(to, "changed", item->changed_ms);
        cg_admin_put_text(to, "changed_by", item->changed_by);
    }
    put_sources(to, config, state == CG_ITEM_IN_USE ? item : NULL);
    cg_buf_put_str(to, ",\"effective\":");
    cg_settings_print_sections(to, config);
    cg_buf_put_str(to, "}\n");
}

static void reply_settings(struct cg_admin_call *call) {
    const struct cg_item *item = find(call);
    struct cg_buf body;
    cg_buf_init(&body, 0);
    put_settings(&body, call, item);
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200, .etag = item == NULL ? 0 : item->revision},
                         &body);
}

static void serve_get(struct cg_admin_call *call) { reply_settings(call); }

/* ---- Changes ---- */

struct files_keys {
    const struct cg_config *config;
    struct cg_problem *problem;
};

static int refuse_files(void *ctx, const char *pointer) {
    const struct files_keys *keys = ctx;
    if (!cg_stored_file_sets(keys->config, pointer)) return CG_OK;
    return cg_problem_set(keys->problem, CG_E_CONFLICT, "%s is set by the settings file: it can be changed there only",
                          pointer);
}

static int refuse_what_the_file_sets(struct cg_change *change, const struct cg_config *config, json_t *patch) {
    struct files_keys keys = {.config = config, .problem = &change->problem};
    int err = for_each_key(patch, refuse_files, &keys);
    return err == CG_E_NO_MEMORY ? cg_problem_no_memory(&change->problem) : err;
}

int cg_setting_plan(struct cg_change *change, const struct cg_config *config, const struct cg_items_wish *wish) {
    static const char none[] = "{}";
    const struct cg_item *there = cg_change_find(change, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME);
    bool takes_any = there == NULL && wish->if_match.any; /* settings are always there, stored or not */
    bool is_asked = (wish->if_match.is_there && !takes_any) || wish->if_none_match.is_there;
    int err = is_asked ? cg_condition_check(&wish->if_match, &wish->if_none_match, there == NULL ? 0 : there->revision,
                                            &change->problem)
                       : CG_OK;
    if (err == CG_OK) err = refuse_what_the_file_sets(change, config, wish->document);
    if (err < 0) return err;
    json_t *document = cg_merge_patched(there == NULL ? cg_slice_str(none) : there->document, wish->document);
    if (document == NULL) return cg_problem_no_memory(&change->problem);
    if (json_object_size(document) > 0) {
        err = cg_change_put(change, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, document, CG_SLICE_NONE);
    } else if (there != NULL) {
        err = cg_change_remove(change, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME);
    }
    json_decref(document);
    return err;
}

struct setting_edit {
    struct cg_admin_edit edit;
    struct cg_gateway *gateway;
    struct cg_items_wish wish;
};

static int plan(struct cg_change *change, const struct cg_manage *manage) {
    (void)manage;
    struct cg_admin_edit *edit = CG_CONTAINER(change, struct cg_admin_edit, change);
    const struct setting_edit *own = CG_CONTAINER(edit, struct setting_edit, edit);
    return cg_setting_plan(change, cg_gateway_config(own->gateway), &own->wish);
}

static void reply_made(struct cg_admin_edit *edit) { reply_settings(edit->call); }

static void free_edit(struct cg_admin_edit *edit) {
    struct setting_edit *own = CG_CONTAINER(edit, struct setting_edit, edit);
    json_decref(own->wish.document);
    free(own);
}

static void serve_patch(struct cg_admin_call *call) {
    const struct cg_http_message *message = cg_http_call_message(call->http);
    struct cg_problem problem = {0};
    struct setting_edit *own = calloc(1, sizeof *own);
    int err = own == NULL ? cg_problem_no_memory(&problem)
                          : cg_condition_of(&own->wish.if_match, message, "If-Match", CG_TAGS_STRONG, &problem);
    if (err == CG_OK) err = cg_condition_of(&own->wish.if_none_match, message, "If-None-Match", CG_TAGS_WEAK, &problem);
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
        free(own);
        return;
    }
    own->gateway = call->admin->gateway;
    own->wish.document = json_incref(call->body);
    own->edit = (struct cg_admin_edit){.change = {.plan = plan},
                                       .base = "/" CG_ITEM_SETTINGS_NAME "/" CG_ITEM_SETTINGS_NAME,
                                       .reply = reply_made,
                                       .free = free_edit};
    cg_admin_edit_start(&own->edit, call);
}

static const struct cg_admin_schema schemas[] = {
    {"Settings",
     "{'type': 'object', 'required': ['stored', 'state', 'reason', 'revision', 'changed', 'changed_by', 'sources', "
     "'effective'],"
     "'additionalProperties': false, 'properties': {'stored': {'$ref': '#/components/schemas/SettingsSet'},"
     "'state': {'enum': ['in-use', 'shadowed', 'disabled']}, 'reason': {'type': ['string', 'null']},"
     "'revision': {'type': ['integer', 'null']}, 'changed': {'type': ['string', 'null']},"
     "'changed_by': {'type': ['string', 'null']}, 'sources': {'type': 'object', 'description': 'Where each key comes "
     "from, by its JSON pointer; what is not there is a default.',"
     "'additionalProperties': {'enum': ['file', 'stored']}}, 'effective': {'type': 'object', 'description':"
     "'What counts, with the settings file and every default.'}}}"},
    {"SettingsPatch", "{'type': 'object', 'description': 'A merge patch (RFC 7396) on what is stored; null takes a key "
                      "back.'}"},
};

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/settings",
     .role = CG_ROLE_VIEWER,
     .serve = serve_get,
     .id = "settings.get",
     .says = "What is set here, and what counts.",
     .answer = "Settings",
     .status = 200},
    {.method = "PATCH",
     .path = "/settings",
     .role = CG_ROLE_ADMIN,
     .serve = serve_patch,
     .left = cg_admin_edit_left,
     .id = "settings.patch",
     .says = "Sets some keys, or takes them back; those that the settings file sets are its own (409).",
     .body = "SettingsPatch",
     .answer = "Settings",
     .queries = "dry_run",
     .flags = CG_ROUTE_MERGE_PATCH,
     .status = 200,
     .others = {409, 412}},
};

const struct cg_admin_routes cg_routes_settings = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
