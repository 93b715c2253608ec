/* A shortage of memory at a chosen moment: loaded before a program (LD_PRELOAD), it lets allocations fail as the file
 * named by CASTGATE_TEST_SHORTAGE says, which whoever runs the program has mapped as well. Where the first of them came
 * from goes to that file's name with ".trace" behind it. */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "real.h"

/* tests/long/shortage.py has the same. */
struct order {
    _Atomic int64_t next; /* fails with the allocation that counts it down to 0; 0 or less: none does */
    _Atomic int64_t more; /* how many behind that one fail too */
    _Atomic int64_t made; /* allocations so far */
    _Atomic int64_t failed;
};

enum { DEPTH = 40 };

static struct order nobody, *order = &nobody;
static char trace_file[4096];

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("CASTGATE_TEST_SHORTAGE");
    void *frames[1];
    backtrace(frames, 1); /* its first call loads a library */
    int fd = file == NULL ? -1 : open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    snprintf(trace_file, sizeof trace_file, "%s.trace", file);
    void *map = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) order = map;
}

static void write_trace(void) {
    void *frames[DEPTH];
    int fd = open(trace_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return;
    backtrace_symbols_fd(frames, backtrace(frames, DEPTH), fd);
    close(fd);
}

static bool counts_down(void) {
    int64_t next = atomic_load(&order->next);
    while (next > 0) {
        if (atomic_compare_exchange_weak(&order->next, &next, next - 1)) return next == 1;
    }
    int64_t more = atomic_load(&order->more);
    while (next == 0 && more > 0 && atomic_load(&order->failed) > 0) {
        if (atomic_compare_exchange_weak(&order->more, &more, more - 1)) return true;
    }
    return false;
}

static bool fails(void) {
    static _Thread_local bool tracing;
    if (tracing) return false;
    atomic_fetch_add(&order->made, 1);
    if (!counts_down()) return false;
    int saved = ENOMEM;
    if (atomic_fetch_add(&order->failed, 1) == 0) {
        tracing = true;
        write_trace();
        tracing = false;
    }
    errno = saved;
    return true;
}

void *malloc(size_t size) {
    if (!real_is_there()) return early_alloc(size);
    return fails() ? NULL : real.malloc(size);
}

void *calloc(size_t count, size_t size) {
    if (!real_is_there()) return early_alloc(count * size);
    return fails() ? NULL : real.calloc(count, size);
}

void *realloc(void *block, size_t size) {
    if (!real_is_there()) return early_alloc(size);
    return fails() ? NULL : real_realloc(block, size);
}

void free(void *block) {
    if (block == NULL || is_early(block) || !real_is_there()) return;
    real.free(block);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    real_is_there();
    return fails() ? ENOMEM : real.posix_memalign(block, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    real_is_there();
    return fails() ? NULL : real.aligned_alloc(alignment, size);
}

/* Sanitizers have their own, which would not come here. */

char *strndup(const char *text, size_t most) {
    size_t len = strnlen(text, most);
    char *copy = malloc(len + 1);
    if (copy == NULL) return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *strdup(const char *text) { return strndup(text, strlen(text)); }
