/* A change under way, as the files of the write path see it. */
#ifndef CG_MANAGE_CHANGE_H
#define CG_MANAGE_CHANGE_H

#include "base/lookup.h"
#include "manage/book.h"
#include "manage/manage.h"

/* In the order in which a change goes through them (manage.c has the table). */
enum cg_change_step {
    CG_STEP_PLAN,
    CG_STEP_PREPARE,
    CG_STEP_PROPOSE,
    CG_STEP_COMMIT,
    CG_STEP_ADOPT,
    CG_STEP_COUNT,
};

struct cg_change_edit {
    enum cg_item_kind kind;
    struct cg_item *item; /* with a reference; NULL: it goes */
    bool follows;         /* nobody has asked for it: manage/consequences.c */
    char name[CG_NAME_MAX + 1];
};

struct cg_change_own {
    struct cg_manage *manage;
    struct cg_change *change;
    struct cg_manage_turn turn;
    enum cg_change_step step;
    struct cg_change_edit **edits; /* in the order of their coming, each (kind, name) once */
    size_t count, room;
    struct cg_lookup by_name;
    struct cg_edit *list; /* those that make a difference */
    size_t list_count;
    struct cg_book_draft draft; /* with them */
    struct cg_work work;        /* on the disk's thread */
    struct cg_proposal proposal;
    bool is_proposed;
    json_t *difference;   /* the change's, once it has ended */
    bool is_exact;        /* documents are to be as the plan has them: who refers to what goes is looked after */
    uint64_t *undoes_too; /* revisions that it takes back beside change->undoes; NULL: none */
    size_t undoes_too_count;
};

struct cg_change_own *cg_change_own_new(struct cg_manage *manage, struct cg_change *change);
/* The item in that form. NULL: no memory. */
struct cg_item *cg_change_item(enum cg_item_kind kind, const char *name, const json_t *document,
                               struct cg_slice sealed);
/* NULL: it is not changed. */
struct cg_change_edit *cg_change_edit_of(const struct cg_change_own *own, enum cg_item_kind kind, const char *name);
/* Takes the item over; NULL: it goes. What an earlier edit said of that name is freed. CG_E_NO_MEMORY. */
int cg_change_set(struct cg_change_own *own, enum cg_item_kind kind, const char *name,
                  struct cg_item *item) CG_MUST_CHECK;
/* References of items are counted on the loop's thread: elsewhere they must be its alone, or gone. NULL is fine. */
void cg_change_own_free(struct cg_change_own *own);
void cg_change_forget_items(struct cg_change_own *own);

const struct cg_book *cg_manage_book(const struct cg_manage *manage);
/* The snapshot; borrowed by whoever has the turn. */
const struct cg_config *cg_manage_in_use(const struct cg_manage *manage);

#endif
