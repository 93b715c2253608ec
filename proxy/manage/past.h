/* Revisions as the store has them, in memory. */
#ifndef CG_MANAGE_PAST_H
#define CG_MANAGE_PAST_H

#include "store/items.h"

struct cg_past_change {
    enum cg_item_kind kind;
    char name[CG_NAME_MAX + 1];
    struct cg_slice before, after; /* empty: it was not there, it went */
};

struct cg_past {
    uint64_t number;
    enum cg_undo_rule undo;
    const char *operation, *target, *detail;
    struct cg_past_change *changes;
    size_t count, room;
    struct cg_arena texts;
};

/* On the disk's thread. CG_E_NOT_FOUND, CG_E_STORE, CG_E_NO_MEMORY; then there is nothing to end. */
int cg_past_read(struct cg_past *past, struct cg_items_file *file, uint64_t number,
                 struct cg_problem *problem) CG_MUST_CHECK;
void cg_past_fini(struct cg_past *past);

/* What it did to that item; NULL: nothing. */
const struct cg_past_change *cg_past_find(const struct cg_past *past, enum cg_item_kind kind, const char *name);
/* History has documents, and of these kinds that is not what they are. */
bool cg_past_is_secret(enum cg_item_kind kind);

#endif
