/* What the asks' own files share: ask.c (transmission, members, challenges) and blocks.c. Others see state.h. */
#ifndef CG_CORE_ASK_H
#define CG_CORE_ASK_H

#include "core/state.h"

/* ask.c */

/* With a token and a MID, not sealed yet; the exchange owns it. NULL, with *problem: no token is free, out of memory,
 * or a URI that cannot be put into options. */
struct cg_ask *cg_ask_new(struct cg_gateway *gateway, struct cg_exchange *exchange, enum cg_ask_purpose purpose,
                          const struct cg_addr *to, const struct cg_target *target, struct cg_problem *problem);
/* A new request of this ask: fresh token and MID each time, as every block is an exchange of its own (RFC 7959 §2.4).
 * False: no token is free; the ask is as it was. */
bool cg_ask_renew(struct cg_gateway *gateway, struct cg_ask *ask);
/* Protects its exchange's request, with Echo and Block2 where they belong, and sends it. May end the ask. */
void cg_ask_send(struct cg_gateway *gateway, struct cg_ask *ask);
/* Ends the ask without an answer. One that stays incomplete is taken back, because half a body is none. */
void cg_ask_give_up(struct cg_gateway *gateway, struct cg_ask *ask);

/* blocks.c */

/* The answer to a request for a block. May end the ask. */
void cg_blocks_take(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_opened *opened);

#endif
