/* What a request about a security group changes in the store, when its turn has come. The hard thing: it was made of
 * what there was when it came; if somebody has changed that since, what was made is no good any more. */
#include "base/text.h"
#include "keys/document.h"
#include "manage/group_work.h"
#include "manage/rekey_hook.h"
#include "settings/stored.h"

void cg_group_fetch_name(char name[CG_NAME_MAX + 1], const char *keys, const char *id) {
    (void)snprintf(name, CG_NAME_MAX + 1, "%.32s.%.16s", keys, id);
}

static const struct cg_item *find_fetch(const struct cg_manage *manage, const char *keys, const char *id) {
    char name[CG_NAME_MAX + 1];
    cg_group_fetch_name(name, keys, id);
    return cg_manage_find(manage, CG_ITEM_KEYS, name);
}

bool cg_group_is_fetched(const struct cg_manage *manage, const char *keys, const char *id) {
    return find_fetch(manage, keys, id) != NULL || find_fetch(manage, keys, CG_REKEY_HOOK_HAD) != NULL;
}

static struct cg_group_work *work_of(struct cg_change *change) {
    return CG_CONTAINER(change, struct cg_group_work, change);
}

static int conflict(struct cg_change *change, const char *sentence) {
    return cg_problem_set(&change->problem, CG_E_CONFLICT, "security group %s %s", work_of(change)->request->group,
                          sentence);
}

/* ---- Whether it is still as it was ---- */

static const struct cg_config *config_of(const struct cg_group_work *work) {
    const struct cg_groups_options *options = &work->groups->options;
    return options->config(options->ctx);
}

static int check_new(struct cg_change *change, const struct cg_manage *manage) {
    const struct cg_group_work *work = work_of(change);
    const char *name = work->request->group;
    if (cg_manage_find(manage, CG_ITEM_SECURITY_GROUP, name) != NULL) return conflict(change, "is there already");
    if (cg_stored_is_of_file(config_of(work), CG_ITEM_SECURITY_GROUP, name))
        return conflict(change, "is the settings file's");
    return CG_OK;
}

static int check_same(struct cg_change *change, const struct cg_manage *manage) {
    const struct cg_group_work *work = work_of(change);
    const struct cg_item *now = cg_manage_find(manage, CG_ITEM_SECURITY_GROUP, work->request->group);
    if (now == NULL)
        return cg_problem_set(&change->problem, CG_E_NOT_FOUND, "security group %s is not there any more",
                              work->request->group);
    if (work->request->has_match && work->request->match != now->revision)
        return cg_problem_set(&change->problem, CG_E_STALE, "security group %s has been changed since (revision %llu)",
                              work->request->group, (unsigned long long)now->revision);
    /* Who else has changed what the keys were made of. */
    if (now->revision != work->group->revision) return conflict(change, "was changed at the same time: ask again");
    return CG_OK;
}

/* ---- The edits ---- */

static int put_group(struct cg_change *change, const json_t *document) {
    return cg_change_put(change, CG_ITEM_SECURITY_GROUP, work_of(change)->request->group, document, CG_SLICE_NONE);
}

static int put_keys(struct cg_change *change) {
    const struct cg_group_work *work = work_of(change);
    if (!work->has_made) return CG_OK;
    return cg_change_put(change, CG_ITEM_KEYS, work->made.name, work->made.document, cg_buf_slice(&work->made.sealed));
}

/* The keys of that epoch, and what is known of whose files were fetched. */
static int remove_keys(struct cg_change *change, const struct cg_manage *manage, const struct cg_item *keys) {
    if (keys == NULL) return CG_OK;
    size_t len = strlen(keys->name);
    const struct cg_item *item = keys;
    int err = CG_OK;
    while (err == CG_OK && item != NULL && strncmp(item->name, keys->name, len) == 0) {
        err = cg_change_remove(change, CG_ITEM_KEYS, item->name);
        item = cg_manage_next(manage, CG_ITEM_KEYS, item->name);
    }
    return err;
}

static int put_fetch(struct cg_change *change, const struct cg_manage *manage) {
    const struct cg_group_work *work = work_of(change);
    char name[CG_NAME_MAX + 1];
    if (work->file == NULL) return CG_OK;
    cg_group_fetch_name(name, work->keys, work->member);
    const struct cg_item *before = cg_manage_find(manage, CG_ITEM_KEYS, name);
    if (before != NULL)
        return cg_problem_set(&change->problem, CG_E_CONFLICT,
                              "the file of member %s was fetched by %s before, and is given once: prepare-rekey makes "
                              "others",
                              work->member, before->changed_by);
    json_t *document = json_object();
    bool ok = cg_keys_set(document, "of", json_string(work->keys)) &&
              cg_keys_set(document, "member", json_string(work->member));
    int err = ok ? cg_change_put(change, CG_ITEM_KEYS, name, document, CG_SLICE_NONE) : CG_E_NO_MEMORY;
    json_decref(document);
    return err;
}

/* ---- Activation ---- */

static bool identity_of(const json_t *member, uint8_t identity[32]) {
    size_t len;
    const char *hex = cg_keys_text(member, "credential");
    return hex != NULL && cg_hex_parse(cg_slice_str(hex), identity, 32, &len) == CG_OK && len == 32;
}

static bool holds_next(const struct cg_group_work *work, const struct cg_manage *manage, const json_t *member) {
    const struct cg_groups_options *options = &work->groups->options;
    uint8_t identity[32];
    if (cg_group_is_fetched(manage, work->next->name, cg_keys_text(member, "id"))) return true;
    return identity_of(member, identity) && options->has_proven(options->ctx, work->request->group, CG_KEYRING_NEXT,
                                                                cg_slice_of(identity, sizeof identity));
}

static void note_lacking(struct cg_group_lacking *lacking, const json_t *member) {
    const char *name = cg_keys_text(member, "name");
    size_t room = sizeof lacking->names - lacking->len;
    if (lacking->count++ >= CG_GROUP_NAMED) return;
    int added = snprintf(lacking->names + lacking->len, room, "%s%s", lacking->len == 0 ? "" : ", ",
                         name != NULL ? name : cg_keys_text(member, "id"));
    lacking->len += added > 0 && (size_t)added < room ? (size_t)added : 0;
}

enum { LOOKED_AT_A_TURN = 512 };

bool cg_group_look_at_holders(struct cg_group_work *work) {
    const struct cg_manage *manage = work->groups->options.manage;
    const json_t *members = json_object_get(work->document, "members");
    struct cg_group_lacking *lacking = &work->lacking;
    size_t count = json_array_size(members), end = lacking->looked_at + LOOKED_AT_A_TURN;
    for (; lacking->looked_at < count && lacking->looked_at < end; lacking->looked_at++) {
        const json_t *member = json_array_get(members, lacking->looked_at);
        if (!holds_next(work, manage, member)) note_lacking(lacking, member);
    }
    return lacking->looked_at < count;
}

/* Members that are not known to have the keys would hear nothing any more. */
void cg_group_judge_holders(struct cg_group_work *work) {
    const struct cg_group_lacking *lacking = &work->lacking;
    if (lacking->count == 0) return;
    (void)cg_problem_set(&work->request->problem, CG_E_CONFLICT,
                         "%zu members are not known to hold the new keys, as nobody has fetched their files and no "
                         "answer has verified under them: %s%s; \"force\": true activates all the same",
                         lacking->count, lacking->names, lacking->count > CG_GROUP_NAMED ? " and others" : "");
}

static int need_next(struct cg_change *change) {
    return work_of(change)->next != NULL ? CG_OK : conflict(change, "has no rekey prepared: prepare-rekey first");
}

static int plan_activation(struct cg_change *change, const struct cg_manage *manage) {
    const struct cg_group_work *work = work_of(change);
    int err = need_next(change);
    if (err < 0) return err;
    json_t *document = cg_group_document(work->group);
    bool ok = document != NULL && cg_keys_set(document, "keys", json_string(work->next->name)) &&
              json_object_del(document, "next") == 0;
    err = ok ? put_group(change, document) : CG_E_NO_MEMORY;
    json_decref(document);
    return err == CG_OK ? remove_keys(change, manage, work->current) : err;
}

/* Another Sender ID under the same Gid may have been used already, and may not be given to anybody else. */
static int check_abandon(struct cg_change *change) {
    const struct cg_group_work *work = work_of(change);
    json_t *current = cg_group_document(work->current), *next = cg_group_document(work->next);
    bool is_same = json_equal(json_object_get(current, "gid"), json_object_get(next, "gid")) == 1;
    json_decref(current);
    json_decref(next);
    return is_same
               ? conflict(change, "has another Sender ID of the gateway prepared, which may have been used: activate "
                                  "it, or replace it by a rekey")
               : CG_OK;
}

static int plan_abandon(struct cg_change *change, const struct cg_manage *manage) {
    const struct cg_group_work *work = work_of(change);
    int err = need_next(change);
    if (err == CG_OK) err = check_abandon(change);
    if (err < 0) return err;
    json_t *document = cg_group_document(work->group);
    bool ok = document != NULL && json_object_del(document, "next") == 0;
    err = ok ? put_group(change, document) : CG_E_NO_MEMORY;
    json_decref(document);
    return err == CG_OK ? remove_keys(change, manage, work->next) : err;
}

static int plan_deletion(struct cg_change *change, const struct cg_manage *manage) {
    const struct cg_group_work *work = work_of(change);
    int err = cg_change_remove(change, CG_ITEM_SECURITY_GROUP, work->request->group);
    if (err == CG_OK) err = remove_keys(change, manage, work->current);
    return err == CG_OK ? remove_keys(change, manage, work->next) : err;
}

/* What was made, and in whose place. */
static int plan_keys(struct cg_change *change, const struct cg_manage *manage) {
    const struct cg_group_work *work = work_of(change);
    int err = work->document == NULL ? CG_OK : put_group(change, work->document);
    bool replaces = work->request->wish == CG_GROUP_PREPARE;
    if (err == CG_OK && replaces) err = remove_keys(change, manage, work->next);
    if (err == CG_OK) err = put_keys(change);
    return err == CG_OK ? put_fetch(change, manage) : err;
}

static int plan_it(struct cg_change *change, const struct cg_manage *manage) {
    switch (work_of(change)->request->wish) {
    case CG_GROUP_ACTIVATE: return plan_activation(change, manage);
    case CG_GROUP_ABANDON: return plan_abandon(change, manage);
    case CG_GROUP_DELETE: return plan_deletion(change, manage);
    default: return plan_keys(change, manage);
    }
}

int cg_group_plan(struct cg_change *change, const struct cg_manage *manage) {
    const struct cg_group_work *work = work_of(change);
    int err = work->group == NULL ? check_new(change, manage) : check_same(change, manage);
    /* Keys that are not claimed are not put in, since they would be refused: their difference is told without them. */
    bool is_told = change->mode == CG_CHANGE_DRY && work->has_made;
    if (err == CG_OK && !is_told) err = plan_it(change, manage);
    if (err == CG_E_NO_MEMORY && change->problem.err == 0) return cg_problem_no_memory(&change->problem);
    return err;
}
