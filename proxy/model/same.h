/* Whether two snapshots say the same of a mapping, as far as a request to its groups goes. */
#ifndef CG_MODEL_SAME_H
#define CG_MODEL_SAME_H

#include "model/config.h"

bool cg_mapping_is_same(const struct cg_mapping *one, const struct cg_mapping *other);

#endif
