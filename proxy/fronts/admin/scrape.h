/* GET /metrics. With many mappings it is hundreds of megabytes, so it is written in slices, one a turn of the loop
 * whoever asks, and only as fast as it is read. */
#ifndef CG_FRONTS_ADMIN_SCRAPE_H
#define CG_FRONTS_ADMIN_SCRAPE_H

#include "fronts/http/server.h"
#include "model/stats.h"

/* The scrapes of one listener. Its owner's storage, untouched until it is closed. */
struct cg_scrapes {
    const struct cg_stats_table *stats;
    const struct cg_totals *totals;
    void (*rest)(void *ctx, struct cg_buf *to); /* writes what stands behind those, in one slice */
    void *ctx;
    uint64_t look_ms; /* twelve times this without a byte taken, and a scrape is cut off; 0: 5 s */
    /* Its own: */
    struct cg_scrape *all; /* that are not written to their end, the next one first */
    struct cg_quota quota;
    uv_idle_t turn;      /* runs while somebody has room */
    uv_timer_t patience; /* runs while there are any */
    void (*on_closed)(void *ctx);
    unsigned open_handles;
};

void cg_scrapes_open(struct cg_scrapes *scrapes, uv_loop_t *uv);
/* Replies, at once or in time. */
void cg_scrapes_serve(struct cg_scrapes *scrapes, struct cg_http_call *call, enum cg_stats_view view);
/* The end of a call that was served here, its reply written to the end or not. */
void cg_scrapes_forget(struct cg_scrapes *scrapes, const struct cg_http_call *call);
/* When all are forgotten; on_closed(ctx) says that the storage is the owner's again. */
void cg_scrapes_close(struct cg_scrapes *scrapes, void (*on_closed)(void *ctx));

#endif
