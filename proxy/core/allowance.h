/* What may be done now, out of an average rate: it grows with time, up to a burst. */
#ifndef CG_CORE_ALLOWANCE_H
#define CG_CORE_ALLOWANCE_H

#include <stdint.h>

struct cg_allowance {
    double left;
    uint64_t filled_us; /* when `left` was right */
};

static inline void cg_allowance_fill(struct cg_allowance *allowance, double burst, double per_second, uint64_t now_us) {
    if (now_us <= allowance->filled_us) return;
    allowance->left += (double)(now_us - allowance->filled_us) / 1e6 * per_second;
    if (allowance->left > burst) allowance->left = burst;
    allowance->filled_us = now_us;
}

#endif
