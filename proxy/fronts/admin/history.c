/* Revisions: what was changed, by whom, as a difference; and taking it back. */
#include <stdlib.h>

#include "base/container.h"
#include "base/text.h"
#include "fronts/admin/edit.h"
#include "fronts/admin/reading.h"
#include "fronts/admin/resources.h"
#include "manage/undo.h"

static void put_revision(struct cg_buf *to, const struct cg_revision *revision) {
    bool undoable = revision->undo == CG_UNDO_ALLOWED;
    cg_buf_put_str(to, "{\"number\":");
    cg_buf_put_decimal(to, revision->number);
    cg_admin_put_time(to, "at", revision->deed.at_ms);
    cg_admin_put_text(to, "who", revision->deed.who);
    cg_admin_put_text(to, "from", revision->deed.from);
    cg_admin_put_text(to, "operation", revision->deed.operation);
    cg_admin_put_text(to, "target", revision->deed.target);
    cg_buf_printf(to, ",\"change_count\":%zu,\"undoable\":%s", revision->change_count, undoable ? "true" : "false");
    cg_admin_put_text(to, "way_forward", undoable ? NULL : revision->deed.detail);
    cg_admin_put_number(to, "undoes", revision->undoes);
    cg_admin_put_number(to, "undone_by", revision->undone_by);
}

static bool hear_of_page(void *ctx, const struct cg_revision *revision) {
    struct cg_admin_reading *reading = ctx;
    if (!cg_admin_reading_next(reading, revision->number)) return true;
    put_revision(&reading->text, revision);
    cg_buf_put_u8(&reading->text, '}');
    return !reading->text.failed;
}

static int read_revisions(struct cg_admin_reading *reading, struct cg_items_file *file) {
    cg_admin_reading_begin(reading);
    int err = cg_items_revisions(file, reading->before, reading->limit + 1, hear_of_page, reading, &reading->problem);
    cg_admin_reading_end(reading);
    return err;
}

static bool hear_of_one(void *ctx, const struct cg_revision *revision) {
    struct cg_admin_reading *reading = ctx;
    put_revision(&reading->text, revision);
    cg_buf_put_str(&reading->text, ",\"changes\":[");
    return !reading->text.failed;
}

static void put_document(struct cg_buf *to, const char *key, struct cg_slice document) {
    cg_buf_printf(to, ",\"%s\":", key);
    cg_buf_put_slice(to, document.len == 0 ? cg_slice_str("null") : document);
}

static bool hear_of_change(void *ctx, const struct cg_revision_change *change) {
    struct cg_admin_reading *reading = ctx;
    struct cg_buf *to = &reading->text;
    cg_buf_put_str(to, reading->count++ > 0 ? ",{\"kind\":" : "{\"kind\":");
    cg_buf_put_json(to, cg_slice_str(cg_item_collections[change->kind]));
    cg_admin_put_text(to, "name", change->name);
    put_document(to, "before", change->before);
    put_document(to, "after", change->after);
    cg_buf_put_u8(to, '}');
    return !to->failed;
}

static int read_revision(struct cg_admin_reading *reading, struct cg_items_file *file) {
    int err = cg_items_revision(file, reading->number, hear_of_one, hear_of_change, reading, &reading->problem);
    cg_buf_put_str(&reading->text, "]}");
    if (err == CG_E_NOT_FOUND)
        cg_problem_set(&reading->problem, err, "there is no revision %llu, or none any more",
                       (unsigned long long)reading->number);
    return err;
}

static void serve_list(struct cg_admin_call *call) { cg_admin_read_page(call, read_revisions); }
static void serve_get(struct cg_admin_call *call) { cg_admin_read_one(call, read_revision); }

/* ---- Undoing ---- */

struct undoing {
    struct cg_admin_edit edit;
    struct cg_undo undo;
};

static struct undoing *undoing_of(struct cg_admin_edit *edit) { return CG_CONTAINER(edit, struct undoing, edit); }

static int plan_undo(struct cg_change *change, const struct cg_manage *manage) {
    return cg_undo_plan(&undoing_of(CG_CONTAINER(change, struct cg_admin_edit, change))->undo, change, manage);
}

static void put_depends(struct cg_admin_edit *edit, struct cg_buf *to) {
    const json_t *depends = undoing_of(edit)->undo.depends;
    char *text = depends == NULL ? NULL : json_dumps(depends, JSON_COMPACT);
    if (text == NULL) return;
    cg_buf_put_str(to, ",\"depends\":");
    cg_buf_put_str(to, text);
    free(text);
}

static void free_undoing(struct cg_admin_edit *edit) {
    struct undoing *undoing = undoing_of(edit);
    json_decref(undoing->undo.depends);
    free(undoing);
}

static int read_undo(const struct cg_admin_call *call, struct undoing *undoing, struct cg_problem *problem) {
    bool with_later = false;
    int err = cg_admin_query_bool(call, "with_later", &with_later, problem);
    undoing->undo.extent = with_later ? CG_UNDO_WITH_LATER : CG_UNDO_ALONE;
    if (err < 0) return err;
    return cg_decimal_parse(cg_slice_str(cg_admin_part(call, 0)), UINT64_MAX, &undoing->undo.number);
}

static void serve_undo(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    struct undoing *undoing = calloc(1, sizeof *undoing);
    int err = undoing == NULL ? cg_problem_no_memory(&problem) : read_undo(call, undoing, &problem);
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
        free(undoing);
        return;
    }
    undoing->edit =
        (struct cg_admin_edit){.change = {.plan = plan_undo, .place = CG_PLAN_ON_DISK, .undoes = undoing->undo.number},
                               .reply = cg_admin_edit_reply_revision,
                               .put_members = put_depends,
                               .free = free_undoing};
    cg_admin_edit_start(&undoing->edit, call);
}

#define REVISION                                                                                                       \
    "'number': {'type': 'integer'}, 'at': {'type': 'string', 'format': 'date-time'}, 'who': {'type': 'string'},"       \
    "'from': {'type': 'string'}, 'operation': {'type': 'string'}, 'target': {'type': 'string'},"                       \
    "'change_count': {'type': 'integer'}, 'undoable': {'type': 'boolean'},"                                            \
    "'way_forward': {'type': ['string', 'null'], 'description': 'What to do where it cannot be undone.'},"             \
    "'undoes': {'type': ['integer', 'null']}, 'undone_by': {'type': ['integer', 'null']}"

static const struct cg_admin_schema schemas[] = {
    {"Revision", "{'type': 'object', 'required': ['number', 'at', 'who', 'operation', 'target', 'undoable'], "
                 "'additionalProperties': false, 'properties': {" REVISION ","
                 "'changes': {'$ref': '#/components/schemas/Difference'}}}"},
    {"RevisionList", CG_ADMIN_LIST_SCHEMA("Revision")},
};

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/revisions",
     .role = CG_ROLE_VIEWER,
     .serve = serve_list,
     .left = cg_admin_reading_left,
     .id = "revisions.list",
     .says = "All changes, latest first.",
     .answer = "RevisionList",
     .queries = "limit cursor",
     .status = 200},
    {.method = "GET",
     .path = "/revisions/{n}",
     .role = CG_ROLE_VIEWER,
     .serve = serve_get,
     .left = cg_admin_reading_left,
     .id = "revisions.get",
     .says = "A change, with each item as it was and is.",
     .answer = "Revision",
     .status = 200,
     .others = {404}},
    {.method = "POST",
     .path = "/revisions/{n}/undo",
     .role = CG_ROLE_ADMIN,
     .serve = serve_undo,
     .left = cg_admin_edit_left,
     .id = "revisions.undo",
     .says = "Takes a change back, by another one; where later ones rest on it (409 with \"depends\"), with these.",
     .answer = "Changed",
     .queries = "dry_run with_later",
     .status = 200,
     .others = {404, 409}},
};

const struct cg_admin_routes cg_routes_history = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
