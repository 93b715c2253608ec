/* The blocks behind the first one of a large answer (RFC 7959): fetched by an ask to the endpoint that sent the first,
 * or to a next hop that has handed it on, put together, and given to the owner as one answer.
 *
 * Of a notification the others are fetched by requests without Observe, each on a token of its own (§2.6). What has
 * changed by then is fetched in its place, and is that notification, with its Observe value and its number. An owner
 * that hears of a newer one ends the older one's fetch (cg_blocks_fini). */
#ifndef CG_LEGS_BLOCKS_H
#define CG_LEGS_BLOCKS_H

#include "legs/ask.h"

/* How many strangers (ping.h) one owner may have followed beyond their first block. */
#define CG_STRANGERS_MAX 256u

struct cg_blocks;

struct cg_blocks_ops {
    /* blocks->arrival is the whole answer now; charged to nobody any more. */
    void (*whole)(struct cg_engine *engine, struct cg_blocks *blocks);
    /* It never will be. */
    void (*incomplete)(struct cg_engine *engine, struct cg_blocks *blocks, const char *reason);
    /* As a leg's: a datagram that is no answer. */
    void (*refused)(struct cg_engine *engine, struct cg_blocks *blocks, const struct cg_addr *from,
                    const struct cg_opened *opened, const char *reason);
    bool (*is_wanted)(const struct cg_blocks *blocks);
};

/* What has come so far. Embedded in what the owner keeps of it, which must not move. */
struct cg_blocks {
    const struct cg_blocks_ops *ops;
    struct cg_ask *ask; /* NULL: none yet, or over */
    struct cg_arena *arena;
    struct cg_arrival arrival; /* of the first block */
    struct cg_opened opened;   /* its payload is `body` once that is whole, the rest is in `head` and `who` */
    struct cg_buf who, head, body;
    struct cg_leg_request request; /* for the others: the plan's, without Observe */
    struct cg_opt *options;        /* its, owned; NULL: the plan's */
    bool is_notification;
    uint32_t observe; /* the value */
    size_t charged;   /* to the arena */
    uint8_t szx;
    uint8_t beginnings; /* so far: what changes meanwhile is fetched from its first block on again */
    bool begins;        /* the first block is asked for */
};

enum cg_blocks_kind { CG_BLOCKS_NONE, CG_BLOCKS_FOLLOW /* its other blocks can be fetched */, CG_BLOCKS_REFUSED };

/* What an answer is by its Block2 option: whole, the first of several, or REFUSED, with *reason: it is no first block,
 * or its method is one that must not be repeated for the others. */
enum cg_blocks_kind cg_blocks_sort(uint8_t method, const struct cg_opened *opened, const char **reason);

/* Keeps the first block, charged to the arena. False: a limit of memory is reached, and nothing is kept. */
bool cg_blocks_init(struct cg_blocks *blocks, const struct cg_blocks_ops *ops, const struct cg_arrival *first,
                    struct cg_arena *arena, size_t answer_max) CG_MUST_CHECK;

/* Of somebody who is neither configured nor verified, so that little is asked there before that is proven. */
bool cg_blocks_are_strange(const struct cg_blocks *blocks, const struct cg_mapping *mapping);

struct cg_blocks_plan {
    struct cg_leg_order order; /* without ops and owner */
    const struct cg_addr *by;  /* a next hop, which is asked for them; NULL: whoever has answered is */
    bool is_known_host;        /* the address is a member's, whatever the port */
    uint32_t *left;            /* requests that the member may still order; not NULL */
    uint32_t *strangers;       /* that the owner has had followed so far */
};

/* Asks for the others. NULL; or the reason why not, and `incomplete` does not come. */
const char *cg_blocks_fetch(struct cg_engine *engine, struct cg_blocks *blocks, const struct cg_blocks_plan *plan);
/* Why it is not whole yet. */
const char *cg_blocks_reason(const struct cg_blocks *blocks);
/* Ends what is under way, without a word. */
void cg_blocks_fini(struct cg_engine *engine, struct cg_blocks *blocks);

#endif
