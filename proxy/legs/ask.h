/* What the asks' own files share: ask.c (transmission, members, challenges) and blocks.c. Others see state.h. */
#ifndef CG_LEGS_ASK_H
#define CG_LEGS_ASK_H

#include "exchange/state.h"

/* ask.c */

/* The exchange owns it; it does nothing yet. NULL, with *problem: too many, out of memory, or a URI that cannot be put
 * into options. */
struct cg_ask *cg_ask_new(struct cg_gateway *gateway, struct cg_exchange *exchange, enum cg_ask_purpose purpose,
                          const struct cg_addr *to, const struct cg_target *target, struct cg_problem *problem);
/* Has it make its request, with Echo and Block2 where they belong, as soon as its address takes one more. May end the
 * ask. */
void cg_ask_go(struct cg_gateway *gateway, struct cg_ask *ask);
/* Its latest request is over, and there is a further one to make. May end the ask. */
void cg_ask_go_on(struct cg_gateway *gateway, struct cg_ask *ask);
/* For the endpoint table: it is its turn. Gives it a token and a MID, and makes and sends its request. May end the ask.
 */
void cg_ask_launch(struct cg_gateway *gateway, struct cg_ask *ask);
/* Ends the ask without an answer. One that stays incomplete is refused, because half a body is none. */
void cg_ask_give_up(struct cg_gateway *gateway, struct cg_ask *ask);

/* blocks.c */

#define CG_BLOCK2_MAX 3 /* bytes of the option (RFC 7959 §2.2) */

/* The Block2 option of its next request; borrows from `bytes`. */
struct cg_slice cg_blocks_option(const struct cg_ask *ask, uint8_t bytes[CG_BLOCK2_MAX]);
/* Takes one more request from the member's share. False: it has none left. */
bool cg_blocks_may_ask(const struct cg_ask *ask) CG_MUST_CHECK;
/* The answer to a request for a block. May end the ask. */
void cg_blocks_take(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_opened *opened);

#endif
