/* Congestion control per group and interface (RFC 10020 §3.6): at most NSTART outstanding group requests, and on
 * average at most PROBING_RATE bytes per second towards a group that answers nothing. Casts that may not go yet wait
 * here in order, the first of them for room at the interface, too (send_budget.h). */
#ifndef CG_LEGS_PACE_H
#define CG_LEGS_PACE_H

#include "base/hash.h"
#include "legs/queue.h"
#include "legs/send_budget.h"
#include "model/allowance.h"
#include "model/config.h"

/* "A given CoAP group" is the address and port; the same ones at another interface are another group. */
struct cg_pace_key {
    struct cg_addr group;
    uint32_t link; /* the interface, as cg_send_link has it */
};

struct cg_pace {
    struct cg_pace_key key;
    uint32_t outstanding;      /* requests whose first answer is still expected */
    struct cg_allowance bytes; /* that may be sent now; refilled at the probing rate, in full by any answer */
    struct cg_queue waiting;   /* casts, by cast->place */
    struct cg_room room;       /* for the first of them */
    uint64_t turn_us;          /* how long one of its requests was outstanding, lately; 0: none was yet */
    uint64_t changes;          /* unsafe requests that went to it: what was asked before may be outdated */
    uint32_t casts;            /* that hold this entry, waiting or not */
    UT_hash_handle hh;
};

struct cg_pace_table {
    struct cg_pace *by_key; /* uthash head */
    struct cg_pace *sweep;  /* where purging goes on */
};

struct cg_pace *cg_pace_get(struct cg_pace_table *table, const struct cg_group_settings *settings,
                            const struct cg_pace_key *key, uint64_t now_us); /* NULL: out of memory */
/* NULL: nothing is remembered of it. */
struct cg_pace *cg_pace_find(const struct cg_pace_table *table, const struct cg_pace_key *key);
/* 0: may go now; else when to look again (UINT64_MAX: when an outstanding request ends). */
uint64_t cg_pace_when(struct cg_pace *pace, const struct cg_group_settings *settings, size_t bytes, uint64_t now_us);
void cg_pace_sent(struct cg_pace *pace, size_t bytes, bool expects_answers);
void cg_pace_answered(struct cg_pace *pace, const struct cg_group_settings *settings); /* any answer of the group */
/* A request is no longer outstanding, which it was for so long. */
void cg_pace_settled(struct cg_pace *pace, uint64_t turn_us);
/* Frees entries that nothing needs any more: looks at so many at the most, and counts them down. True: there are more
 * to look at. */
bool cg_pace_purge(struct cg_pace_table *table, const struct cg_group_settings *settings, uint64_t now_us,
                   size_t *rows);
void cg_pace_fini(struct cg_pace_table *table);

#endif
