/* Counting system calls. The hard thing is to begin and end with the work: strace says nothing when it has attached,
 * but the kernel names it as the tracer then. */
#include "common/syscalls.h"

#include <fcntl.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

static bool is_traced_by(pid_t process, pid_t tracer) {
    char path[32], line[128];
    int found = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    FILE *from = fopen(path, "r");
    CG_CHECK(from != NULL);
    while (fgets(line, sizeof line, from) != NULL) (void)sscanf(line, "TracerPid: %d", &found);
    fclose(from);
    return found == tracer;
}

static pid_t start_strace(pid_t process, const char *output) {
    char text[16];
    snprintf(text, sizeof text, "%d", (int)process);
    pid_t pid = fork();
    CG_CHECK(pid >= 0);
    if (pid > 0) return pid;
    int nowhere = open("/dev/null", O_WRONLY);
    CG_CHECK(nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
    prctl(PR_SET_PDEATHSIG, SIGINT);
    execlp("strace", "strace", "-f", "-c", "-o", output, "-p", text, (char *)NULL);
    _exit(127);
}

/* False: it has ended instead. */
static bool wait_until_attached(pid_t process, pid_t tracer) {
    while (!is_traced_by(process, tracer)) {
        if (waitpid(tracer, NULL, WNOHANG) != 0) return false;
        usleep(10000);
    }
    usleep(100000); /* for the other threads */
    return true;
}

/* The line "100.00 SECONDS MICROSECONDS CALLS [ERRORS] total". */
static double read_total(const char *output) {
    char line[256];
    unsigned long calls = 0;
    FILE *from = fopen(output, "r");
    CG_CHECK(from != NULL);
    while (fgets(line, sizeof line, from) != NULL) {
        if (strstr(line, " total") != NULL) (void)sscanf(line, "%*s %*s %*s %lu", &calls);
    }
    fclose(from);
    return (double)calls;
}

double bench_count_syscalls(pid_t process, void (*what)(void *ctx), void *ctx) {
    char output[] = "/tmp/castgate-bench-strace-XXXXXX";
    int fd = mkstemp(output);
    CG_CHECK(fd >= 0);
    close(fd);
    pid_t tracer = start_strace(process, output);
    double calls = -1;
    if (wait_until_attached(process, tracer)) {
        what(ctx);
        kill(tracer, SIGINT);
        CG_CHECK(waitpid(tracer, NULL, 0) == tracer);
        calls = read_total(output);
    }
    unlink(output);
    return calls;
}
