/* The settings, from their file to what the loop takes into use. A load reads, checks, indexes, makes keys and compares
 * on any thread; adopting what came of it is short, whatever is in the file. */
#ifndef CG_APP_LOAD_H
#define CG_APP_LOAD_H

#include "app/protectors.h"
#include "io/names.h"
#include "io/worker.h"
#include "settings/stored.h"

struct cg_load {
    /* What it is to be made of. Between cg_load_run and cg_load_fini nobody else stages or attaches anything. */
    const char *file;
    struct cg_stored stored; /* what was stored beside the file, and edits on it */
    struct cg_names *names;
    struct cg_protectors *protectors;
    struct cg_worker *worker;  /* frees the snapshot when nobody refers to it any more */
    struct cg_config *old;     /* in use; borrowed; NULL: none yet */
    struct cg_config *derived; /* from it, and still the same: a reference; NULL: everything is read */
    /* What came of it. */
    int err;
    struct cg_config *config;    /* a reference; NULL where the file is no good */
    struct cg_mistakes mistakes; /* why it is not */
    struct cg_problem problem;   /* what else there is to say of `err`: keys that do not fit, memory */
    struct cg_mistakes warnings; /* what should be known about it */
    struct cg_mistakes restarts; /* what takes effect after a restart only */
    struct cg_names_plan *names_plan;
    struct cg_protectors_plan *protectors_plan;
    bool is_staged;
};

void cg_load_run(struct cg_load *load);
/* On the loop's thread, before one of the two: whether the edits may be all that is read. */
void cg_load_consider_deriving(struct cg_load *load);
/* Instead of cg_load_run, where load->derived is there. False: it is that after all. */
bool cg_load_derive(struct cg_load *load) CG_MUST_CHECK;
/* On the loop's thread, before or while the loop runs: all that may fail. Errors leave what was in use: *problem. */
int cg_load_stage(struct cg_load *load, struct cg_problem *problem) CG_MUST_CHECK;
void cg_load_adopt(struct cg_load *load); /* what is staged */
/* On the loop's thread. What was adopted stays, what was staged alone is forgotten. The second time it has no effect.
 */
void cg_load_fini(struct cg_load *load);

#endif
