/* Remote addresses that unicast goes to: what RFC 7252 counts for each of them, its Message IDs (§4.4) and its
 * outstanding requests (NSTART, §4.7), and whether somebody is known to be there. Requests that may not go yet wait
 * here, unsealed, so that a waiting one holds no copy of itself.
 *
 * Ownership: rows belong to the engine; they are forgotten when nothing is under way and no Message ID of theirs can
 * be remembered any more. A turn is in the lists of its row from cg_endpoint_queue to cg_endpoint_leave. */
#ifndef CG_LEGS_ENDPOINT_H
#define CG_LEGS_ENDPOINT_H

#include "base/hash.h"
#include "legs/ping.h"
#include "legs/rtt.h"
#include "legs/timer.h"
#include "model/allowance.h"
#include "wire/addr.h"
#include "wire/msg.h"

#define CG_MID_SPANS 8 /* of the 2^15 Message IDs: what is remembered about them */

/* A member hears group requests and unicast requests from one source, and may take two messages with one MID for the
 * same: so MIDs of unicast requests have this bit, and those of group requests have not. */
#define CG_MID_UNICAST 0x8000u

struct cg_leg;
struct cg_problem;
struct cg_token_entry;
struct cg_turn;

/* What whoever waits for its turn hears. */
struct cg_turn_ops {
    /* It has come: the request is to be made and sent. May end it. */
    void (*launch)(struct cg_engine *engine, struct cg_turn *turn);
    /* It never will, as nobody has proven to be at a stranger's address. Ends it. */
    void (*refuse)(struct cg_engine *engine, struct cg_turn *turn);
    /* Whether that is the Message ID of a request of its that may still be answered. */
    bool (*is_about)(const struct cg_turn *turn, uint16_t mid);
    /* An empty message (ACK or RST) about that request. May end it. */
    void (*hear)(struct cg_engine *engine, struct cg_turn *turn, uint16_t mid, enum cg_type type);
    /* Whatever led there is gone, for this reason. Ends it. */
    void (*lose)(struct cg_engine *engine, struct cg_turn *turn, const struct cg_problem *problem);
    /* Its request has come there: that many requests of ours have (as cg_sending counts them). */
    void (*reach)(struct cg_engine *engine, struct cg_turn *turn, uint64_t requests);
    /* Whether that many went out, its own among them. */
    bool (*is_among)(const struct cg_turn *turn, uint64_t requests);
    /* Who hears what comes with that token from its address; NULL: it does not ask with that. */
    struct cg_leg *(*hears)(struct cg_turn *turn, const struct cg_token_entry *token);
    /* Whether anybody still wants it; else it is taken back soon. */
    bool (*is_wanted)(const struct cg_turn *turn);
};

/* A request's place at an address: it waits, then it flies. Zero-initialise, then set the first four. */
struct cg_turn {
    const struct cg_turn_ops *ops;
    size_t size;                  /* bytes that it holds while it flies, roughly */
    uint32_t link;                /* by which it goes there, as cg_send_link has it */
    bool is_stranger;             /* neither configured nor verified: somebody is to prove first to be there */
    bool flies;                   /* its request is made, and the response may still come */
    bool is_expected;             /* the response, so that it counts for NSTART and for what is under way */
    struct cg_endpoint *endpoint; /* NULL: in no list */
    struct cg_turn *previous, *next;
};

struct cg_endpoint {
    struct cg_addr addr;            /* key: with port and zone */
    struct cg_turn *waiting;        /* utlist, oldest first */
    struct cg_turn *flying;         /* utlist; requests whose response may still come */
    uint32_t outstanding;           /* of them, those whose response is expected: at most group.nstart */
    uint16_t next_mid;              /* without CG_MID_UNICAST */
    uint64_t mids_us[CG_MID_SPANS]; /* when the latest Message ID of each span was taken; 0: none was */
    struct cg_timer mid_timer;      /* when the next one may be */
    struct cg_ping ping;
    struct cg_rtt rtt;                           /* by what counts as proven there */
    bool genuine;                                /* somebody there has answered a unicast request */
    bool ripe, starved;                          /* in one of the engine's lists */
    uint64_t used_us;                            /* when something went there last, or was heard from there; 0: never */
    struct cg_endpoint *previous_due, *next_due; /* of that list */
    UT_hash_handle hh;
};

struct cg_endpoints {
    struct cg_endpoint *by_addr;   /* uthash head */
    struct cg_endpoint *sweep;     /* where purging goes on */
    struct cg_endpoint *ripe;      /* utlist: rows that have a free place */
    struct cg_endpoint *starved;   /* utlist: rows that wait for room in ... */
    struct cg_timer fed;           /* when to look at those again */
    struct cg_allowance strangers; /* requests to strangers that may go out now */
    size_t sealed_bytes;           /* ... these: unicast requests that are under way */
};

/* Queues the turn at the address; it is launched at once when it has come, which may end it. False: no memory, or too
 * many addresses at once. */
bool cg_endpoint_queue(struct cg_engine *engine, struct cg_turn *turn, const struct cg_addr *to) CG_MUST_CHECK;
/* One that flies has another request to make: it waits behind the others, or is launched at once. */
void cg_endpoint_queue_again(struct cg_engine *engine, struct cg_turn *turn);
/* Nobody waits any longer for the response of one that flies, though it may still come; or for the turn of one that
 * waits, whose earlier request may still be answered. */
void cg_endpoint_expect_no_more(struct cg_engine *engine, struct cg_turn *turn);
void cg_endpoint_leave(struct cg_engine *engine, struct cg_turn *turn); /* whoever waits goes in the next turn */
/* NULL: nothing was sent there lately. */
struct cg_endpoint *cg_endpoint_find(const struct cg_engine *engine, const struct cg_addr *addr);
/* Its row is looked at in the next turn. */
void cg_endpoint_look_again(struct cg_engine *engine, struct cg_endpoint *endpoint);
/* Those that wait there never get there. */
void cg_endpoint_lose_waiting(struct cg_engine *engine, struct cg_endpoint *endpoint, const struct cg_problem *problem);
/* Somebody is there: whoever waits for that may go. */
void cg_endpoint_prove(struct cg_engine *engine, struct cg_endpoint *endpoint);
/* A Message ID for the request whose turn it is: none is taken twice within EXCHANGE_LIFETIME (RFC 7252 §4.4). For
 * another request in the same turn there may be none left: then cg_endpoint_has_mid says so. */
uint16_t cg_endpoint_take_mid(const struct cg_engine *engine, struct cg_endpoint *endpoint) CG_MUST_CHECK;
bool cg_endpoint_has_mid(struct cg_engine *engine, struct cg_endpoint *endpoint);
/* How long to wait for an answer from there before a request is sent again, without any random part. */
uint64_t cg_endpoint_timeout_us(const struct cg_engine *engine, const struct cg_endpoint *endpoint);
/* Who has asked there with a token that another leg was made for, and may still be answered; NULL: nobody. */
struct cg_leg *cg_endpoint_sharer(const struct cg_engine *engine, const struct cg_addr *from,
                                  const struct cg_token_entry *token);
/* An empty message (ACK or RST) from there. True: it was about something that we sent. */
bool cg_endpoint_hear(struct cg_engine *engine, const struct cg_addr *from, uint16_t mid, enum cg_type type);

void cg_endpoints_init(struct cg_engine *engine);
/* Lets go whoever's turn has come. True: something was done, and owners of legs may have work. */
bool cg_endpoints_turn(struct cg_engine *engine);
/* Forgets rows: looks at so many at the most, and counts them down. True: there are more to look at. */
bool cg_endpoints_purge(struct cg_engine *engine, size_t *rows);
void cg_endpoints_fini(struct cg_engine *engine);

#endif
