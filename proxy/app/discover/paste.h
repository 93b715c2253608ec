/* What was found as settings: mappings for the resource types, the groups and the application groups that no mapping
 * has yet. A proposal for somebody to read, to change and to paste: nothing here takes effect by itself. */
#ifndef CG_APP_DISCOVER_PASTE_H
#define CG_APP_DISCOVER_PASTE_H

#include <jansson.h>

#include "base/buf.h"
#include "model/config.h"

/* Appends {"mappings": […]}, which the settings file takes beside what it has (`config`), with a heading; and the
 * members of its plain mappings that name none. Nothing where there is nothing to propose. Printable ASCII only. */
void cg_discover_paste(struct cg_buf *to, const json_t *document, const struct cg_config *config);

#endif
