/* A program that is run for its effect, without a shell: what it is told stands on its stdin. It has a process group of
 * its own, so that what it starts ends with it, and none of our files but stderr. */
#ifndef CG_IO_CHILD_H
#define CG_IO_CHILD_H

#include <stdatomic.h>

#include "model/request.h"

struct cg_child {
    const char *const *argv; /* NULL behind the last; argv[0] is a file's name, with a slash in it */
    const char *const *env;  /* all that it gets; NULL behind the last */
    struct cg_slice input;
    uint32_t seconds;             /* then it is killed */
    const atomic_bool *cancelled; /* set by another thread: it is killed soon. NULL: never */
};

/* Blocks until it has ended: not for the loop. CG_OK: it ended by itself with status 0. CG_E_INTERNAL with *problem:
 * otherwise, or it cannot be run; CG_E_STOPPING: cancelled. */
int cg_child_run(const struct cg_child *child, struct cg_problem *problem) CG_MUST_CHECK;

#endif
