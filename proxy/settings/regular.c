/* Regular files only. The hard thing: a FIFO's open waits for a writer, and a reload runs on the loop, so the file is
 * opened without waiting first and looked at afterwards; the other order would leave a moment to swap it. */
#include "settings/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* NULL, or why the file is not taken. */
static const char *refusal(const struct stat *info) {
    if (!S_ISREG(info->st_mode)) return "is not a regular file";
    if (info->st_size > (off_t)CG_SETTINGS_FILE_MAX) return "is larger than 16 MiB";
    return NULL;
}

int cg_regular_open(const char *file, struct stat *info, struct cg_mistakes *mistakes) {
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, info) != 0) {
        cg_mistakes_add(mistakes, "", "cannot be read: %s", strerror(errno));
        if (fd >= 0) close(fd);
        return -1;
    }
    const char *refused = refusal(info);
    if (refused == NULL) return fd;
    cg_mistakes_add(mistakes, "", "%s", refused);
    close(fd);
    return -1;
}
