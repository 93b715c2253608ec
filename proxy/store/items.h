/* The stored items, their revisions and the audit: STATE/castgate.items.db, a database of its own, apart from the
 * sequence numbers', so that what the one needs in space or schema is nothing to the other. Nothing in it is secret in
 * the clear: keys come sealed, tokens as hashes.
 *
 * Calls block, for as long as a disk likes: one thread, not the loop's. What is committed is durable when the call
 * returns. One process has it at a time. */
#ifndef CG_STORE_ITEMS_H
#define CG_STORE_ITEMS_H

#include "model/item.h"
#include "model/request.h"

#define CG_ITEMS_FILE "castgate.items.db"
#define CG_ITEMS_COPY ".items" /* behind a backup's name: the copy of this file */

struct cg_items_file;
struct cg_state_lock;

/* Touches nothing yet; the first call opens, checks (integrity, version) and migrates, and after a failure the next one
 * tries anew. NULL: no memory. `lock`: the program's on the folder. */
struct cg_items_file *cg_items_file_new(const char *folder, struct cg_state_lock *lock);
void cg_items_file_free(struct cg_items_file *file);

/* All items; each is the hearer's (one reference). False from it: no memory, and reading ends. */
typedef bool cg_items_hear_fn(void *ctx, struct cg_item *item);
int cg_items_load(struct cg_items_file *file, cg_items_hear_fn *hear, void *ctx,
                  struct cg_problem *problem) CG_MUST_CHECK;

/* Whether a revision may be taken back. */
enum cg_undo_rule {
    CG_UNDO_ALLOWED,
    CG_UNDO_NEVER, /* activation, eviction, revocation, claims, imports of keys, tokens: history offers the way forward
                    */
};

/* Who did what; texts are borrowed. */
struct cg_deed {
    int64_t at_ms;         /* Unix time */
    const char *who;       /* client's name; "-": nobody who is known */
    const char *from;      /* address */
    const char *operation; /* "mappings.put", "revisions.undo", "try", "login" … */
    const char *target;    /* "mappings/floor3"; "" */
    const char *result;    /* "done", "refused", "failed" */
    const char *detail;    /* a sentence or JSON without secrets; "" */
    uint64_t revision;     /* that it made; 0: none */
};

struct cg_items_commit {
    const struct cg_edit *edits; /* each (kind, name) once; an item's revision and changed_… are set by the commit */
    size_t count;
    struct cg_deed deed; /* goes into the audit with it */
    enum cg_undo_rule undo;
    uint64_t undoes;            /* a revision; 0: none */
    const uint64_t *undoes_too; /* further ones */
    size_t undoes_too_count;
    int64_t keep_ms;    /* revisions and audit older than this go (the latest revision stays); 0: for ever */
    uint64_t *revision; /* out: its number, 1 and upwards, without gaps */
};
/* All of it or nothing. CG_E_STORE (full, read-only, damaged …; with *problem), CG_E_NO_MEMORY. */
int cg_items_commit(struct cg_items_file *file, const struct cg_items_commit *commit,
                    struct cg_problem *problem) CG_MUST_CHECK;

/* For a backup: a copy of all of it, history and sealed secrets included, as the new file `to`, durable.
 * CG_E_NOT_FOUND: nothing was stored yet. CG_E_STORE, and nothing is left: `to` exists, the disk has no room to spare,
 * any failure. */
int cg_items_copy(struct cg_items_file *file, const char *to, struct cg_problem *problem) CG_MUST_CHECK;
/* The same of a file that nobody uses, by whoever has the folder's lock; it stays of the version that it is. */
int cg_items_copy_unused(const char *folder, const char *to, struct cg_problem *problem) CG_MUST_CHECK;

/* An audit entry without a change. */
int cg_items_note(struct cg_items_file *file, const struct cg_deed *deed, struct cg_problem *problem) CG_MUST_CHECK;

/* Revisions, latest first, those below `before` (0: all), at most `limit`: told one by one. `documents` of a change:
 * what the item was and is (empty: it was not there, it went; secrets are never among them). */
struct cg_revision {
    uint64_t number;
    struct cg_deed deed;
    enum cg_undo_rule undo;
    uint64_t undoes, undone_by; /* 0: none */
    size_t change_count;
};
typedef bool cg_revision_hear_fn(void *ctx, const struct cg_revision *revision);
int cg_items_revisions(struct cg_items_file *file, uint64_t before, size_t limit, cg_revision_hear_fn *hear, void *ctx,
                       struct cg_problem *problem) CG_MUST_CHECK;
struct cg_revision_change {
    enum cg_item_kind kind;
    const char *name;
    struct cg_slice before, after;
};
typedef bool cg_change_hear_fn(void *ctx, const struct cg_revision_change *change);
/* One of them with its changes. CG_E_NOT_FOUND. */
int cg_items_revision(struct cg_items_file *file, uint64_t number, cg_revision_hear_fn *hear, cg_change_hear_fn *change,
                      void *ctx, struct cg_problem *problem) CG_MUST_CHECK;
/* Later revisions that touched an item which revision `number` touched, oldest first. */
int cg_items_later(struct cg_items_file *file, uint64_t number, size_t limit, cg_revision_hear_fn *hear, void *ctx,
                   struct cg_problem *problem) CG_MUST_CHECK;

/* The audit, latest first, entries below `before` (0: all). */
typedef bool cg_deed_hear_fn(void *ctx, uint64_t number, const struct cg_deed *deed);
int cg_items_audit(struct cg_items_file *file, uint64_t before, size_t limit, cg_deed_hear_fn *hear, void *ctx,
                   struct cg_problem *problem) CG_MUST_CHECK;

#endif
