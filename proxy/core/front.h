/* What an exchange tells the front that it came in by. Every exchange calls exactly one of `reply` and `problem`, once,
 * on the loop, from cg_gateway_run alone; unless cg_gateway_abandon came first, then none. */
#ifndef CG_CORE_FRONT_H
#define CG_CORE_FRONT_H

#include "core/outq.h"
#include "core/request.h"

struct cg_reply {
    uint16_t status;        /* HTTP: 200 or 204 */
    bool streams;           /* the body goes on; the summary comes in it, not here */
    char content_type[256]; /* empty without body */
    char exchange_id[17];   /* 16 hex digits */
    struct castgate_summary summary;
    struct cg_outq *body; /* the front takes a reference of its own; ended already when the length is known */
};

struct cg_front {
    void (*reply)(void *ctx, const struct cg_reply *reply);
    void (*problem)(void *ctx, const struct cg_problem *problem, const char *exchange_id);
};

#endif
