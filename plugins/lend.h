/* What every built-in encoder needs of the ABI's types. */
#ifndef CG_PLUGINS_LEND_H
#define CG_PLUGINS_LEND_H

#include <castgate/plugin.h>

#include "base/slice.h"

static inline struct cg_slice cg_borrow(struct castgate_slice slice) { return cg_slice_of(slice.data, slice.len); }

static inline struct castgate_slice cg_lend_text(const char *text) {
    return (struct castgate_slice){.data = text, .len = strlen(text)};
}

static inline const char *cg_via_name(uint8_t via) {
    static const char *const names[] = {
        [CASTGATE_VIA_MULTICAST] = "multicast", [CASTGATE_VIA_UNICAST] = "unicast", [CASTGATE_VIA_CACHE] = "cache"};
    return names[via];
}

static inline const char *cg_verified_name(uint8_t verified) {
    return verified == CASTGATE_VERIFIED_SOURCE ? "source" : "none";
}

#endif
