/* The hard thing: libuv aborts inside, where nobody can step in. Its table of descriptors grows with the highest one
 * that is watched, so one as high as any will be is watched for a moment, after looking whether there is room. Threads
 * of its pool come with the first work, so as many are made and ended right before. */
#include "io/reserve.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors */

static uint64_t most_that_may_be_open(void) {
    struct rlimit most;
    return getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur != RLIM_INFINITY ? most.rlim_cur : UINT64_MAX;
}

/* libuv rounds up to a power of two. */
static bool has_room_for(uint64_t count) {
    void *table = malloc((size_t)count * 2 * sizeof(void *));
    free(table);
    return table != NULL;
}

static int open_at(uint64_t least) {
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0) return -1;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, (int)least);
    close(fd);
    return high;
}

static void on_nothing(uv_poll_t *poll, int status, int events) { (void)poll, (void)status, (void)events; }

static void on_closed(uv_handle_t *handle) { free(handle); }

static int watch_for_a_moment(uv_loop_t *loop, int fd) {
    uv_poll_t *poll = malloc(sizeof *poll);
    if (poll == NULL || uv_poll_init(loop, poll, fd) != 0) {
        free(poll);
        return CG_E_NO_MEMORY;
    }
    int status = uv_poll_start(poll, UV_READABLE, on_nothing);
    uv_close((uv_handle_t *)poll, on_closed);
    return status == 0 ? CG_OK : CG_E_NO_MEMORY;
}

int cg_reserve_descriptors(uv_loop_t *loop, uint64_t count) {
    uint64_t most = most_that_may_be_open();
    if (count > most) count = most;
    if (!has_room_for(count)) return CG_E_NO_MEMORY;
    int high = open_at(count - 1);
    if (high < 0) return CG_E_NO_MEMORY;
    int err = watch_for_a_moment(loop, high);
    close(high);
    return err;
}

/* Threads */

static void wait_for_go(void *go) { uv_sem_wait(go); }

int cg_reserve_threads(unsigned count) {
    uv_thread_t *threads = calloc(count, sizeof *threads);
    uv_sem_t go;
    unsigned made = 0;
    if (threads == NULL || uv_sem_init(&go, 0) != 0) {
        free(threads);
        return CG_E_NO_MEMORY;
    }
    while (made < count && uv_thread_create(&threads[made], wait_for_go, &go) == 0) made++;
    for (unsigned i = 0; i < made; i++) uv_sem_post(&go);
    for (unsigned i = 0; i < made; i++) uv_thread_join(&threads[i]);
    uv_sem_destroy(&go);
    free(threads);
    return made == count ? CG_OK : CG_E_NO_MEMORY;
}
