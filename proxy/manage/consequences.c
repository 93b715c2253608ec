/* A deletion and whom it concerns. The hard thing: an edit that follows may replace one that was planned, which the
 * draft has in its tree; so the draft gets the new item before the old one is freed. */
#include "manage/consequences.h"

#include <stdio.h>

#include "manage/references.h"
#include "settings/json_load.h"
#include "settings/stored.h"

enum { NAMED_MAX = 3 }; /* in a problem's text */

/* Another item in place of one that names the client among its grants. What somebody has asked for in the same change
 * is not touched: naming a client there that goes is a mistake. */
static int take_grant(struct cg_change_own *own, const struct cg_item *item, const char *client) {
    const struct cg_change_edit *asked = cg_change_edit_of(own, item->kind, item->name);
    if (asked != NULL && !asked->follows) return CG_OK;
    json_t *document = cg_json_load(item->document, 0, NULL);
    json_t *grants = json_object_get(document, "clients");
    for (size_t i = json_array_size(grants); i-- > 0;) {
        const json_t *grant = json_array_get(grants, i);
        const char *name = json_string_value(json_is_object(grant) ? json_object_get(grant, "name") : grant);
        if (name != NULL && strcmp(name, client) == 0) json_array_remove(grants, i);
    }
    struct cg_item *without = document == NULL ? NULL : cg_change_item(item->kind, item->name, document, item->sealed);
    json_decref(document);
    if (without == NULL) return CG_E_NO_MEMORY;
    int err = cg_book_draft_put(&own->draft, without);
    if (err < 0) {
        cg_item_unref(without);
        return err;
    }
    err = cg_change_set(own, without->kind, without->name, without);
    if (err == CG_OK) cg_change_edit_of(own, without->kind, without->name)->follows = true;
    return err;
}

static int take_item(struct cg_change_own *own, const struct cg_item *item) {
    char name[CG_NAME_MAX + 1]; /* the item may be freed by what follows */
    enum cg_item_kind kind = item->kind;
    snprintf(name, sizeof name, "%s", item->name);
    int err = cg_book_draft_remove(&own->draft, kind, name);
    return err < 0 ? err : cg_change_set(own, kind, name, NULL);
}

typedef int take_fn(struct cg_change_own *own, const struct cg_item *item, const char *client);

static int take_token(struct cg_change_own *own, const struct cg_item *item, const char *client) {
    (void)client;
    return take_item(own, item);
}

static int take_all(struct cg_change_own *own, enum cg_item_kind kind, const char *client, take_fn *take) {
    const struct cg_item *item;
    char at[CG_NAME_MAX + 1] = "";
    int err = CG_OK;
    while (err == CG_OK && (item = cg_book_next(&own->draft.book, kind, at)) != NULL) {
        snprintf(at, sizeof at, "%s", item->name);
        enum cg_reference refers = cg_references_look(kind, item->document, CG_ITEM_CLIENT, client);
        if (refers == CG_REFERENCE_MADE) err = take(own, item, client);
        if (refers == CG_REFERENCE_UNKNOWN) err = CG_E_NO_MEMORY;
    }
    return err < 0 ? cg_problem_no_memory(&own->change->problem) : CG_OK;
}

static void name_one(char *text, size_t size, const struct cg_item *item) {
    size_t len = strlen(text);
    snprintf(text + len, size - len, "%s%s/%s", len == 0 ? "" : ", ", cg_item_collections[item->kind], item->name);
}

/* Whatever refers to it, of what there will be. */
static int need_nobody(struct cg_change_own *own, enum cg_item_kind kind, const char *name) {
    char who[NAMED_MAX * 2 * CG_NAME_MAX] = "";
    size_t found = 0;
    for (unsigned from = 0; from < CG_ITEM_KIND_COUNT; from++) {
        if (!cg_references_may((enum cg_item_kind)from, kind)) continue;
        const struct cg_item *item = cg_book_next(&own->draft.book, (enum cg_item_kind)from, "");
        for (; item != NULL; item = cg_book_next(&own->draft.book, item->kind, item->name)) {
            enum cg_reference refers = cg_references_look(item->kind, item->document, kind, name);
            if (refers == CG_REFERENCE_UNKNOWN) return cg_problem_no_memory(&own->change->problem);
            if (refers == CG_REFERENCE_NONE) continue;
            if (++found <= NAMED_MAX) name_one(who, sizeof who, item);
        }
    }
    if (found == 0) return CG_OK;
    return cg_problem_set(&own->change->problem, CG_E_CONFLICT, "%s/%s is needed by %s%s", cg_item_collections[kind],
                          name, who, found > NAMED_MAX ? " and others" : "");
}

/* Grants and tokens are then those of the settings file's client of that name, which stays. */
static bool is_shadowed_client(const struct cg_change_own *own, const char *name) {
    return cg_stored_is_of_file(cg_manage_in_use(own->manage), CG_ITEM_CLIENT, name);
}

static int follow(struct cg_change_own *own, enum cg_item_kind kind, const char *name) {
    int err = CG_OK;
    switch (kind) {
    case CG_ITEM_CLIENT:
        if (is_shadowed_client(own, name)) return CG_OK;
        err = take_all(own, CG_ITEM_TOKEN, name, take_token);
        return err < 0 || own->is_exact ? err : take_all(own, CG_ITEM_MAPPING, name, take_grant);
    case CG_ITEM_KEYS:
    case CG_ITEM_SECURITY_GROUP:
    case CG_ITEM_MAPPING: return own->is_exact ? CG_OK : need_nobody(own, kind, name);
    default: return CG_OK;
    }
}

int cg_change_follow(struct cg_change_own *own) {
    size_t planned = own->count;
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < planned; i++) {
        const struct cg_change_edit *edit = own->edits[i];
        bool goes = edit->item == NULL && cg_manage_find(own->manage, edit->kind, edit->name) != NULL;
        if (goes) err = follow(own, edit->kind, edit->name);
    }
    return err;
}
