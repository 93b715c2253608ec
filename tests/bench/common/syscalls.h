/* How many system calls a process makes meanwhile, counted by strace where that is installed. */
#ifndef CG_BENCH_SYSCALLS_H
#define CG_BENCH_SYSCALLS_H

#include <sys/types.h>

/* Runs `what` while the process and all its threads are watched, which slows them down. -1: there is no strace, or it
 * may not watch. */
double bench_count_syscalls(pid_t process, void (*what)(void *ctx), void *ctx);

#endif
