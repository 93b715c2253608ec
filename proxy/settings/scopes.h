/* Groups whose scope is wider than their members need (RFC 10020 §3.6: the smallest possible one is to be used).
 * Internal to settings/. */
#ifndef CG_SETTINGS_SCOPES_H
#define CG_SETTINGS_SCOPES_H

#include "settings/settings.h"

/* Where something of the mapping is. */
#define CG_WARN_POINTER_MAX (CG_NAME_MAX + 64)
void cg_warn_pointer(char pointer[CG_WARN_POINTER_MAX], const struct cg_mistakes *warnings,
                     const struct cg_mapping *mapping, const char *key);

/* Whether there is something to say; `warnings` NULL: without saying it. */
bool cg_warn_of_scope(const struct cg_config *config, const struct cg_mapping *mapping, struct cg_mistakes *warnings);
void cg_warn_of_scopes(const struct cg_config *config, struct cg_mistakes *warnings);

#endif
