/* Copies of the items' file, for backups. The hard thing is to change nothing else: neither what the gateway knows of
 * its file, nor an older file that this castgate has not taken over yet. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store/draft.h"
#include "store/folder.h"
#include "store/items_file.h"
#include "store/space.h"

static int explain(sqlite3 *db, int code, const char *path, struct cg_problem *problem) {
    return code == SQLITE_NOMEM ? cg_problem_no_memory(problem)
                                : cg_connection_explain(db, code, path, &cg_items_words, problem);
}

static int copy_into(sqlite3 *from, const char *draft, struct cg_problem *problem) {
    sqlite3 *copy;
    int code = cg_connection_open(draft, CG_JOURNAL_GIVES_BACK, &copy);
    if (code == SQLITE_OK) code = cg_connection_copy(from, copy);
    const int err = code == SQLITE_OK ? CG_OK : explain(copy, code, draft, problem);
    cg_connection_close(copy);
    return err;
}

static int copy_to(sqlite3 *from, const char *to, struct cg_problem *problem) {
    char *draft = cg_draft_make(to, problem);
    if (draft == NULL) return problem->err;
    int err = copy_into(from, draft, problem);
    if (err == CG_OK) err = cg_draft_publish(draft, to, problem);
    cg_draft_drop(draft);
    return err;
}

/* The copy may be in the same folder: changes must not make it full, and no more must this. */
static int check_space(const struct cg_items_file *file, struct cg_problem *problem) {
    struct stat info;
    if (stat(file->path, &info) != 0) return cg_draft_cannot("cannot read", file->path, problem);
    return cg_space_check(file->folder, (size_t)info.st_size, problem);
}

int cg_items_copy(struct cg_items_file *file, const char *to, struct cg_problem *problem) {
    int err = cg_items_file_open(file, CG_ITEMS_AS_IT_IS, problem);
    if (err == CG_OK) err = check_space(file, problem);
    return err == CG_OK ? copy_to(file->db, to, problem) : err;
}

static int copy_file(const char *path, const char *to, struct cg_problem *problem) {
    sqlite3 *db;
    int err = cg_connection_check_journal(path, problem);
    if (err < 0) return err;
    const int code = cg_connection_open(path, CG_JOURNAL_GIVES_BACK, &db);
    err = code == SQLITE_OK ? copy_to(db, to, problem) : explain(db, code, path, problem);
    cg_connection_close(db);
    return err;
}

int cg_items_copy_unused(const char *folder, const char *to, struct cg_problem *problem) {
    struct stat info;
    char *path = cg_folder_file(folder, CG_ITEMS_FILE);
    if (path == NULL) return cg_problem_no_memory(problem);
    int err = CG_OK;
    if (lstat(path, &info) == 0)
        err = copy_file(path, to, problem);
    else if (errno == ENOENT)
        err = cg_problem_set(problem, CG_E_NOT_FOUND, "there are no stored items in %s", folder);
    else
        err = cg_draft_cannot("cannot read", path, problem);
    free(path);
    return err;
}
