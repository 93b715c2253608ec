/* Groups whose scope is wider than their members need (RFC 10020 §3.6: the smallest possible one is to be used).
 * Internal to settings/. */
#ifndef CG_SETTINGS_SCOPES_H
#define CG_SETTINGS_SCOPES_H

#include "settings/settings.h"

void cg_warn_of_scopes(const struct cg_config *config, struct cg_mistakes *warnings);

#endif
