/* The tokens of our requests: those in use, by which answers are matched, and those that were, by which late answers
 * are still counted under their mapping (R32). */
#ifndef CG_LEGS_TOKEN_H
#define CG_LEGS_TOKEN_H

#include <string.h>

#include "model/stats.h"
#include "wire/msg.h"

struct cg_engine;
struct cg_leg;

#define CG_TOKEN_LATE_US (500u * 1000000ull) /* how long answers to a spent token count as late */

/* A token in use. Whoever makes or holds one spends it once. */
struct cg_token_entry {
    uint8_t bytes[CG_TOKEN_MAX];
    struct cg_leg *leg; /* that it was made for; NULL: that has ended, and others hold it still */
    struct cg_stats *stats;
    uint32_t holders;
    uint32_t sharers; /* legs that ask on it though it was made for another one (cg_leg_order.shares) */
    bool settled;     /* the leg that has ended was */
    UT_hash_handle hh;
};

/* One that was: late answers find their mapping's counters through it. */
struct cg_spent_token {
    uint8_t bytes[CG_TOKEN_MAX];
    struct cg_stats *stats; /* NULL: this place of the ring is free */
    uint64_t spent_us;
    bool settled; /* its leg was: what comes is a repetition */
};

struct cg_tokens {
    struct cg_token_entry *live;       /* uthash head */
    struct cg_token_entry *last_match; /* the next answer is likely the same leg's */
    struct cg_spent_token *spent;      /* owned; a ring by serial number */
    uint32_t spent_size;               /* a power of two; 0: none yet */
    uint32_t serial;                   /* of the next token */
};

void cg_tokens_init(struct cg_engine *engine); /* once the port is set */
void cg_tokens_fini(struct cg_engine *engine);
struct cg_token_entry *cg_token_make(struct cg_engine *engine, struct cg_stats *stats);       /* NULL: no memory */
struct cg_token_entry *cg_token_find(struct cg_engine *engine, const struct cg_token *token); /* NULL: not in use */
static inline struct cg_token_entry *cg_token_hold(struct cg_token_entry *entry) {
    entry->holders++;
    return entry;
}
/* The leg that it was made for ends, whoever holds it still. */
void cg_token_disown(struct cg_token_entry *entry);
void cg_token_spend(struct cg_engine *engine, struct cg_token_entry *entry); /* the last holder's frees it */
/* Whose answer that would have been, in time; NULL: no token of ours, or of too long ago. */
struct cg_stats *cg_token_late(const struct cg_engine *engine, const struct cg_token *token);
/* Everybody who was asked with it had answered when it was spent: nobody was too late. */
bool cg_token_is_settled(const struct cg_engine *engine, const struct cg_token *token);
static inline struct cg_token cg_token_of(const struct cg_token_entry *entry) {
    struct cg_token token = {.len = CG_TOKEN_MAX};
    memcpy(token.bytes, entry->bytes, CG_TOKEN_MAX);
    return token;
}

#endif
