/* What would go out for the mappings that a change makes or alters. */
#ifndef CG_FRONTS_ADMIN_SENDS_H
#define CG_FRONTS_ADMIN_SENDS_H

#include "exchange/gateway.h"
#include "manage/manage.h"

#define CG_ADMIN_SENDS_MAX 64 /* mappings, in the order of their names; each takes some microseconds of the loop */

/* Of a dry run that is done, on the loop: [{"mapping", "method", and what would be sent (recorder/preview.h), or
 * "problem": why nothing would}], for a request to the mapping itself: GET, or what it takes in place of that. Nothing
 * is spent. */
void cg_admin_sends_put(struct cg_buf *to, struct cg_gateway *gateway, const struct cg_change *change);

#endif
