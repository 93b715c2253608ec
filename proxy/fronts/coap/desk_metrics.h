/* The desk's figures for /metrics. */
#ifndef CG_FRONTS_COAP_DESK_METRICS_H
#define CG_FRONTS_COAP_DESK_METRICS_H

#include "base/buf.h"
#include "fronts/coap/desk.h"

/* Prometheus text. */
void cg_coap_desk_metrics(const struct cg_coap_desk *desk, struct cg_buf *to);

#endif
