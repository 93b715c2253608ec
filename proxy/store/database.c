/* What the store is: its tables, and how an older version's become those. */
#include "store/database.h"

#include <stdio.h>

#include "store/ledger.h"

#define APPLICATION 0x63677374 /* "cgst" */
#define VERSION     2

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

/* clang-format off */

/* The triggers keep the promises of model/store.h against everybody, us included. `home` is where the store was made:
 * see folder.h; a mark of 0 is nowhere. */
#define SENDERS                                                                                      \
    "CREATE TABLE sender ("                                                                          \
    " id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32),"                                         \
    " next INTEGER NOT NULL CHECK (next BETWEEN 0 AND 1099511627776)," /* 2^40 */                    \
    " state TEXT NOT NULL CHECK (state IN ('claimed', 'spent', 'moved')),"                           \
    " created INTEGER NOT NULL,"                                       /* Unix time */               \
    " written_ms INTEGER NOT NULL,"                                    /* Unix time, milliseconds */ \
    " rate INTEGER NOT NULL"                                           /* numbers a second */        \
    ") STRICT, WITHOUT ROWID;"
#define HOME                                                                                         \
    "CREATE TABLE home ("                                                                            \
    " one INTEGER PRIMARY KEY CHECK (one = 1),"                                                      \
    " inode INTEGER NOT NULL, born_ns INTEGER NOT NULL,"                                             \
    " witness_inode INTEGER NOT NULL, witness_born_ns INTEGER NOT NULL,"                             \
    " generation INTEGER NOT NULL," /* counts the commits */                                         \
    " sum INTEGER NOT NULL"         /* over every field of both tables: ledger.c */                  \
    ") STRICT;"
#define TRIGGERS                                                                                     \
    "CREATE TRIGGER sender_stays BEFORE DELETE ON sender"                                            \
    " BEGIN SELECT RAISE(ABORT, 'a sender is never deleted'); END;"                                  \
    "CREATE TRIGGER sender_grows BEFORE UPDATE ON sender"                                            \
    " WHEN new.id != old.id OR new.next < old.next OR new.written_ms < old.written_ms"               \
    " OR (old.state != 'claimed' AND new.state != old.state AND new.state != 'moved')"               \
    " BEGIN SELECT RAISE(ABORT, 'a sender is never set back'); END;"
#define STAMP "PRAGMA user_version = " TEXT(VERSION) ";"

static const char creation[] = "PRAGMA application_id = " TEXT(APPLICATION) ";"
                               "BEGIN;" STAMP SENDERS HOME TRIGGERS
                               "INSERT INTO home VALUES (1, 0, 0, 0, 0, 0, 0);";

/* Version 1 did not know when a row was written: rows count as written now, so that what was set back before is not
 * seen, as it was not then. */
static const char upgrade_start[] = "BEGIN IMMEDIATE;"
                                    "DROP TRIGGER sender_stays; DROP TRIGGER sender_grows;"
                                    "ALTER TABLE sender RENAME TO old_sender; ALTER TABLE home RENAME TO old_home;"
                                    STAMP SENDERS HOME
                                    "INSERT INTO home SELECT 1, inode, born_ns, 0, 0, generation, 0 FROM old_home;";
static const char upgrade_rows[] = "INSERT INTO sender SELECT id, next, state, created, %lld, 0 FROM old_sender";
static const char upgrade_end[] = "DROP TABLE old_sender; DROP TABLE old_home;" TRIGGERS;

/* clang-format on */

static const struct cg_connection_words words = {
    .name = "the store",
    .way_out =
        "put the original file back, or start with a new state folder and rekey every group (castgate-keys rekey)",
    .refuses = "it refuses what would set a sender back",
};

int cg_database_explain(sqlite3 *db, int code, const char *path, struct cg_problem *problem) {
    return cg_connection_explain(db, code, path, &words, problem);
}

/* Opening */

static int refuse_version(int64_t version, const char *path, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_STORE, "the store %s has version %lld, this castgate knows %d", path,
                          (long long)version, VERSION);
}

/* CG_OK, or why this is not a store that we can read. */
static int check_kind(sqlite3 *db, const char *path, struct cg_problem *problem) {
    int64_t application = 0, version = 0, pages = 0;
    int code = cg_connection_ask(db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) code = cg_connection_ask(db, "PRAGMA user_version", &version);
    if (code == SQLITE_OK) code = cg_connection_ask(db, "PRAGMA page_count", &pages);
    if (code != SQLITE_OK) return cg_database_explain(db, code, path, problem);
    if (application != APPLICATION)
        return cg_problem_set(problem, CG_E_STORE,
                              "%s is not a store of castgate%s: put the original file back, or start with a new state "
                              "folder and rekey every group (castgate-keys rekey)",
                              path, pages == 0 ? ", it is empty" : "");
    return version < 1 || version > VERSION ? refuse_version(version, path, problem) : CG_OK;
}

int cg_database_open(const char *path, sqlite3 **db, struct cg_problem *problem) {
    *db = NULL;
    if (cg_connection_check_journal(path, problem) != CG_OK) return CG_E_STORE;
    int code = cg_connection_open(path, CG_JOURNAL_KEEPS, db);
    int err = code == SQLITE_OK ? check_kind(*db, path, problem) : cg_database_explain(*db, code, path, problem);
    if (err == CG_OK) return CG_OK;
    cg_connection_close(*db);
    *db = NULL;
    return err;
}

int cg_database_examine(sqlite3 *db, const char *path, struct cg_problem *problem) {
    int code = cg_connection_expect(db, "PRAGMA quick_check(1)", "ok");
    return code == SQLITE_OK ? CG_OK : cg_database_explain(db, code, path, problem);
}

/* Versions */

int cg_database_check_version(sqlite3 *db, const char *path, struct cg_problem *problem) {
    int64_t version = 0;
    int code = cg_connection_ask(db, "PRAGMA user_version", &version);
    if (code != SQLITE_OK) return cg_database_explain(db, code, path, problem);
    return version == VERSION ? CG_OK : refuse_version(version, path, problem);
}

static int sum_up(sqlite3 *db) {
    struct cg_ledger ledger;
    int code = cg_ledger_read(db, NULL, &ledger);
    if (code == SQLITE_OK) code = cg_ledger_put_home(db, &ledger);
    return code == SQLITE_OK ? cg_connection_run(db, "COMMIT") : code;
}

static int from_version_1(sqlite3 *db, int64_t now_ms) {
    char rows[sizeof upgrade_rows + 24];
    int64_t fits = 0;
    int code =
        cg_connection_ask(db, "SELECT total = (SELECT count(*) + coalesce(sum(next), 0) FROM sender) FROM home", &fits);
    if (code == SQLITE_OK && fits != 1) code = SQLITE_CORRUPT;
    snprintf(rows, sizeof rows, upgrade_rows, (long long)now_ms);
    if (code == SQLITE_OK) code = cg_connection_run(db, upgrade_start);
    if (code == SQLITE_OK) code = cg_connection_run(db, rows);
    if (code == SQLITE_OK) code = cg_connection_run(db, upgrade_end);
    return code == SQLITE_OK ? sum_up(db) : code;
}

int cg_database_upgrade(sqlite3 *db, int64_t now_ms, const char *path, struct cg_problem *problem) {
    int64_t version = 0;
    int code = cg_connection_ask(db, "PRAGMA user_version", &version);
    if (code == SQLITE_OK && version == 1) code = from_version_1(db, now_ms);
    return code == SQLITE_OK ? CG_OK : cg_database_explain(db, code, path, problem);
}

int cg_database_create(const char *path, struct cg_problem *problem) {
    sqlite3 *db;
    int code = cg_connection_open(path, CG_JOURNAL_KEEPS, &db);
    if (code == SQLITE_OK) code = cg_connection_run(db, creation);
    if (code == SQLITE_OK) code = sum_up(db);
    int err = code == SQLITE_OK ? CG_OK : cg_database_explain(db, code, path, problem);
    cg_connection_close(db);
    return err;
}
