/* Drafts. The hard thing is that a name alone proves nothing after a power failure: the bytes are synced before they
 * get it, and the folder after that. */
#include "store/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

int cg_draft_cannot(const char *what, const char *path, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_STORE, "%s %s: %s", what, path, strerror(errno));
}

char *cg_draft_make(const char *path, struct cg_problem *problem) {
    size_t len = strlen(path) + sizeof ".XXXXXX";
    char *draft = malloc(len);
    if (draft == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    snprintf(draft, len, "%s.XXXXXX", path);
    int fd = mkostemp(draft, O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return draft;
    }
    cg_draft_cannot("cannot make a file beside", path, problem);
    free(draft);
    return NULL;
}

static void remove_with(const char *path, const char *suffix) {
    size_t len = strlen(path) + strlen(suffix) + 1;
    char *name = malloc(len);
    if (name == NULL) return;
    snprintf(name, len, "%s%s", path, suffix);
    unlink(name);
    free(name);
}

void cg_draft_drop(char *draft) {
    if (draft == NULL) return;
    remove_with(draft, "-journal");
    unlink(draft);
    free(draft);
}

static bool sync_file(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

int cg_draft_sync_parent(const char *path, struct cg_problem *problem) {
    errno = cg_file_sync_parent(path);
    return errno == 0 ? CG_OK : cg_draft_cannot("cannot write the folder of", path, problem);
}

/* Never over another file. Network file systems know no renaming without replacing, FAT no links. */
static bool rename_to_new(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return true;
    return errno == EINVAL && link(from, to) == 0 && unlink(from) == 0;
}

int cg_draft_publish(const char *draft, const char *to, struct cg_problem *problem) {
    if (!sync_file(draft)) return cg_draft_cannot("cannot write", draft, problem);
    if (!rename_to_new(draft, to)) return cg_draft_cannot("cannot make", to, problem);
    int err = cg_draft_sync_parent(to, problem);
    if (err != CG_OK) unlink(to);
    return err;
}
