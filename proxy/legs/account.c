/* What became of a datagram. The hard thing: the one that knows is deep inside, in an exchange, an ask or the blocks of
 * an answer, and may be asked several times for one datagram; so it says what it did, and the beginning and the end of
 * a datagram's way make one figure of it. */
#include "legs/account.h"

#include "legs/engine.h"

void cg_account_begin(struct cg_engine *engine, enum cg_fate weakest) {
    engine->account = (struct cg_account){.fate = weakest};
}

void cg_account_say(struct cg_engine *engine, enum cg_fate fate) {
    if (fate < engine->account.fate) engine->account.fate = fate;
}

void cg_account_postpone(struct cg_engine *engine) { engine->account.postponed = true; }

void cg_account_end(struct cg_engine *engine) {
    if (!engine->account.postponed) engine->totals->fates[engine->account.fate]++;
    engine->account = (struct cg_account){0};
}
