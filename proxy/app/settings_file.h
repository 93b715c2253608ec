/* The settings file as the program reads it: what is wrong in it goes to stderr, or while the gateway runs, to the log.
 */
#ifndef CG_APP_SETTINGS_FILE_H
#define CG_APP_SETTINGS_FILE_H

#include "base/log.h"
#include "settings/settings.h"

/* For the command line: mistakes go to stderr as they are. NULL: there are some. The reference is the caller's. */
struct cg_config *cg_settings_load_or_print(const char *file);

void cg_settings_log_mistakes(enum cg_log_level level, const char *event, const char *file,
                              const struct cg_mistakes *mistakes);
/* What is allowed and likely not meant. */
void cg_settings_log_warnings(const char *file, const struct cg_config *config);
/* What changed and counts after a restart only. */
void cg_settings_log_restarts(const char *file, const struct cg_config *old, const struct cg_config *fresh);

#endif
