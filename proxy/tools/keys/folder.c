/* The folder on the disk. The hard thing: a change touches many files, and no file system renames them all at once. So
 * every new file is first written beside the old one, as .new-NAME (empty: NAME is to go). Removing .undecided is the
 * decision: it is made before them, so while it is there the old files are the truth and the new ones are thrown away,
 * and when new ones are there without it, they only have to be renamed. */
#include "tools/keys/folder.h"

#include "base/check.h"
#include "base/file.h"
#include "settings/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW ".new-"
static const char undecided[] = ".undecided";

enum { PENDING_NAME_MAX = sizeof NEW + CG_KEYRING_NAME_MAX };

static int fail(char *error, const char *about, const char *why) {
    (void)snprintf(error, CG_KEYS_ERROR_MAX, "%.512s: %.256s", about, why);
    return CG_E_STORE;
}

/* The owner of the file that is replaced, or of the folder, is the owner of the new one: root may have made this
 * change. */
static int keep_owner(int folder, int fd, const char *name) {
    struct stat info, own;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 && fstat(folder, &info) != 0) return -1;
    if (fstat(fd, &own) != 0) return -1;
    if (own.st_uid == info.st_uid && own.st_gid == info.st_gid) return 0;
    return geteuid() == 0 ? fchown(fd, info.st_uid, info.st_gid) : 0;
}

/* A new file with mode 0600, whatever the umask, that will be called `name`. */
static int write_file(int folder, const char *as, const char *name, struct cg_slice bytes, char *error) {
    int fd = openat(folder, as, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return fail(error, name, strerror(errno));
    int why = fchmod(fd, 0600) == 0 && keep_owner(folder, fd, name) == 0 ? cg_file_write(fd, bytes) : errno;
    if (close(fd) != 0 && why == 0) why = errno;
    return why == 0 ? CG_OK : fail(error, name, strerror(why));
}

static int write_json(int folder, const char *as, const char *name, const json_t *json, char *error) {
    struct cg_secret_text text;
    if (json == NULL) return CG_E_NO_MEMORY;
    int err = cg_secret_print(&text, json);
    if (err != CG_OK) return err;
    if (text.len > CG_SETTINGS_FILE_MAX)
        err =
            fail(error, name,
                 "would be larger than 16 MiB; a smaller group, or one with castgate-keys new --member-peers gateway");
    if (err == CG_OK) err = write_file(folder, as, name, cg_secret_slice(&text), error);
    cg_secret_free(&text);
    return err;
}

/* File `index` of the document, its name with the prefix. CG_PENDING: there is no such file. */
static int write_nth(int folder, json_t *document, size_t index, enum cg_keyring_epoch epoch, const char *prefix,
                     char *error) {
    char name[CG_KEYRING_NAME_MAX], as[PENDING_NAME_MAX];
    if (!cg_keyring_file_name(document, index, epoch, name)) return CG_PENDING;
    json_t *file = cg_keyring_file(document, index);
    (void)snprintf(as, sizeof as, "%s%s", prefix, name);
    int err = write_json(folder, as, name, file, error);
    json_decref(file);
    return err;
}

/* Everything in the file system is on the disk: one call, where thousands of fsync would take minutes. */
static int make_durable(int folder, char *error) {
    return syncfs(folder) == 0 ? CG_OK : fail(error, "syncfs", strerror(errno));
}

static int open_folder(const char *name) { return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

/* Calls `on_name` with each name in the folder but . and .. ; stops at an error. */
typedef int on_name_fn(int folder, const char *name, void *ctx);

static int each_name(int folder, on_name_fn *on_name, void *ctx, char *error) {
    int err = CG_OK, fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        err = fail(error, "the folder", strerror(errno));
        if (fd >= 0) close(fd);
        return err;
    }
    for (struct dirent *entry; err == CG_OK && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = on_name(folder, entry->d_name, ctx);
    closedir(dir);
    return err;
}

/* ---- Making ---- */

static int on_name_unlink(int folder, const char *name, void *ctx) {
    (void)ctx;
    (void)unlinkat(folder, name, 0);
    return CG_OK;
}

static void discard_folder(const char *name, int folder, char *error) {
    if (folder >= 0) {
        char ignored[CG_KEYS_ERROR_MAX];
        (void)each_name(folder, on_name_unlink, NULL, ignored);
    }
    if (rmdir(name) != 0) {
        size_t len = strlen(error);
        (void)snprintf(error + len, CG_KEYS_ERROR_MAX - len, "; %s stays: %s", name, strerror(errno));
    }
}

static int put_in_place(const char *made, const char *folder, char *error) {
    if (rename(made, folder) == 0) {
        int why = cg_file_sync_parent(folder);
        return why == 0 ? CG_OK : fail(error, folder, strerror(why));
    }
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
        return fail(error, folder, "is there already and not an empty folder; nothing is overwritten");
    return fail(error, folder, strerror(errno));
}

typedef int write_all_fn(int folder, const void *what, char *error);

static int make(const char *folder, write_all_fn *write_all, const void *what, char *error) {
    char name[PATH_MAX - 8], made[PATH_MAX];
    int err = CG_OK, fd = -1;
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/') len--;
    if (len >= sizeof name) return fail(error, "the folder", strerror(ENAMETOOLONG));
    memcpy(name, folder, len);
    name[len] = '\0';
    (void)snprintf(made, sizeof made, "%s.XXXXXX", name);
    if (mkdtemp(made) == NULL) return fail(error, made, strerror(errno)); /* mode 0700 */
    fd = open_folder(made);
    if (fd < 0) err = fail(error, made, strerror(errno));
    if (err == CG_OK) err = write_all(fd, what, error);
    if (err == CG_OK) err = make_durable(fd, error);
    if (err == CG_OK) err = put_in_place(made, name, error);
    if (err != CG_OK && access(made, F_OK) == 0) discard_folder(made, fd, error);
    if (fd >= 0) close(fd);
    return err;
}

static int write_group(int folder, const void *what, char *error) {
    json_t *document = *(json_t *const *)what;
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK; i++) err = write_nth(folder, document, i, CG_KEYRING_CURRENT, "", error);
    return err == CG_PENDING ? CG_OK : err;
}

int cg_keys_folder_make(const char *folder, json_t *document, char error[CG_KEYS_ERROR_MAX]) {
    return make(folder, write_group, &document, error);
}

struct files {
    const struct cg_keys_file *list;
    size_t count;
};

static int write_files(int folder, const void *what, char *error) {
    const struct files *files = what;
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < files->count; i++)
        err = write_json(folder, files->list[i].name, files->list[i].name, files->list[i].json, error);
    return err;
}

int cg_keys_folder_make_of(const char *folder, const struct cg_keys_file *files, size_t count,
                           char error[CG_KEYS_ERROR_MAX]) {
    const struct files all = {.list = files, .count = count};
    return make(folder, write_files, &all, error);
}

/* ---- Changing ---- */

static bool is_pending(const char *name) { return strncmp(name, NEW, sizeof NEW - 1) == 0; }

static int on_name_take_back(int folder, const char *name, void *ctx) {
    if (!is_pending(name) || unlinkat(folder, name, 0) == 0) return CG_OK;
    return fail(ctx, name, strerror(errno));
}

/* The mark goes last, and only when the others are gone for good. */
static int take_back(int folder, char *error) {
    int err = each_name(folder, on_name_take_back, error, error);
    if (err == CG_OK) err = make_durable(folder, error);
    if (err == CG_OK && unlinkat(folder, undecided, 0) != 0 && errno != ENOENT)
        err = fail(error, undecided, strerror(errno));
    return err;
}

static int on_name_count(int folder, const char *name, void *ctx) {
    (void)folder;
    if (is_pending(name)) ++*(size_t *)ctx;
    return CG_OK;
}

static int on_name_complete(int folder, const char *name, void *ctx) {
    struct stat info;
    if (!is_pending(name)) return CG_OK;
    const char *final = name + sizeof NEW - 1;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return fail(ctx, name, strerror(errno));
    if (info.st_size > 0) return renameat(folder, name, folder, final) == 0 ? CG_OK : fail(ctx, final, strerror(errno));
    if (unlinkat(folder, final, 0) != 0 && errno != ENOENT) return fail(ctx, final, strerror(errno));
    return unlinkat(folder, name, 0) == 0 ? CG_OK : fail(ctx, name, strerror(errno));
}

static int count_pending(int folder, size_t *pending, char *error) {
    *pending = 0;
    return each_name(folder, on_name_count, pending, error);
}

/* Repeats, since a listing during which files are renamed need not be complete. */
static int complete(int folder, char *error) {
    size_t pending;
    int err = count_pending(folder, &pending, error);
    while (err == CG_OK && pending > 0) {
        err = each_name(folder, on_name_complete, error, error);
        if (err == CG_OK) err = count_pending(folder, &pending, error);
    }
    return err == CG_OK ? make_durable(folder, error) : err;
}

static int recover(int folder, bool *completed, char *error) {
    size_t pending;
    *completed = false;
    int err = count_pending(folder, &pending, error);
    if (err != CG_OK) return err;
    if (faccessat(folder, undecided, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return take_back(folder, error);
    if (pending == 0) return CG_OK;
    *completed = true;
    return complete(folder, error);
}

int cg_keys_folder_open(const char *folder, int *fd, bool *completed, char error[CG_KEYS_ERROR_MAX]) {
    *fd = open_folder(folder);
    if (*fd < 0) return fail(error, folder, strerror(errno));
    int err = CG_OK;
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        err = fail(error, folder, errno == EWOULDBLOCK ? "is being changed by another castgate-keys" : strerror(errno));
    if (err == CG_OK) err = recover(*fd, completed, error);
    if (err != CG_OK) cg_keys_folder_close(*fd);
    return err;
}

void cg_keys_folder_close(int fd) { close(fd); }

/* Empty: it is to go. */
static int write_deletions(int folder, const json_t *gone, char *error) {
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < json_array_size(gone); i++) {
        char as[PENDING_NAME_MAX];
        const char *name = json_string_value(json_array_get(gone, i));
        (void)snprintf(as, sizeof as, NEW "%.*s", CG_KEYRING_NAME_MAX - 1, name);
        err = write_file(folder, as, name, CG_SLICE_NONE, error);
    }
    return err;
}

static int write_pending(int folder, json_t *document, enum cg_keyring_epoch epoch, const json_t *gone, char *error) {
    int err = write_file(folder, undecided, undecided, CG_SLICE_NONE, error);
    if (err == CG_OK) err = make_durable(folder, error); /* before any other: see above */
    for (size_t i = 0; err == CG_OK; i++) err = write_nth(folder, document, i, epoch, NEW, error);
    if (err == CG_PENDING) err = write_deletions(folder, gone, error);
    return err == CG_OK ? make_durable(folder, error) : err;
}

int cg_keys_folder_change(int fd, json_t *document, enum cg_keyring_epoch epoch, const json_t *gone,
                          char error[CG_KEYS_ERROR_MAX]) {
    int err = write_pending(fd, document, epoch, gone, error);
    if (err == CG_OK && unlinkat(fd, undecided, 0) != 0) err = fail(error, undecided, strerror(errno));
    if (err != CG_OK) {
        char ignored[CG_KEYS_ERROR_MAX];
        (void)take_back(fd, ignored);
        return err;
    }
    err = make_durable(fd, error);
    if (err == CG_OK) err = complete(fd, error);
    if (err == CG_E_STORE) {
        size_t len = strlen(error);
        (void)snprintf(error + len, CG_KEYS_ERROR_MAX - len,
                       "; the change is decided already: castgate-keys finish completes it");
    }
    return err;
}
