/* What other settings take away from requests that run. */
#ifndef CG_EXCHANGE_WITHDRAW_H
#define CG_EXCHANGE_WITHDRAW_H

#include "exchange/gateway.h"

struct cg_exchange;

/* The gateway has other settings, or tokens have expired: all that runs is looked at anew, from the next turn on. */
void cg_withdraw_begin(struct cg_gateway *gateway);
/* A part of it. What has lost its right is woken, and ends with its problem; and what observes under a mapping that
 * says something else now, with what it has heard. True: there is more to look at. */
bool cg_withdraw_turn(struct cg_gateway *gateway);

/* Whether an exchange that is to begin has lost its right since its client was known. CG_OK, or its problem is set. */
int cg_withdraw_check(struct cg_exchange *exchange) CG_MUST_CHECK;
/* Whether one that is to begin observes under a mapping that says something else by now. */
bool cg_withdraw_is_outdated(const struct cg_exchange *exchange);

#endif
