/* The lock. The hard thing: a file can be removed while it is locked, and whoever comes next locks another one of the
 * same name; so what is held counts only while the name still leads to it. */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "store/folder.h"

int cg_state_lock_init(struct cg_state_lock *lock, const char *folder) {
    *lock = (struct cg_state_lock){
        .mutex = PTHREAD_MUTEX_INITIALIZER, .file = cg_folder_file(folder, CG_FOLDER_LOCK), .fd = -1};
    return lock->file == NULL ? CG_E_NO_MEMORY : CG_OK;
}

static void unlock(struct cg_state_lock *lock) {
    if (lock->fd >= 0) close(lock->fd);
    lock->fd = -1;
}

void cg_state_lock_fini(struct cg_state_lock *lock) {
    unlock(lock);
    free(lock->file);
    lock->file = NULL;
}

static bool is_in_place(const struct cg_state_lock *lock) {
    struct stat held, named;
    return lock->fd >= 0 && fstat(lock->fd, &held) == 0 && stat(lock->file, &named) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static unsigned read_owner(int fd) {
    char owner[24] = "";
    uint64_t process;
    ssize_t len = pread(fd, owner, sizeof owner - 1, 0);
    bool known = len > 0 && cg_decimal_parse(cg_slice_of(owner, strcspn(owner, "\n")), UINT32_MAX, &process) == CG_OK;
    return known ? (unsigned)process : 0;
}

/* For others' messages only. */
static void write_owner(int fd) {
    char owner[24];
    int len = snprintf(owner, sizeof owner, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, owner, (size_t)len, 0) < len) return;
}

/* 0 or errno. */
static int lock_open_file(struct cg_state_lock *lock, unsigned *owner) {
    if (flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
        int why = errno;
        if (why == EWOULDBLOCK) *owner = read_owner(lock->fd);
        return why;
    }
    if (!is_in_place(lock)) return ESTALE;
    write_owner(lock->fd);
    return 0;
}

static int lock_anew(struct cg_state_lock *lock, unsigned *owner) {
    unlock(lock);
    lock->fd = open(lock->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (lock->fd < 0) return errno;
    int why = lock_open_file(lock, owner);
    if (why != 0) unlock(lock);
    return why;
}

int cg_state_lock_take(struct cg_state_lock *lock, unsigned *owner) {
    *owner = 0;
    pthread_mutex_lock(&lock->mutex);
    int why = is_in_place(lock) ? 0 : lock_anew(lock, owner);
    pthread_mutex_unlock(&lock->mutex);
    return why;
}

bool cg_state_lock_is_held(struct cg_state_lock *lock) {
    pthread_mutex_lock(&lock->mutex);
    bool held = is_in_place(lock);
    pthread_mutex_unlock(&lock->mutex);
    return held;
}
