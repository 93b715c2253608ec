/* A change by the write path (manage.h) that a call asks for, with the reply that follows from what came of it. */
#ifndef CG_FRONTS_ADMIN_EDIT_H
#define CG_FRONTS_ADMIN_EDIT_H

#include "fronts/admin/call.h"

/* Embedded in the resource's own, on the heap. Zero-initialise, set what is the resource's, and start. */
struct cg_admin_edit {
    /* The resource's: `plan`, and `place`, `undo`, `undoes` where they are other than 0. The rest is set at the start.
     */
    struct cg_change change;
    char target[CG_ADMIN_TARGET_MAX];          /* for the audit; "": the call's path */
    char base[CG_ADMIN_TARGET_MAX + 1];        /* what mistakes' pointers lose; "": "/" and the target */
    void (*reply)(struct cg_admin_edit *edit); /* it was made: to edit->call */
    bool is_rehearsal; /* it is never made, dry run or not: `reply` comes when it would be good */
    /* Says of mistakes and warnings where they are in what was sent; NULL: they lose `base`. On the loop, or, of a dry
     * run, on the worker's thread. */
    void (*place_mistakes)(struct cg_admin_edit *edit, struct cg_mistakes *mistakes);
    /* Further members of a problem's JSON object, each behind a comma; NULL: none. */
    void (*put_members)(struct cg_admin_edit *edit, struct cg_buf *to);
    void (*free)(struct cg_admin_edit *edit); /* the resource's own, the edit's memory included */
    struct cg_admin_call *call;               /* NULL: its client has gone, and hears nothing of it any more */
    struct cg_work work;                      /* of a dry run: writes what it would come to */
    struct cg_buf sends, outcome;
};

/* Takes the edit over. The call's ctx is its. Replies, now or later, also where it cannot be. */
void cg_admin_edit_start(struct cg_admin_edit *edit, struct cg_admin_call *call);
/* A route's `left`: what is on its way goes its way. */
void cg_admin_edit_left(struct cg_admin_call *call);

/* 200 with {"revision": N or null}, for changes of many items. */
void cg_admin_edit_reply_revision(struct cg_admin_edit *edit);

#endif
