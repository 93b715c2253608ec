/* A wish of the admin side as one of the keeper's, which outlives the call that it was made in. */
#include "app/admin_forget.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/program.h"
#include "base/container.h"

struct forgetting {
    struct cg_keeper_wish wish;
    struct cg_admin_forget *asker;
};

static void on_forgotten(struct cg_keeper_wish *wish, int err, const struct cg_problem *problem) {
    struct forgetting *forgetting = CG_CONTAINER(wish, struct forgetting, wish);
    forgetting->asker->forgotten = wish->forgotten;
    forgetting->asker->done(forgetting->asker, err, problem);
    free(forgetting);
}

static void refuse(struct cg_admin_forget *asker) {
    struct cg_problem problem = {0};
    int err = cg_problem_set(&problem, CG_E_STOPPING, "the gateway is stopping, or has no memory");
    asker->done(asker, err, &problem);
}

void cg_admin_forget_by_keeper(void *program, struct cg_admin_forget *asker) {
    const struct cg_program *its = program;
    struct forgetting *forgetting = its->stopped_us != 0 ? NULL : calloc(1, sizeof *forgetting);
    if (forgetting == NULL) {
        refuse(asker);
        return;
    }
    snprintf(forgetting->wish.name, sizeof forgetting->wish.name, "%s", asker->name);
    forgetting->wish.done = on_forgotten;
    forgetting->asker = asker;
    cg_keeper_forget(its->keeper, &forgetting->wish);
}
