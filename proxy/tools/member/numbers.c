/* The file holds one decimal number: the first that nobody had. The hard thing: several processes may share it, so it
 * is read and written under a lock, in place, and a block belongs to whoever has it, for ever. */
#include "tools/member/numbers.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { DIGITS = 13, LINE = DIGITS + 1, EPOCH_2026 = 1767225600 };

/* 2^40, behind the last Partial IV. */
#define NUMBERS (UINT64_C(1) << 40)

#define PREPARED ".next.json"

bool cg_numbers_name(char *to, size_t cap, const char *keys) {
    size_t len = strlen(keys), tail = sizeof PREPARED - 1;
    bool is_prepared = len > tail && strcmp(keys + len - tail, PREPARED) == 0;
    int whole =
        snprintf(to, cap, "%.*s%s.numbers", (int)(is_prepared ? len - tail : len), keys, is_prepared ? ".json" : "");
    return whole >= 0 && (size_t)whole < cap;
}

static int fail(const struct cg_numbers *numbers, const char *why, char *error, size_t error_cap) {
    (void)snprintf(error, error_cap, "%s: %s", numbers->file, why);
    return CG_E_STORE;
}

/* 0 in a file that was just made. */
static bool read_next(int fd, uint64_t *next) {
    char line[LINE + 1];
    ssize_t got = pread(fd, line, sizeof line, 0);
    *next = 0;
    if (got == 0) return true;
    return got == LINE && line[DIGITS] == '\n' && cg_decimal_parse(cg_slice_of(line, DIGITS), NUMBERS, next) == CG_OK;
}

static bool write_next(int fd, uint64_t next) {
    char line[LINE + 1];
    (void)snprintf(line, sizeof line, "%0*" PRIu64 "\n", DIGITS, next);
    return pwrite(fd, line, LINE, 0) == LINE && fsync(fd) == 0;
}

static uint64_t floor_of(int64_t seconds) { return seconds < EPOCH_2026 ? 0 : (uint64_t)(seconds - EPOCH_2026); }

static int reserve(struct cg_numbers *numbers, int fd, int64_t seconds, char *error, size_t error_cap) {
    uint64_t next;
    if (!read_next(fd, &next)) return fail(numbers, "is not a file of sequence numbers", error, error_cap);
    if (next < floor_of(seconds)) next = floor_of(seconds);
    if (next < numbers->end) next = numbers->end; /* the file was taken away */
    if (next > NUMBERS - CG_NUMBERS_BLOCK)
        return fail(numbers, "all numbers were used: new keys are needed", error, error_cap);
    if (!write_next(fd, next + CG_NUMBERS_BLOCK)) return fail(numbers, strerror(errno), error, error_cap);
    numbers->first = next;
    numbers->end = next + CG_NUMBERS_BLOCK;
    return CG_OK;
}

int cg_numbers_reserve(struct cg_numbers *numbers, int64_t seconds, char *error, size_t error_cap) {
    int fd = open(numbers->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) return fail(numbers, strerror(errno), error, error_cap);
    int err = flock(fd, LOCK_EX) == 0 ? reserve(numbers, fd, seconds, error, error_cap)
                                      : fail(numbers, strerror(errno), error, error_cap);
    (void)close(fd);
    return err;
}
