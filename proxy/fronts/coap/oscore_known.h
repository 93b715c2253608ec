/* Which options a proxy may protect with OSCORE (draft-ietf-core-oscore-capable-proxies, "Protection of CoAP Options"):
 * those that it recognizes, so that it knows their class. */
#ifndef CG_FRONTS_COAP_OSCORE_KNOWN_H
#define CG_FRONTS_COAP_OSCORE_KNOWN_H

#include "model/config.h"

bool cg_oscore_knows(const struct cg_option_numbers *numbers, uint16_t number);
/* The first of them (encoded, well-formed) that is not recognized, in *number; false: there is none. */
bool cg_oscore_find_unknown(const struct cg_option_numbers *numbers, struct cg_slice options, uint16_t *number);

#endif
