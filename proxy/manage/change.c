/* What a plan wants to have changed. The hard thing: an import is 10 000 edits, so none of them may be looked for among
 * all others. */
#include "manage/change.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "manage/canonical.h"

enum { EDITS_FIRST = 4 };

struct cg_change_own *cg_change_own_new(struct cg_manage *manage, struct cg_change *change) {
    struct cg_change_own *own = calloc(1, sizeof *own);
    if (own == NULL) return NULL;
    own->manage = manage;
    own->change = change;
    return own;
}

void cg_change_forget_items(struct cg_change_own *own) {
    for (size_t i = 0; i < own->count; i++) {
        cg_item_unref(own->edits[i]->item);
        own->edits[i]->item = NULL;
    }
}

void cg_change_own_free(struct cg_change_own *own) {
    if (own == NULL) return;
    cg_change_forget_items(own);
    for (size_t i = 0; i < own->count; i++) free(own->edits[i]);
    json_decref(own->difference);
    cg_book_draft_drop(&own->draft);
    cg_lookup_fini(&own->by_name);
    free(own->undoes_too);
    free(own->list);
    free(own->edits);
    free(own);
}

static uint32_t hash_of(enum cg_item_kind kind, const char *name) {
    unsigned hash;
    HASH_VALUE(name, strlen(name), hash);
    return hash + (unsigned)kind;
}

struct cg_change_edit *cg_change_edit_of(const struct cg_change_own *own, enum cg_item_kind kind, const char *name) {
    struct cg_change_edit *edit;
    uint32_t hash = hash_of(kind, name);
    for (uint32_t at = hash; (edit = cg_lookup_next(&own->by_name, hash, &at)) != NULL;) {
        if (edit->kind == kind && strcmp(edit->name, name) == 0) return edit;
    }
    return NULL;
}

static bool make_room(struct cg_change_own *own) {
    if (own->count < own->room) return true;
    size_t room = own->room == 0 ? EDITS_FIRST : 2 * own->room;
    struct cg_change_edit **edits = realloc(own->edits, room * sizeof *edits);
    if (edits == NULL) return false;
    own->edits = edits;
    own->room = room;
    return true;
}

static struct cg_change_edit *add(struct cg_change_own *own, enum cg_item_kind kind, const char *name) {
    struct cg_change_edit *edit = make_room(own) ? calloc(1, sizeof *edit) : NULL;
    if (edit == NULL) return NULL;
    edit->kind = kind;
    snprintf(edit->name, sizeof edit->name, "%s", name);
    if (!cg_lookup_add(&own->by_name, hash_of(kind, name), edit)) {
        free(edit);
        return NULL;
    }
    own->edits[own->count++] = edit;
    return edit;
}

int cg_change_set(struct cg_change_own *own, enum cg_item_kind kind, const char *name, struct cg_item *item) {
    struct cg_change_edit *edit = cg_change_edit_of(own, kind, name);
    if (edit == NULL) edit = add(own, kind, name);
    if (edit == NULL) {
        cg_item_unref(item);
        return cg_problem_no_memory(&own->change->problem);
    }
    cg_item_unref(edit->item);
    edit->item = item;
    return CG_OK;
}

struct cg_item *cg_change_item(enum cg_item_kind kind, const char *name, const json_t *document,
                               struct cg_slice sealed) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_manage_canonical(&text, document);
    struct cg_item *item = cg_buf_error(&text) < 0 ? NULL : cg_item_new(kind, name, cg_buf_slice(&text), sealed);
    cg_buf_fini(&text);
    return item;
}

int cg_change_put(struct cg_change *change, enum cg_item_kind kind, const char *name, const json_t *document,
                  struct cg_slice sealed) {
    struct cg_item *item = cg_change_item(kind, name, document, sealed);
    if (item == NULL) return cg_problem_no_memory(&change->problem);
    return cg_change_set(change->own, kind, name, item);
}

int cg_change_remove(struct cg_change *change, enum cg_item_kind kind, const char *name) {
    return cg_change_set(change->own, kind, name, NULL);
}

const struct cg_item *cg_change_find(const struct cg_change *change, enum cg_item_kind kind, const char *name) {
    const struct cg_change_edit *edit = cg_change_edit_of(change->own, kind, name);
    return edit != NULL ? edit->item : cg_manage_find(change->own->manage, kind, name);
}

const struct cg_edit *cg_change_edits(const struct cg_change *change, size_t *count) {
    *count = change->own == NULL ? 0 : change->own->list_count;
    return change->own == NULL ? NULL : change->own->list;
}
