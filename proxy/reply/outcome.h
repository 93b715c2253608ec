/* What a whole reply's status is, by who answered and by what the client said it wants: Multicast-Timeout (GCP §5.2),
 * No-Response (RFC 7967), Prefer: handling=strict (RFC 7240 §4.4). */
#ifndef CG_REPLY_OUTCOME_H
#define CG_REPLY_OUTCOME_H

#include "reply/view.h"

/* Whether the client's preference for strict handling counts. */
bool cg_outcome_is_strict(const struct cg_view *view);
/* 200; 204: nobody answered, and that is fine (for encoders that have something to say all the same it is 200); 502:
 * the preference is strict, and a member failed; 504: it is strict, and one is missing, or nobody answered. */
unsigned cg_outcome_status(const struct cg_view *view);
/* Nobody answered, and that is no success. */
bool cg_outcome_is_silence(const struct cg_view *view);
/* Sets CG_E_NO_ANSWER, with what to think of it. */
void cg_outcome_silence(const struct cg_view *view, struct cg_problem *problem);

#endif
