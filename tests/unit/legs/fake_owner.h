/* Whoever wants a leg's answers, and keeps what it is told; and a protector that protects nothing and keeps what it is
 * asked for: what it seals later, or finds stale, when the test says so. */
#ifndef CG_TEST_FAKE_OWNER_H
#define CG_TEST_FAKE_OWNER_H

#include "exchange/fake_world.h"
#include "legs/ask.h"
#include "legs/cast.h"

struct joining {
    struct cg_protector protector;
    unsigned made, released; /* bindings */
    unsigned number;         /* of the latest binding, from 1 */
    unsigned joins;          /* what that was to join; 0: nothing */
    unsigned opened_with;    /* the number of the binding that the latest answer was opened with */
    unsigned stale_up_to;    /* bindings with these numbers are */
    bool seals_later, opens_later;
    uint64_t seal_job, open_job; /* promised last */
};

struct owner {
    struct world *world;
    struct joining keys;
    struct cg_mapping mapping; /* lamps', with these keys */
    struct cg_opt observe;
    struct cg_leg_request request, cancellation;
    bool unwanted, ends_at_answer;
    unsigned sent, answers, challenges, refused, ended, unsent, strays, rests;
    struct cg_problem problem; /* the latest */
    struct cg_arrival arrival; /* the latest; opened is not kept */
    char payload[64];          /* of it */
    char reason[32];           /* of the latest refusal */
    struct cg_leg *told;       /* who spoke last */
};

void owner_init(struct owner *owner, struct world *world);
struct cg_leg_order owner_order(struct owner *owner);
struct cg_engine *owner_engine(const struct owner *owner);

struct cg_cast *owner_cast(struct owner *owner);                          /* out, unless its keys seal later */
struct cg_ask *owner_try_ask(struct owner *owner, struct cg_leg *shares); /* NULL: it could not be made */
struct cg_ask *owner_ask(struct owner *owner, struct cg_leg *shares);     /* of 127.1.0.1 */

/* As world_answer_as, with Observe. */
void notify_as(struct world *world, size_t index, const char *from, enum cg_type type, uint16_t mid,
               const char *payload);
/* What was promised last is sealed now, as the request would be unprotected. */
void seal_now(struct owner *owner, struct cg_slice datagram);

#endif
