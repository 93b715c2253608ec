/* Remote addresses that unicast goes to: what RFC 7252 counts for each of them, its Message IDs (§4.4) and its
 * outstanding requests (NSTART, §4.7), and whether somebody is known to be there. Asks that may not go yet wait here,
 * unsealed, so that a waiting one holds no copy of the request.
 *
 * Ownership: rows belong to the gateway; they are forgotten when nothing is under way and no Message ID of theirs can
 * be remembered any more. An ask is in the lists of its row from cg_endpoint_queue to cg_endpoint_leave. */
#ifndef CG_LEGS_ENDPOINT_H
#define CG_LEGS_ENDPOINT_H

#include "exchange/state.h"

#define CG_MID_SPANS 8 /* of the 2^15 Message IDs: what is remembered about them */

struct cg_endpoint {
    struct cg_timer ping_timer;     /* see ping.h for what is about pings */
    struct cg_addr addr;            /* key: with port and zone */
    struct cg_ask *waiting;         /* utlist, oldest first */
    struct cg_ask *flying;          /* utlist; requests whose response may still come */
    uint32_t outstanding;           /* of them, those whose response is expected: at most group.nstart */
    uint16_t next_mid;              /* without CG_MID_UNICAST */
    uint64_t mids_us[CG_MID_SPANS]; /* when the latest Message ID of each span was taken; 0: none was */
    struct cg_timer mid_timer;      /* when the next one may be */
    bool genuine;                   /* somebody there has answered a unicast request */
    bool pinging;
    uint8_t ping_attempts;
    uint8_t guesses; /* that were wrong */
    uint16_t ping_mid;
    uint64_t ping_timeout_us;
    bool ripe, starved;                          /* in one of the gateway's lists */
    uint64_t used_us;                            /* when something went there last, or was heard from there; 0: never */
    struct cg_endpoint *previous_due, *next_due; /* of that list */
    UT_hash_handle hh;
};

/* A member hears group requests and unicast requests from one source, and may take two messages with one MID for the
 * same: so MIDs of unicast requests have this bit, and those of group requests have not. */
#define CG_MID_UNICAST 0x8000u

/* Queues the ask for its address; it goes at once when it is its turn, which may end it (see cg_ask_launch). False: no
 * memory, or too many addresses at once. */
bool cg_endpoint_queue(struct cg_gateway *gateway, struct cg_ask *ask) CG_MUST_CHECK;
/* An ask that flies has another request to make: it waits for its turn behind the others, or goes at once. */
void cg_endpoint_queue_again(struct cg_gateway *gateway, struct cg_ask *ask);
/* Nobody waits any longer for the response of an ask that flies, though it may still come. */
void cg_endpoint_expect_no_more(struct cg_gateway *gateway, struct cg_ask *ask);
void cg_endpoint_leave(struct cg_gateway *gateway, struct cg_ask *ask); /* whoever waits goes in the next turn */
/* NULL: nothing was sent there lately. */
struct cg_endpoint *cg_endpoint_find(const struct cg_gateway *gateway, const struct cg_addr *addr);
/* Somebody is there: whoever waits for that may go. */
void cg_endpoint_prove(struct cg_gateway *gateway, struct cg_endpoint *endpoint);
/* For an ask whose turn it is: none is taken twice within EXCHANGE_LIFETIME (RFC 7252 §4.4). */
uint16_t cg_endpoint_take_mid(const struct cg_gateway *gateway, struct cg_endpoint *endpoint);
/* The ask whose latest request had this MID; NULL: none. */
struct cg_ask *cg_endpoint_asked(const struct cg_endpoint *endpoint, uint16_t mid);

void cg_endpoints_init(struct cg_gateway *gateway);
/* Lets go whoever's turn has come. True: something was done, and exchanges may be awake. */
bool cg_endpoints_turn(struct cg_gateway *gateway);
void cg_endpoints_purge(struct cg_gateway *gateway);
void cg_endpoints_fini(struct cg_gateway *gateway);

#endif
