/* Whom Host may name (RFC 9110 §7.2): this gateway alone, so that a name that was rebound to its address (DNS
 * rebinding) gets no foreign page in. */
#ifndef CG_FRONTS_HTTP_HOST_H
#define CG_FRONTS_HTTP_HOST_H

#include "fronts/http/message.h"
#include "model/request.h"

enum { CG_HTTP_PORT = 80, CG_HTTPS_PORT = 443 };

/* Exactly one Host, which names the listener's address and port, localhost or one of the settings' hosts; else 400 or
 * 421 with its problem. HTTP/1.0 may lack it (RFC 9112 §3.2). *host gets it without port and final dot, as written;
 * empty: there is none. */
int cg_http_check_host(const struct cg_http_settings *settings, const struct cg_listen *listen,
                       const struct cg_http_message *message, struct cg_slice *host,
                       struct cg_problem *problem) CG_MUST_CHECK;

/* The port that a Host which has passed names; 0: none, or its scheme's own. */
uint16_t cg_http_host_port(const struct cg_http_message *message, uint16_t default_port);

/* Whether two authorities name the same host and port (RFC 3986 §6.2.3). */
bool cg_http_same_authority(struct cg_slice a, struct cg_slice b, uint16_t default_port);

#endif
