/* A gateway that is a member of a security group, and the group's other members: real keys, the real protector, the
 * real core; time, network, threads and disk are the test's. */
#ifndef FAKE_SIDE_H
#define FAKE_SIDE_H

#include "exchange/fake_world.h"
#include "oscore/fake_group.h"
#include "protectors/fake_pool.h"
#include "group_oscore/group_oscore.h"

enum { LAMPS = FAKE_MEMBERS - 1 }; /* members 1 to 3; member 0 is the gateway */

struct side {
    struct world world;
    struct fake_crypto crypto;
    struct fake_store store;
    struct cg_senders senders;
    struct cg_group_services services;
    struct cg_group_oscore *lamps; /* "/lamps" */
    struct fake_group keys;        /* of the epoch that lamps was set up with */
    struct call call;
    const char *addresses[FAKE_MEMBERS]; /* of the members, in the keys that are set next; NULL: not configured */
};

/* `kind` makes the keys: fake_group_usual, or another. Ready to take requests, but for the sequence numbers: the store
 * waits. Mapping "lamps" knows its members, called lamp-1 to lamp-3, at 127.1.0.1 to 127.1.0.3; it finishes with
 * `finish`. */
typedef void (*side_kind_fn)(struct fake_group *keys, uint8_t tag);
void side_init(struct side *side, side_kind_fn kind, enum cg_finish_rule finish);
void side_fini(struct side *side);

/* Gives a group these keys at once. `without`: a member that is not in them; 0: none. `next` NULL: none. */
void side_set_keys(struct side *side, struct cg_group_oscore *group, const struct fake_group *current, int without,
                   const struct fake_group *next);

/* A member, with its Security Context. */
struct lamp {
    struct cg_oscore_context *context;
    struct fake_group keys;
    int number; /* 1 to 3 */
    uint64_t next;
};

void lamp_init(struct lamp *lamp, const struct fake_group *keys, int number);
void lamp_fini(struct lamp *lamp);

/* What a member makes of a request, and says to it. */
struct reception {
    struct cg_oscore_binding binding;
    struct cg_token token;
    struct cg_msg plain; /* valid until the next one */
};

/* How it answers: all zero is the first answer, in group mode, as the standard has it. */
struct style {
    bool pairwise, numbered, with_kid_context;
    uint64_t number; /* 0: the lamp's next */
    uint8_t code;    /* 0: 2.05 */
    enum cg_type type;
    const struct cg_opts *options;
};

/* Opens the emission, which must verify (R23). */
struct reception lamp_receive(struct lamp *lamp, const struct emission *emission);
/* Tries to: CG_OK, or why not. */
int lamp_try(struct lamp *lamp, const struct emission *emission);

struct answer_bytes {
    uint8_t data[2048];
    size_t len;
};

struct answer_bytes lamp_seal(struct lamp *lamp, const struct reception *to, const char *payload, struct style style);
void side_deliver(struct side *side, int from, const struct answer_bytes *answer); /* from 127.1.0.FROM:5683 */

/* Starts GET /lamps/x and brings it out: number, signature, emission. Returns the emission's index. */
size_t side_get(struct side *side);
/* Whatever waits for threads ends, in order; then the gateway runs. */
void side_settle(struct side *side);
/* The reply as JSON text, after the time is up or the answers are complete. */
const char *side_reply(struct side *side);
/* How many times `part` is in the text. */
unsigned count_of(const char *text, const char *part);

#endif
