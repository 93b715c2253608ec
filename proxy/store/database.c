/* What a commit is worth, and what a file is. A commit is durable when the truncation of its journal is: until then a
 * power failure takes it back. After a failed fsync what is read back proves nothing, but then the journal still holds
 * what was there before, and whoever opens the store next writes that, with an fsync of its own. */
#include "store/database.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "store/ledger.h"

#define APPLICATION 0x63677374 /* "cgst" */
#define VERSION     2
#define BUSY_MS     2000 /* a backup may be reading */

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

/* Errors */

static bool is_full(int code, int system_error) {
    return (code & 0xff) == SQLITE_FULL ||
           ((code & 0xff) == SQLITE_IOERR &&
            (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG));
}

static const char *meaning(int code, int system_error) {
    if (is_full(code, system_error)) return "the disk is full: free some space";
    if (code == SQLITE_READONLY_DBMOVED) return "it was moved while it was in use: put it back";
    switch (code & 0xff) {
    case SQLITE_READONLY: return "it is read-only: make the file and its folder writable for the gateway's user";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "another program holds it: end that program";
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return "it cannot be opened: check that it is there, and its owner and mode";
    case SQLITE_ERROR: /* its tables are not what they were */
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_CORRUPT:
        return "it is damaged: put the original file back, or start with a new state folder and rekey every group "
               "(castgate-keys rekey)";
    case SQLITE_NOTADB:
        return "it is no database: put the original file back, or start with a new state folder and rekey every group "
               "(castgate-keys rekey)";
    case SQLITE_CONSTRAINT: return "it refuses what would set a sender back";
    case SQLITE_NOMEM: return "memory ran out";
    case SQLITE_IOERR: return "the disk fails";
    default: return "unexpected error";
    }
}

int cg_database_explain(sqlite3 *db, int code, const char *path, struct cg_problem *problem) {
    int system_error = db == NULL ? 0 : sqlite3_system_errno(db);
    return cg_problem_set(problem, CG_E_STORE, "the store %s: %s (SQLite %d: %s)", path, meaning(code, system_error),
                          code, sqlite3_errstr(code));
}

/* Statements */

int cg_database_run(sqlite3 *db, const char *sql) { return sqlite3_exec(db, sql, NULL, NULL, NULL); }

int cg_database_ask(sqlite3 *db, const char *sql, int64_t *value) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) *value = sqlite3_column_int64(statement, 0);
    int end = sqlite3_finalize(statement);
    if (code == SQLITE_ROW) return end;
    return code == SQLITE_DONE ? SQLITE_CORRUPT : code; /* a row was due */
}

int cg_database_expect(sqlite3 *db, const char *sql, const char *expected) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        code = text != NULL && strcmp(text, expected) == 0 ? SQLITE_OK : SQLITE_MISMATCH;
    }
    sqlite3_finalize(statement);
    return code;
}

/* Opening */

/* Whether the file says that it has a write-ahead log, as version 1's had (SQLite's file format, §1.3.3). */
static bool has_log(sqlite3 *db) {
    sqlite3_file *file = NULL;
    uint8_t format = 0;
    return sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file != NULL &&
           file->pMethods != NULL && file->pMethods->xRead(file, &format, 1, 18) == SQLITE_OK && format == 2;
}

bool cg_database_has_log_beside(sqlite3 *db) {
    const char *log = sqlite3_filename_wal(sqlite3_db_filename(db, "main"));
    return log != NULL && access(log, F_OK) == 0;
}

/* SQLite would wait for ever for the other end of a FIFO. */
int cg_database_check_journal(const char *path, struct cg_problem *problem) {
    char journal[PATH_MAX];
    struct stat info;
    int len = snprintf(journal, sizeof journal, "%s-journal", path);
    bool is_odd = len < (int)sizeof journal && stat(journal, &info) == 0 && !S_ISREG(info.st_mode);
    return is_odd ? cg_problem_set(problem, CG_E_STORE, "%s is no file: remove it", journal) : CG_OK;
}

/* Before anything is read: with a log SQLite would map its index into memory unless it has the file for itself. */
static int set_journal(sqlite3 *db) {
    bool logged = has_log(db) || cg_database_has_log_beside(db);
    int64_t synchronous = 0;
    int code = logged ? cg_database_run(db, "PRAGMA locking_mode = EXCLUSIVE") : SQLITE_OK;
    if (code == SQLITE_OK) code = cg_database_run(db, "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY");
    if (code == SQLITE_OK) code = cg_database_run(db, "PRAGMA cell_size_check = ON; PRAGMA synchronous = EXTRA");
    if (code == SQLITE_OK) code = cg_database_expect(db, "PRAGMA journal_mode = TRUNCATE", "truncate");
    if (code == SQLITE_OK) code = cg_database_ask(db, "PRAGMA synchronous", &synchronous);
    if (code == SQLITE_OK && synchronous != 3) code = SQLITE_ERROR;
    if (code == SQLITE_OK && logged) code = cg_database_run(db, "PRAGMA locking_mode = NORMAL");
    return code;
}

static int open_file(const char *path, sqlite3 **db) {
    int code = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK) return code;
    if (sqlite3_db_readonly(*db, "main") == 1) return SQLITE_READONLY;
    if (sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK)
        return SQLITE_ERROR;
    code = sqlite3_busy_timeout(*db, BUSY_MS);
    return code == SQLITE_OK ? set_journal(*db) : code;
}

static int refuse_version(int64_t version, const char *path, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_STORE, "the store %s has version %lld, this castgate knows %d", path,
                          (long long)version, VERSION);
}

/* CG_OK, or why this is not a store that we can read. */
static int check_kind(sqlite3 *db, const char *path, struct cg_problem *problem) {
    int64_t application = 0, version = 0, pages = 0;
    int code = cg_database_ask(db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) code = cg_database_ask(db, "PRAGMA user_version", &version);
    if (code == SQLITE_OK) code = cg_database_ask(db, "PRAGMA page_count", &pages);
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
    if (cg_database_check_journal(path, problem) != CG_OK) return CG_E_STORE;
    int code = open_file(path, db);
    int err = code == SQLITE_OK ? check_kind(*db, path, problem) : cg_database_explain(*db, code, path, problem);
    if (err == CG_OK) return CG_OK;
    cg_database_close(*db);
    *db = NULL;
    return err;
}

void cg_database_close(sqlite3 *db) { CG_CHECK(sqlite3_close(db) == SQLITE_OK); /* else a statement was left open */ }

int cg_database_examine(sqlite3 *db, const char *path, struct cg_problem *problem) {
    int code = cg_database_expect(db, "PRAGMA quick_check(1)", "ok");
    return code == SQLITE_OK ? CG_OK : cg_database_explain(db, code, path, problem);
}

/* Versions */

int cg_database_check_version(sqlite3 *db, const char *path, struct cg_problem *problem) {
    int64_t version = 0;
    int code = cg_database_ask(db, "PRAGMA user_version", &version);
    if (code != SQLITE_OK) return cg_database_explain(db, code, path, problem);
    return version == VERSION ? CG_OK : refuse_version(version, path, problem);
}

static int sum_up(sqlite3 *db) {
    struct cg_ledger ledger;
    int code = cg_ledger_read(db, NULL, &ledger);
    if (code == SQLITE_OK) code = cg_ledger_put_home(db, &ledger);
    return code == SQLITE_OK ? cg_database_run(db, "COMMIT") : code;
}

static int from_version_1(sqlite3 *db, int64_t now_ms) {
    char rows[sizeof upgrade_rows + 24];
    int64_t fits = 0;
    int code =
        cg_database_ask(db, "SELECT total = (SELECT count(*) + coalesce(sum(next), 0) FROM sender) FROM home", &fits);
    if (code == SQLITE_OK && fits != 1) code = SQLITE_CORRUPT;
    snprintf(rows, sizeof rows, upgrade_rows, (long long)now_ms);
    if (code == SQLITE_OK) code = cg_database_run(db, upgrade_start);
    if (code == SQLITE_OK) code = cg_database_run(db, rows);
    if (code == SQLITE_OK) code = cg_database_run(db, upgrade_end);
    return code == SQLITE_OK ? sum_up(db) : code;
}

int cg_database_upgrade(sqlite3 *db, int64_t now_ms, const char *path, struct cg_problem *problem) {
    int64_t version = 0;
    int code = cg_database_ask(db, "PRAGMA user_version", &version);
    if (code == SQLITE_OK && version == 1) code = from_version_1(db, now_ms);
    return code == SQLITE_OK ? CG_OK : cg_database_explain(db, code, path, problem);
}

int cg_database_create(const char *path, struct cg_problem *problem) {
    sqlite3 *db;
    int code = open_file(path, &db);
    if (code == SQLITE_OK) code = cg_database_run(db, creation);
    if (code == SQLITE_OK) code = sum_up(db);
    int err = code == SQLITE_OK ? CG_OK : cg_database_explain(db, code, path, problem);
    cg_database_close(db);
    return err;
}
