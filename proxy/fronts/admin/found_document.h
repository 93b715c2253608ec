/* What a discovery has found as JSON: what `castgate --discover --json` prints, and what the control socket answers. In
 * pieces, since there may be 16 MiB of it and no turn of the loop may be long. */
#ifndef CG_FRONTS_ADMIN_FOUND_DOCUMENT_H
#define CG_FRONTS_ADMIN_FOUND_DOCUMENT_H

#include "base/buf.h"
#include "model/found.h"

#define CG_DISCOVER_DOCUMENT_MAX ((size_t)256 << 20) /* bytes: more than a whole result needs, were it all escapes */

struct cg_found_writer {
    const struct cg_found *found;
    unsigned list;    /* which of its lists is being written */
    const void *item; /* the next of it; NULL: that was the last */
    bool is_begun;
};

/* The result may not change meanwhile. */
void cg_found_writer_init(struct cg_found_writer *writer, const struct cg_found *found);
/* Appends a piece to the members of an object that is open. False: nothing is left to write, but the brace. */
bool cg_found_writer_put(struct cg_found_writer *writer, struct cg_buf *to);

#endif
