/* What --check hears of its request: a sink that makes a line of each answer and rejection, counts what kinds there
 * are, and notes who is silent. */
#ifndef CG_APP_CHECK_SINK_H
#define CG_APP_CHECK_SINK_H

#include "app/check/result.h"
#include "reply/sink.h"

struct cg_check_sink {
    struct cg_sink sink;
    struct cg_check_result *result; /* filled in with the end */
    uint64_t patience_us;           /* of the mapping's clients; 0: they say it themselves */
    void (*on_over)(void *ctx, enum cg_sink_end how);
    void *ctx;
};

/* The result outlives it, and is initialised. on_over is the last that comes of it. */
void cg_check_sink_init(struct cg_check_sink *heard, struct cg_check_result *result, uint64_t patience_us,
                        void (*on_over)(void *ctx, enum cg_sink_end how), void *ctx);

#endif
