/* The items' file, opened. The hard thing: what the gateway has in memory came from this file, so a change may go into
 * no other one, nor into one that somebody else has changed meanwhile; what was heard would be written over. */
#include "store/items_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store/draft.h"
#include "store/folder.h"
#include "store/items_schema.h"

const struct cg_connection_words cg_items_words = {
    .name = "the stored items",
    .way_out = "put a backup of it in its place, or move it away to begin without stored items; then restart castgate",
    .refuses = "it refuses what would change its history",
};

static const char *const texts[] = {
#define CG_ITEMS_ONE(name, sql) [CG_ITEMS_##name] = (sql),
    CG_ITEMS_STATEMENTS(CG_ITEMS_ONE)
#undef CG_ITEMS_ONE
};

struct cg_items_file *cg_items_file_new(const char *folder, struct cg_state_lock *lock) {
    struct cg_items_file *file = calloc(1, sizeof *file);
    if (file == NULL) return NULL;
    file->lock = lock;
    file->folder = strdup(folder);
    file->path = cg_folder_file(folder, CG_ITEMS_FILE);
    if (file->folder != NULL && file->path != NULL) return file;
    cg_items_file_free(file);
    return NULL;
}

void cg_items_file_close(struct cg_items_file *file) {
    for (size_t i = 0; i < CG_ITEMS_STATEMENT_COUNT; i++) {
        sqlite3_finalize(file->statements[i]);
        file->statements[i] = NULL;
    }
    cg_connection_close(file->db);
    file->db = NULL;
}

void cg_items_file_free(struct cg_items_file *file) {
    if (file == NULL) return;
    cg_items_file_close(file);
    free(file->folder);
    free(file->path);
    free(file);
}

/* ---- Statements ---- */

sqlite3_stmt *cg_items_statement(struct cg_items_file *file, enum cg_items_statement which, int *code) {
    sqlite3_stmt **statement = &file->statements[which];
    *code = SQLITE_OK;
    if (*statement == NULL)
        *code = sqlite3_prepare_v3(file->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (*code != SQLITE_OK) return NULL;
    sqlite3_reset(*statement);
    sqlite3_clear_bindings(*statement);
    return *statement;
}

int cg_items_step_done(sqlite3_stmt *statement) {
    const int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code == SQLITE_ROW ? SQLITE_MISMATCH : code;
}

int cg_items_fail(struct cg_items_file *file, int code, struct cg_problem *problem) {
    const int err = code == SQLITE_NOMEM ? cg_problem_no_memory(problem)
                                         : cg_connection_explain(file->db, code, file->path, &cg_items_words, problem);
    cg_items_file_close(file);
    return err;
}

/* ---- Opening ---- */

static int lock_folder(struct cg_items_file *file, struct cg_problem *problem) {
    unsigned owner = 0;
    if (file->lock == NULL) return CG_OK;
    const int why = cg_state_lock_take(file->lock, &owner);
    if (why == 0) return CG_OK;
    if (why == EWOULDBLOCK)
        return cg_problem_set(problem, CG_E_STORE, "another castgate (process %u) uses the state folder %s", owner,
                              file->folder);
    if (why == ENOENT)
        return cg_problem_set(problem, CG_E_STORE,
                              "there is no state folder %s to keep changes in: make it with castgate --init-state",
                              file->folder);
    return cg_problem_set(problem, CG_E_STORE, "the state folder %s: %s", file->folder, strerror(why));
}

static int fill_draft(const char *draft, struct cg_problem *problem) {
    sqlite3 *db;
    int code = cg_connection_open(draft, CG_JOURNAL_GIVES_BACK, &db);
    if (code == SQLITE_OK) code = cg_items_schema_bring(db, cg_items_steps, cg_items_version);
    const int err = code == SQLITE_OK ? CG_OK : cg_connection_explain(db, code, draft, &cg_items_words, problem);
    cg_connection_close(db);
    return err;
}

static int make_file(const struct cg_items_file *file, struct cg_problem *problem) {
    char *draft = cg_draft_make(file->path, problem);
    if (draft == NULL) return problem->err;
    int err = fill_draft(draft, problem);
    if (err == CG_OK) err = cg_draft_publish(draft, file->path, problem);
    cg_draft_drop(draft);
    return err;
}

static bool is_in_place(const struct cg_items_file *file) {
    struct stat info;
    return lstat(file->path, &info) == 0 && info.st_dev == file->device && info.st_ino == file->inode;
}

/* Where there is none and none was expected, one may be made. */
static int make_if_due(struct cg_items_file *file, enum cg_items_need need, struct cg_problem *problem) {
    if (file->known && file->latest > 0)
        return cg_problem_set(problem, CG_E_STORE,
                              "%s is gone while it was in use: put it back, or restart castgate to begin without "
                              "stored items",
                              file->path);
    if (need == CG_ITEMS_AS_IT_IS)
        return cg_problem_set(problem, CG_E_NOT_FOUND, "there are no stored items in %s", file->folder);
    return make_file(file, problem);
}

static int find(struct cg_items_file *file, enum cg_items_need need, struct cg_problem *problem) {
    struct stat info;
    int err = CG_OK;
    if (lstat(file->path, &info) != 0) {
        if (errno != ENOENT) return cg_draft_cannot("cannot read", file->path, problem);
        err = make_if_due(file, need, problem);
        if (err == CG_OK && lstat(file->path, &info) != 0) err = cg_draft_cannot("cannot read", file->path, problem);
    }
    if (err != CG_OK) return err;
    if (!S_ISREG(info.st_mode)) return cg_problem_set(problem, CG_E_STORE, "%s is no file: remove it", file->path);
    file->device = info.st_dev;
    file->inode = info.st_ino;
    return cg_connection_check_journal(file->path, problem);
}

static int refuse_kind(const struct cg_items_file *file, int64_t application, int64_t version,
                       struct cg_problem *problem) {
    if (application != CG_ITEMS_APPLICATION)
        return cg_problem_set(problem, CG_E_STORE, "%s holds no stored items of castgate: %s", file->path,
                              cg_items_words.way_out);
    if (version > cg_items_version)
        return cg_problem_set(problem, CG_E_STORE,
                              "%s has version %lld, this castgate knows %d: use the newer castgate, or a backup of "
                              "before",
                              file->path, (long long)version, cg_items_version);
    return CG_OK;
}

static int check_kind(struct cg_items_file *file, struct cg_problem *problem) {
    int64_t application = 0, version = 0;
    int code = cg_connection_ask(file->db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) code = cg_connection_ask(file->db, "PRAGMA user_version", &version);
    return code == SQLITE_OK ? refuse_kind(file, application, version, problem) : cg_items_fail(file, code, problem);
}

/* Of what has been heard nothing counts any more where there is another revision than ours. */
static int read_latest(struct cg_items_file *file) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_LATEST, &code);
    if (row == NULL) return code;
    code = sqlite3_step(row);
    const uint64_t latest = (uint64_t)sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    if (code != SQLITE_ROW) return code;
    if (latest != file->latest) file->known = false;
    file->latest = latest;
    return SQLITE_OK;
}

static int examine(struct cg_items_file *file) {
    int code = cg_connection_expect(file->db, "PRAGMA quick_check(1)", "ok");
    if (code == SQLITE_OK) code = cg_items_schema_bring(file->db, cg_items_steps, cg_items_version);
    return code == SQLITE_OK ? read_latest(file) : code;
}

static int connect_file(struct cg_items_file *file, struct cg_problem *problem) {
    int code = cg_connection_open(file->path, CG_JOURNAL_GIVES_BACK, &file->db);
    if (code == SQLITE_OK)
        code = cg_connection_run(file->db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA secure_delete = ON");
    if (code != SQLITE_OK) return cg_items_fail(file, code, problem);
    const int err = check_kind(file, problem);
    code = err == CG_OK ? examine(file) : SQLITE_OK;
    if (code != SQLITE_OK) return cg_items_fail(file, code, problem);
    if (err != CG_OK) cg_items_file_close(file);
    return err;
}

int cg_items_file_open(struct cg_items_file *file, enum cg_items_need need, struct cg_problem *problem) {
    if (file->db != NULL && is_in_place(file)) return CG_OK;
    cg_items_file_close(file);
    int err = need == CG_ITEMS_TO_WRITE ? lock_folder(file, problem) : CG_OK;
    if (err == CG_OK) err = find(file, need, problem);
    if (err == CG_OK && need == CG_ITEMS_AS_IT_IS) err = lock_folder(file, problem);
    return err == CG_OK ? connect_file(file, problem) : err;
}
