/* Every datagram that arrives ends in exactly one figure: cg_totals' fates add up to its datagrams, but for the answers
 * that are still being verified.
 *
 * Between begin and end, whatever decides about the datagram says so; where several exchanges wait for one group
 * request and differ, the strongest fate counts (enum cg_fate, strongest first). Outside nothing is counted. */
#ifndef CG_LEGS_ACCOUNT_H
#define CG_LEGS_ACCOUNT_H

#include "model/stats.h"

struct cg_engine;

struct cg_account {
    enum cg_fate fate; /* so far; the strongest of all where no datagram is being looked at */
    bool postponed;    /* its fate is known later only */
};

/* The fate is `weakest` where nothing else is said. */
void cg_account_begin(struct cg_engine *engine, enum cg_fate weakest);
void cg_account_say(struct cg_engine *engine, enum cg_fate fate);
/* Another begin follows when the protector has opened it. */
void cg_account_postpone(struct cg_engine *engine);
void cg_account_end(struct cg_engine *engine);

#endif
