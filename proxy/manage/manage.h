/* Administration: what is stored, how it is changed, who changed it, and how that is undone. One write path for
 * everybody: in its turn, validated as a whole (catalogue.h), committed (store/items.h), published, answered.
 *
 * All calls are the loop's, unless they say otherwise; nothing blocks. Whoever has the turn may read what is there on
 * any thread, because nothing changes then. */
#ifndef CG_MANAGE_MANAGE_H
#define CG_MANAGE_MANAGE_H

#include <jansson.h>

#include "io/worker.h"
#include "manage/catalogue.h"
#include "store/items.h"

struct cg_manage;

struct cg_manage_options {
    struct cg_catalogue *catalogue;
    struct cg_items_file *file; /* taken over */
    struct cg_worker *disk;     /* a thread for it alone: what waits for a disk waits there. Borrowed */
    int64_t (*clock_ms)(void);  /* Unix time */
    /* Why what is stored could not be read, so that nothing of it is here; err 0: it could. Borrowed; NULL: it could.
     */
    const struct cg_problem *unread;
};

/* `items`: what the store had at the start (their references are taken over, in any case). NULL: no memory. */
struct cg_manage *cg_manage_new(const struct cg_manage_options *options, struct cg_item **items, size_t count);
/* What the store turned out to have, where it could not be read at the start: by whoever has the turn, and while there
 * is nothing. Their references are taken over, in any case. CG_E_NO_MEMORY. */
int cg_manage_fill(struct cg_manage *manage, struct cg_item **items, size_t count) CG_MUST_CHECK;
/* What waits ends (CG_E_STOPPING), and so does what comes later. What is being committed is finished, and answered. */
void cg_manage_stop(struct cg_manage *manage);
/* Nobody has a turn or waits for one. */
bool cg_manage_is_idle(const struct cg_manage *manage);
/* After the loop, the disk's thread and whoever could ask. NULL is fine. */
void cg_manage_free(struct cg_manage *manage);

/* ---- What is there ---- */

/* Whether that is what is stored: who shows or compares all of it asks first. */
int cg_manage_check_read(const struct cg_manage *manage, struct cg_problem *problem) CG_MUST_CHECK;

/* Borrowed: valid until the next change is published. NULL: none. */
const struct cg_item *cg_manage_find(const struct cg_manage *manage, enum cg_item_kind kind, const char *name);
/* The first whose name is behind `after` ("": the first of all), by bytes. Costs by the logarithm of what there is. */
const struct cg_item *cg_manage_next(const struct cg_manage *manage, enum cg_item_kind kind, const char *after);
size_t cg_manage_count(const struct cg_manage *manage, enum cg_item_kind kind);
/* All of them, by kind and name, in memory that the caller frees. NULL: no memory. */
struct cg_item **cg_manage_items(const struct cg_manage *manage, size_t *count);
uint64_t cg_manage_revision(const struct cg_manage *manage); /* the latest; 0: none yet */

/* ---- Turns ---- */

/* Whoever changes what is in use does it in its turn: changes do, and so does a reload. The caller's storage, still
 * until it is over. */
struct cg_manage_turn {
    void (*begin)(struct cg_manage_turn *turn);     /* now, or later on the loop; then cg_manage_end_turn, once */
    void (*forgotten)(struct cg_manage_turn *turn); /* instead: the program ends */
    struct cg_manage_turn *next;
};
void cg_manage_take_turn(struct cg_manage *manage, struct cg_manage_turn *turn);
void cg_manage_end_turn(struct cg_manage *manage, struct cg_manage_turn *turn);

/* ---- Changes ---- */

#define CG_CHANGES_WAITING_MAX 256 /* beyond: CG_E_OVERLOAD */

/* Where a plan is made: what reads the store, or has thousands of edits, keeps the loop free. */
enum cg_plan_place { CG_PLAN_ON_LOOP, CG_PLAN_ON_DISK };

enum cg_change_mode {
    CG_CHANGE_FOR_GOOD,
    CG_CHANGE_DRY, /* validated, compared, and dropped: nothing is spent */
};

/* Who asks; texts are copied. */
struct cg_author {
    char who[CG_NAME_MAX + 1];
    char from[CG_ADDR_TEXT_MAX];
};

/* The caller's storage, still until `done`. */
struct cg_change {
    /* What is asked. It is made when its turn has come, and not before: `plan` looks at what there is then (If-Match,
     * merge patches, next free names) and adds edits by cg_change_put and cg_change_remove. An error, with
     * change->problem, ends it. */
    int (*plan)(struct cg_change *change, const struct cg_manage *manage);
    enum cg_plan_place place;
    /* On the loop, once; the snapshot is in use by then. What ends at once does so before cg_manage_change returns. */
    void (*done)(struct cg_change *change);
    enum cg_change_mode mode;
    struct cg_author author;
    const char *operation; /* "mappings.put" …; static */
    const char *target;    /* "mappings/floor3": borrowed until done */
    const char *detail; /* for history: where it cannot be undone, the way forward; NULL: none; borrowed until done */
    enum cg_undo_rule undo;
    uint64_t undoes; /* 0: none */
    /* What came of it. */
    int err;
    struct cg_problem problem;
    struct cg_mistakes mistakes; /* as in the proposal */
    struct cg_mistakes warnings;
    uint64_t revision;     /* that it made; 0: none, as nothing differs or it is dry */
    json_t *difference;    /* dry: [{"kind", "name", "before", "after"}] of documents; NULL: none */
    struct cg_config *was; /* dry: what is in use; and what would be. References; NULL: none */
    struct cg_config *will;
    struct cg_change_own *own; /* the write path's */
};

void cg_manage_change(struct cg_manage *manage, struct cg_change *change);
/* The caller has what it wanted to know. Long before its manage's end. */
void cg_change_fini(struct cg_change *change);
/* Its asker has gone: it goes its way, and `done` comes all the same. */

/* For `plan`, where it runs. The document is taken as it is, in one form (cg_manage_canonical). CG_E_NO_MEMORY. */
int cg_change_put(struct cg_change *change, enum cg_item_kind kind, const char *name, const json_t *document,
                  struct cg_slice sealed) CG_MUST_CHECK;
int cg_change_remove(struct cg_change *change, enum cg_item_kind kind, const char *name) CG_MUST_CHECK;
/* As it will be with the edits so far; NULL: none. */
const struct cg_item *cg_change_find(const struct cg_change *change, enum cg_item_kind kind, const char *name);
/* What it comes to, with what follows from it: for hearers, and for `done`. Each (kind, name) once. */
const struct cg_edit *cg_change_edits(const struct cg_change *change, size_t *count);
/* For a plan on the disk's thread. */
struct cg_items_file *cg_manage_file(const struct cg_manage *manage);

/* What was done without a change: tries, refused logins, fetched files. At most so many wait; beyond, it is counted and
 * the log has it. */
void cg_manage_note(struct cg_manage *manage, const struct cg_author *author, const char *operation, const char *target,
                    const char *result, const char *detail);

/* Who wants to know of each change that is in use, and of a settings file that was read anew and is. Called on the
 * loop. */
struct cg_manage_hearer {
    void (*changed)(struct cg_manage_hearer *hearer, const struct cg_change *change);
    void (*reloaded)(struct cg_manage_hearer *hearer);
    struct cg_manage_hearer *next;
};
void cg_manage_add_hearer(struct cg_manage *manage, struct cg_manage_hearer *hearer);
void cg_manage_remove_hearer(struct cg_manage *manage, struct cg_manage_hearer *hearer); /* not from inside it */
void cg_manage_tell_reloaded(const struct cg_manage *manage);

/* The store, read: done on the disk's thread by `run`, told of on the loop by `done`. For revisions and audit. */
struct cg_manage_reading {
    void (*run)(struct cg_manage_reading *reading, struct cg_items_file *file);
    void (*done)(struct cg_manage_reading *reading);
    struct cg_work work;
    struct cg_manage *manage;
};
void cg_manage_read(struct cg_manage *manage, struct cg_manage_reading *reading);

#endif
