/* Where a CoAP client's request goes to (RFC 7252 §5.7.2, §5.7.3, §5.10.1, §5.10.2; draft-ietf-core-href,
 * draft-ietf-core-uri-path-abbrev): a path of this gateway's, or the forward proxy's target. */
#ifndef CG_FRONTS_COAP_TARGET_H
#define CG_FRONTS_COAP_TARGET_H

#include "fronts/coap/from_coap.h"

/* Fills path, query, host, port, `forward` and `discovery` of *from->request, in the arena. Its method is there
 * already. 4.00, 4.02, 5.05 with the problem. */
int cg_coap_take_target(const struct cg_from_coap *from) CG_MUST_CHECK;

#endif
