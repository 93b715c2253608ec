/* Lists of links (RFC 6690) as JSON, for answers in that format. */
#ifndef CG_PLUGINS_JSON_LINKS_H
#define CG_PLUGINS_JSON_LINKS_H

#include "base/buf.h"

/* Appends "links", and "links_left_out" where the list is longer than is shown, to the object that is open. Nothing
 * where the payload is no list of links as a whole. */
void cg_json_put_links(struct cg_buf *to, struct cg_slice payload);
/* The same for the attributes of one link (struct cg_link), as an object of that name; an empty one where they are more
 * than are shown. */
void cg_json_put_link_attributes(struct cg_buf *to, const char *key, struct cg_slice attributes);

#endif
