/* The budget of Resets. The hard thing: it is asked for with every datagram of a flood from made-up addresses, so
 * endpoints are kept in a table of fixed size, where a newer one takes an older one's place; what binds then is the
 * budget of all. */
#include "legs/resets.h"

#include "legs/engine.h"

void cg_resets_init(struct cg_engine *engine) {
    engine->resets = (struct cg_resets){.all = {.left = CG_RESETS_BURST, .filled_us = engine->now_us}};
}

static struct cg_allowance *of_one(struct cg_engine *engine, const struct cg_addr *to) {
    struct cg_resets_of *row = &engine->resets.rows[cg_addr_hash(to) % CG_RESETS_ROWS];
    if (!cg_addr_equal(&row->to, to)) {
        *row = (struct cg_resets_of){.to = *to, .allowance = {.left = CG_RESETS_OF_ONE, .filled_us = engine->now_us}};
    }
    return &row->allowance;
}

bool cg_resets_take(struct cg_engine *engine, const struct cg_addr *to) {
    struct cg_allowance *all = &engine->resets.all, *one = of_one(engine, to);
    cg_allowance_fill(all, CG_RESETS_BURST, CG_RESETS_RATE, engine->now_us);
    cg_allowance_fill(one, CG_RESETS_OF_ONE, CG_RESETS_ONE_RATE, engine->now_us);
    if (all->left < 1 || one->left < 1) return false;
    all->left -= 1;
    one->left -= 1;
    return true;
}
