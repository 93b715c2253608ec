/* How large a mapping's requests are, at the least (R44: they are to fit into one frame of a constrained network).
 * Internal to settings/. */
#ifndef CG_SETTINGS_REQUEST_SIZE_H
#define CG_SETTINGS_REQUEST_SIZE_H

#include "settings/security_group.h"

/* Bytes that protecting a group request adds. */
uint32_t cg_protection_overhead(const struct cg_security_group *keys);
/* Of a GET for the mapping's own path to that target: bytes of the CoAP message, without what is below it. */
size_t cg_least_request(const struct cg_mapping *mapping, const struct cg_target *target);

#endif
