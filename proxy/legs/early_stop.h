/* The word by which a next hop is told that nobody wants its further answers: an Early Stop Request (GCP §3.1.3). */
#ifndef CG_LEGS_EARLY_STOP_H
#define CG_LEGS_EARLY_STOP_H

#include "legs/ask.h"

/* On the token of the ask's latest request, once, Non-confirmable: where it is lost answers come that nobody waits for.
 */
void cg_early_stop_send(struct cg_engine *engine, struct cg_ask *ask);

#endif
