/* The file has one line: the first number that nobody had, 13 digits. A block is reserved before any of it is used, and
 * a program that ends leaves the rest of its block for ever: a gap costs nothing, a number that comes twice costs the
 * group its secrecy (the nonce is made of it). So a lost file is no new beginning but the end of these keys. It is
 * written as castgate-member writes it, under a lock, so that both can use the same keys one after the other. */
#define _GNU_SOURCE
#include "numbers.h"

#include <castgate/oscore.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { BLOCK = 4096, DIGITS = 13 };

void numbers_open(struct numbers *numbers, const char *keys) {
    *numbers = (struct numbers){0};
    if (asprintf(&numbers->file, "%s.numbers", keys) < 0) err(1, "%s", keys);
}

static uint64_t read_next(int fd, const char *file) {
    char line[DIGITS + 2] = {0}, *end;
    if (pread(fd, line, DIGITS + 1, 0) != DIGITS + 1 || line[DIGITS] != '\n')
        errx(1, "%s: no number of 13 digits", file);
    uint64_t next = strtoull(line, &end, 10);
    if (end != line + DIGITS) errx(1, "%s: no number of 13 digits", file);
    return next;
}

static void reserve(struct numbers *numbers) {
    char line[DIGITS + 2];
    int fd = open(numbers->file, O_RDWR | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) err(1, "%s", numbers->file);
    uint64_t next = read_next(fd, numbers->file);
    if (next > CG_OSCORE_NUMBER_MAX - BLOCK)
        errx(1, "%s: all numbers are used, the group needs new keys", numbers->file);
    (void)snprintf(line, sizeof line, "%013" PRIu64 "\n", next + BLOCK);
    if (pwrite(fd, line, DIGITS + 1, 0) != DIGITS + 1 || fsync(fd) != 0) err(1, "%s", numbers->file);
    close(fd);
    numbers->next = next;
    numbers->end = next + BLOCK;
}

uint64_t numbers_take(struct numbers *numbers) {
    if (numbers->next == numbers->end) reserve(numbers);
    return numbers->next++;
}
