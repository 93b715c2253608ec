/* Where members of groups send requests of their own (alerts.listen): listeners apart from those of clients, with the
 * same message layer, whose requests go to inbound/. */
#ifndef CG_FRONTS_COAP_ALERTS_H
#define CG_FRONTS_COAP_ALERTS_H

#include <uv.h>

#include "base/buf.h"
#include "inbound/inbound.h"
#include "model/request.h"

struct cg_front_alerts;

/* Listens as the gateway's current settings say; later ones change everything but the listeners. `inbound` and
 * `gateway` outlive it. NULL: *problem says why. */
struct cg_front_alerts *cg_front_alerts_open(uv_loop_t *uv, struct cg_gateway *gateway, struct cg_inbound *inbound,
                                             struct cg_problem *problem);
/* What comes from now on is ignored, so that it comes again: to another process, maybe. */
void cg_front_alerts_stop(struct cg_front_alerts *front);
/* Nobody is answered any more. NULL is fine. */
void cg_front_alerts_close(struct cg_front_alerts *front);

/* By its place in alerts.listen. */
const struct cg_listen *cg_front_alerts_listen(const struct cg_front_alerts *front, size_t index);
size_t cg_front_alerts_running(const struct cg_front_alerts *front); /* requests that wait for their reply */

#endif
