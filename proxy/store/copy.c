/* Makes new store files: an empty one, or a backup. The hard thing: what is copied must give no number a second time,
 * so every sender is spent before the copy gets its name. */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "store/beside.h"
#include "store/database.h"
#include "store/draft.h"
#include "store/folder.h"
#include "store/items.h"
#include "store/ledger.h"

/* An empty store */

static int make_folder(const char *path, struct cg_problem *problem) {
    struct stat info;
    if (mkdir(path, 0700) == 0) return cg_draft_sync_parent(path, problem);
    if (errno != EEXIST || stat(path, &info) != 0)
        return cg_draft_cannot("cannot make the state folder", path, problem);
    if (!S_ISDIR(info.st_mode)) return cg_problem_set(problem, CG_E_STORE, "%s is not a folder", path);
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return cg_problem_set(problem, CG_E_STORE, "others may write to the state folder %s: chmod go-w", path);
    return CG_OK;
}

static int check_unused(struct cg_folder *folder, struct cg_problem *problem) {
    struct stat info;
    if (lstat(folder->db, &info) == 0)
        return cg_problem_set(
            problem, CG_E_STORE,
            "there is a store already: %s. Keys that have never sent, here or anywhere, are claimed in it "
            "by castgate-keys claim",
            folder->db);
    if (!cg_folder_find_witness(folder)) return cg_draft_cannot("cannot read the state folder", folder->path, problem);
    if (!folder->has_witness) return CG_OK;
    return cg_problem_set(
        problem, CG_E_STORE,
        "%s had a store that is gone: put it back; or remove the folder, and rekey every group whose key sent "
        "from it (castgate-keys rekey)",
        folder->path);
}

/* The new file's own mark, so that its first user knows it as made here. */
static int mark_home(const char *path, struct cg_problem *problem) {
    struct cg_ledger ledger;
    sqlite3 *db;
    int err = cg_database_open(path, &db, problem);
    if (err != CG_OK) return err;
    int code = cg_ledger_read(db, NULL, &ledger);
    if (code == SQLITE_OK && !cg_file_mark(path, &ledger.home.mark)) code = SQLITE_CANTOPEN;
    if (code == SQLITE_OK) code = cg_ledger_put_home(db, &ledger);
    if (code != SQLITE_OK) err = cg_database_explain(db, code, path, problem);
    cg_connection_close(db);
    return err;
}

static int make_store(struct cg_folder *folder, struct cg_problem *problem) {
    int err = check_unused(folder, problem);
    if (err != CG_OK) return err;
    char *draft = cg_draft_make(folder->db, problem);
    if (draft == NULL) return problem->err;
    err = cg_database_create(draft, problem);
    if (err == CG_OK) err = mark_home(draft, problem);
    if (err == CG_OK) err = cg_draft_publish(draft, folder->db, problem);
    /* A store without witness is a suspect, which is no harm as long as nobody claimed. */
    if (err == CG_OK) err = cg_folder_make_witness(folder, 0, problem);
    if (err == CG_OK && (errno = cg_file_sync_folder(folder->path)) != 0)
        err = cg_draft_cannot("cannot write the state folder", folder->path, problem);
    cg_draft_drop(draft);
    return err;
}

int cg_sqlite_init_state(const char *path, struct cg_problem *problem) {
    struct cg_folder folder;
    int err = make_folder(path, problem);
    if (err != CG_OK) return err;
    if (cg_folder_init(&folder, path, NULL) != CG_OK) return cg_problem_no_memory(problem);
    err = make_store(&folder, problem);
    cg_folder_fini(&folder);
    return err;
}

/* A backup */

static int64_t now_ms(void) { return (int64_t)time(NULL) * 1000; }

/* Nowhere is its home, and nobody sends from it. */
static int spend_all(sqlite3 *db) {
    struct cg_ledger ledger;
    int64_t unspent = 1;
    int code = cg_connection_run(db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = cg_ledger_read(db, NULL, &ledger);
    if (code == SQLITE_OK && !ledger.fits) code = SQLITE_CORRUPT;
    if (code == SQLITE_OK) code = cg_ledger_spend_all(db, &ledger);
    ledger.home.mark = ledger.home.witness = (struct cg_file_mark){0};
    if (code == SQLITE_OK) code = cg_ledger_put_home(db, &ledger);
    if (code == SQLITE_OK) code = cg_connection_run(db, "COMMIT");
    if (code == SQLITE_OK)
        code = cg_connection_ask(db, "SELECT count(*) FROM sender WHERE state = 'claimed'", &unspent);
    return code == SQLITE_OK && unspent != 0 ? SQLITE_ERROR : code;
}

static int fill_copy(sqlite3 *source, const char *to, struct cg_problem *problem) {
    sqlite3 *copy = NULL;
    int code = sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code == SQLITE_OK) code = cg_connection_copy(source, copy);
    int err = code == SQLITE_OK ? CG_OK : cg_database_explain(copy, code, to, problem);
    cg_connection_close(copy);
    return err;
}

static int disown_copy(const char *path, struct cg_problem *problem) {
    sqlite3 *copy;
    int err = cg_database_open(path, &copy, problem);
    if (err != CG_OK) return err;
    err = cg_database_upgrade(copy, now_ms(), path, problem);
    int code = err == CG_OK ? spend_all(copy) : SQLITE_OK;
    if (code != SQLITE_OK) err = cg_database_explain(copy, code, path, problem);
    cg_connection_close(copy);
    return err;
}

static int copy_store(const char *from, const char *to, struct cg_problem *problem) {
    sqlite3 *source = NULL;
    int err = cg_database_open(from, &source, problem);
    if (err != CG_OK) return err;
    err = fill_copy(source, to, problem);
    cg_connection_close(source);
    return err == CG_OK ? disown_copy(to, problem) : err;
}

static int check_new(const char *to, struct cg_problem *problem) {
    struct stat info;
    if (lstat(to, &info) != 0) return CG_OK;
    return cg_problem_set(problem, CG_E_STORE, "%s exists: choose a new name", to);
}

int cg_sqlite_copy(const char *db, const char *to, struct cg_problem *problem) {
    struct stat info;
    if (stat(db, &info) != 0) return cg_draft_cannot("cannot read the store", db, problem);
    if (check_new(to, problem) < 0) return problem->err;
    char *draft = cg_draft_make(to, problem);
    if (draft == NULL) return problem->err;
    int err = copy_store(db, draft, problem);
    if (err == CG_OK) err = cg_draft_publish(draft, to, problem);
    cg_draft_drop(draft); /* with its journal, which is over */
    return err;
}

/* A backup of what a gateway uses: that makes a copy in its own folder, since it may write nowhere else */

enum { BACKUP_MAX = 1 << 30 };

struct backup {
    const char *numbers, *items; /* the new files */
};

static int read_file(const char *path, struct cg_buf *bytes, struct cg_problem *problem) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return cg_draft_cannot("cannot read", path, problem);
    errno = cg_file_read_all(fd, BACKUP_MAX, bytes);
    int err = errno == 0 ? CG_OK : cg_draft_cannot("cannot read", path, problem);
    close(fd);
    return err;
}

static int write_file(const char *path, struct cg_slice bytes, struct cg_problem *problem) {
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return cg_draft_cannot("cannot write", path, problem);
    errno = cg_file_write(fd, bytes);
    int err = errno == 0 ? CG_OK : cg_draft_cannot("cannot write", path, problem);
    close(fd);
    return err;
}

static int bring_over(const char *from, const char *to, struct cg_problem *problem) {
    struct cg_buf bytes;
    char *draft = cg_draft_make(to, problem);
    if (draft == NULL) return problem->err;
    cg_buf_init(&bytes, 0);
    int err = read_file(from, &bytes, problem);
    if (err == CG_OK) err = write_file(draft, cg_buf_slice(&bytes), problem);
    if (err == CG_OK) err = cg_draft_publish(draft, to, problem);
    cg_buf_fini(&bytes);
    cg_draft_drop(draft);
    return err;
}

/* What the gateway has made, which is taken away again. */
static int fetch_copy(const char *folder, const char *name, const char *to, struct cg_problem *problem) {
    char *from = cg_folder_file(folder, name);
    if (from == NULL) return cg_problem_no_memory(problem);
    int err = bring_over(from, to, problem);
    unlink(from);
    free(from);
    return err;
}

static int backup_beside(const char *folder, const struct backup *to, struct cg_problem *problem) {
    struct cg_control_copies copies;
    int err = cg_control_copy(folder, &copies, problem);
    if (err < 0) return err;
    int of_items = copies.items[0] == '\0' ? CG_OK : fetch_copy(folder, copies.items, to->items, problem);
    int of_numbers = fetch_copy(folder, copies.numbers, to->numbers, problem); /* which is not left there either */
    if (of_items == CG_OK && of_numbers < 0) unlink(to->items);
    if (of_items < 0 && of_numbers == CG_OK) unlink(to->numbers);
    return of_items < 0 ? of_items : of_numbers;
}

/* Items first: what they say was claimed then is among the numbers. */
static int backup_alone(const struct cg_folder *folder, const struct backup *to, struct cg_problem *problem) {
    struct cg_problem of_items = {0};
    int err = cg_items_copy_unused(folder->path, to->items, &of_items);
    bool has_items = err == CG_OK;
    if (err < 0 && err != CG_E_NOT_FOUND) {
        *problem = of_items;
        return err;
    }
    err = cg_sqlite_copy(folder->db, to->numbers, problem);
    if (err < 0 && has_items) unlink(to->items);
    return err;
}

static int back_up(struct cg_folder *folder, const struct backup *to, struct cg_problem *problem) {
    struct cg_problem locked = {0};
    if (check_new(to->numbers, problem) < 0 || check_new(to->items, problem) < 0) return problem->err;
    int lock = cg_folder_lock(folder, &locked);
    if (lock < 0 &&
        access(folder->db, F_OK) != 0) { /* nobody could say whether a gateway runs: they tell by the lock */
        *problem = locked;
        return lock;
    }
    bool taken = lock < 0 && folder->taken;
    int err = taken ? backup_beside(folder->path, to, problem) : backup_alone(folder, to, problem);
    if (err != CG_E_NOT_FOUND) return err;
    return cg_problem_set(problem, CG_E_STORE, "%s; it has no " CG_CONTROL_SOCKET, locked.detail);
}

int cg_sqlite_backup(const char *path, const char *to, struct cg_problem *problem) {
    struct cg_folder folder;
    char items[PATH_MAX];
    if (snprintf(items, sizeof items, "%s" CG_ITEMS_COPY, to) >= (int)sizeof items)
        return cg_problem_set(problem, CG_E_STORE, "%s: the name is too long", to);
    const struct backup both = {.numbers = to, .items = items};
    if (cg_folder_init(&folder, path, NULL) != CG_OK) return cg_problem_no_memory(problem);
    int err = back_up(&folder, &both, problem);
    cg_folder_fini(&folder);
    return err;
}
