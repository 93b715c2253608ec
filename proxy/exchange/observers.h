/* Exchanges whose clients observe: they go on for months, so they have places of their own (limits.observers) and count
 * neither among limits.exchanges nor among limits.exchanges_per_client. */
#ifndef CG_EXCHANGE_OBSERVERS_H
#define CG_EXCHANGE_OBSERVERS_H

#include "exchange/exchange.h"

/* Its request observes no more where nothing can be observed: no answers are waited for, or none as they come; the
 * method or its length allows no observation; or there is no place and the client is then served once. After its
 * mapping and timeout are known. */
void cg_observers_sort(struct cg_exchange *exchange);
/* A place among those that observe, or among the others: CG_OK, CG_E_OVERLOAD, CG_E_RATE or CG_E_NO_MEMORY, with the
 * exchange's problem. It is given back by cg_observers_leave. */
int cg_observers_enter(struct cg_exchange *exchange) CG_MUST_CHECK;
void cg_observers_leave(struct cg_exchange *exchange);

#endif
