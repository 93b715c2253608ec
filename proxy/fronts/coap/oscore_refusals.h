/* What anybody gets whose protected request cannot be opened: in no further layer than those that could be, as RFC
 * 8613 §8.2 says, and not more than a stranger may cause. */
#ifndef CG_FRONTS_COAP_OSCORE_REFUSALS_H
#define CG_FRONTS_COAP_OSCORE_REFUSALS_H

#include "base/buf.h"
#include "fronts/coap/peer.h"
#include "model/allowance.h"

enum { CG_OSCORE_REFUSALS = 8 };

/* Zeroed: none yet. */
struct cg_oscore_refusals {
    struct cg_allowance left;
    uint64_t counts[CG_OSCORE_REFUSALS];
};

/* In `request` (peer.h): answers or ignores it. `err`: as of oscore/open.h, or CG_E_FORBIDDEN:
 * there are more layers than are taken off. */
void cg_oscore_refuse(struct cg_oscore_refusals *refusals, struct cg_coap_peer *peer,
                      const struct cg_coap_request *request, int err, uint64_t now_us);
void cg_oscore_refusals_metrics(const struct cg_oscore_refusals *refusals, struct cg_buf *to);

#endif
