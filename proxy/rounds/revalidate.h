/* Asking whether what is kept is still so: entity tags in requests (RFC 7252 §5.6.2, RFC 10020 §3.2.2), to the group
 * and to single members, and what 2.03 (Valid) stands for. */
#ifndef CG_ROUNDS_REVALIDATE_H
#define CG_ROUNDS_REVALIDATE_H

#include "rounds/round.h"

/* What the group is asked names the tags of answers that are kept, as far as each is one member's alone. */
void cg_revalidate_plan(struct cg_round *round);
/* The request to that member: the part's, with the member's tag where there is one. */
const struct cg_leg_request *cg_revalidate_request(struct cg_part *part, const struct cg_member *member);

enum cg_revalidated {
    CG_REVALIDATED_NOT,   /* it is an answer like any other */
    CG_REVALIDATED,       /* what is kept is the answer, in *valid */
    CG_REVALIDATED_OTHER, /* it means what another member has said: it is asked again, without tags */
};

#define CG_VALID_OPTIONS_MAX 2048 /* bytes */

struct cg_valid {
    struct cg_arrival arrival; /* as the one that came; with: */
    struct cg_opened opened;   /* its payload is the cache's, so only good until something is kept */
    uint8_t options[CG_VALID_OPTIONS_MAX];
};
enum cg_revalidated cg_revalidate_hear(struct cg_part *part, const struct cg_arrival *arrival, struct cg_valid *valid);

#endif
