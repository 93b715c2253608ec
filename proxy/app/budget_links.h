/* Whether the interfaces are there that group.send_budgets bound: a name that is misspelt would bound nothing. */
#ifndef CG_APP_BUDGET_LINKS_H
#define CG_APP_BUDGET_LINKS_H

#include "settings/settings.h"

/* Adds a warning for each that this host does not have at the moment. On any thread. */
void cg_budget_links_warnings(const struct cg_config *config, struct cg_mistakes *warnings);

#endif
