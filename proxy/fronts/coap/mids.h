/* Message IDs of ours towards one client: none is taken twice while the client may remember it (RFC 7252 §4.4). */
#ifndef CG_FRONTS_COAP_MIDS_H
#define CG_FRONTS_COAP_MIDS_H

#include <stdbool.h>
#include <stdint.h>

#define CG_COAP_MID_SPANS 8 /* of the 2^16 Message IDs: what is remembered about them */

struct cg_coap_mids {
    uint16_t next;                        /* random at first */
    uint64_t until_us[CG_COAP_MID_SPANS]; /* by when all that were taken of that span are forgotten */
};

/* `lifetime_us`: so long the client may remember it. False: all have been taken lately. */
static inline bool cg_coap_mid_take(struct cg_coap_mids *mids, uint64_t now_us, uint64_t lifetime_us, uint16_t *mid) {
    const unsigned of_span = 65536 / CG_COAP_MID_SPANS;
    uint64_t *until_us = &mids->until_us[mids->next / of_span];
    if (mids->next % of_span == 0 && now_us < *until_us) return false;
    if (now_us + lifetime_us > *until_us) *until_us = now_us + lifetime_us;
    *mid = mids->next++;
    return true;
}

#endif
