/* The page for whoever follows a link from another site: nothing is sent to a group because of where somebody clicked,
 * but a click on this page, which is ours, sends it. */
#ifndef CG_FRONTS_HTTP_NAVIGATION_H
#define CG_FRONTS_HTTP_NAVIGATION_H

#include "base/buf.h"

/* `target`: the raw request target, which the mapping has. The page must not be framed (base/html.h's policy), or
 * another site could have it clicked unseen. */
void cg_navigation_page(struct cg_buf *to, const char *mapping, struct cg_slice target);

#endif
