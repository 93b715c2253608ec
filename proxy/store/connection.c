/* What a commit is worth. It is durable when the end of its journal is, a truncation or a header of zeros: until then a
 * power failure takes it back. After a failed fsync what is read back proves nothing, but then the journal still holds
 * what was there before, and whoever opens the file next writes that, with an fsync of its own. */
#include "store/connection.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

#define BUSY_MS 2000 /* a backup may be reading */

/* Errors */

static bool is_full(int code, int system_error) {
    return (code & 0xff) == SQLITE_FULL ||
           ((code & 0xff) == SQLITE_IOERR &&
            (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG));
}

enum { MEANING_MAX = 300 };

static void say_damage(char meaning[MEANING_MAX], const char *what, const struct cg_connection_words *words) {
    snprintf(meaning, MEANING_MAX, "%s: %s", what, words->way_out);
}

static const char *meaning_of(int code, int system_error, const struct cg_connection_words *words,
                              char room[MEANING_MAX]) {
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
    case SQLITE_CORRUPT: say_damage(room, "it is damaged", words); return room;
    case SQLITE_NOTADB: say_damage(room, "it is no database", words); return room;
    case SQLITE_CONSTRAINT: return words->refuses;
    case SQLITE_NOMEM: return "memory ran out";
    case SQLITE_IOERR: return "the disk fails";
    default: return "unexpected error";
    }
}

int cg_connection_explain(sqlite3 *db, int code, const char *path, const struct cg_connection_words *words,
                          struct cg_problem *problem) {
    char room[MEANING_MAX];
    const int system_error = db == NULL ? 0 : sqlite3_system_errno(db);
    return cg_problem_set(problem, CG_E_STORE, "%s %s: %s (SQLite %d: %s)", words->name, path,
                          meaning_of(code, system_error, words, room), code, sqlite3_errstr(code));
}

/* Statements */

int cg_connection_run(sqlite3 *db, const char *sql) { return sqlite3_exec(db, sql, NULL, NULL, NULL); }

int cg_connection_ask(sqlite3 *db, const char *sql, int64_t *value) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) *value = sqlite3_column_int64(statement, 0);
    int end = sqlite3_finalize(statement);
    if (code == SQLITE_ROW) return end;
    return code == SQLITE_DONE ? SQLITE_CORRUPT : code; /* a row was due */
}

int cg_connection_expect(sqlite3 *db, const char *sql, const char *expected) {
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

int cg_connection_copy(sqlite3 *from, sqlite3 *to) {
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (backup == NULL) return sqlite3_extended_errcode(to);
    int step = sqlite3_backup_step(backup, -1), end = sqlite3_backup_finish(backup);
    if (step == SQLITE_DONE) return end;
    return step == SQLITE_OK ? SQLITE_ERROR : step;
}

/* Opening */

/* Whether the file says that it has a write-ahead log, as version 1's had (SQLite's file format, §1.3.3). */
static bool has_log(sqlite3 *db) {
    sqlite3_file *file = NULL;
    uint8_t format = 0;
    return sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file != NULL &&
           file->pMethods != NULL && file->pMethods->xRead(file, &format, 1, 18) == SQLITE_OK && format == 2;
}

bool cg_connection_has_log_beside(sqlite3 *db) {
    const char *log = sqlite3_filename_wal(sqlite3_db_filename(db, "main"));
    return log != NULL && access(log, F_OK) == 0;
}

/* SQLite would wait for ever for the other end of a FIFO. */
int cg_connection_check_journal(const char *path, struct cg_problem *problem) {
    char journal[PATH_MAX];
    struct stat info;
    int len = snprintf(journal, sizeof journal, "%s-journal", path);
    bool is_odd = len < (int)sizeof journal && stat(journal, &info) == 0 && !S_ISREG(info.st_mode);
    return is_odd ? cg_problem_set(problem, CG_E_STORE, "%s is no file: remove it", journal) : CG_OK;
}

/* Before anything is read: with a log SQLite would map its index into memory unless it has the file for itself. */
static int set_journal(sqlite3 *db, enum cg_journal journal) {
    bool logged = has_log(db) || cg_connection_has_log_beside(db);
    int64_t synchronous = 0;
    int code = logged ? cg_connection_run(db, "PRAGMA locking_mode = EXCLUSIVE") : SQLITE_OK;
    if (code == SQLITE_OK) code = cg_connection_run(db, "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY");
    if (code == SQLITE_OK) code = cg_connection_run(db, "PRAGMA cell_size_check = ON; PRAGMA synchronous = EXTRA");
    if (code == SQLITE_OK)
        code = journal == CG_JOURNAL_KEEPS ? cg_connection_expect(db, "PRAGMA journal_mode = PERSIST", "persist")
                                           : cg_connection_expect(db, "PRAGMA journal_mode = TRUNCATE", "truncate");
    if (code == SQLITE_OK) code = cg_connection_ask(db, "PRAGMA synchronous", &synchronous);
    if (code == SQLITE_OK && synchronous != 3) code = SQLITE_ERROR;
    if (code == SQLITE_OK && logged) code = cg_connection_run(db, "PRAGMA locking_mode = NORMAL");
    return code;
}

int cg_connection_open(const char *path, enum cg_journal journal, sqlite3 **db) {
    *db = NULL;
    int code = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK) return code;
    if (sqlite3_db_readonly(*db, "main") == 1) return SQLITE_READONLY;
    if (sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK)
        return SQLITE_ERROR;
    code = sqlite3_busy_timeout(*db, BUSY_MS);
    return code == SQLITE_OK ? set_journal(*db, journal) : code;
}

void cg_connection_close(sqlite3 *db) { CG_CHECK(sqlite3_close(db) == SQLITE_OK); /* else a statement was left open */ }
