/* What --check hears of its request: a sink that makes a line of each answer and rejection, and notes who is silent. */
#ifndef CG_APP_CHECK_SINK_H
#define CG_APP_CHECK_SINK_H

#include "app/check/findings.h"
#include "reply/sink.h"

#define CG_SILENT_MAX 32

struct cg_check_sink {
    struct cg_sink sink;
    bool is_over;
    struct cg_problem problem; /* err 0: there was a reply, and what follows is what it said */
    struct castgate_summary summary;
    struct cg_buf answers, rejections; /* lines */
    char first_rejection[64];          /* its reason; empty: there is none */
    struct cg_silent silent[CG_SILENT_MAX];
    size_t silent_count;
    void (*on_over)(void *ctx); /* it has heard all */
    void *ctx;
};

void cg_check_sink_init(struct cg_check_sink *heard, void (*on_over)(void *ctx), void *ctx);
/* When its exchange is over, or there never was one. */
void cg_check_sink_fini(struct cg_check_sink *heard);

#endif
