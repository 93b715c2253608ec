/* Shares. The hard thing is to know who has most without looking: holders stand in lists by the power of two of their
 * weight, so that one changes its list rarely and whoever is in the highest has most, or half of that. */
#include "fronts/coap/shares.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"

struct cg_coap_holder {
    struct cg_addr host; /* as cg_addr_network makes it: the key */
    size_t weight;
    struct cg_coap_share *oldest;       /* utlist head */
    struct cg_coap_holder *prev, *next; /* of its class */
    UT_hash_handle hh;
};

static unsigned class_of(size_t weight) {
    unsigned power = weight == 0 ? 0 : 63 - (unsigned)__builtin_clzll(weight);
    return power < CG_COAP_SHARE_CLASSES ? power : CG_COAP_SHARE_CLASSES - 1;
}

static struct cg_coap_holder *new_holder(struct cg_coap_shares *shares, const struct cg_addr *host) {
    struct cg_coap_holder *holder = calloc(1, sizeof *holder);
    if (holder == NULL) return NULL;
    holder->host = *host;
    HASH_ADD(hh, shares->by_host, host, sizeof holder->host, holder);
    if (!CG_HASH_HAS(hh, holder)) {
        free(holder);
        return NULL;
    }
    DL_APPEND(shares->classes[0], holder);
    return holder;
}

static struct cg_coap_holder *need_holder(struct cg_coap_shares *shares, const struct cg_addr *host) {
    const struct cg_addr key = cg_addr_network(host);
    struct cg_coap_holder *holder;
    HASH_FIND(hh, shares->by_host, &key, sizeof key, holder);
    return holder != NULL ? holder : new_holder(shares, &key);
}

static void weigh(struct cg_coap_shares *shares, struct cg_coap_holder *holder, size_t weight) {
    unsigned before = class_of(holder->weight), after = class_of(weight);
    shares->weight = shares->weight - holder->weight + weight;
    holder->weight = weight;
    if (before == after) return;
    DL_DELETE(shares->classes[before], holder);
    DL_APPEND(shares->classes[after], holder);
}

static void free_holder(struct cg_coap_shares *shares, struct cg_coap_holder *holder) {
    DL_DELETE(shares->classes[class_of(holder->weight)], holder);
    HASH_DEL(shares->by_host, holder);
    free(holder);
}

void cg_coap_shares_init(struct cg_coap_shares *shares) { *shares = (struct cg_coap_shares){0}; }

void cg_coap_shares_fini(struct cg_coap_shares *shares) { CG_CHECK(shares->by_host == NULL && shares->weight == 0); }

bool cg_coap_share_put(struct cg_coap_shares *shares, struct cg_coap_share *share, const struct cg_addr *host,
                       size_t weight) {
    CG_CHECK(share->holder == NULL);
    struct cg_coap_holder *holder = need_holder(shares, host);
    if (holder == NULL) return false;
    share->holder = holder;
    share->weight = weight;
    DL_APPEND(holder->oldest, share);
    weigh(shares, holder, holder->weight + weight);
    return true;
}

void cg_coap_share_add(struct cg_coap_shares *shares, struct cg_coap_share *share, size_t weight) {
    share->weight += weight;
    weigh(shares, share->holder, share->holder->weight + weight);
}

void cg_coap_share_take(struct cg_coap_shares *shares, struct cg_coap_share *share) {
    struct cg_coap_holder *holder = share->holder;
    if (holder == NULL) return;
    DL_DELETE(holder->oldest, share);
    weigh(shares, holder, holder->weight - share->weight);
    share->holder = NULL;
    if (holder->oldest == NULL) free_holder(shares, holder);
}

struct cg_coap_share *cg_coap_shares_first_to_go(const struct cg_coap_shares *shares) {
    for (unsigned class = CG_COAP_SHARE_CLASSES; class -- > 0;) {
        if (shares->classes[class] != NULL) return shares->classes[class]->oldest;
    }
    return NULL;
}
