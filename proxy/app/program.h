/* The running gateway: what it is made of, for the files that start, reload and end it. */
#ifndef CG_APP_PROGRAM_H
#define CG_APP_PROGRAM_H

#include "app/fronts.h"
#include "app/plugins.h"
#include "app/protectors.h"
#include "io/log_writer.h"
#include "io/loop.h"
#include "io/names.h"

struct cg_program {
    const char *file;
    struct cg_log_writer *log;
    struct cg_loop loop;
    struct cg_protectors protectors;
    struct cg_names *names;
    struct cg_plugins plugins;
    void *fronts[CG_FRONTS_MAX]; /* app/fronts.c */
    uv_timer_t ending;           /* while stopping: looks whether all is done */
    uv_timer_t deadline;         /* while stopping: the store's thread may wait for its disk for longer */
    uint64_t stopped_us;         /* when the end began; 0: running */
    bool finished_early;         /* the exchanges were told to end with what they have */
};

/* Reads the settings file again; mistakes leave all as it was. */
void cg_program_reload(struct cg_program *program);

/* The end, when it is asked for: the running exchanges first. */
void cg_program_init_end(struct cg_program *program);
void cg_program_stop(struct cg_program *program); /* without effect the second time */
/* At once: the loop ends when all is closed. */
void cg_program_close(struct cg_program *program);

#endif
