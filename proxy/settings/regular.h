/* Opening the files that the settings are in or name. */
#ifndef CG_SETTINGS_REGULAR_H
#define CG_SETTINGS_REGULAR_H

#include "settings/settings.h"

#include <sys/stat.h>

/* Opens a regular file of at most CG_SETTINGS_FILE_MAX bytes for reading, and never waits for it: whatever else has
 * that name (a FIFO, a device, a folder) is refused. Returns a descriptor with what fstat says in *info, or -1 with a
 * mistake at "". */
int cg_regular_open(const char *file, struct stat *info, struct cg_mistakes *mistakes) CG_MUST_CHECK;

#endif
