/* From edits to a draft. It runs beside the loop, because an import has 10 000 of them; nobody changes the book
 * meanwhile, as only whoever has the turn may. */
#include "manage/prepare.h"

#include <stdlib.h>

#include "manage/consequences.h"
#include "manage/difference.h"

static bool differs(const struct cg_manage *manage, const struct cg_change_edit *edit) {
    const struct cg_item *now = cg_manage_find(manage, edit->kind, edit->name);
    if (now == NULL || edit->item == NULL) return now != edit->item;
    return !cg_slice_equal(now->document, edit->item->document) || !cg_slice_equal(now->sealed, edit->item->sealed);
}

/* What says the same as before is no edit. A dry run keeps it, where it is to be: what would be sent and what should be
 * known are asked for all the same. */
static bool counts(const struct cg_change_own *own, const struct cg_change_edit *edit) {
    return differs(own->manage, edit) || (own->change->mode == CG_CHANGE_DRY && edit->item != NULL);
}

static int by_kind_and_name(const void *a, const void *b) {
    const struct cg_edit *one = a, *other = b;
    return one->kind != other->kind ? (one->kind < other->kind ? -1 : 1) : strcmp(one->name, other->name);
}

static bool make_list(struct cg_change_own *own) {
    own->list = calloc(own->count + 1, sizeof *own->list);
    if (own->list == NULL) return false;
    for (size_t i = 0; i < own->count; i++) {
        const struct cg_change_edit *edit = own->edits[i];
        if (!counts(own, edit)) continue;
        own->list[own->list_count++] = (struct cg_edit){.kind = edit->kind, .name = edit->name, .item = edit->item};
    }
    qsort(own->list, own->list_count, sizeof *own->list, by_kind_and_name);
    return true;
}

static int draft(struct cg_change_own *own) {
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < own->count; i++) {
        const struct cg_change_edit *edit = own->edits[i];
        if (!differs(own->manage, edit)) continue;
        err = edit->item == NULL ? cg_book_draft_remove(&own->draft, edit->kind, edit->name)
                                 : cg_book_draft_put(&own->draft, edit->item);
    }
    return err;
}

int cg_change_prepare(struct cg_change_own *own) {
    struct cg_change *change = own->change;
    cg_book_draft_begin(&own->draft, cg_manage_book(own->manage));
    if (draft(own) < 0) return cg_problem_no_memory(&change->problem);
    int err = cg_change_follow(own);
    if (err < 0) return err;
    if (!make_list(own)) return cg_problem_no_memory(&change->problem);
    if (change->mode == CG_CHANGE_FOR_GOOD) return CG_OK;
    change->difference = cg_change_difference(own);
    return change->difference != NULL ? CG_OK : cg_problem_no_memory(&change->problem);
}
