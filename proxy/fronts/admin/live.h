/* What is told to those who read events just now: exchanges as they end, warnings when they have changed, figures. None
 * of it is kept, and while nobody wants it none of it is made. */
#ifndef CG_FRONTS_ADMIN_LIVE_H
#define CG_FRONTS_ADMIN_LIVE_H

#include "recorder/recorder.h"

#define CG_LIVE_EXCHANGES_A_SECOND 20
#define CG_LIVE_BYTES_A_SECOND     ((size_t)64 << 10) /* of exchanges; the first one may be longer */

struct cg_admin;

/* Zeroed before it is opened. */
struct cg_live {
    struct cg_admin *admin;
    struct cg_recorder_reader reader;
    uint64_t second_us; /* when the present one began */
    unsigned told;      /* exchanges in it */
    size_t told_bytes;
    uint64_t skipped; /* since the last one that was told */
    unsigned looks;
    uint32_t warnings; /* a hash of what they were; 0: not known */
};

void cg_live_open(struct cg_live *live, struct cg_admin *admin);
void cg_live_close(struct cg_live *live);

#endif
