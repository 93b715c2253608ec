/* A gateway for nobody but a check: the same sockets and protectors as in service, without listeners. The hard thing is
 * to wait in it for one thing at a time, whatever else its loop does meanwhile. */
#include "app/check/bench.h"

#include <stdlib.h>

#include "app/alone.h"
#include "base/container.h"

enum { REPLY_MARGIN_MS = 30000 };

struct own {
    struct cg_check_bench bench;
    const struct cg_mapping *mapping;
    struct cg_alone alone;
    struct cg_trial *trial; /* NULL: none runs */
    struct cg_check_result *result;
};

static void on_hurry(void *ctx) {
    struct own *own = ctx;
    own->bench.interrupted = true;
    if (own->trial != NULL) cg_trial_hurry(own->trial);
}

/* Requests */

static bool has_result(const void *who) { return ((const struct own *)who)->trial == NULL; }

static void on_done(void *ctx, struct cg_check_result *result) {
    struct own *own = ctx;
    cg_check_result_take(own->result, result);
    own->trial = NULL;
}

static bool run(struct cg_check_bench *bench, const struct cg_check_order *order, struct cg_check_result *result,
                struct cg_problem *problem) {
    struct own *own = CG_CONTAINER(bench, struct own, bench);
    own->result = result;
    own->trial = cg_trial_begin(&own->alone.loop, order, on_done, own, problem);
    if (own->trial == NULL) return false;
    cg_alone_wait(&own->alone, has_result, own, 3000 * (uint64_t)cg_check_listens(order) + REPLY_MARGIN_MS);
    if (own->trial == NULL) return true;
    cg_trial_drop(own->trial);
    own->trial = NULL;
    cg_problem_set(problem, CG_E_INTERNAL, "the request did not end in time");
    return false;
}

static bool facts(struct cg_check_bench *bench, struct cg_check_facts *facts, struct cg_problem *problem) {
    struct own *own = CG_CONTAINER(bench, struct own, bench);
    (void)problem;
    uv_run(&own->alone.loop.uv, UV_RUN_NOWAIT); /* what has come is the gateway's to read first */
    cg_check_facts(&own->alone.loop, own->mapping, facts);
    return true;
}

static void close_own(struct cg_check_bench *bench) {
    struct own *own = CG_CONTAINER(bench, struct own, bench);
    cg_alone_close(&own->alone);
    free(own);
}

struct cg_check_bench *cg_check_own(struct cg_config *config, const struct cg_mapping *mapping,
                                    struct cg_problem *problem) {
    enum cg_alone_keys keys = mapping->security == CG_SECURITY_GROUP ? CG_ALONE_PROTECTED : CG_ALONE_PLAIN;
    struct own *own = calloc(1, sizeof *own);
    if (own == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    own->bench = (struct cg_check_bench){.facts = facts, .run = run, .close = close_own};
    own->mapping = mapping;
    if (!cg_alone_open(&own->alone, config, keys, on_hurry, own, problem)) {
        free(own);
        return NULL;
    }
    cg_alone_wait_for_names(&own->alone, mapping, 1);
    return &own->bench;
}
