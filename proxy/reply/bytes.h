/* Bytes that several replies have in common: reference-counted, and charged to the shared quota once, until the last
 * reference is given back. */
#ifndef CG_REPLY_BYTES_H
#define CG_REPLY_BYTES_H

#include "base/arena.h"
#include "base/buf.h"

struct cg_bytes {
    unsigned references;
    uint8_t *data; /* owned */
    size_t len;
    struct cg_quota *quota; /* may be NULL */
};

/* Takes over the buffer's memory, in any case; one reference. NULL: out of memory, or the quota's limit is reached. */
struct cg_bytes *cg_bytes_new(struct cg_buf *from, struct cg_quota *quota);
struct cg_bytes *cg_bytes_ref(struct cg_bytes *bytes);
void cg_bytes_unref(struct cg_bytes *bytes); /* NULL is fine */

#endif
