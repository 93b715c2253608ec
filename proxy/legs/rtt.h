/* How long the way to an endpoint and back takes, as far as it has been measured, and so how long to wait before a
 * request is sent there again: RFC 6298, with a granularity and bounds that fit CoAP, and Karn's rule.
 *
 * Who measures sees to it that only what is proven counts: whoever could shorten a timer could have us send more. */
#ifndef CG_LEGS_RTT_H
#define CG_LEGS_RTT_H

#include <stdint.h>

#define CG_RTT_FLOOR_US   UINT64_C(100000)
#define CG_RTT_CEILING_US UINT64_C(32000000)
#define CG_RTT_AGE_US     UINT64_C(60000000) /* without a sample, half of the way back to where it started */

/* Zeroed: nothing is measured. */
struct cg_rtt {
    uint64_t smoothed_us, variation_us; /* SRTT and RTTVAR, of clear samples; 0: there was none */
    uint64_t timeout_us;                /* RTO, when it was noted; 0: nothing is known */
    uint64_t noted_us;
};

enum cg_rtt_sample {
    CG_RTT_CLEAR,   /* of a request that went out once */
    CG_RTT_AT_MOST, /* of one that was repeated, since its first time: which of them was answered nobody knows */
};

void cg_rtt_note(struct cg_rtt *rtt, enum cg_rtt_sample kind, uint64_t sample_us, uint64_t now_us);
/* How long to wait for an answer, without any random part; `start_us` where nothing is measured. */
uint64_t cg_rtt_timeout_us(const struct cg_rtt *rtt, uint64_t start_us, uint64_t now_us);

#endif
