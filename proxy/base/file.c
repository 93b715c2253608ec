/* Files. The hard thing is durability: new bytes are on the disk before they get their name, and the name before
 * anybody hears of it. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Bytes ---- */

int cg_file_read(int fd, void *to, size_t cap, size_t *len) {
    for (*len = 0; *len < cap;) {
        ssize_t got = read(fd, (uint8_t *)to + *len, cap - *len);
        if (got == 0) return 0;
        if (got < 0 && errno != EINTR) return errno;
        if (got > 0) *len += (size_t)got;
    }
    return 0;
}

int cg_file_read_all(int fd, size_t max, struct cg_buf *to) {
    enum { CHUNK = 65536 };
    size_t end = to->len + max, got = CHUNK;
    while (to->len <= end && got == CHUNK) {
        uint8_t *room = cg_buf_reserve(to, CHUNK);
        if (room == NULL) return ENOMEM;
        int why = cg_file_read(fd, room, CHUNK, &got);
        if (why != 0) return why;
        to->len += got;
    }
    return 0;
}

int cg_file_write(int fd, struct cg_slice bytes) {
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.data, bytes.len);
        if (put < 0 && errno != EINTR) return errno;
        if (put > 0) bytes = cg_slice_of(bytes.data + put, bytes.len - (size_t)put);
    }
    return 0;
}

/* ---- Names ---- */

static int errno_unless(bool done) { return done ? 0 : errno; }

static int sync_and_close(int fd) {
    int why = errno_unless(fsync(fd) == 0);
    int closed = errno_unless(close(fd) == 0);
    return why != 0 ? why : closed;
}

static int write_draft(int folder, const char *draft, struct cg_slice bytes) {
    int fd = openat(folder, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) return errno;
    int why = cg_file_write(fd, bytes), synced = sync_and_close(fd);
    return why != 0 ? why : synced;
}

int cg_file_replace(int folder, const char *name, const char *draft, struct cg_slice bytes) {
    int why = write_draft(folder, draft, bytes);
    if (why != 0) return why;
    return errno_unless(renameat(folder, draft, folder, name) == 0 && fsync(folder) == 0);
}

int cg_file_sync_folder(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? errno : sync_and_close(fd);
}

int cg_file_sync_parent(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return cg_file_sync_folder(".");
    if (slash == path) return cg_file_sync_folder("/");
    char *parent = strndup(path, (size_t)(slash - path));
    int why = parent == NULL ? ENOMEM : cg_file_sync_folder(parent);
    free(parent);
    return why;
}
