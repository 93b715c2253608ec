/* What every built-in encoder needs of the ABI's types. */
#ifndef CG_PLUGINS_LEND_H
#define CG_PLUGINS_LEND_H

#include "base/buf.h"
#include "reply/lend.h"

/* What an encoder's operation returns once it has written all this. */
static inline int cg_write_out(const struct castgate_host *host, struct castgate_call *call, const struct cg_buf *buf) {
    if (buf->failed) return CASTGATE_NO_MEMORY;
    return host->write(call, cg_lend(cg_buf_slice(buf))) ? 0 : -1;
}

#endif
