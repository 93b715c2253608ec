/* From a client's message to a request that an exchange can be started with: who sends it, what it means
 * (from_coap.h), and whether this client may hear what is wrong with it. */
#ifndef CG_FRONTS_COAP_INTAKE_H
#define CG_FRONTS_COAP_INTAKE_H

#include "fronts/coap/from_coap.h"

/* Fills *from->request, all of it, and the extras. Negative with *from->problem. */
int cg_coap_intake(const struct cg_from_coap *from, const struct cg_coap_peer *peer,
                   struct cg_coap_extras *extras) CG_MUST_CHECK;

#endif
