/* The inside of the tally: what tally.c, told.c and refusals.c have in common. Others see tally.h. */
#ifndef CG_ROUNDS_TALLYING_H
#define CG_ROUNDS_TALLYING_H

#include "base/text.h"
#include "rounds/tally.h"

static inline bool cg_tallying_is_failure(uint8_t code) { return code >= CG_CODE(4, 0); }

/* Of what is said: whoever sends it again in the same message retransmits it. */
static inline uint32_t cg_tallying_content(uint8_t code, struct cg_slice options, struct cg_slice payload) {
    uint32_t hash = cg_fnv(CG_FNV_START, &code, sizeof code);
    return cg_fnv(cg_fnv(hash, options.data, options.len), payload.data, payload.len);
}

/* With room for the answer, and its key; nothing is filled in. NULL: out of memory. */
struct cg_held_answer *cg_tallying_new(struct cg_tally *tally, const struct cg_arrival *arrival,
                                       const struct cg_who *who);
/* Of that one's answer what it says, and its order; there is room for it. */
void cg_tallying_fill(struct cg_tally *tally, struct cg_held_answer *held, const struct cg_arrival *arrival);
/* Behind all others. */
void cg_tallying_list(struct cg_tally *tally, struct cg_held_answer *held);

/* Somebody whose answer was let go (told.h); NULL: nobody. */
struct cg_told_answer *cg_tallying_find_told(const struct cg_tally *tally, const struct cg_who *who);
/* A further answer of that one: AGAIN, NEWER with *held, or as cg_tally_add where there is no memory. */
enum cg_tally_result cg_tallying_add_to_told(struct cg_tally *tally, const struct cg_arrival *arrival,
                                             const struct cg_who *who, struct cg_told_answer *told,
                                             struct cg_held_answer **held);

#endif
