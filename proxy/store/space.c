/* Room on the disk. The hard thing is that who finds the disk full cannot do anything about it: so what must go on has
 * its blocks beforehand, behind the end of its files where nobody sees them. */
#include "store/space.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LEFT_TO_OTHERS (UINT64_C(16) << 20)

static uint64_t margin_of(const struct statvfs *disk) {
    const uint64_t share = (uint64_t)disk->f_blocks * disk->f_frsize / 16;
    return share < LEFT_TO_OTHERS ? share : LEFT_TO_OTHERS;
}

int cg_space_check(const char *folder, size_t bytes, struct cg_problem *problem) {
    struct statvfs disk;
    if (statvfs(folder, &disk) != 0) return CG_OK; /* writing will say what is wrong */
    const uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize, needed = margin_of(&disk) + bytes;
    if (left >= needed) return CG_OK;
    return cg_problem_set(problem, CG_E_STORE,
                          "the disk of %s is nearly full: free %llu KiB. What is left is for sequence numbers, so that "
                          "commands go on while changes wait",
                          folder, (unsigned long long)((needed - left) / 1024 + 1));
}

void cg_space_reserve(const char *path, size_t bytes, enum cg_space_missing missing) {
    struct stat info;
    const int make = missing == CG_SPACE_MAKE ? O_CREAT : 0;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | make, 0600);
    if (fd < 0) return;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        (void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, info.st_size + (off_t)bytes);
    close(fd);
}
