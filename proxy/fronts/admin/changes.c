/* Several changes as one: one revision, all or nothing. The hard thing is telling mistakes: what validates knows items,
 * and whoever sent the list looks for its place in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "fronts/admin/edit.h"
#include "fronts/admin/items.h"
#include "fronts/admin/resources.h"
#include "fronts/admin/setting.h"
#include "fronts/admin/shown.h"

enum { CHANGES_MAX = 20000 };

/* What is changed, for mistakes in it. */
struct place {
    enum cg_item_kind kind;
    char name[CG_NAME_MAX + 1];
};

struct batch {
    struct cg_admin_edit edit;
    struct cg_gateway *gateway;
    json_t *body; /* until it is planned */
    struct place *places;
    size_t count;
};

static struct batch *batch_of(struct cg_admin_edit *edit) { return CG_CONTAINER(edit, struct batch, edit); }

static void free_batch(struct cg_admin_edit *edit) {
    struct batch *batch = batch_of(edit);
    json_decref(batch->body);
    free(batch->places);
    free(batch);
}

/* ---- What is asked ---- */

/* One entry of the list. */
struct reader {
    struct cg_mistakes *mistakes;
    size_t index;
    struct place *place;
    struct cg_items_wish wish; /* owns its document */
    bool out_of_memory;
};

static bool fail(struct reader *reader, const char *key, const char *text) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/changes/%zu%s%s", reader->index, key[0] == '\0' ? "" : "/", key);
    cg_mistakes_add(reader->mistakes, pointer, "%s", text);
    return false;
}

static bool read_method(struct reader *reader, const json_t *entry) {
    static const struct {
        const char *name;
        enum cg_wish_what what;
    } methods[] = {{"PUT", CG_WISH_PUT}, {"PATCH", CG_WISH_PATCH}, {"DELETE", CG_WISH_DELETE}};
    const char *method = json_string_value(json_object_get(entry, "method"));
    for (size_t i = 0; method != NULL && i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i].name, method) != 0) continue;
        reader->wish.what = methods[i].what;
        return true;
    }
    return fail(reader, "method", "must be \"PUT\", \"PATCH\" or \"DELETE\"");
}

static bool may_be_changed(enum cg_item_kind kind) {
    return kind == CG_ITEM_MAPPING || kind == CG_ITEM_CLIENT || kind == CG_ITEM_REACTION;
}

static bool is_settings(const struct reader *reader, const char *path) {
    return path != NULL && strcmp(path, cg_item_collections[CG_ITEM_SETTINGS]) == 0 &&
           reader->wish.what == CG_WISH_PATCH;
}

static bool read_path(struct reader *reader, const json_t *entry) {
    const char *path = json_string_value(json_object_get(entry, "path"));
    const char *slash = path == NULL ? NULL : strchr(path, '/');
    struct place *place = reader->place;
    if (is_settings(reader, path)) {
        place->kind = CG_ITEM_SETTINGS;
        strcpy(place->name, CG_ITEM_SETTINGS_NAME);
    } else if (slash != NULL && cg_item_kind_of(cg_slice_of(path, (size_t)(slash - path)), &place->kind) &&
               may_be_changed(place->kind) && cg_admin_is_name(slash + 1)) {
        strcpy(place->name, slash + 1);
    } else {
        return fail(reader, "path", "must be mappings/NAME, clients/NAME or reactions/NAME, or, for PATCH, settings");
    }
    reader->wish.kind = place->kind;
    reader->wish.name = place->name;
    return true;
}

static bool read_body(struct reader *reader, const json_t *entry) {
    const json_t *body = json_object_get(entry, "body");
    if (reader->wish.what == CG_WISH_DELETE) return body == NULL || fail(reader, "body", "is not for DELETE");
    if (!json_is_object(body)) return fail(reader, "body", "must be an object");
    if (reader->wish.kind != CG_ITEM_SETTINGS && !cg_items_has_name(body, reader->wish.name))
        return fail(reader, "body/name", "must be the name in the path, or absent");
    reader->wish.document = cg_shown_as_set(body);
    reader->out_of_memory = reader->wish.document == NULL;
    return !reader->out_of_memory;
}

static bool read_condition(struct reader *reader, const json_t *entry, const char *key, enum cg_condition_tags tags,
                           struct cg_condition *condition) {
    const json_t *text = json_object_get(entry, key);
    struct cg_problem problem = {0};
    if (text == NULL) return true;
    if (json_is_string(text) &&
        cg_condition_read(condition, cg_slice_str(json_string_value(text)), tags, &problem) == CG_OK)
        return true;
    return fail(reader, key, "must be what If-Match or If-None-Match may be: \"\\\"12\\\"\" or \"*\"");
}

static bool has_only_known(struct reader *reader, json_t *entry) {
    static const char *const known[] = {"method", "path", "body", "if_match", "if_none_match"};
    const char *key;
    json_t *value;
    json_object_foreach(entry, key, value) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) is_known |= strcmp(key, known[i]) == 0;
        if (!is_known) return fail(reader, "", "has a key other than method, path, body, if_match, if_none_match");
    }
    return true;
}

static bool read_entry(struct reader *reader, json_t *entry) {
    struct cg_items_wish *wish = &reader->wish;
    if (!json_is_object(entry)) return fail(reader, "", "must be an object");
    return has_only_known(reader, entry) && read_method(reader, entry) && read_path(reader, entry) &&
           read_body(reader, entry) && read_condition(reader, entry, "if_match", CG_TAGS_STRONG, &wish->if_match) &&
           read_condition(reader, entry, "if_none_match", CG_TAGS_WEAK, &wish->if_none_match);
}

/* ---- The change ---- */

/* Mistakes in the list are all told; what does not fit what is there ends it. */
static int plan_entry(struct cg_change *change, struct batch *batch, size_t index) {
    struct reader reader = {.mistakes = &change->mistakes, .index = index, .place = &batch->places[index]};
    json_t *list = json_object_get(batch->body, "changes");
    int err = CG_OK;
    if (read_entry(&reader, json_array_get(list, index)) && change->mistakes.count == 0) {
        err = reader.wish.kind == CG_ITEM_SETTINGS
                  ? cg_setting_plan(change, cg_gateway_config(batch->gateway), &reader.wish)
                  : cg_items_plan(change, cg_gateway_config(batch->gateway), &reader.wish);
        if (err < 0) fail(&reader, "", change->problem.detail);
    }
    if (reader.out_of_memory) err = CG_E_NO_MEMORY;
    json_decref(reader.wish.document);
    return err;
}

/* On the disk's thread: the list may be long. */
static int plan(struct cg_change *change, const struct cg_manage *manage) {
    struct batch *batch = batch_of(CG_CONTAINER(change, struct cg_admin_edit, change));
    int err = CG_OK;
    (void)manage;
    for (size_t i = 0; err == CG_OK && i < batch->count; i++) err = plan_entry(change, batch, i);
    json_decref(batch->body);
    batch->body = NULL;
    return err == CG_OK && change->mistakes.count > 0 ? CG_E_FORMAT : err;
}

/* "/mappings/floor3/timeout" of the item becomes "/changes/3/body/timeout". */
static void place_mistake(const struct batch *batch, struct cg_mistakes *to, const struct cg_mistake *mistake) {
    const char *rest = mistake->pointer;
    char pointer[512];
    for (size_t i = 0; i < batch->count; i++) {
        const struct place *place = &batch->places[i];
        int len = snprintf(pointer, sizeof pointer, "/%s/%s", cg_item_collections[place->kind], place->name);
        if (strncmp(rest, pointer, (size_t)len) != 0 || (rest[len] != '/' && rest[len] != '\0')) continue;
        snprintf(pointer, sizeof pointer, "/changes/%zu/body%s", i, rest + len);
        rest = pointer;
        break;
    }
    cg_mistakes_add(to, rest, "%s", mistake->message);
}

static void place_mistakes(struct cg_admin_edit *edit, struct cg_mistakes *mistakes) {
    struct cg_mistakes placed;
    cg_mistakes_init(&placed);
    for (const struct cg_mistake *at = mistakes->first; at != NULL; at = at->next)
        place_mistake(batch_of(edit), &placed, at);
    cg_mistakes_fini(mistakes);
    *mistakes = placed;
}

static struct batch *new_batch(struct cg_admin_call *call, size_t count) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    batch->places = calloc(count, sizeof *batch->places);
    batch->count = count;
    batch->gateway = cg_admin_gateway(call);
    batch->body = json_incref(call->body);
    batch->edit.change.plan = plan;
    batch->edit.change.place = CG_PLAN_ON_DISK;
    batch->edit.reply = cg_admin_edit_reply_revision;
    batch->edit.free = free_batch;
    batch->edit.place_mistakes = place_mistakes;
    if (batch->places != NULL) return batch;
    free_batch(&batch->edit);
    return NULL;
}

static void serve_changes(struct cg_admin_call *call) {
    const json_t *list = json_object_get(call->body, "changes");
    size_t count = json_array_size(list);
    if (count == 0 || count > CHANGES_MAX || json_object_size(call->body) != 1) {
        cg_admin_reply_invalid(call, "/changes", "must be there alone, a list of 1 to %d changes", CHANGES_MAX);
        return;
    }
    struct batch *batch = new_batch(call, count);
    if (batch == NULL) {
        struct cg_problem problem = {0};
        (void)cg_problem_no_memory(&problem);
        cg_admin_reply_problem(call, &problem);
        return;
    }
    cg_admin_edit_start(&batch->edit, call);
}

static const struct cg_admin_schema schemas[] = {
    {"Changes",
     "{'type': 'object', 'required': ['changes'], 'additionalProperties': false, 'properties': {'changes': {"
     "'type': 'array', 'minItems': 1, 'maxItems': 20000, 'items': {'type': 'object', 'required': ['method', 'path'],"
     "'additionalProperties': false, 'properties': {'method': {'enum': ['PUT', 'PATCH', 'DELETE']},"
     "'path': {'type': 'string', 'description': 'mappings/NAME, clients/NAME, reactions/NAME, settings'},"
     "'body': {'type': 'object'}, 'if_match': {'type': 'string'}, 'if_none_match': {'type': 'string'}}}}}}"},
    {"Changed", "{'type': 'object', 'required': ['revision'], 'properties': {'revision': {'type': ['integer', 'null'],"
                "'description': 'That it made; null: nothing differs.'}}}"},
};

static const struct cg_admin_route routes[] = {
    {.method = "POST",
     .path = "/changes",
     .role = CG_ROLE_ADMIN,
     .serve = serve_changes,
     .left = cg_admin_edit_left,
     .id = "changes.post",
     .says = "Makes several changes as one: one revision, all or nothing.",
     .body = "Changes",
     .body_max = (size_t)64 << 20,
     .answer = "Changed",
     .queries = "dry_run",
     .status = 200,
     .others = {404, 409, 412, 428}},
};

const struct cg_admin_routes cg_routes_changes = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
