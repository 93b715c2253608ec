/* What was found, for people. */
#ifndef CG_APP_DISCOVER_TABLE_H
#define CG_APP_DISCOVER_TABLE_H

#include <jansson.h>

#include "base/buf.h"

/* Appends all that the document (document.h) tells, in lines; nothing in it but text that a terminal shows as it is. */
void cg_discover_table(struct cg_buf *to, const json_t *document);

#endif
