/* What every built-in encoder needs of the ABI's types. */
#ifndef CG_PLUGINS_LEND_H
#define CG_PLUGINS_LEND_H

#include <castgate/plugin.h>

#include "base/buf.h"

static inline struct cg_slice cg_borrow(struct castgate_slice slice) { return cg_slice_of(slice.data, slice.len); }

static inline struct castgate_slice cg_lend_text(const char *text) {
    return (struct castgate_slice){.data = text, .len = strlen(text)};
}

/* What an encoder's operation returns once it has written all this. */
static inline int cg_write_out(const struct castgate_host *host, struct castgate_call *call, const struct cg_buf *buf) {
    if (buf->failed) return CASTGATE_NO_MEMORY;
    return host->write(call, (struct castgate_slice){.data = buf->data, .len = buf->len}) ? 0 : -1;
}

#endif
