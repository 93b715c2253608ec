/* What was seen of each member that a round waits for, beside answers, so that a reply can say why it is missing
 * (model/cause.h). What came in this round is noted here by member; what belongs to an address (acknowledgements, ICMP)
 * is in legs/signs.h, and taken over when somebody looks. */
#ifndef CG_ROUNDS_EVIDENCE_H
#define CG_ROUNDS_EVIDENCE_H

#include "rounds/round.h"

/* NULL, or one that the round does not wait for: nothing is noted. Without memory nothing is. */
void cg_evidence_note(struct cg_round *round, const struct cg_member *member, uint32_t signs);
/* What came from there was refused. `opened` as protector.h has it. */
void cg_evidence_note_refusal(struct cg_round *round, const struct cg_addr *from, const struct cg_opened *opened,
                              const char *reason);
/* A verified challenge, whatever becomes of it. */
void cg_evidence_note_challenge(struct cg_round *round, const struct cg_arrival *challenge);
/* What such a refusal is a sign of. */
uint32_t cg_evidence_of_refusal(const struct cg_opened *opened, const char *reason);

/* Takes over what was seen of the addresses of those that are missing so far. */
void cg_evidence_review(struct cg_round *round);
/* Signs that are common to all of its members. */
uint32_t cg_evidence_common(const struct cg_round *round);

/* Where that member would be asked (cg_protector_find). False: nobody knows. */
bool cg_evidence_address(const struct cg_round *round, const struct cg_member *member, struct cg_addr *at);

#endif
