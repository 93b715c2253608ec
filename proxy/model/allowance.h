/* What may be done now, out of an average rate: it grows with time, up to a burst. The one token bucket of the core. */
#ifndef CG_MODEL_ALLOWANCE_H
#define CG_MODEL_ALLOWANCE_H

#include <stdint.h>

struct cg_allowance {
    double left;
    uint64_t filled_us; /* when `left` was right */
};

static inline void cg_allowance_fill(struct cg_allowance *allowance, double burst, double per_second, uint64_t now_us) {
    if (now_us > allowance->filled_us) {
        allowance->left += (double)(now_us - allowance->filled_us) / 1e6 * per_second;
        allowance->filled_us = now_us;
    }
    if (allowance->left > burst) allowance->left = burst; /* which settings may have made smaller */
}

/* How long from when it was filled until there is as much; 0: there is. In µs. */
static inline uint64_t cg_allowance_wait_us(const struct cg_allowance *allowance, double need, double per_second) {
    return allowance->left >= need ? 0 : (uint64_t)((need - allowance->left) / per_second * 1e6) + 1;
}

#endif
