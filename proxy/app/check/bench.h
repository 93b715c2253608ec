/* By what a check sends its requests: a gateway of its own, or the one that runs on the state folder. */
#ifndef CG_APP_CHECK_BENCH_H
#define CG_APP_CHECK_BENCH_H

#include "app/check/trial.h"

struct cg_check_bench {
    /* Both block. False, with *problem: the gateway cannot be asked. */
    bool (*facts)(struct cg_check_bench *bench, struct cg_check_facts *facts, struct cg_problem *problem);
    /* `result` is initialised, and has its own problem where the request did not go out. */
    bool (*run)(struct cg_check_bench *bench, const struct cg_check_order *order, struct cg_check_result *result,
                struct cg_problem *problem);
    void (*close)(struct cg_check_bench *bench); /* frees it */
    bool interrupted;                            /* by a signal: nothing more is to be sent */
};

/* The settings' mappings get their protectors and names. NULL, with *problem. */
struct cg_check_bench *cg_check_own(struct cg_config *config, const struct cg_mapping *mapping,
                                    struct cg_problem *problem);

enum cg_check_beside { CG_CHECK_ALONE, CG_CHECK_BESIDE, CG_CHECK_REFUSED };
/* Whether a gateway runs there and lets itself be asked for this mapping. BESIDE: *bench. REFUSED, with *problem: one
 * runs, and why not. `*differs`: its mapping has other settings. */
enum cg_check_beside cg_check_beside(const char *folder, const struct cg_mapping *mapping,
                                     struct cg_check_bench **bench, bool *differs, struct cg_problem *problem);

#endif
