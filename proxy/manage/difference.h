/* What a change would change, for people: documents before and after. */
#ifndef CG_MANAGE_DIFFERENCE_H
#define CG_MANAGE_DIFFERENCE_H

#include "manage/change.h"

/* [{"kind", "name", "before", "after"}], by kind and name; null: it is not there. Secrets are never in it. NULL: no
 * memory. */
json_t *cg_change_difference(const struct cg_change_own *own);

#endif
