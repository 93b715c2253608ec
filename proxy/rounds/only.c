/* The only member. The hard thing: nobody else can answer for it, so what keeps it from being asked is the round's
 * problem. */
#include "rounds/only.h"

#include "base/container.h"
#include "rounds/asks.h"
#include "rounds/wake.h"

static void only_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, repair.timer);
    struct cg_problem problem = {.retry_after = 1};
    (void)engine;
    cg_asks_member(round, round->only, &round->only_at, 0, &problem);
    if (problem.err == 0) return;
    round->problem = problem;
    cg_round_wake_all(round);
}

void cg_only_plan(struct cg_round *round) {
    struct cg_engine *engine = cg_round_engine(round);
    round->repair.timer.due = only_due;
    cg_engine_set_timer(engine, &round->repair.timer, engine->now_us);
}
