/* Administration: what is stored, how it is changed, who changed it, and how that is undone. One write path for
 * everybody: in its turn, validated as a whole (catalogue.h), committed (store/items.h), published, answered.
 *
 * All calls are the loop's; nothing blocks. */
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
};

/* `items`: what the store had at the start (the references are taken over). NULL: no memory. */
struct cg_manage *cg_manage_new(const struct cg_manage_options *options, struct cg_item **items, size_t count);
/* Ends what waits (CG_E_STOPPING); then nothing is asked of it any more. */
void cg_manage_free(struct cg_manage *manage);

/* ---- What is there ---- */

/* Borrowed: valid until the next change is published. NULL: none. */
const struct cg_item *cg_manage_find(const struct cg_manage *manage, enum cg_item_kind kind, const char *name);
/* The first whose name is behind `after` ("": the first of all), by bytes. Costs by the logarithm of what there is. */
const struct cg_item *cg_manage_next(const struct cg_manage *manage, enum cg_item_kind kind, const char *after);
size_t cg_manage_count(const struct cg_manage *manage, enum cg_item_kind kind);
uint64_t cg_manage_revision(const struct cg_manage *manage); /* the latest; 0: none yet */

/* ---- Changes ---- */

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
    void (*done)(struct cg_change *change); /* on the loop, once; the snapshot is in use by then */
    enum cg_change_mode mode;
    struct cg_author author;
    const char *operation; /* "mappings.put" …; static */
    const char *target;    /* "mappings/floor3": borrowed until done */
    enum cg_undo_rule undo;
    uint64_t undoes; /* 0: none */
    /* What came of it. */
    int err;
    struct cg_problem problem;
    struct cg_mistakes mistakes; /* as in the proposal */
    struct cg_mistakes warnings;
    uint64_t revision;     /* that it made; 0: none, as nothing differs or it is dry */
    json_t *difference;    /* [{"kind", "name", "before", "after"}] of documents; NULL: none */
    struct cg_config *was; /* dry: what is in use; and what would be. References; NULL: none */
    struct cg_config *will;
    struct cg_change_own *own; /* the write path's */
};

void cg_manage_change(struct cg_manage *manage, struct cg_change *change);
/* The caller has what it wanted to know. */
void cg_change_fini(struct cg_change *change);
/* Its asker has gone: it goes its way, and `done` comes all the same. */

/* For `plan`. The document is taken as it is, in one form (cg_manage_canonical). CG_E_NO_MEMORY. */
int cg_change_put(struct cg_change *change, enum cg_item_kind kind, const char *name, const json_t *document,
                  struct cg_slice sealed) CG_MUST_CHECK;
int cg_change_remove(struct cg_change *change, enum cg_item_kind kind, const char *name) CG_MUST_CHECK;
/* As it will be with the edits so far; NULL: none. */
const struct cg_item *cg_change_find(const struct cg_change *change, enum cg_item_kind kind, const char *name);

/* What was done without a change: tries, refused logins, fetched files. At most so many wait; beyond, it is counted and
 * the log has it. */
void cg_manage_note(struct cg_manage *manage, const struct cg_author *author, const char *operation, const char *target,
                    const char *result, const char *detail);

/* Who wants to know of each change that is in use: SSE, metrics. Called on the loop. */
struct cg_manage_hearer {
    void (*changed)(struct cg_manage_hearer *hearer, const struct cg_change *change);
    struct cg_manage_hearer *next;
};
void cg_manage_add_hearer(struct cg_manage *manage, struct cg_manage_hearer *hearer);

/* The store, read: done on the disk's thread by `run`, told of on the loop by `done`. For revisions and audit. */
struct cg_manage_reading {
    void (*run)(struct cg_manage_reading *reading, struct cg_items_file *file);
    void (*done)(struct cg_manage_reading *reading);
    struct cg_work work;
    struct cg_manage *manage;
};
void cg_manage_read(struct cg_manage *manage, struct cg_manage_reading *reading);

#endif
