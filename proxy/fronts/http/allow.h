/* Allow (RFC 9110 §10.2.1). */
#ifndef CG_FRONTS_HTTP_ALLOW_H
#define CG_FRONTS_HTTP_ALLOW_H

#include <stdint.h>

#define CG_HTTP_ALLOW_MAX 64 /* bytes, with NUL */

/* A set of CoAP's methods (CG_METHOD_BIT) as HTTP spells them. FETCH comes as a POST with another header, so it has no
 * name of its own. */
void cg_http_allow(char text[CG_HTTP_ALLOW_MAX], uint32_t methods);
/* The same, and OPTIONS. */
void cg_http_allow_options(char text[CG_HTTP_ALLOW_MAX], uint32_t methods);

#endif
