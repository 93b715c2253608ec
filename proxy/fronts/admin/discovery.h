/* The discoveries that somebody has begun by the admin side, and the latest results. Bounded: so many, and so many
 * bytes of them all. */
#ifndef CG_FRONTS_ADMIN_DISCOVERY_H
#define CG_FRONTS_ADMIN_DISCOVERY_H

#include <uv.h>

#include "jobs/discovery.h"
#include "reply/bytes.h"

#define CG_SEARCHES_MAX 8

struct cg_search;

struct cg_searches {
    struct cg_discoveries *jobs; /* NULL: there are none */
    struct cg_search *all;
    size_t count;
    struct cg_quota quota; /* of results */
    uv_idle_t turn;        /* runs while one is written */
    void (*on_closed)(void *ctx);
    void *ctx;
};

void cg_searches_open(struct cg_searches *searches, uv_loop_t *uv, struct cg_discoveries *jobs);
/* on_closed(ctx) says that the storage is the owner's again. */
void cg_searches_close(struct cg_searches *searches, void (*on_closed)(void *ctx), void *ctx);

#endif
