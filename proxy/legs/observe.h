/* Notifications (RFC 7641, RFC 10020 §3.7): what one says besides its representation, and which of two is newer. Pure.
 */
#ifndef CG_LEGS_OBSERVE_H
#define CG_LEGS_OBSERVE_H

#include "legs/protector.h"

#define CG_OBSERVE_MAX_AGE_S 60 /* where an answer says nothing (RFC 7252 §5.10.5) */

/* Of one that was opened. */
struct cg_notification {
    bool is_observed;   /* 2.xx with Observe: its sender has us in its list; else it has not, or not any more */
    uint32_t order;     /* its Observe value, 24 bits */
    uint32_t max_age_s; /* seconds for which it is fresh */
};

void cg_notification_read(const struct cg_opened *opened, struct cg_notification *notification);

/* Whether a notification that came at `now_us` with order `order` is newer than one of the same sender, with `before`
 * at `before_us`, where no Partial IV says so (RFC 7641 §3.4). */
bool cg_notification_is_newer(uint32_t order, uint64_t now_us, uint32_t before, uint64_t before_us);

#endif
