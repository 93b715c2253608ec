/* Duplicates. The hard thing is a bound that no flood turns against others: rows stand in one list by their age, which
 * is all that expiry needs since each lives equally long, and in their host's, which loses its own oldest. */
#include "fronts/coap/duplicates.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/container.h"
#include "wire/transmission.h"

enum { MID_BITS = 16 };

static uint64_t key_of(uint64_t peer, uint16_t mid) { return peer << MID_BITS | mid; }

void cg_coap_duplicates_init(struct cg_coap_duplicates *duplicates, size_t max) {
    *duplicates = (struct cg_coap_duplicates){.max = max};
    cg_coap_shares_init(&duplicates->shares);
}

void cg_coap_duplicates_fini(struct cg_coap_duplicates *duplicates) {
    while (duplicates->oldest != NULL) cg_coap_seen_forget(duplicates, duplicates->oldest);
    cg_coap_shares_fini(&duplicates->shares);
}

void cg_coap_seen_forget(struct cg_coap_duplicates *duplicates, struct cg_coap_seen *seen) {
    HASH_DEL(duplicates->by_key, seen);
    DL_DELETE(duplicates->oldest, seen);
    cg_coap_share_take(&duplicates->shares, &seen->share);
    free(seen->answer);
    free(seen);
}

/* `keep` is whom it is made for. */
static void make_room(struct cg_coap_duplicates *duplicates, size_t weight, const struct cg_coap_seen *keep) {
    while (duplicates->shares.weight + weight > duplicates->max) {
        struct cg_coap_share *goes = cg_coap_shares_first_to_go(&duplicates->shares);
        if (goes == NULL || goes == &keep->share) return;
        cg_coap_seen_forget(duplicates, CG_CONTAINER(goes, struct cg_coap_seen, share));
        duplicates->forgotten++;
    }
}

struct cg_coap_seen *cg_coap_seen_find(const struct cg_coap_duplicates *duplicates, uint64_t peer, uint16_t mid,
                                       uint64_t now_us) {
    uint64_t key = key_of(peer, mid);
    struct cg_coap_seen *seen;
    HASH_FIND(hh, duplicates->by_key, &key, sizeof key, seen);
    return seen != NULL && now_us < seen->until_us ? seen : NULL;
}

/* One that is over, and was only not swept yet. */
static void forget_former(struct cg_coap_duplicates *duplicates, uint64_t key) {
    struct cg_coap_seen *former;
    HASH_FIND(hh, duplicates->by_key, &key, sizeof key, former);
    if (former != NULL) cg_coap_seen_forget(duplicates, former);
}

struct cg_coap_seen *cg_coap_seen_add(struct cg_coap_duplicates *duplicates, uint64_t peer, uint16_t mid,
                                      const struct cg_addr *host, uint64_t now_us) {
    struct cg_coap_seen *seen = calloc(1, sizeof *seen);
    if (seen == NULL) return NULL;
    seen->key = key_of(peer, mid);
    seen->until_us = now_us + CG_EXCHANGE_LIFETIME_US;
    forget_former(duplicates, seen->key);
    make_room(duplicates, sizeof *seen, seen);
    if (!cg_coap_share_put(&duplicates->shares, &seen->share, host, sizeof *seen)) {
        free(seen);
        return NULL;
    }
    HASH_ADD(hh, duplicates->by_key, key, sizeof seen->key, seen);
    if (!CG_HASH_HAS(hh, seen)) {
        cg_coap_share_take(&duplicates->shares, &seen->share);
        free(seen);
        return NULL;
    }
    DL_APPEND(duplicates->oldest, seen);
    return seen;
}

void cg_coap_seen_answered(struct cg_coap_duplicates *duplicates, struct cg_coap_seen *seen, struct cg_slice answer) {
    seen->reply = CG_COAP_ANSWERED;
    seen->answer = malloc(answer.len);
    if (seen->answer == NULL) return;
    make_room(duplicates, answer.len, seen);
    memcpy(seen->answer, answer.data, answer.len);
    seen->answer_len = (uint32_t)answer.len;
    cg_coap_share_add(&duplicates->shares, &seen->share, answer.len);
}

uint64_t cg_coap_duplicates_sweep(struct cg_coap_duplicates *duplicates, uint64_t now_us, unsigned rows) {
    for (; duplicates->oldest != NULL; rows--) {
        if (now_us < duplicates->oldest->until_us) return duplicates->oldest->until_us;
        if (rows == 0) return now_us;
        cg_coap_seen_forget(duplicates, duplicates->oldest);
    }
    return UINT64_MAX;
}
