/* Whether two snapshots say the same of a mapping, as far as a request to its groups goes. */
#ifndef CG_MODEL_SAME_H
#define CG_MODEL_SAME_H

#include "model/config.h"

bool cg_mapping_is_same(const struct cg_mapping *one, const struct cg_mapping *other);
/* Equal for those that are the same, and, as far as 64 bits go, for no others; never 0. */
uint64_t cg_mapping_likeness(const struct cg_mapping *mapping);
/* Whether what runs under `before` is what it would be under `now`: the same, but for members of a security group that
 * are none any more, since nothing that they say is taken (R55). */
bool cg_mapping_goes_on(const struct cg_mapping *before, const struct cg_mapping *now);

#endif
