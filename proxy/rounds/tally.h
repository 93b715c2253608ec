/* Who answered an exchange, and what: one entry a member with its latest answer, and the counts of everything else. */
#ifndef CG_ROUNDS_TALLY_H
#define CG_ROUNDS_TALLY_H

#include "legs/protector.h"
#include "model/who.h"

struct cg_held_answer {
    UT_hash_handle hh;   /* by key; iteration in order of first arrival */
    struct cg_slice key; /* who it is from (model/who.h): a credential's hash, or `addr` */
    struct cg_addr addr;
    struct cg_addr from;            /* where the latest came from */
    const struct cg_member *member; /* configured; NULL: not known beforehand */
    struct cg_slice options;        /* encoded */
    struct cg_slice payload;
    struct cg_slice kid;
    uint8_t *room;            /* the bytes of options, payload and kid */
    size_t room_cap;          /* a further answer that fits is written over the old one */
    uint64_t piv, generation; /* as struct cg_opened's number; where has_piv */
    uint64_t request, order;  /* as struct cg_arrival's */
    uint32_t ms;
    uint32_t number; /* from 1, in order of first arrival */
    uint8_t code;
    uint8_t verified;
    uint8_t via;
    bool has_kid;
    bool has_piv;
    bool unsent; /* in its exchange's list of answers that the sink has yet to hear of */
    struct cg_held_answer *next_unsent;
};

/* Somebody's answer that comes in blocks: it is none before it is whole. */
struct cg_awaited {
    UT_hash_handle hh; /* by who.key */
    struct cg_who who;
    bool holds_place; /* among max_answers, as its sender has no answer yet */
};

struct cg_refusal {
    struct cg_refusal *next;
    struct cg_addr from;
    struct cg_slice kid;
    struct cg_slice gid;
    struct cg_slice diagnostic; /* text of an answer that was not protected (RFC 7252 §5.5.2), its beginning */
    uint8_t code;               /* of such an answer; 0: none */
    const char *reason;         /* static */
};

#define CG_REFUSALS_LISTED 64 /* beyond, they are only counted */
#define CG_DIAGNOSTIC_MAX  256

struct cg_tally {
    struct cg_arena *arena;
    const struct cg_mapping *mapping;
    struct cg_held_answer *answers; /* uthash head */
    struct cg_refusal *refusals, **last_refusal;
    struct cg_awaited *awaited; /* uthash head; not owned */
    uint8_t *seen;              /* bit per configured member */
    uint8_t *coming;            /* the same, of whose answer the first block has come */
    uint32_t seen_count;
    uint32_t numbered; /* given to answers so far */
    uint32_t places;   /* held for awaited ones */
    uint32_t answered, failed, duplicates, late, rejected;
    uint64_t arrivals; /* so far: their order */
    bool limited;      /* an answer was dropped because of a limit */
};

enum cg_tally_result {
    CG_TALLY_NEW,       /* a member's first answer */
    CG_TALLY_AGAIN,     /* counted as a duplicate: the same once more, or an older one that came late */
    CG_TALLY_NEWER,     /* counted as a duplicate, and kept in place of the earlier one */
    CG_TALLY_AWAITED,   /* not counted yet: it comes in blocks */
    CG_TALLY_OVER_CAP,  /* dropped: max_answers or the exchange's memory */
    CG_TALLY_NO_MEMORY, /* dropped: the gateway's memory */
};

/* False: out of memory. */
bool cg_tally_init(struct cg_tally *tally, struct cg_arena *arena, const struct cg_mapping *mapping);
void cg_tally_fini(struct cg_tally *tally);

struct cg_arrival {
    struct cg_addr from;
    uint64_t request; /* that it answers: numbered in the order in which they went out */
    uint64_t order;   /* its place among an exchange's arrivals; 0: the next */
    const struct cg_opened *opened;
    uint32_t ms;
    uint8_t via; /* enum castgate_via */
};

/* *held (may be NULL) gets the entry for NEW, AGAIN and NEWER. The latest of a member's answers is the one with the
 * highest Partial IV, or where they do not both have one, the one to the latest request, whatever came first; of those
 * to one request the last. */
enum cg_tally_result cg_tally_add(struct cg_tally *tally, const struct cg_arrival *arrival,
                                  struct cg_held_answer **held);
/* Of an answer whose first block has come. AWAITED: *arrival has its order from now on, what its sender's answer was
 * stays, and no finish rule is met until cg_tally_forgo; *awaited and the identity must stay where they are until then.
 * AGAIN, where it is older or its sender has one awaited already, OVER_CAP and NO_MEMORY as above. */
enum cg_tally_result cg_tally_await(struct cg_tally *tally, struct cg_arrival *arrival, struct cg_awaited *awaited);
/* It is whole, and is added next; or it never will be. */
void cg_tally_forgo(struct cg_tally *tally, struct cg_awaited *awaited);
/* After an allocation that failed: OVER_CAP or NO_MEMORY. */
enum cg_tally_result cg_tally_drop_for_memory(struct cg_tally *tally, const struct cg_arrival *arrival);
/* `opened` as protector.h has it: of an answer that was not verified what it says is kept, too. */
void cg_tally_refuse(struct cg_tally *tally, const struct cg_addr *from, const struct cg_opened *opened,
                     const char *reason);

uint32_t cg_tally_missing(const struct cg_tally *tally); /* configured members without an answer */
bool cg_tally_has_seen(const struct cg_tally *tally, const struct cg_member *member);
/* Nothing of an answer of this member has come. */
bool cg_tally_is_silent(const struct cg_tally *tally, const struct cg_member *member);
/* How many more answers end it at the least; UINT32_MAX: only time does. */
uint32_t cg_tally_lacks(const struct cg_tally *tally);
/* The finish rule is met: *ended_by gets "all", "quorum" or "count". */
bool cg_tally_is_finished(const struct cg_tally *tally, const char **ended_by);

#endif
