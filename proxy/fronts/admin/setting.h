/* The settings that are not items: one document, what of it the admin side has set. */
#ifndef CG_FRONTS_ADMIN_SETTING_H
#define CG_FRONTS_ADMIN_SETTING_H

#include "fronts/admin/items.h"

/* For a change's plan: applies the wish's merge patch. Without If-Match it goes, too, since it says of no key what it
 * does not name. CG_E_CONFLICT, too: `config`, which is in use, has a key of it from the settings file. */
int cg_setting_plan(struct cg_change *change, const struct cg_config *config,
                    const struct cg_items_wish *wish) CG_MUST_CHECK;

#endif
