/* Whom Host may name (RFC 9110 §7.2): this gateway alone, so that a name that was rebound to its address (DNS
 * rebinding) gets no foreign page in. */
#ifndef CG_FRONTS_HTTP_HOST_H
#define CG_FRONTS_HTTP_HOST_H

#include "fronts/http/message.h"
#include "model/request.h"

/* Exactly one Host, which names the listener's address and port, localhost or one of the settings' hosts; else 400 or
 * 421 with its problem. *host gets it without its port, as written. */
int cg_http_check_host(const struct cg_http_settings *settings, const struct cg_listen *listen,
                       const struct cg_http_message *message, struct cg_slice *host,
                       struct cg_problem *problem) CG_MUST_CHECK;

#endif
