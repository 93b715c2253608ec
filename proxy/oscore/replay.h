/* Replay windows (RFC 8613 §3.2.2, §7.4; RFC 10021 §5.3). Plain data: copy it to keep it across a restart. */
#ifndef CG_OSCORE_REPLAY_H
#define CG_OSCORE_REPLAY_H

#include "base/slice.h"

#define CG_OSCORE_WINDOW_SIZE 64 /* numbers that may still come behind the highest one; the RFC's default is 32 */

/* All zero: valid, nothing received yet. */
struct cg_oscore_window {
    uint64_t highest;
    uint64_t seen; /* bit i: highest - i has been received */
    bool used;     /* something has been received */
    bool invalid;  /* its content was lost: nothing is acceptable before an Echo exchange (RFC 10021 §2.6.1) ... */
    bool spares_responses; /* ... but responses: it was lost with the process, not with the Recipient Context alone */
};

/* Whether the number may be accepted: not yet received and not older than the window reaches. False for an invalid
 * window. */
bool cg_oscore_window_accepts(const struct cg_oscore_window *window, uint64_t number);
/* Marks a number that was accepted. */
void cg_oscore_window_mark(struct cg_oscore_window *window, uint64_t number);
/* Makes the window valid, with `number` received as its lower limit (RFC 10021 §9). */
void cg_oscore_window_restart(struct cg_oscore_window *window, uint64_t number);

#endif
