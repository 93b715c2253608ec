/* What a request about a security group comes to: keys made, changed or taken in, and sealed. */
#include <stdlib.h>
#include <string.h>

#include "keys/document.h"
#include "manage/group_body.h"
#include "manage/group_work.h"
#include "settings/json_load.h"
#include "settings/secret.h"

/* ---- The group's item ---- */

int cg_group_no_memory(struct cg_group_work *work) { return cg_problem_no_memory(&work->request->problem); }

json_t *cg_group_document(const struct cg_item *item) { return cg_json_load(item->document, 0, NULL); }

static bool set_warm(json_t *document, const struct cg_group_request *request) {
    json_t *warm = json_object_get(request->body, "warm");
    return warm == NULL || json_object_set(document, "warm", warm) == 0;
}

static const char *gid_of(const json_t *keys) { return cg_keys_text(keys, "gid"); }

int cg_group_begin(struct cg_group_work *work) {
    work->document = work->group == NULL ? json_object() : cg_group_document(work->group);
    return work->document == NULL ? cg_group_no_memory(work) : CG_OK;
}

int cg_group_keep(struct cg_group_work *work, const char *as) {
    json_t *document = work->document;
    bool is_next = strcmp(as, "next") == 0, is_latest = is_next || work->current == NULL;
    bool ok = cg_keys_set(document, as, json_string(work->made.name)) &&
              (!is_latest || cg_keys_set(document, "latest_gid", json_string(gid_of(work->made.document)))) &&
              set_warm(document, work->request);
    (void)snprintf(work->keys, sizeof work->keys, "%s", work->made.name);
    work->epoch = is_next ? CG_KEYRING_NEXT : CG_KEYRING_CURRENT;
    return ok ? CG_OK : cg_group_no_memory(work);
}

int cg_group_seal_keys(struct cg_group_work *work, const struct cg_seal *seal, const char *name, const json_t *keys,
                       cg_group_retell_fn *retell) {
    struct cg_group_request *request = work->request;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_sealed_keys_make(&work->made, request->group, name, keys, seal, &mistakes, &request->problem);
    work->has_made = err == CG_OK;
    for (const struct cg_mistake *it = mistakes.first; it != NULL; it = it->next)
        cg_mistakes_add(&request->mistakes, retell(it->pointer), "%s", it->message);
    cg_mistakes_fini(&mistakes);
    return err;
}

const char *cg_group_retell_file(const char *pointer) { return pointer; }

const char *cg_group_retell_wishes(const char *pointer) {
    return strncmp(pointer, "/common/", 8) == 0 ? pointer + 7 : pointer;
}

/* ---- Taking in ---- */

/* The body as the security group file that it has in it. */
static json_t *file_in(const json_t *body) {
    static const char *const ours[] = {"never_sent", "warm", "replace"};
    json_t *file = cg_json_copy((json_t *)body);
    if (file == NULL) return NULL;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) (void)json_object_del(file, ours[i]);
    cg_group_drop_shown(file);
    if (json_object_get(file, "gateway") == NULL) (void)json_object_del(file, "name"); /* the whole group's has one */
    return file;
}

int cg_group_take_in(struct cg_group_work *work, const struct cg_seal *seal) {
    int err = cg_group_need_never_sent(work->request);
    if (err < 0) return err;
    json_t *file = file_in(work->request->body);
    err = file == NULL ? cg_group_no_memory(work) : cg_group_seal_keys(work, seal, NULL, file, cg_group_retell_file);
    json_decref(file);
    return err;
}

/* ---- Making ---- */

/* The keyring speaks of options as the command line writes them. */
int cg_group_tell_keyring(struct cg_group_work *work, int err, const char *error) {
    struct cg_problem *problem = &work->request->problem;
    if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(problem);
    if (err == CG_E_BAD_REQUEST)
        return cg_problem_set(problem, CG_E_INVALID, "%s", strncmp(error, "--", 2) == 0 ? error + 2 : error);
    return err < 0 ? cg_problem_set(problem, err, "keys cannot be made") : CG_OK;
}

static int make_group(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_wishes wishes;
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *keys = NULL;
    int err = cg_group_read_wishes(work->request, &wishes);
    if (err == CG_OK) err = cg_group_tell_keyring(work, cg_keyring_new(&keys, &wishes.ring, error), error);
    if (err == CG_OK) err = cg_group_seal_keys(work, seal, NULL, keys, cg_group_retell_wishes);
    json_decref(keys);
    cg_group_wishes_fini(&wishes);
    return err;
}

/* ---- Waiting for a Group Manager's keys ---- */

static int keep_text(struct cg_group_work *work, const char *key) {
    int err = cg_group_check_text(work->request, key);
    if (err < 0) return err;
    json_t *text = json_object_get(work->request->body, key);
    return json_object_set(work->document, key, text) == 0 ? CG_OK : cg_group_no_memory(work);
}

static int keep_text_if_any(struct cg_group_work *work, const char *key) {
    return json_object_get(work->request->body, key) == NULL ? CG_OK : keep_text(work, key);
}

static int wait_for_keys(struct cg_group_work *work) {
    int err = cg_group_check_keys(work->request, CG_GROUP_FORM_PENDING);
    if (err == CG_OK) err = keep_text(work, "group_manager");
    if (err == CG_OK) err = keep_text_if_any(work, "app_group");
    if (err == CG_OK) err = keep_text_if_any(work, "security_group");
    if (err < 0) return err;
    bool ok = cg_keys_set(work->document, "pending", json_true()) && set_warm(work->document, work->request);
    return ok ? CG_OK : cg_group_no_memory(work);
}

/* ---- A group ---- */

static int make_keys(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    bool is_import = cg_group_has_keys(request);
    int err = cg_group_check_keys(request, is_import ? CG_GROUP_FORM_IMPORT : CG_GROUP_FORM_CREATE);
    if (err == CG_OK) err = is_import ? cg_group_take_in(work, seal) : make_group(work, seal);
    return err == CG_OK ? cg_group_keep(work, "keys") : err;
}

static int make_new(struct cg_group_work *work, const struct cg_seal *seal) {
    int err = cg_group_read_name(work->request);
    if (err == CG_OK) err = cg_group_check_flag(work->request, "warm");
    if (err == CG_OK) err = cg_group_begin(work);
    if (err < 0) return err;
    return cg_group_says(work->request, "pending") ? wait_for_keys(work) : make_keys(work, seal);
}

static bool is_pending(const struct cg_group_work *work) { return work->group != NULL && work->current == NULL; }

/* What a pending group has waited for has come. */
static int complete(struct cg_group_work *work, const struct cg_seal *seal) {
    static const char *const over[] = {"pending", "group_manager", "app_group", "security_group"};
    for (size_t i = 0; i < sizeof over / sizeof *over; i++) (void)json_object_del(work->document, over[i]);
    return make_keys(work, seal);
}

static int change_group(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    bool brings = cg_group_has_keys(request);
    int err = cg_group_read_name(request);
    if (err == CG_OK) err = cg_group_check_flag(request, "warm");
    if (err == CG_OK) err = cg_group_begin(work);
    if (err < 0) return err;
    if (brings && is_pending(work)) return complete(work, seal);
    if (brings)
        return cg_problem_set(&request->problem, CG_E_CONFLICT,
                              "security group %s has keys: others come into use by prepare-rekey and activate",
                              request->group);
    err = cg_group_check_keys(request, CG_GROUP_FORM_CHANGE);
    if (err < 0) return err;
    if (request->wish == CG_GROUP_PUT) (void)json_object_del(work->document, "warm");
    return set_warm(work->document, request) ? CG_OK : cg_group_no_memory(work);
}

int cg_group_make(struct cg_group_work *work, const struct cg_seal *seal) {
    cg_json_wipe();
    switch (work->request->wish) {
    case CG_GROUP_CREATE: return make_new(work, seal);
    case CG_GROUP_PUT: return work->group == NULL ? make_new(work, seal) : change_group(work, seal);
    case CG_GROUP_PATCH: return change_group(work, seal);
    case CG_GROUP_JOIN: return cg_group_join(work, seal);
    case CG_GROUP_PREPARE: return cg_group_prepare(work, seal);
    case CG_GROUP_FETCH: return cg_group_fetch(work, seal);
    case CG_GROUP_ACTIVATE: return cg_group_check_activation(work);
    case CG_GROUP_READ: return cg_group_read(work);
    case CG_GROUP_ABANDON:
    case CG_GROUP_DELETE: break;
    }
    return CG_OK;
}
