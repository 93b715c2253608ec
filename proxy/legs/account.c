/* What became of a datagram. The hard thing: the one that knows is deep inside, in an exchange, an ask or the blocks of
 * an answer, and may be asked several times for one datagram; so it says what it did, and the beginning and the end of
 * a datagram's way make one figure of it. */
#include "legs/account.h"

#include "exchange/state.h"

void cg_account_begin(struct cg_gateway *gateway, enum cg_fate weakest) {
    gateway->account = (struct cg_account){.fate = weakest};
}

void cg_account_say(struct cg_gateway *gateway, enum cg_fate fate) {
    if (fate < gateway->account.fate) gateway->account.fate = fate;
}

void cg_account_postpone(struct cg_gateway *gateway) { gateway->account.postponed = true; }

void cg_account_end(struct cg_gateway *gateway) {
    if (!gateway->account.postponed) gateway->totals.fates[gateway->account.fate]++;
    gateway->account = (struct cg_account){0};
}
