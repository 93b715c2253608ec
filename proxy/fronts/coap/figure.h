/* The front's figures as Prometheus has them: families whose names begin with castgate_coap_. */
#ifndef CG_FRONTS_COAP_FIGURE_H
#define CG_FRONTS_COAP_FIGURE_H

#include "base/buf.h"

/* What comes before a family's lines. `name` is without the beginning that all have. */
void cg_coap_figure_head(struct cg_buf *to, const char *name, const char *type, const char *help);
/* A family of one line. */
void cg_coap_figure_put(struct cg_buf *to, const char *name, const char *type, const char *help, uint64_t value);

struct cg_coap_figure {
    const char *name, *help;
    uint64_t value;
};
void cg_coap_figure_put_counters(struct cg_buf *to, const struct cg_coap_figure *counters, size_t count);

#endif
