/* Between the ABI's slices and ours: bytes that are lent to an encoder, and borrowed from one. Neither copies. */
#ifndef CG_REPLY_LEND_H
#define CG_REPLY_LEND_H

#include "castgate/plugin.h"
#include "base/slice.h"

static inline struct castgate_slice cg_lend(struct cg_slice slice) {
    return (struct castgate_slice){.data = slice.data, .len = slice.len};
}

static inline struct castgate_slice cg_lend_text(const char *text) { return cg_lend(cg_slice_str(text)); }

static inline struct cg_slice cg_borrow(struct castgate_slice slice) { return cg_slice_of(slice.data, slice.len); }

#endif
