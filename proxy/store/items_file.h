/* The items' file, open: its statements, and what is known of it. For items.c and history.c alone. */
#ifndef CG_STORE_ITEMS_FILE_H
#define CG_STORE_ITEMS_FILE_H

#include <sys/types.h>

#include "store/connection.h"
#include "store/items.h"

/* clang-format off */
#define CG_ITEMS_STATEMENTS(X)                                                                                         \
    X(LATEST, "SELECT coalesce(max(number), 0) FROM revision")                                                         \
    X(ITEMS, "SELECT kind, name, revision, changed_ms, changed_by, document, sealed FROM item")                        \
    X(ITEM, "SELECT document FROM item WHERE kind = ?1 AND name = ?2")                                                 \
    X(PUT_ITEM, "INSERT INTO item (kind, name, revision, changed_ms, changed_by, document, sealed)"                    \
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (kind, name) DO UPDATE SET revision = ?3,"           \
                " changed_ms = ?4, changed_by = ?5, document = ?6, sealed = ?7")                                       \
    X(REMOVE_ITEM, "DELETE FROM item WHERE kind = ?1 AND name = ?2")                                                   \
    X(ADD_REVISION, "INSERT INTO revision VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                           \
    X(ADD_TAKEN_BACK, "INSERT INTO taken_back (revision, by) VALUES (?1, ?2)")                                         \
    X(ADD_CHANGE, "INSERT INTO change (revision, kind, name, before, after) VALUES (?1, ?2, ?3, ?4, ?5)")              \
    X(ADD_AUDIT, "INSERT INTO audit (at_ms, who, origin, operation, target, result, detail, revision)"                 \
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                           \
    X(SET_RETENTION, "UPDATE retention SET before_ms = ?1")                                                            \
    X(FORGET_REVISIONS, "DELETE FROM revision WHERE number < min((SELECT max(number) FROM revision),"                   \
                        CG_ITEMS_FIRST_KEPT("revision") ")")                                                           \
    X(FORGET_CHANGES, "DELETE FROM change WHERE revision < (SELECT min(number) FROM revision)")                        \
    X(FORGET_TAKEN_BACK, "DELETE FROM taken_back WHERE revision < (SELECT min(number) FROM revision)")                 \
    X(FORGET_AUDIT, "DELETE FROM audit WHERE number < " CG_ITEMS_FIRST_KEPT("audit"))                                  \
    X(REVISIONS, CG_ITEMS_REVISION_FIELDS " WHERE r.number < ?1 ORDER BY r.number DESC LIMIT ?2")                      \
    X(REVISION, CG_ITEMS_REVISION_FIELDS " WHERE r.number = ?1")                                                       \
    X(CHANGES, "SELECT kind, name, before, after FROM change WHERE revision = ?1 ORDER BY id")                         \
    X(LATER, CG_ITEMS_REVISION_FIELDS " WHERE r.number IN (SELECT b.revision FROM change a JOIN change b"              \
             " ON b.kind = a.kind AND b.name = a.name AND b.revision > a.revision WHERE a.revision = ?1)"              \
             " ORDER BY r.number LIMIT ?2")                                                                            \
    X(AUDIT, "SELECT number, at_ms, who, origin, operation, target, result, detail, revision FROM audit"               \
             " WHERE number < ?1 ORDER BY number DESC LIMIT ?2")
/* From the oldest on up to the first that is young enough, and a few at a time: what one commit costs is bounded. */
#define CG_ITEMS_FIRST_KEPT(table)                                                                                     \
    "coalesce((SELECT min(number) FROM (SELECT number, at_ms FROM " table " ORDER BY number LIMIT 64)"                 \
    " WHERE at_ms >= ?1), (SELECT min(number) + 64 FROM " table "))"
#define CG_ITEMS_REVISION_FIELDS                                                                                       \
    "SELECT r.number, r.at_ms, r.who, r.origin, r.operation, r.target, r.detail, r.undo, r.undoes, r.changes,"         \
    " max((SELECT coalesce(max(u.number), 0) FROM revision u WHERE u.undoes = r.number AND u.undoes != 0),"            \
    " (SELECT coalesce(max(t.by), 0) FROM taken_back t WHERE t.revision = r.number)) FROM revision r"
/* clang-format on */

enum cg_items_statement {
#define CG_ITEMS_ONE(name, sql) CG_ITEMS_##name,
    CG_ITEMS_STATEMENTS(CG_ITEMS_ONE)
#undef CG_ITEMS_ONE
        CG_ITEMS_STATEMENT_COUNT
};

struct cg_items_file {
    char *folder, *path;
    struct cg_state_lock *lock; /* the program's */
    sqlite3 *db;                /* NULL: closed */
    sqlite3_stmt *statements[CG_ITEMS_STATEMENT_COUNT];
    dev_t device; /* of the file that is in use */
    ino_t inode;
    bool known;      /* everything in it has been heard, and nothing was changed but by us since */
    uint64_t latest; /* revision; 0: none */
};

extern const struct cg_connection_words cg_items_words;

/* Whether there may be one. */
enum cg_items_need {
    CG_ITEMS_AS_IT_IS, /* CG_E_NOT_FOUND: none was made yet */
    CG_ITEMS_TO_WRITE, /* it is made */
};

/* Makes it ready: locked, in its place, examined, of this version. CG_E_STORE with *problem. */
int cg_items_file_open(struct cg_items_file *file, enum cg_items_need need, struct cg_problem *problem) CG_MUST_CHECK;
void cg_items_file_close(struct cg_items_file *file);

/* The statement, reset, nothing bound; NULL with *code. */
sqlite3_stmt *cg_items_statement(struct cg_items_file *file, enum cg_items_statement which, int *code);
/* SQLITE_OK: it is done, without a row. */
int cg_items_step_done(sqlite3_stmt *statement) CG_MUST_CHECK;

/* After any failure: closes, which takes back what was not committed; the next call opens anew, and nothing of what was
 * known is believed. Returns the error. */
int cg_items_fail(struct cg_items_file *file, int code, struct cg_problem *problem);

#endif
