/* Who has how much of something that is bounded, and who gives way when the bound is reached: the host that has most
 * loses what it has had for longest. So nobody needs a bound of its own, and a flood shortens only the memory of
 * whoever floods. A host is an IPv4 address, or the first 64 bits of an IPv6 one. Nothing walks them all. */
#ifndef CG_FRONTS_COAP_SHARES_H
#define CG_FRONTS_COAP_SHARES_H

#include "base/hash.h"
#include "wire/addr.h"

struct cg_coap_holder; /* a host */

/* What is held; embedded. Zero-initialise before first use. */
struct cg_coap_share {
    struct cg_coap_holder *holder; /* NULL: it is in no list */
    size_t weight;
    struct cg_coap_share *prev, *next; /* of the holder's, oldest first */
};

#define CG_COAP_SHARE_CLASSES 40 /* holders by the power of two that their weight reaches */

struct cg_coap_shares {
    struct cg_coap_holder *by_host; /* uthash head */
    struct cg_coap_holder *classes[CG_COAP_SHARE_CLASSES];
    size_t weight; /* of all */
};

void cg_coap_shares_init(struct cg_coap_shares *shares);
void cg_coap_shares_fini(struct cg_coap_shares *shares); /* all were taken out */

/* As that host's newest. False: no memory. */
bool cg_coap_share_put(struct cg_coap_shares *shares, struct cg_coap_share *share, const struct cg_addr *host,
                       size_t weight) CG_MUST_CHECK;
void cg_coap_share_add(struct cg_coap_shares *shares, struct cg_coap_share *share, size_t weight); /* weighs more */
void cg_coap_share_take(struct cg_coap_shares *shares,
                        struct cg_coap_share *share); /* without effect on one that is out */

/* The oldest of whoever has most, to within a factor of two; NULL: there are none. */
struct cg_coap_share *cg_coap_shares_first_to_go(const struct cg_coap_shares *shares);

#endif
