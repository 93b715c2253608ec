/* Token buckets. What is taken is charged when it shows in the stored counter: an attempt that failed and was stored
 * all the same, as after a power failure, is paid for by the next one. */
#include "store/rate.h"

#include <stdlib.h>
#include <string.h>

enum { SCALE = 1000 };

static struct cg_rate_sender **place_of(struct cg_rate *rates, const struct cg_sender_id *sender) {
    struct cg_rate_sender **at = &rates->first;
    while (*at != NULL && memcmp((*at)->id, sender->bytes, CG_SENDER_ID_LEN) != 0) at = &(*at)->next;
    return at;
}

struct cg_rate_sender *cg_rate_find(const struct cg_rate *rates, const struct cg_sender_id *sender) {
    struct cg_rate_sender *it = rates->first;
    while (it != NULL && memcmp(it->id, sender->bytes, CG_SENDER_ID_LEN) != 0) it = it->next;
    return it;
}

struct cg_rate_sender *cg_rate_begin(struct cg_rate *rates, const struct cg_sender_id *sender, uint64_t next,
                                     uint64_t now_us) {
    struct cg_rate_sender *made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    cg_rate_forget(rates, sender);
    memcpy(made->id, sender->bytes, sizeof made->id);
    made->end = next;
    made->level = (int64_t)rates->burst * SCALE;
    made->filled_us = now_us;
    made->next = rates->first;
    rates->first = made;
    return made;
}

void cg_rate_forget(struct cg_rate *rates, const struct cg_sender_id *sender) {
    struct cg_rate_sender **at = place_of(rates, sender), *gone = *at;
    if (gone == NULL) return;
    *at = gone->next;
    free(gone);
}

void cg_rate_fini(struct cg_rate *rates) {
    for (struct cg_rate_sender *it = rates->first, *next; it != NULL; it = next) {
        next = it->next;
        free(it);
    }
    rates->first = NULL;
}

static void fill(const struct cg_rate *rates, struct cg_rate_sender *sender, uint64_t now_us) {
    const uint64_t full = rates->burst * SCALE, passed_ms = (now_us - sender->filled_us) / 1000;
    const uint64_t missing = (uint64_t)((int64_t)full - sender->level);
    sender->filled_us += passed_ms * 1000;
    if (passed_ms > missing / rates->rate)
        sender->level = (int64_t)full;
    else
        sender->level += (int64_t)(rates->rate * passed_ms);
}

bool cg_rate_is_overtaken(const struct cg_rate_sender *sender, uint64_t next) {
    return next > sender->end + sender->attempted;
}

uint64_t cg_rate_allowance(const struct cg_rate *rates, struct cg_rate_sender *sender, uint64_t next, uint64_t wanted,
                           uint64_t now_us, uint32_t *wait_s) {
    sender->level -= (int64_t)((next - sender->end) * SCALE); /* taken before the time that has passed */
    fill(rates, sender, now_us);
    sender->end = next;
    sender->attempted = 0;
    if (sender->level >= SCALE) {
        const uint64_t allowed = (uint64_t)sender->level / SCALE;
        return sender->attempted = allowed < wanted ? allowed : wanted;
    }
    const uint64_t wait = (uint64_t)(SCALE - sender->level) / (rates->rate * SCALE) + 1;
    *wait_s = wait < UINT32_MAX ? (uint32_t)wait : UINT32_MAX;
    return 0;
}

uint64_t cg_rate_go_on(const struct cg_rate *rates, uint64_t stored, int64_t passed_ms) {
    const uint64_t passed = passed_ms > 0 ? (uint64_t)passed_ms : 0;
    const uint64_t room = CG_SENDER_NUMBERS - stored; /* at most: the rest saturates */
    if (rates->burst >= room || passed / 1000 > room / rates->rate) return CG_SENDER_NUMBERS;
    const uint64_t jump = rates->burst + (passed * rates->rate + SCALE - 1) / SCALE;
    return jump < room ? stored + jump : CG_SENDER_NUMBERS;
}
