/* What to try when a group stays silent: from what --check has seen to sentences for people. Each hint stands for a
 * condition that was found, and names what was found. */
#ifndef CG_APP_CHECK_HINTS_H
#define CG_APP_CHECK_HINTS_H

#include "app/check/findings.h"
#include "base/buf.h"

/* "  - …" lines; nothing when there is nothing to say. */
void cg_hints_put(struct cg_buf *to, const struct cg_findings *findings);

#endif
