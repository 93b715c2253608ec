/* Taking a revision back: alone where nothing later rests on it, else with what does. */
#ifndef CG_MANAGE_UNDO_H
#define CG_MANAGE_UNDO_H

#include "manage/manage.h"

enum cg_undo_extent { CG_UNDO_ALONE, CG_UNDO_WITH_LATER };

struct cg_undo {
    uint64_t number;
    enum cg_undo_extent extent;
    /* What keeps it from being taken back alone: [{"revision", "operation", "target", "items": ["mappings/floor3"]}],
     * oldest first; NULL: nothing. The caller's reference. */
    json_t *depends;
};

/* A change's plan, for the disk's thread (CG_PLAN_ON_DISK); the change's `undoes` is set by whoever asks. What it takes
 * back is documents: tokens that are gone stay gone, and nothing is known of secrets. CG_E_NOT_FOUND: no such revision,
 * or none any more. CG_E_CONFLICT with change->problem: it cannot be undone, or not alone (`depends`). */
int cg_undo_plan(struct cg_undo *undo, struct cg_change *change, const struct cg_manage *manage) CG_MUST_CHECK;

#endif
