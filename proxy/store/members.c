/* The members' file. The hard thing is to take nothing that is in it on trust, and never to need it: whatever is wrong
 * with a row leaves that row out, whatever is wrong with the file sets it aside or is said, and the gateway goes on. */
#include "store/members.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/connection.h"
#include "store/folder.h"
#include "store/member_row.h"

#define APPLICATION 0x63676d62 /* "cgmb" */
#define VERSION     1
#define TEXT_(x)    #x
#define TEXT(x)     TEXT_(x)

struct cg_members_file {
    char *folder, *path;
    int64_t keep_ms;
    size_t most;
    sqlite3 *db; /* NULL: closed */
    dev_t device;
    ino_t inode;
};

struct cg_members_file *cg_members_file_new(const char *folder, uint64_t keep_us, size_t most) {
    struct cg_members_file *file = calloc(1, sizeof *file);
    if (file == NULL) return NULL;
    file->folder = strdup(folder);
    file->path = cg_folder_file(folder, CG_MEMBERS_FILE);
    file->keep_ms = (int64_t)(keep_us / 1000);
    file->most = most;
    if (file->folder != NULL && file->path != NULL) return file;
    cg_members_file_free(file);
    return NULL;
}

static void close_file(struct cg_members_file *file) {
    cg_connection_close(file->db);
    file->db = NULL;
}

void cg_members_file_free(struct cg_members_file *file) {
    if (file == NULL) return;
    close_file(file);
    free(file->folder);
    free(file->path);
    free(file);
}

/* ---- Opening ---- */

/* clang-format off */
static const char creation[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE member ("
    " key TEXT NOT NULL,"      /* the credential's hash, or the address */
    " mapping TEXT NOT NULL,"
    " last_ms INTEGER NOT NULL," /* Unix time */
    " shown TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " kid BLOB NOT NULL,"
    " addrs TEXT NOT NULL,"    /* the latest first, a blank between */
    " times BLOB NOT NULL,"    /* 16 bits each, the highest first */
    " lost REAL NOT NULL, casts INTEGER NOT NULL, missed INTEGER NOT NULL,"
    " PRIMARY KEY (key, mapping)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX by_last ON member (last_ms);"
    "CREATE INDEX by_shown ON member (shown);"
    "PRAGMA application_id = " TEXT(APPLICATION) "; PRAGMA user_version = " TEXT(VERSION) ";"
    "COMMIT";
/* clang-format on */

static int fail(const struct cg_members_file *file, const char *why, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_STORE, "%s: %s", file->path, why);
}

static int explain(const struct cg_members_file *file, int code, struct cg_problem *problem) {
    if (code == SQLITE_NOMEM) return cg_problem_no_memory(problem);
    if ((code & 0xff) == SQLITE_BUSY) return fail(file, "another gateway uses it", problem);
    const int system_error = file->db == NULL ? 0 : sqlite3_system_errno(file->db);
    if (system_error == 0) return fail(file, sqlite3_errstr(code), problem);
    return cg_problem_set(problem, CG_E_STORE, "%s: %s (%s)", file->path, sqlite3_errstr(code), strerror(system_error));
}

/* Made here, so that nobody else may read it from the first moment on. SQLite would wait at a FIFO. */
static int make_file(struct cg_members_file *file, struct cg_problem *problem) {
    struct stat info = {0};
    int fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) return fail(file, strerror(errno), problem);
    bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    file->device = info.st_dev;
    file->inode = info.st_ino;
    if (is_file && (info.st_mode & 0077) != 0) is_file = fchmod(fd, 0600) == 0;
    close(fd);
    return is_file ? CG_OK : fail(file, "it is no file of the gateway's user", problem);
}

/* The lock is kept from the first access on. */
static int configure(sqlite3 *db) {
    if (sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK)
        return SQLITE_ERROR;
    int code =
        cg_connection_run(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                              "PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON; PRAGMA synchronous = EXTRA");
    return code == SQLITE_OK ? cg_connection_expect(db, "PRAGMA journal_mode = TRUNCATE", "truncate") : code;
}

/* SQLITE_NOTADB: it is somebody else's. */
static int check_kind(sqlite3 *db) {
    int64_t application = 0, version = 0, pages = 0;
    int code = cg_connection_ask(db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) code = cg_connection_ask(db, "PRAGMA user_version", &version);
    if (code == SQLITE_OK) code = cg_connection_ask(db, "PRAGMA page_count", &pages);
    if (code != SQLITE_OK) return code;
    if (pages == 0) return cg_connection_run(db, creation);
    if (application != APPLICATION || version != VERSION) return SQLITE_NOTADB;
    code = cg_connection_expect(db, "PRAGMA quick_check(1)", "ok");
    return code == SQLITE_OK ? cg_connection_run(db, "SELECT " CG_MEMBER_FIELDS " FROM member LIMIT 0") : code;
}

static int open_db(struct cg_members_file *file) {
    int code = sqlite3_open_v2(file->path, &file->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code == SQLITE_OK) code = configure(file->db);
    return code == SQLITE_OK ? check_kind(file->db) : code;
}

static bool is_damage(int code) {
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA: /* its table is not what it was */
    case SQLITE_MISMATCH:
    case SQLITE_ERROR: return true;
    default: return false;
    }
}

static void remove_beside(const struct cg_members_file *file, const char *suffix) {
    char *name = NULL;
    if (asprintf(&name, "%s%s", file->path, suffix) < 0) return;
    (void)unlink(name);
    free(name);
}

/* What SQLite keeps beside it would be taken for the next one's. */
static bool put_aside(struct cg_members_file *file) {
    char *to = cg_folder_file(file->folder, CG_MEMBERS_DAMAGED);
    close_file(file);
    bool moved = to != NULL && rename(file->path, to) == 0;
    free(to);
    if (!moved) return false;
    remove_beside(file, "-journal");
    remove_beside(file, "-wal");
    remove_beside(file, "-shm");
    return true;
}

static int try_to_open(struct cg_members_file *file, bool *damaged, struct cg_problem *problem) {
    *damaged = false;
    if (make_file(file, problem) < 0 || cg_connection_check_journal(file->path, problem) < 0) return problem->err;
    const int code = open_db(file);
    if (code == SQLITE_OK) return CG_OK;
    explain(file, code, problem);
    *damaged = is_damage(code);
    close_file(file);
    return problem->err;
}

/* One that was removed could be written for ever without anything being there. */
static bool is_in_place(const struct cg_members_file *file) {
    struct stat info;
    return stat(file->path, &info) == 0 && info.st_dev == file->device && info.st_ino == file->inode;
}

static int open_file(struct cg_members_file *file, struct cg_problem *problem) {
    struct stat info;
    bool damaged;
    if (file->db != NULL && is_in_place(file)) return CG_OK;
    close_file(file);
    if (stat(file->folder, &info) != 0 && errno == ENOENT)
        return cg_problem_set(problem, CG_E_NOT_FOUND, "there is no folder %s", file->folder);
    int err = try_to_open(file, &damaged, problem);
    if (err == CG_OK || !damaged || !put_aside(file)) return err;
    cg_log(CG_LOG_WARNING, "members", "%s; it is " CG_MEMBERS_DAMAGED " now, and members are learnt anew",
           problem->detail);
    return try_to_open(file, &damaged, problem);
}

/* ---- Calls ---- */

static int run_with(sqlite3 *db, const char *sql, int64_t number) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_bind_int64(statement, 1, number);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    const int end = sqlite3_finalize(statement);
    return code == SQLITE_DONE ? end : code;
}

/* What nobody would know any more is not kept either. */
static int prune(const struct cg_members_file *file, const struct cg_members_time *time) {
    const int code = run_with(file->db, "DELETE FROM member WHERE last_ms <= ?1", time->unix_ms - file->keep_ms);
    if (code != SQLITE_OK) return code;
    return run_with(file->db,
                    "DELETE FROM member WHERE (key, mapping) IN"
                    " (SELECT key, mapping FROM member ORDER BY last_ms DESC LIMIT -1 OFFSET ?1)",
                    (int64_t)file->most);
}

/* Up to what there is room for. */
static int read_rows(const struct cg_members_file *file, const struct cg_members_time *time,
                     struct cg_known_record *records, size_t room, size_t *count) {
    sqlite3_stmt *row;
    int code =
        sqlite3_prepare_v2(file->db, "SELECT " CG_MEMBER_FIELDS " FROM member ORDER BY last_ms DESC", -1, &row, NULL);
    if (code != SQLITE_OK) return code;
    while (*count < room && (code = sqlite3_step(row)) == SQLITE_ROW)
        *count += cg_member_row_read(row, time, &records[*count]);
    const int end = sqlite3_finalize(row);
    return code == SQLITE_ROW || code == SQLITE_DONE || room == 0 ? end : code;
}

static int load(struct cg_members_file *file, const struct cg_members_time *time, struct cg_known_record **records,
                size_t *count) {
    int64_t rows = 0;
    int code = prune(file, time);
    if (code == SQLITE_OK) code = cg_connection_ask(file->db, "SELECT count(*) FROM member", &rows);
    if (code != SQLITE_OK || rows == 0) return code;
    *records = calloc((size_t)rows, sizeof **records);
    if (*records == NULL) return SQLITE_NOMEM;
    return read_rows(file, time, *records, (size_t)rows, count);
}

/* Whatever went wrong, the next call opens it anew, which finds out whether it is over, or damage. */
static int give_up(struct cg_members_file *file, int code, struct cg_problem *problem) {
    explain(file, code, problem);
    close_file(file);
    return problem->err;
}

int cg_members_load(struct cg_members_file *file, const struct cg_members_time *time, struct cg_known_record **records,
                    size_t *count, struct cg_problem *problem) {
    *records = NULL;
    *count = 0;
    int err = open_file(file, problem);
    if (err < 0) return err;
    const int code = load(file, time, records, count);
    if (code == SQLITE_OK) return CG_OK;
    free(*records);
    *records = NULL;
    *count = 0;
    return give_up(file, code, problem);
}

static int write_rows(sqlite3 *db, const struct cg_known_record *records, size_t count,
                      const struct cg_members_time *time) {
    sqlite3_stmt *row;
    int code = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO member VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)", -1,
                                  &row, NULL);
    if (code != SQLITE_OK) return code;
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) code = cg_member_row_write(row, &records[i], time);
    const int end = sqlite3_finalize(row);
    return code == SQLITE_OK ? end : code;
}

/* Closing takes back what was not committed. */
static int finish(struct cg_members_file *file, int code, struct cg_problem *problem) {
    if (code == SQLITE_OK) code = cg_connection_run(file->db, "COMMIT");
    return code == SQLITE_OK ? CG_OK : give_up(file, code, problem);
}

int cg_members_save(struct cg_members_file *file, const struct cg_known_record *records, size_t count,
                    const struct cg_members_time *time, struct cg_problem *problem) {
    int err = open_file(file, problem);
    if (err < 0) return err;
    int code = cg_connection_run(file->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = write_rows(file->db, records, count, time);
    if (code == SQLITE_OK) code = prune(file, time);
    return finish(file, code, problem);
}

static int erase_named(sqlite3 *db, const char *name) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, "DELETE FROM member WHERE key IN (SELECT key FROM member WHERE shown = ?1)", -1,
                                  &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_bind_text(statement, 1, name, -1, SQLITE_TRANSIENT);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    const int end = sqlite3_finalize(statement);
    return code == SQLITE_DONE ? end : code;
}

/* It has members in it, too. */
static void remove_damaged(const struct cg_members_file *file) {
    char *damaged = cg_folder_file(file->folder, CG_MEMBERS_DAMAGED);
    if (damaged != NULL) (void)unlink(damaged);
    free(damaged);
}

int cg_members_erase(struct cg_members_file *file, const char *name, struct cg_problem *problem) {
    int err = open_file(file, problem);
    if (err == CG_E_NOT_FOUND) return CG_OK;
    if (err < 0) return err;
    int code = cg_connection_run(file->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK && name == NULL) remove_damaged(file);
    if (code == SQLITE_OK)
        code = name == NULL ? cg_connection_run(file->db, "DELETE FROM member") : erase_named(file->db, name);
    return finish(file, code, problem);
}
