/* Paths that a number stands for: Uri-Path-Abbrev (draft-ietf-core-uri-path-abbrev). */
#ifndef CG_FRONTS_COAP_ABBREV_H
#define CG_FRONTS_COAP_ABBREV_H

#include <stdint.h>

/* The path, with its leading '/', that the registry has for the value; NULL: none that is known here. */
const char *cg_coap_abbrev_path(uint32_t value);

#endif
