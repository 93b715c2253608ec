/* Why: an old request must not act twice. Hard: shifting by 64 or more is undefined in C, and a jump of any size is
 * legal, since one counter serves all of a sender's peers. */
#include "oscore/replay.h"

bool cg_oscore_window_accepts(const struct cg_oscore_window *window, uint64_t number) {
    if (window->invalid) return false;
    if (!window->used || number > window->highest) return true;
    uint64_t behind = window->highest - number;
    return behind < CG_OSCORE_WINDOW_SIZE && (window->seen >> behind & 1) == 0;
}

void cg_oscore_window_mark(struct cg_oscore_window *window, uint64_t number) {
    if (!window->used) {
        window->used = true;
        window->highest = number;
        window->seen = 1;
    } else if (number > window->highest) {
        uint64_t ahead = number - window->highest;
        window->seen = (ahead < CG_OSCORE_WINDOW_SIZE ? window->seen << ahead : 0) | 1;
        window->highest = number;
    } else if (window->highest - number < CG_OSCORE_WINDOW_SIZE) {
        window->seen |= (uint64_t)1 << (window->highest - number);
    }
}

void cg_oscore_window_restart(struct cg_oscore_window *window, uint64_t number) {
    *window = (struct cg_oscore_window){.highest = number, .seen = UINT64_MAX, .used = true};
}
