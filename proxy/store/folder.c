/* The lock, and the evidence against copies. The hard thing: files are put back behind a gateway's back, in place or
 * whole folders at once. A copied file has another inode and time of birth, unless it was written over the old one;
 * then the witness is ahead of it, or is another file than it was: it is only ever renamed. */
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "model/store.h"

char *cg_folder_file(const char *folder, const char *name) {
    size_t len = strlen(folder) + 1 + strlen(name) + 1;
    char *path = malloc(len);
    if (path != NULL) snprintf(path, len, "%s/%s", folder, name);
    return path;
}

int cg_folder_init(struct cg_folder *folder, const char *path, struct cg_state_lock *lock) {
    *folder = (struct cg_folder){.path = strdup(path), .db = cg_folder_file(path, CG_FOLDER_DB), .lock = lock};
    if (lock == NULL) folder->lock = &folder->own;
    int err = lock == NULL ? cg_state_lock_init(&folder->own, path) : CG_OK;
    if (err == CG_OK && folder->path != NULL && folder->db != NULL) return CG_OK;
    cg_folder_fini(folder);
    return CG_E_NO_MEMORY;
}

void cg_folder_fini(struct cg_folder *folder) {
    if (folder->lock == &folder->own) cg_state_lock_fini(&folder->own);
    free(folder->path);
    free(folder->db);
    *folder = (struct cg_folder){.path = NULL};
}

/* The lock */

static int say_missing(const struct cg_folder *folder, struct cg_problem *problem) {
    if (errno != ENOENT && errno != ENOTDIR)
        return cg_problem_set(problem, CG_E_STORE, "the store %s cannot be reached: %s", folder->db, strerror(errno));
    return cg_problem_set(problem, CG_E_STORE,
                          "the store %s is missing: put it back; else --init-state (keys that have never sent, here or "
                          "anywhere: --init-state --new-keys), and where keys have sent, " CG_STORE_WAYS_OUT,
                          folder->db);
}

static int say_locked(const struct cg_folder *folder, unsigned owner, struct cg_problem *problem) {
    if (owner == 0)
        return cg_problem_set(problem, CG_E_STORE, "the state folder %s is locked by another gateway", folder->path);
    return cg_problem_set(
        problem, CG_E_STORE,
        "the state folder %s is locked by another gateway (process %u): stop it, or give each its own "
        "folder and Sender ID",
        folder->path, owner);
}

int cg_folder_lock(struct cg_folder *folder, struct cg_problem *problem) {
    struct stat db;
    unsigned owner;
    folder->taken = false;
    if (cg_state_lock_is_held(folder->lock)) return CG_OK;
    if (stat(folder->db, &db) != 0) return say_missing(folder, problem);
    int why = cg_state_lock_take(folder->lock, &owner);
    folder->taken = why == EWOULDBLOCK;
    if (why == 0) return CG_OK;
    if (folder->taken) return say_locked(folder, owner, problem);
    if (why == ESTALE)
        return cg_problem_set(problem, CG_E_STORE, "the lock file %s was removed meanwhile", folder->lock->file);
    return cg_problem_set(problem, CG_E_STORE, "the lock file %s cannot be written: %s", folder->lock->file,
                          strerror(why));
}

/* The store's file */

int cg_folder_note_db(struct cg_folder *folder, struct cg_problem *problem) {
    struct stat db;
    if (stat(folder->db, &db) != 0) return say_missing(folder, problem);
    folder->device = db.st_dev;
    folder->inode = db.st_ino;
    return CG_OK;
}

int cg_folder_check(const struct cg_folder *folder, struct cg_problem *problem) {
    struct stat db;
    if (stat(folder->db, &db) != 0) return say_missing(folder, problem);
    if (db.st_dev != folder->device || db.st_ino != folder->inode)
        return cg_problem_set(problem, CG_E_STORE, "the store %s was replaced by another file while it was in use",
                              folder->db);
    if (!cg_state_lock_is_held(folder->lock))
        return cg_problem_set(problem, CG_E_STORE, "the lock file %s was removed while the store was in use",
                              folder->lock->file);
    return CG_OK;
}

bool cg_file_mark(const char *path, struct cg_file_mark *mark) {
    struct statx info;
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &info) != 0) return false;
    *mark = (struct cg_file_mark){.inode = (int64_t)info.stx_ino};
    if ((info.stx_mask & STATX_BTIME) != 0)
        mark->born_ns = (int64_t)((uint64_t)info.stx_btime.tv_sec * 1000000000u + info.stx_btime.tv_nsec);
    return true;
}

/* The witness */

static bool witness_number(const char *name, uint64_t *number) {
    size_t prefix = strlen(CG_FOLDER_WITNESS);
    return strncmp(name, CG_FOLDER_WITNESS, prefix) == 0 &&
           cg_decimal_parse(cg_slice_str(name + prefix), INT64_MAX, number) == CG_OK;
}

static char *witness_path(const struct cg_folder *folder, uint64_t number) {
    char name[64];
    snprintf(name, sizeof name, CG_FOLDER_WITNESS "%llu", (unsigned long long)number);
    return cg_folder_file(folder->path, name);
}

static void remove_witness(const struct cg_folder *folder, uint64_t number) {
    char *path = witness_path(folder, number);
    if (path != NULL) unlink(path);
    free(path);
}

static bool mark_witness(struct cg_folder *folder) {
    char *path = witness_path(folder, folder->witness);
    bool marked = path != NULL && cg_file_mark(path, &folder->witness_mark);
    free(path);
    return marked;
}

bool cg_folder_find_witness(struct cg_folder *folder) {
    DIR *dir = opendir(folder->path);
    folder->has_witness = false;
    folder->witness = 0;
    if (dir == NULL) return false;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        uint64_t number;
        if (!witness_number(entry->d_name, &number)) continue;
        if (number > folder->witness) folder->witness = number;
        folder->has_witness = true;
    }
    closedir(dir);
    return !folder->has_witness || mark_witness(folder);
}

void cg_folder_remove_older_witnesses(const struct cg_folder *folder) {
    DIR *dir = opendir(folder->path);
    if (dir == NULL) return;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        uint64_t number;
        if (witness_number(entry->d_name, &number) && number < folder->witness) remove_witness(folder, number);
    }
    closedir(dir);
}

static bool make_file(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static int say_unwritable(const struct cg_folder *folder, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_STORE,
                          "the state folder %s cannot be written (%s): make the store and its folder writable for the "
                          "gateway's user",
                          folder->path, strerror(errno));
}

int cg_folder_make_witness(struct cg_folder *folder, uint64_t number, struct cg_problem *problem) {
    char *path = witness_path(folder, number);
    bool made = path != NULL && make_file(path);
    if (made) {
        folder->witness = number;
        folder->has_witness = true;
        made = mark_witness(folder);
    }
    free(path);
    return made ? CG_OK : say_unwritable(folder, problem);
}

int cg_folder_move_witness(struct cg_folder *folder, uint64_t number, struct cg_problem *problem) {
    char *to = witness_path(folder, number), *from = witness_path(folder, folder->witness);
    bool moved = to != NULL && from != NULL && rename(from, to) == 0;
    if (moved) folder->witness = number;
    free(to);
    free(from);
    return moved ? CG_OK : say_unwritable(folder, problem);
}
