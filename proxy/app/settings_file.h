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
/* To stderr. `err`: what loading said. */
void cg_settings_print_mistakes(const char *file, int err, const struct cg_mistakes *mistakes);
/* To stderr, too: what works but should be known. */
void cg_settings_print_warnings(const char *file, const struct cg_mistakes *warnings);

#endif
