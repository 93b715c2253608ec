/* Merge patches (RFC 7396). */
#ifndef CG_FRONTS_ADMIN_MERGE_H
#define CG_FRONTS_ADMIN_MERGE_H

#include <jansson.h>

#include "base/slice.h"

/* The document, which is a JSON object as text, with the patch applied: a new reference. NULL: no memory. */
json_t *cg_merge_patched(struct cg_slice document, const json_t *patch);

#endif
