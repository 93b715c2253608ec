/* Single members of a mapping behind its path (GCP, "Reverse-Proxies": a proxy that stands in for the individual
 * servers, too): PATH/.member/NAME and what follows it is the member's. The marker is reserved: no mapping's path has
 * it, and what has it behind a mapping's path goes to no group. */
#ifndef CG_MODEL_STAND_IN_H
#define CG_MODEL_STAND_IN_H

#include "model/config.h"

#define CG_STAND_IN_MARKER ".member"

/* Whether a raw segment of a path is the marker, however it is encoded. */
bool cg_stand_in_is_marker(struct cg_slice segment);

/* `rest`: of a path behind its mapping's, raw. True where it begins with the marker: *name is the next segment, raw
 * (empty: there is none), and *rest what follows. */
bool cg_stand_in_split(struct cg_slice *rest, struct cg_slice *name);

/* The member whose name that raw segment is, as replies have it; NULL: none of this mapping's is. */
const struct cg_member *cg_stand_in_find(const struct cg_mapping *mapping, struct cg_slice segment);

#endif
