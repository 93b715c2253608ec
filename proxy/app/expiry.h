/* Clients' tokens that expire while something runs by them: it ends within a second. */
#ifndef CG_APP_EXPIRY_H
#define CG_APP_EXPIRY_H

#include <uv.h>

#include "exchange/gateway.h"

struct cg_expiry {
    uv_timer_t timer;
    struct cg_gateway *gateway;
};

void cg_expiry_open(struct cg_expiry *expiry, uv_loop_t *uv, struct cg_gateway *gateway);
void cg_expiry_close(struct cg_expiry *expiry);

#endif
