/* Early Stop Requests. The hard thing: it is a message of its own to that endpoint, so it needs a Message ID, and where
 * none is left it is not worth waiting for one. */
#include "legs/early_stop.h"

enum { MESSAGE_MAX = 4 + CG_TOKEN_MAX + 3 /* an empty option, whatever its number */ };

void cg_early_stop_send(struct cg_engine *engine, struct cg_ask *ask) {
    const struct cg_leg *leg = &ask->leg;
    uint8_t bytes[MESSAGE_MAX];
    struct cg_msg_writer writer;
    struct cg_problem ignored = {0};
    if (leg->sending.token == NULL || ask->turn.endpoint == NULL || !cg_endpoint_has_mid(engine, ask->turn.endpoint))
        return;
    uint16_t mid = cg_endpoint_take_mid(engine, ask->turn.endpoint);
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_GET, mid, cg_token_of(leg->sending.token));
    cg_msg_put_opt(&writer, leg->config->options.multicast_timeout, CG_SLICE_NONE);
    int len = cg_msg_end(&writer);
    const struct cg_route route = {.to = leg->sending.to};
    if (len < 0) return;
    int err = cg_port_emit(engine->port, &route, cg_slice_of(bytes, (size_t)len), &ignored);
    (void)err; /* as if it were lost */
}
