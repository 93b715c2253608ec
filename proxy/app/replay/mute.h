/* A protector that never seals: legs under it say nothing by themselves, and are told what to say (tell.h). What rounds
 * ask of members' keys it answers as it was recorded, and as answers have changed since. */
#ifndef CG_APP_REPLAY_MUTE_H
#define CG_APP_REPLAY_MUTE_H

#include "legs/protector.h"

/* What the protector said of a member. */
struct cg_mute_member {
    struct cg_addr found; /* family NONE: it is nowhere */
    enum cg_standing standing;
    bool is_cold;
};

struct cg_mute {
    struct cg_protector protector;
    const struct cg_members *roster; /* NULL: nobody is known */
    struct cg_mute_member *members;  /* by number in the roster; borrowed */
    uint64_t sealings;               /* how often a group request was to be sealed */
};

void cg_mute_init(struct cg_mute *mute);
/* A verified answer of that credential came from there. */
void cg_mute_note(struct cg_mute *mute, struct cg_slice identity, const struct cg_addr *from);

#endif
