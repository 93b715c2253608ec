/* Everything that is stored as one document: out, and in again. The hard thing is its size: it is copied out in one go,
 * which is quick, and taken in beside the disk, with what is wrong told by its place in what was sent. */
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "fronts/admin/condition.h"
#include "fronts/admin/edit.h"
#include "fronts/admin/release.h"
#include "fronts/admin/resources.h"
#include "manage/document.h"

/* ---- Out ---- */

static void serve_export(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    struct cg_condition if_none_match;
    struct cg_buf body;
    uint64_t revision = cg_manage_revision(cg_admin_manage(call));
    int err = cg_manage_check_read(cg_admin_manage(call), &problem);
    if (err == CG_OK)
        err =
            cg_condition_of(&if_none_match, cg_http_call_message(call->http), "If-None-Match", CG_TAGS_WEAK, &problem);
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
    } else if (cg_condition_has(&if_none_match, revision)) {
        cg_admin_reply_unchanged(call, revision);
    } else {
        cg_buf_init(&body, 0);
        cg_document_put(&body, cg_admin_manage(call));
        cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200, .etag = revision}, &body);
    }
}

/* ---- In ---- */

struct import {
    struct cg_admin_edit edit;
    struct cg_worker *worker;
    json_t *document;
    struct cg_condition if_match;
};

static struct import *import_of(struct cg_admin_edit *edit) { return CG_CONTAINER(edit, struct import, edit); }

static int plan(struct cg_change *change, const struct cg_manage *manage) {
    struct import *import = import_of(CG_CONTAINER(change, struct cg_admin_edit, change));
    const struct cg_condition none = {0};
    int err = import->if_match.is_there
                  ? cg_condition_check(&import->if_match, &none, cg_manage_revision(manage), &change->problem)
                  : CG_OK;
    return err < 0 ? err : cg_document_plan(import->document, change, manage);
}

static void place_mistakes(struct cg_admin_edit *edit, struct cg_mistakes *mistakes) {
    struct cg_mistakes placed;
    struct cg_buf pointer;
    cg_mistakes_init(&placed);
    for (const struct cg_mistake *at = mistakes->first; at != NULL; at = at->next) {
        cg_buf_init(&pointer, 0);
        cg_document_place(import_of(edit)->document, at->pointer, &pointer);
        cg_buf_put_u8(&pointer, '\0');
        cg_mistakes_add(&placed, pointer.failed ? "" : (const char *)pointer.data, "%s", at->message);
        cg_buf_fini(&pointer);
    }
    cg_mistakes_fini(mistakes);
    *mistakes = placed;
}

static void free_import(struct cg_admin_edit *edit) {
    struct import *import = import_of(edit);
    cg_admin_release(import->worker, import->document);
    free(import);
}

static void serve_import(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    struct import *import = calloc(1, sizeof *import);
    int err = import == NULL ? cg_problem_no_memory(&problem)
                             : cg_condition_of(&import->if_match, cg_http_call_message(call->http), "If-Match",
                                               CG_TAGS_STRONG, &problem);
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
        free(import);
        return;
    }
    import->worker = cg_admin_worker(call);
    import->document = json_incref(call->body);
    import->edit = (struct cg_admin_edit){.change = {.plan = plan, .place = CG_PLAN_ON_DISK},
                                          .reply = cg_admin_edit_reply_revision,
                                          .place_mistakes = place_mistakes,
                                          .free = free_import};
    cg_admin_edit_start(&import->edit, call);
}

static const struct cg_admin_schema schemas[] = {
    {"Document", "{'type': 'object', 'description': 'In the form of the settings file.', 'properties': {"
                 "'version': {'const': 1}, 'settings': {'$ref': '#/components/schemas/SettingsSet'},"
                 "'security_groups': {'type': 'object'}, 'clients': {'type': 'object'},"
                 "'mappings': {'type': 'array', 'items': {'type': 'object'}},"
                 "'reactions': {'type': 'array', 'items': {'type': 'object'}}}}"},
};

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/export",
     .role = CG_ROLE_VIEWER,
     .serve = serve_export,
     .id = "export.get",
     .says = "Everything that is stored as one document, without secrets: the same bytes for the same state.",
     .answer = "Document",
     .status = 200,
     .others = {304}},
    {.method = "PUT",
     .path = "/import",
     .role = CG_ROLE_ADMIN,
     .serve = serve_import,
     .left = cg_admin_edit_left,
     .id = "import.put",
     .says = "Makes everything that is stored what the document says: what it leaves out goes.",
     .body = "Document",
     .body_max = (size_t)64 << 20,
     .answer = "Changed",
     .queries = "dry_run",
     .status = 200,
     .others = {409, 412}},
};

const struct cg_admin_routes cg_routes_transfer = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
