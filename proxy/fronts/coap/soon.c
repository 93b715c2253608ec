/* The line of acknowledgements that wait. */
#include "fronts/coap/soon.h"

#include <utlist.h>

#include "base/check.h"

uint64_t cg_coap_soon_put(struct cg_coap_soon **line, struct cg_coap_soon *soon, uint16_t mid, struct cg_slice token,
                          uint64_t now_us) {
    bool fits = cg_coap_token_set(&soon->token, token);
    CG_CHECK(fits && soon->until_us == 0);
    soon->mid = mid;
    soon->until_us = now_us + CG_COAP_SOON_US;
    DL_APPEND(*line, soon);
    return soon->until_us;
}

bool cg_coap_soon_take(struct cg_coap_soon **line, struct cg_coap_soon *soon) {
    if (soon->until_us == 0) return false;
    soon->until_us = 0;
    DL_DELETE(*line, soon);
    return true;
}

bool cg_coap_soon_is(const struct cg_coap_soon *soon, struct cg_slice token) {
    return soon->until_us != 0 && cg_slice_equal(cg_coap_token_slice(&soon->token), token);
}
