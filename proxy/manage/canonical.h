/* JSON in one form, so that equal documents are equal bytes: keys by their bytes, no white space, numbers as short as
 * they read back the same (25.0 is 25). */
#ifndef CG_MANAGE_CANONICAL_H
#define CG_MANAGE_CANONICAL_H

#include <jansson.h>

#include "base/buf.h"

void cg_manage_canonical(struct cg_buf *to, const json_t *value);

#endif
