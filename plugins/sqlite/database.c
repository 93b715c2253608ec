/* What a commit is worth. The hard thing: a failed fsync leaves pages in the kernel's cache that look written and are
 * not, so what is read back after it proves nothing. Opening therefore empties the write-ahead log: everything it holds
 * is written once more, to the database, and synced; only then numbers are given from it, and what follows goes to a
 * new log, so that no later commit stands on one that may be lost. */
#include "database.h"

#include <errno.h>

#include "base/check.h"

#define APPLICATION 0x63677374 /* "cgst" */
#define VERSION     1
#define BUSY_MS     2000 /* a backup may be reading */

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

/* The triggers keep the promises of core/store.h against everybody, us included. `home` is where the store was made:
 * see folder.h; a mark of 0 is nowhere. */
static const char schema[] = "PRAGMA application_id = " TEXT(
    APPLICATION) ";"
                 "PRAGMA journal_mode = WAL;"
                 "PRAGMA synchronous = FULL;"
                 "BEGIN;"
                 "PRAGMA user_version = " TEXT(
                     VERSION) ";"
                              "CREATE TABLE sender ("
                              " id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32),"
                              " next INTEGER NOT NULL CHECK (next BETWEEN 0 AND 1099511627776)," /* 2^40 */
                              " state TEXT NOT NULL CHECK (state IN ('claimed', 'spent')),"
                              " created INTEGER NOT NULL" /* Unix time */
                              ") STRICT, WITHOUT ROWID;"
                              "CREATE TABLE home ("
                              " one INTEGER PRIMARY KEY CHECK (one = 1),"
                              " inode INTEGER NOT NULL,"
                              " born_ns INTEGER NOT NULL,"
                              " generation INTEGER NOT NULL," /* counts the commits */
                              " total INTEGER NOT NULL"       /* rows and numbers given, over all senders */
                              ") STRICT;"
                              "INSERT INTO home VALUES (1, 0, 0, 0, 0);"
                              "CREATE TRIGGER sender_stays BEFORE DELETE ON sender"
                              " BEGIN SELECT RAISE(ABORT, 'a sender is never deleted'); END;"
                              "CREATE TRIGGER sender_grows BEFORE UPDATE ON sender"
                              " WHEN new.id != old.id OR new.next < old.next OR (old.state = 'spent' AND new.state != "
                              "'spent')"
                              " BEGIN SELECT RAISE(ABORT, 'a sender is never set back'); END;"
                              "COMMIT;";

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
    case SQLITE_CORRUPT: return "it is damaged: start with a new state folder and rekey every group";
    case SQLITE_NOTADB: return "it is no database";
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

static int open_file(const char *path, sqlite3 **db) {
    int code = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK) return code;
    if (sqlite3_db_readonly(*db, "main") == 1) return SQLITE_READONLY;
    if (sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK)
        return SQLITE_ERROR;
    return sqlite3_busy_timeout(*db, BUSY_MS);
}

/* CG_OK, or why this is not a store that we can read. */
static int check_version(sqlite3 *db, const char *path, struct cg_problem *problem) {
    int64_t application = 0, version = 0;
    int code = cg_database_ask(db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) code = cg_database_ask(db, "PRAGMA user_version", &version);
    if (code != SQLITE_OK) return cg_database_explain(db, code, path, problem);
    if (application != APPLICATION) return cg_problem_set(problem, CG_E_STORE, "%s is not a store of castgate", path);
    if (version != VERSION)
        return cg_problem_set(problem, CG_E_STORE, "the store %s has version %lld, this castgate knows %d", path,
                              (long long)version, VERSION);
    return CG_OK;
}

int cg_database_open(const char *path, sqlite3 **db, struct cg_problem *problem) {
    int code = open_file(path, db);
    int err = code == SQLITE_OK ? check_version(*db, path, problem) : cg_database_explain(*db, code, path, problem);
    if (err == CG_OK) return CG_OK;
    cg_database_close(*db);
    *db = NULL;
    return err;
}

void cg_database_close(sqlite3 *db) { CG_CHECK(sqlite3_close(db) == SQLITE_OK); /* else a statement was left open */ }

static int set_durable(sqlite3 *db) {
    int64_t synchronous = 0, busy = 1;
    int code = cg_database_expect(db, "PRAGMA journal_mode = WAL", "wal");
    if (code == SQLITE_OK) code = cg_database_run(db, "PRAGMA synchronous = FULL");
    if (code == SQLITE_OK) code = cg_database_ask(db, "PRAGMA synchronous", &synchronous);
    if (code == SQLITE_OK && synchronous != 2) code = SQLITE_ERROR;
    if (code == SQLITE_OK && cg_database_expect(db, "PRAGMA quick_check(1)", "ok") != SQLITE_OK) code = SQLITE_CORRUPT;
    if (code == SQLITE_OK) code = cg_database_ask(db, "PRAGMA wal_checkpoint(TRUNCATE)", &busy);
    return code == SQLITE_OK && busy != 0 ? SQLITE_BUSY : code;
}

int cg_database_make_durable(sqlite3 *db, const char *path, struct cg_problem *problem) {
    int code = set_durable(db);
    return code == SQLITE_OK ? CG_OK : cg_database_explain(db, code, path, problem);
}

int cg_database_create(const char *path, struct cg_problem *problem) {
    sqlite3 *db;
    int code = open_file(path, &db);
    if (code == SQLITE_OK) code = cg_database_run(db, schema);
    int err = code == SQLITE_OK ? CG_OK : cg_database_explain(db, code, path, problem);
    cg_database_close(db);
    return err;
}
