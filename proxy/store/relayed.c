/* The file system's side. The hard thing: the folder may come and go while the gateway runs, so it is opened for each
 * use, and only the lock is kept. */
#include "store/relayed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/container.h"
#include "base/file.h"

static const char name[] = "castgate.relayed", fresh_name[] = "castgate.relayed.new";

enum { TEXT_MAX = 64 << 20 }; /* half a million senders */

static int fail(const struct cg_relayed_file *file, const char *why, struct cg_problem *problem) {
    return cg_problem_set(
        problem, CG_E_STORE,
        "what was relayed cannot be kept in the state folder %s: %s; until it can, no checked request "
        "is relayed",
        file->folder, why);
}

/* -1: errno says why. */
static int open_folder(const struct cg_relayed_file *file) {
    if (mkdir(file->folder, 0700) != 0 && errno != EEXIST) return -1;
    return open(file->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int lock(const struct cg_relayed_file *file, struct cg_problem *problem) {
    unsigned owner;
    int why = cg_state_lock_take(file->lock, &owner);
    if (why == 0) return CG_OK;
    return fail(file, why == EWOULDBLOCK ? "another gateway uses it" : strerror(why), problem);
}

static int read_all(const struct cg_relayed_file *file, int fd, struct cg_buf *text, struct cg_problem *problem) {
    struct stat info;
    if (fstat(fd, &info) != 0) return fail(file, strerror(errno), problem);
    int why = S_ISREG(info.st_mode) ? cg_file_read_all(fd, TEXT_MAX, text) : 0;
    if (why == ENOMEM) return cg_problem_no_memory(problem);
    if (why != 0) return fail(file, strerror(why), problem);
    if (!S_ISREG(info.st_mode) || text->len > TEXT_MAX)
        return fail(file, "castgate.relayed is no file of a gateway", problem);
    return CG_OK;
}

static int file_read(struct cg_windows_place *place, struct cg_buf *text, struct cg_problem *problem) {
    struct cg_relayed_file *file = CG_CONTAINER(place, struct cg_relayed_file, place);
    int folder = open_folder(file);
    if (folder < 0) return fail(file, strerror(errno), problem);
    int err = lock(file, problem);
    if (err == CG_OK) {
        int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0) {
            err = read_all(file, fd, text, problem);
            close(fd);
        } else if (errno != ENOENT) {
            err = fail(file, strerror(errno), problem);
        }
    }
    close(folder);
    return err;
}

static int file_write(struct cg_windows_place *place, struct cg_slice text, struct cg_problem *problem) {
    struct cg_relayed_file *file = CG_CONTAINER(place, struct cg_relayed_file, place);
    int folder = open_folder(file);
    if (folder < 0) return fail(file, strerror(errno), problem);
    int err = lock(file, problem);
    int why = err == CG_OK ? cg_file_replace(folder, name, fresh_name, text) : 0;
    if (why != 0) err = fail(file, strerror(why), problem);
    close(folder);
    return err;
}

static const struct cg_windows_place_ops ops = {.read = file_read, .write = file_write};

int cg_relayed_file_init(struct cg_relayed_file *file, const char *folder, struct cg_state_lock *lock) {
    *file = (struct cg_relayed_file){.place = {.ops = &ops}, .folder = strdup(folder), .lock = lock};
    return file->folder == NULL ? CG_E_NO_MEMORY : CG_OK;
}

void cg_relayed_file_fini(struct cg_relayed_file *file) {
    free(file->folder);
    *file = (struct cg_relayed_file){.folder = NULL};
}
