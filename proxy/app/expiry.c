/* A look at the clock twice a second, however it is set: what expires is known by the gateway, and it costs nothing
 * until then. */
#include "app/expiry.h"

#include <time.h>

#include "base/check.h"

enum { LOOK_MS = 500 };

static void on_timer(uv_timer_t *timer) {
    struct cg_expiry *expiry = timer->data;
    cg_gateway_expire(expiry->gateway, (int64_t)time(NULL));
}

void cg_expiry_open(struct cg_expiry *expiry, uv_loop_t *uv, struct cg_gateway *gateway) {
    CG_CHECK(uv_timer_init(uv, &expiry->timer) == 0);
    expiry->timer.data = expiry;
    expiry->gateway = gateway;
    CG_CHECK(uv_timer_start(&expiry->timer, on_timer, 0, LOOK_MS) == 0);
}

void cg_expiry_close(struct cg_expiry *expiry) { uv_close((uv_handle_t *)&expiry->timer, NULL); }
