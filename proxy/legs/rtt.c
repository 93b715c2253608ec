/* The round trip. The hard thing: after a loss it cannot be told which of the copies was answered. Such a sample is the
 * longest that the round trip can have been; so it may lengthen the timeout, by a quarter of the difference as CoCoA's
 * weak estimator does, and never shortens it. The next clear sample decides again (Karn, RFC 6298 §5). */
#include "legs/rtt.h"

enum {
    GRANULARITY_US = 10000, /* of members' clocks and turns: two equal samples do not mean that all will be */
    AGES_MAX = 16,          /* after that many it is where it started */
};

static uint64_t within_bounds(uint64_t us) {
    if (us < CG_RTT_FLOOR_US) return CG_RTT_FLOOR_US;
    return us > CG_RTT_CEILING_US ? CG_RTT_CEILING_US : us;
}

/* RFC 6298 §2.2, §2.3 */
static void smooth(struct cg_rtt *rtt, uint64_t sample_us) {
    if (rtt->smoothed_us == 0) {
        rtt->smoothed_us = sample_us;
        rtt->variation_us = sample_us / 2;
        return;
    }
    uint64_t before_us = rtt->smoothed_us;
    uint64_t off_us = before_us > sample_us ? before_us - sample_us : sample_us - before_us;
    rtt->variation_us = (3 * rtt->variation_us + off_us) / 4;
    rtt->smoothed_us = (7 * before_us + sample_us) / 8;
}

static uint64_t timeout_of(const struct cg_rtt *rtt) {
    uint64_t spread_us = 4 * rtt->variation_us;
    return within_bounds(rtt->smoothed_us + (spread_us > GRANULARITY_US ? spread_us : GRANULARITY_US));
}

static void lengthen(struct cg_rtt *rtt, uint64_t sample_us) {
    uint64_t longest_us = within_bounds(sample_us);
    if (rtt->timeout_us == 0) {
        rtt->timeout_us = longest_us;
    } else if (longest_us > rtt->timeout_us) {
        rtt->timeout_us = (3 * rtt->timeout_us + longest_us) / 4;
    }
}

void cg_rtt_note(struct cg_rtt *rtt, enum cg_rtt_sample kind, uint64_t sample_us, uint64_t now_us) {
    if (sample_us == 0) sample_us = 1; /* 0 means that there was none */
    if (sample_us > CG_RTT_CEILING_US) sample_us = CG_RTT_CEILING_US;
    rtt->noted_us = now_us;
    if (kind == CG_RTT_AT_MOST) {
        lengthen(rtt, sample_us);
        return;
    }
    smooth(rtt, sample_us);
    rtt->timeout_us = timeout_of(rtt);
}

uint64_t cg_rtt_timeout_us(const struct cg_rtt *rtt, uint64_t start_us, uint64_t now_us) {
    if (rtt->timeout_us == 0) return start_us;
    uint64_t ages = now_us > rtt->noted_us ? (now_us - rtt->noted_us) / CG_RTT_AGE_US : 0;
    if (ages >= AGES_MAX) return start_us;
    uint64_t timeout_us = rtt->timeout_us;
    while (ages-- > 0) timeout_us = (timeout_us + start_us) / 2;
    return timeout_us;
}
