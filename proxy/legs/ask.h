/* One unicast Confirmable request to an endpoint (RFC 7252 §4.2): to a member that is silent, that has challenged the
 * group request, or whose answer comes in blocks (blocks.h). It may make several requests one after another, each with
 * a Message ID and protection of its own, and a token of its own unless they observe.
 *
 * Until it is answered it sends MAX_RETRANSMIT + 1 datagrams at most, each after twice the time of the one before; the
 * first wait is the endpoint's measured timeout (rtt.h), times 1 to 1.5. Every second datagram is the one before it
 * once more. The others are new requests where the method is idempotent and we protect it: a member whose answer was
 * lost, or that has meanwhile had requests with higher numbers, takes the same bytes for a replay (RFC 8613 §7.4). So
 * they all are, once many other requests have gone out since. Whichever of them is answered first is the answer.
 *
 * When the last of them has had its time it rests: it says no more, and of what is scarce (places at its address, room
 * for what is repeated) it holds nothing, but answers still count. With short timeouts that is long before a member
 * that works without acknowledging must have answered.
 *
 * One that observes (RFC 7641) rests when it is answered, too, without a word, and hears on until its owner ends it,
 * whether its renewals are answered or not. So does one to a next hop (GCP §8), which many answer.
 *
 * Its owner ends it when it has heard enough, or hears of its end: `ended` with a problem says that nothing went out.
 */
#ifndef CG_LEGS_ASK_H
#define CG_LEGS_ASK_H

#include "legs/leg.h"
#include "wire/block.h"

#define CG_ECHO_MAX 40 /* RFC 9175 §2.2.1 */

/* How long it hears when it has said all that it may. */
enum cg_ask_patience {
    CG_ASK_GIVES_UP,      /* not at all */
    CG_ASK_HEARS_A_WHILE, /* as long as it would have with group.ack_timeout, whatever was measured (RFC 7252 §4.8.2) */
    CG_ASK_HEARS_ON,      /* until its owner ends it */
    CG_ASK_HEARS_MANY,    /* the same, and the first answer is not the last: a next hop is asked, which hands on what
                             many say. Only the same bytes are repeated, as it would ask them anew; an acknowledgement
                             is all that its turn waits for (RFC 7252 §4.7) */
};

struct cg_ask {
    struct cg_leg leg; /* its timer: retransmission */
    struct cg_turn turn;
    struct cg_room room;                              /* for what it sends next */
    struct cg_ask *previous_of_owner, *next_of_owner; /* for a list that the owner keeps, if it does */
    uint64_t begun_us;                                /* the owner's, too: when it began the ask */
    struct cg_arena *arena;                           /* the owner's */
    uint32_t *left;              /* how many more requests it may make, of its member's share; NULL: not counted */
    struct cg_slice identity;    /* of the member, where it is known by its credential */
    uint8_t echo[CG_ECHO_MAX];   /* what the member wants to see in the request; echo_len 0: nothing */
    uint8_t block[CG_BLOCK_MAX]; /* the value of the request's Block2, where it has one */
    uint8_t echo_len, block_len;
    uint8_t challenges_left; /* that may still be answered: one, unless the owner says otherwise */
    bool has_block;
    bool holds_place;  /* the owner's: among those that it counts */
    bool acknowledged; /* an empty ACK came: the answer follows */
    bool is_doubted;   /* datagrams are new requests, as something said that one of them cannot be opened; */
    bool is_prompted;  /* the next one at once, and not because nothing has come */
    bool rests;        /* it says no more */
    bool answered;     /* its latest request, of one that observes; */
    bool observed;     /* one of them so far; or it was acknowledged, with CG_ASK_HEARS_MANY; */
    bool renews;       /* the latest renews or cancels what the one before has registered, and has not gone out yet */
    uint8_t repeats;   /* datagrams after the first */
    unsigned earlier;  /* asks for the same that were in vain: the owner's, and so long it waits from the start */
    enum cg_ask_patience patience; /* the owner's choice */
    uint64_t first_us, timeout_us; /* the first wait, and the present one */
    uint64_t hears_until_us;       /* at least, with CG_ASK_HEARS_A_WHILE */
};

/* Nothing is sent before cg_ask_go. `identity` (empty: not known) stays where it is until the ask has ended. NULL, with
 * *problem: too many, or out of memory. */
struct cg_ask *cg_ask_new(struct cg_engine *engine, const struct cg_leg_order *order, const struct cg_addr *to,
                          struct cg_slice identity, struct cg_problem *problem);
/* The request is to carry this Echo option. False: out of memory, or none may be answered any more. */
bool cg_ask_take_challenge(struct cg_ask *ask, const struct cg_opened *challenge) CG_MUST_CHECK;
/* Has it make its request as soon as its address takes one more. May end the ask. */
void cg_ask_go(struct cg_engine *engine, struct cg_ask *ask);
/* Of one that observes and was answered: a request once more, on its token: `request`, which is the ask's from now on,
 * renews the observation or cancels it. Notifications come as before, meanwhile and afterwards. `sent` or `unsent`
 * follows, from inside or later; where nobody answers what was sent, `rests`. */
void cg_ask_renew(struct cg_engine *engine, struct cg_ask *ask, const struct cg_leg_request *request);
/* Its latest request is over, and there is a further one to make, without that one's Echo. May end the ask. */
void cg_ask_go_on(struct cg_engine *engine, struct cg_ask *ask);
/* From `challenge`: the request is made again with the Echo, or the ask ends, where none is left. */
void cg_ask_answer_challenge(struct cg_engine *engine, struct cg_ask *ask, const struct cg_opened *challenge);
/* Of one that has made its request: it says no more, as if it had said all; `rests` tells its owner, who ends it. */
void cg_ask_rest(struct cg_engine *engine, struct cg_ask *ask);
/* What was refused as `reason` is an error that the member, or anybody, has said unprotected: that it could not open
 * the request (RFC 8613 §8.2, RFC 10021 §7.2, §8.4). */
bool cg_ask_is_hint(const struct cg_leg *leg, const struct cg_opened *opened, const char *reason);
/* From `refused`, at a hint: a new request goes out at once, beside those before, as one of its datagrams; the others
 * are new ones, too, and the timeout begins anew, as the way is open. False: none does. */
bool cg_ask_follow_hint(struct cg_engine *engine, struct cg_ask *ask);
/* Ends it, with a word to its owner, and without one. */
void cg_ask_give_up(struct cg_engine *engine, struct cg_ask *ask);
void cg_ask_end(struct cg_engine *engine, struct cg_ask *ask);
/* For one that has sent nothing, and whose owner waits no longer: why, and when to ask again. */
void cg_ask_say_unsent(struct cg_engine *engine, const struct cg_ask *ask, struct cg_problem *problem);
/* The ask that a leg of this kind is. */
struct cg_ask *cg_ask_of(struct cg_leg *leg);
/* Somebody has proven to be at its address, or need not. */
bool cg_ask_is_proven(const struct cg_ask *ask);

/* Whether a member that may have had the request already may be given a new one: whoever repeats POST or PATCH acts
 * twice (RFC 10021 §7). What a client has protected is its members' to recognise as a replay. */
bool cg_may_repeat(const struct cg_mapping *mapping, uint8_t method);

#endif
