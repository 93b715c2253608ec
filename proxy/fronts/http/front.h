/* The HTTP side of the gateway (RFC 8075, GCP "HTTP-to-CoAP Proxies"): requests to exchanges, what exchanges end with
 * to HTTP replies. What a request means is fronts/http/from_http.h's, who may send it model/access.h's; here is who
 * sends it.
 */
#ifndef CG_FRONTS_HTTP_FRONT_H
#define CG_FRONTS_HTTP_FRONT_H

#include "exchange/gateway.h"
#include "fronts/http/server.h"
#include "reply/encoders.h"

struct cg_front_http;

/* Listens as the gateway's current settings say (http.listen, http.tls); later settings change everything but the
 * listeners. `gateway` and `encoders` (borrowed; at least one) outlive the front. NULL: *problem says why. */
struct cg_front_http *cg_front_http_open(uv_loop_t *uv, struct cg_gateway *gateway,
                                         const struct cg_encoder_list *encoders, struct cg_problem *problem);

/* Reads the TLS files that the gateway's current settings name, for connections from now on. On failure what was read
 * before stays in use, and *problem says which file and why. */
int cg_front_http_reload(struct cg_front_http *front, struct cg_problem *problem) CG_MUST_CHECK;

/* No further connections or requests; running exchanges still get their reply, after which their connections close. */
void cg_front_http_stop(struct cg_front_http *front);
/* Clients that have not taken their reply yet, or whose exchange still runs. */
size_t cg_front_http_connections(const struct cg_front_http *front);

/* Ends all connections, abandons their exchanges, frees the front; then on_closed (may be NULL). NULL is fine,
 * on_closed is then not called. */
void cg_front_http_close(struct cg_front_http *front, void (*on_closed)(void *ctx), void *ctx);

const struct cg_listen *cg_front_http_listen(const struct cg_front_http *front, size_t index);

#endif
