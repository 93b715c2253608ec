/* Meeting members before they have to act. Whoever does not know a sender's key yet may want to see first that a
 * request is fresh (Echo, RFC 9175; RFC 10021 §9), which costs the first command a round trip, and more where something
 * is lost. So where a security group says "warm": after the start, a rekey and another Sender ID a GET goes to each
 * group that its mappings' requests go to, until all configured members have answered; challenges are answered as
 * always, and who is still silent in the end is asked by unicast. It waits for a random moment, gives way to clients,
 * and keeps no answer. Whoever stays cold is met by its first command, as without warming. */
#ifndef CG_JOBS_WARMING_H
#define CG_JOBS_WARMING_H

#include "exchange/gateway.h"

struct cg_warming;

/* NULL: no memory. */
struct cg_warming *cg_warming_new(struct cg_gateway *gateway);
/* The gateway has other settings, or other keys, or the first: whoever is to be warmed now will be. Costs by security
 * groups. */
void cg_warming_look(struct cg_warming *warming);
/* Nothing more begins, and what runs is given up. NULL is fine. */
void cg_warming_close(struct cg_warming *warming);
/* After the gateway is freed. NULL is fine. */
void cg_warming_free(struct cg_warming *warming);

#endif
