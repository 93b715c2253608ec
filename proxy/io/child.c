/* Running a program and waiting for it. The hard thing: it may neither read what it is told, nor end; so both are
 * waited for at once, and not for longer than is said. */
#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Starting ---- */

static int set_signals(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int why =
        posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (why == 0) why = posix_spawnattr_setsigmask(attributes, &none);
    if (why == 0) why = posix_spawnattr_setsigdefault(attributes, &all);
    return why == 0 ? posix_spawnattr_setpgroup(attributes, 0) : why;
}

static int set_files(posix_spawn_file_actions_t *files, int input) {
    int why = posix_spawn_file_actions_adddup2(files, input, STDIN_FILENO);
    if (why == 0) why = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    return why == 0 ? posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1) : why;
}

/* An error number. */
static int start(const struct cg_child *child, int input, pid_t *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int why = posix_spawn_file_actions_init(&files);
    if (why != 0) return why;
    why = posix_spawnattr_init(&attributes);
    if (why == 0) {
        why = set_files(&files, input);
        if (why == 0) why = set_signals(&attributes);
        if (why == 0)
            why = posix_spawn(pid, child->argv[0], &files, &attributes, (char *const *)(uintptr_t)child->argv,
                              (char *const *)(uintptr_t)child->env);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return why;
}

/* ---- Waiting ---- */

struct wait {
    struct pollfd files[2]; /* its stdin, and its end; -1: over */
    struct cg_slice rest;   /* of what it is told */
    int64_t until_ms;
};

enum { INPUT, END };

static void hang_up(struct wait *wait) {
    if (wait->files[INPUT].fd >= 0) close(wait->files[INPUT].fd);
    wait->files[INPUT].fd = -1;
}

static void tell(struct wait *wait) {
    ssize_t done = write(wait->files[INPUT].fd, wait->rest.data, wait->rest.len);
    if (done < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (done > 0) wait->rest = cg_slice_of(wait->rest.data + done, wait->rest.len - (size_t)done);
    if (done < 0 || wait->rest.len == 0) hang_up(wait); /* it need not read */
}

/* True: it has ended; false: it has not in time. */
static bool wait_for_end(struct wait *wait, const atomic_bool *cancelled) {
    enum { LOOK_MS = 200 };
    if (wait->rest.len == 0) hang_up(wait);
    for (int64_t left; (left = wait->until_ms - now_ms()) > 0;) {
        if (cancelled != NULL && atomic_load(cancelled)) return false;
        int count = poll(wait->files, 2, left > LOOK_MS ? LOOK_MS : (int)left);
        if (count < 0 && errno != EINTR) return false;
        if (count <= 0) continue;
        if (wait->files[END].revents != 0) return true;
        if (wait->files[INPUT].fd >= 0 && wait->files[INPUT].revents != 0) tell(wait);
    }
    return false;
}

static int judge(const struct cg_child *child, int status, struct cg_problem *problem) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return CG_OK;
    if (WIFEXITED(status))
        return cg_problem_set(problem, CG_E_INTERNAL, "%s ended with status %d", child->argv[0], WEXITSTATUS(status));
    return cg_problem_set(problem, CG_E_INTERNAL, "%s was ended by signal %d", child->argv[0], WTERMSIG(status));
}

static int see_to_its_end(const struct cg_child *child, pid_t pid, int input, struct cg_problem *problem) {
    struct wait wait = {.rest = child->input, .until_ms = now_ms() + (int64_t)child->seconds * 1000};
    int status = 0, end = (int)syscall(SYS_pidfd_open, pid, 0);
    wait.files[INPUT] = (struct pollfd){.fd = input, .events = POLLOUT};
    wait.files[END] = (struct pollfd){.fd = end, .events = POLLIN};
    bool in_time = end >= 0 && wait_for_end(&wait, child->cancelled);
    hang_up(&wait);
    (void)kill(-pid, SIGKILL); /* and what it has left behind */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (end >= 0) close(end);
    if (in_time) return judge(child, status, problem);
    if (child->cancelled != NULL && atomic_load(child->cancelled))
        return cg_problem_set(problem, CG_E_STOPPING, "%s was ended, as the gateway is stopping", child->argv[0]);
    return cg_problem_set(problem, CG_E_INTERNAL, "%s was ended, as it had not within %u s", child->argv[0],
                          (unsigned)child->seconds);
}

/* Whoever reads no more must not end us: the signal stays with this thread, and is taken back. */
static int run_unsignalled(const struct cg_child *child, struct cg_problem *problem) {
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return cg_problem_set(problem, CG_E_INTERNAL, "%s: %s", child->argv[0], strerror(errno));
    int why = fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 ? start(child, ends[0], &pid) : errno;
    close(ends[0]);
    if (why == 0) return see_to_its_end(child, pid, ends[1], problem);
    close(ends[1]);
    return cg_problem_set(problem, CG_E_INTERNAL, "%s cannot be run: %s", child->argv[0], strerror(why));
}

int cg_child_run(const struct cg_child *child, struct cg_problem *problem) {
    const struct timespec now = {0};
    sigset_t broken, before;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    int err = run_unsignalled(child, problem);
    while (sigtimedwait(&broken, NULL, &now) == SIGPIPE) {
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}
