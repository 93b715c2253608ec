/* How fast senders may go, so that a store of an earlier time can tell how far they may have come since:
 * "sequence_rate" numbers a second on average, and a burst beyond. One token bucket a sender, for as long as the
 * process lives; what it counts is what the stored counter grows by, used or not. */
#ifndef CG_STORE_RATE_H
#define CG_STORE_RATE_H

#include "model/store.h"

struct cg_rate {
    uint64_t rate, burst;
    struct cg_rate_sender *first;
};

struct cg_rate_sender {
    struct cg_rate_sender *next;
    uint8_t id[CG_SENDER_ID_LEN];
    uint64_t end;       /* the counter, as far as it is paid for */
    uint64_t attempted; /* numbers that were to be taken then, and may have been */
    int64_t level;      /* thousandths of numbers that may be taken now; negative: what was taken too much */
    uint64_t filled_us; /* when `level` was right, monotonic time */
};

void cg_rate_fini(struct cg_rate *rates);

/* NULL: this process has not used the sender. */
struct cg_rate_sender *cg_rate_find(const struct cg_rate *rates, const struct cg_sender_id *sender);
/* Full, at that counter; replaces what was known. NULL: out of memory. */
struct cg_rate_sender *cg_rate_begin(struct cg_rate *rates, const struct cg_sender_id *sender, uint64_t next,
                                     uint64_t now_us);
void cg_rate_forget(struct cg_rate *rates, const struct cg_sender_id *sender);

/* Whether somebody else has moved the counter to `next`: another process, which this one goes on after as at a start.
 */
bool cg_rate_is_overtaken(const struct cg_rate_sender *sender, uint64_t next);
/* How many numbers may be taken now, with the counter at `next`, of up to `wanted`; 0 with *wait_s. */
uint64_t cg_rate_allowance(const struct cg_rate *rates, struct cg_rate_sender *sender, uint64_t next, uint64_t wanted,
                           uint64_t now_us, uint32_t *wait_s);

/* The numbers that a sender may have used since its counter was stored as `stored`, `passed_ms` ago, without it having
 * been stored again: where it goes on. */
uint64_t cg_rate_go_on(const struct cg_rate *rates, uint64_t stored, int64_t passed_ms);

#endif
