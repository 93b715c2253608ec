/* What the gateway runs with on this machine: listeners, interfaces, buffers, the store; for people who look for why
 * something does not work. */
#ifndef CG_APP_SYSTEM_H
#define CG_APP_SYSTEM_H

#include "base/buf.h"

struct cg_program;

/* Whether files and folders are named. */
enum cg_system_paths { CG_SYSTEM_WITHOUT_PATHS, CG_SYSTEM_PATHS };

/* Appends members of a JSON object, the first without a comma before it. */
void cg_system_put(struct cg_program *program, enum cg_system_paths paths, struct cg_buf *to);

#endif
