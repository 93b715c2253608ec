/* One request of ours that waits for answers: to a group (cast.h) or to one endpoint (ask.h). What both have in common
 * lives here, once: sealing, opening, what the protector promised, staleness, and the acknowledgement of what comes.
 *
 * A leg never names who wants its answers. It tells the owner through a table of operations, and the owner finds itself
 * by leg->owner. All that it tells happens on the loop, inside any call to the engine; an owner only notes it and wakes
 * whoever is to act.
 *
 * Ownership: legs are made and freed by cast.c and ask.c; an owner holds the pointer until it ends the leg, or hears of
 * `ended`. Outsiders (protectors) hold a job's number, which finds the leg by its ticket. */
#ifndef CG_LEGS_LEG_H
#define CG_LEGS_LEG_H

#include "legs/engine.h"

struct cg_leg;
struct cg_sending;

/* An answer that has come, and was opened. */
struct cg_arrival {
    struct cg_addr from;
    uint64_t request; /* that it answers: numbered in the order in which they went out */
    uint64_t sent_us; /* when that had gone out first */
    uint64_t order;   /* its place among the arrivals that its owner collects; 0: the next */
    uint64_t arrival_us;
    uint16_t mid;                   /* of its message */
    const struct cg_opened *opened; /* borrowed for the call */
    uint32_t ms;                    /* since the group request, as its owner counts */
    uint8_t via;                    /* enum castgate_via */
};

/* What is asked for. The owner keeps it where it is until the leg has ended. */
struct cg_leg_request {
    uint8_t method;
    bool expects_answers;
    bool is_for_one;        /* its client means one member alone, not the group */
    bool is_part;           /* a block before the last: nothing is done yet, so it may be said again (upload.h) */
    bool observes;          /* its options have Observe: all that is sent for it goes out on one token, and nothing ends
                               with an answer */
    bool cancels;           /* of one that observes: its Observe is 1 (RFC 7641 §3.6). Notifications that come on its
                               token are reset from then on, and told as `stray` */
    struct cg_opts options; /* for the leg's target, ascending */
    struct cg_slice payload;
    struct cg_slice client;  /* whose request it is, by name; empty: nobody known */
    const char *account;     /* whose turn it takes, as cg_request_account has it; NULL: the gateway's own, which gives
                                way to all clients' */
    struct cg_ticket origin; /* the same for all that is sent for one request of a client's */
};

struct cg_leg_ops {
    /* The first datagram of it has gone out. */
    void (*sent)(struct cg_engine *engine, struct cg_leg *leg);
    /* An ask may be ended from here, and from `challenge`; a cast may not. */
    void (*answer)(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival);
    /* No answer: the member wants the request again, by unicast, with an Echo value (RFC 9175). It has not acted. */
    void (*challenge)(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival);
    /* What came with its token is no answer. */
    void (*refused)(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                    const struct cg_opened *opened, const char *reason);
    /* It is over and will be freed: with *problem where it did not even go out, else (NULL) nobody has answered. */
    void (*ended)(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem);
    /* A renewal could not go out, for this reason; what it was to renew goes on. Not the place to renew or to end it.
     * NULL where none is made. */
    void (*unsent)(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem);
    /* Somebody there still notifies though the cancellation has gone out, and may have missed it: that may be repeated
     * (RFC 10020 §3.7). Nothing is verified of it. Not the place to end it. NULL: nobody wants to know. */
    void (*stray)(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from);
    /* Whoever is asked has the request, and many answers may follow: of an ask to a next hop. NULL for others. */
    void (*acknowledged)(struct cg_engine *engine, struct cg_leg *leg);
    /* An ask says no more, and still hears; NULL where it never does. */
    void (*rests)(struct cg_engine *engine, struct cg_leg *leg);
    /* Whether anybody still wants an answer; else it is ended soon, and nothing goes out meanwhile. */
    bool (*is_wanted)(const struct cg_leg *leg);
};

/* What is different between casts and asks. */
struct cg_leg_kind {
    enum cg_type type;     /* of its requests */
    enum castgate_via via; /* of its answers */
    /* CG_OK, or why a response with this sending's token cannot be its answer. */
    int (*fits)(const struct cg_leg *leg, const struct cg_sending *sending, const struct cg_datagram *datagram,
                const struct cg_msg *msg);
    /* Whether an acknowledgement may go there before anything is verified. */
    bool (*may_acknowledge)(struct cg_engine *engine, const struct cg_addr *to);
    /* Its datagram is made; or why not. May end it. */
    void (*sealed)(struct cg_engine *engine, struct cg_leg *leg, int err, const struct cg_problem *problem);
    /* An answer or a challenge to this sending. May end it. */
    void (*opened)(struct cg_engine *engine, struct cg_leg *leg, const struct cg_sending *sending,
                   const struct cg_arrival *arrival);
    void (*due)(struct cg_engine *engine, struct cg_timer *timer);
};

/* One message of a leg, as it was sealed. A new one, under other keys or with other options, takes its place; or comes
 * beside it, where the earlier one may still be answered. */
struct cg_sending {
    struct cg_sending *next;      /* the one before it, where the leg waits for both */
    struct cg_token_entry *token; /* held; NULL: none at present */
    struct cg_addr to;
    uint16_t mid;
    uint32_t number;            /* of the leg's sendings: what was promised for another one is not for this */
    struct cg_binding *binding; /* the protector's */
    struct cg_buf datagram;     /* of an earlier one: empty, it is not sent again */
    uint64_t request;           /* its place among all requests; 0: it has not gone out */
    uint64_t sent_us;           /* when it did first */
    uint32_t emissions;         /* how often it did */
    uint32_t opening;           /* answers to it that the protector has not finished opening */
};

struct cg_leg {
    const struct cg_leg_kind *kind;
    const struct cg_leg_ops *ops;
    void *owner;
    struct cg_timer timer;
    struct cg_ticket ticket;
    struct cg_config *config; /* a reference */
    const struct cg_mapping *mapping;
    const struct cg_target *target;
    const struct cg_leg_request *request;
    struct cg_leg *shares;        /* as the order has it */
    struct cg_token_entry *token; /* held: that all of its requests go out on; NULL: each has its own */
    struct cg_sending sending;    /* the latest; its `next` are the earlier ones that it waits for, owned */
    uint32_t numbered;            /* sendings, so far */
    uint32_t opening;             /* answers to any of them that the protector has not finished opening */
    bool hands_on;                /* as the order has it */
    bool settled;                 /* its owner has heard everybody whom it asks: what comes after its end is not late */
};

/* What an owner says of a leg that it wants. */
struct cg_leg_order {
    const struct cg_leg_ops *ops;
    void *owner;
    struct cg_config *config; /* the leg takes a reference */
    const struct cg_mapping *mapping;
    const struct cg_target *target;
    const struct cg_leg_request *request;
    struct cg_arena *arena; /* the owner's: what is to be kept for an answer is charged to it */
    /* Of an ask that follows up a group's observation: the cast's leg, on whose token it asks (RFC 10020 §3.7), and
     * which outlives it. What comes on that token from the asked address is told to the ask first while it runs. NULL:
     * it has a token of its own. */
    struct cg_leg *shares;
    bool hands_on; /* a next hop is asked, which hands on what others answer: each with Reply-From, which stands among
                      an answer's options, whatever protects it */
};

/* For casts and asks */

/* False: no memory. */
bool cg_leg_init(struct cg_engine *engine, struct cg_leg *leg, const struct cg_leg_kind *kind,
                 const struct cg_leg_order *order) CG_MUST_CHECK;
void cg_leg_fini(struct cg_engine *engine, struct cg_leg *leg);
/* Seals its request with these options for the group, or for the one member with this identity (empty: not known).
 * kind->sealed follows, from inside or later. */
void cg_leg_seal(struct cg_engine *engine, struct cg_leg *leg, struct cg_opts options, struct cg_slice identity);
/* Its latest sending is over: what comes back for it finds nothing. The token is kept. */
void cg_leg_drop_sending(struct cg_engine *engine, struct cg_leg *leg);
/* The same for all of its sendings, and their tokens are spent; a token for all of its requests is kept. */
void cg_leg_drop_all(struct cg_engine *engine, struct cg_leg *leg);
/* Its latest sending becomes an earlier one, which may still be answered and is not sent again; the latest is a new one
 * to the same address, without token. False: no memory, and nothing has changed. */
bool cg_leg_begin_another(struct cg_engine *engine, struct cg_leg *leg) CG_MUST_CHECK;
/* Undoes that, for one that has not gone out: the earlier one is the latest again. */
void cg_leg_take_back(struct cg_engine *engine, struct cg_leg *leg);
/* Its latest sending is over, and there is another to make, without token so far. Where all go out on one token, what
 * has gone out is an earlier one now, as what it has registered still notifies; else all are dropped. */
void cg_leg_start_over(struct cg_engine *engine, struct cg_leg *leg);
/* Answers to the earlier ones come as answers to the latest from now on, as they are on one token (protector.h: joins).
 * One whose answer is being opened stays until that is done. */
void cg_leg_drop_earlier(struct cg_engine *engine, struct cg_leg *leg);
/* Gives the latest sending a token. False: no memory. */
bool cg_leg_take_token(struct cg_engine *engine, struct cg_leg *leg) CG_MUST_CHECK;
/* The keys have changed since its request was sealed: it must not go out (R55). */
bool cg_leg_is_stale(const struct cg_leg *leg);
/* Sends its datagram, the first time or again. As the port's emit. */
int cg_leg_emit(struct cg_engine *engine, struct cg_leg *leg, const struct cg_route *route,
                struct cg_problem *problem) CG_MUST_CHECK;

/* For receive.c: which of the leg's sendings that message with that token is an answer to, where several share the
 * token, the latest that has gone out. NULL: nobody can know the token yet. */
struct cg_sending *cg_leg_sending_of(struct cg_leg *leg, const struct cg_token_entry *token, const struct cg_msg *msg);
/* A response to it that fits. */
void cg_leg_receive(struct cg_engine *engine, struct cg_leg *leg, struct cg_sending *sending,
                    const struct cg_datagram *datagram, const struct cg_msg *msg);
void cg_legs_fini(struct cg_engine *engine); /* what was promised to legs that have ended */

#endif
