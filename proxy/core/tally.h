/* Who answered an exchange, and what: one entry a member with its latest answer, and the counts of everything else. */
#ifndef CG_CORE_TALLY_H
#define CG_CORE_TALLY_H

#include "core/protector.h"

struct cg_held_answer {
    UT_hash_handle hh;   /* by key; iteration in order of first arrival */
    struct cg_slice key; /* who it is from (core/who.h): a credential's hash, or `addr` */
    struct cg_addr addr;
    struct cg_addr from;            /* where the latest came from */
    const struct cg_member *member; /* configured; NULL: not known beforehand */
    struct cg_slice options;        /* encoded */
    struct cg_slice payload;
    struct cg_slice kid;
    uint8_t *room;            /* the bytes of options, payload and kid */
    size_t room_cap;          /* a further answer that fits is written over the old one */
    uint64_t piv, generation; /* as struct cg_opened's number; where has_piv */
    uint64_t request;         /* as struct cg_arrival's */
    uint32_t ms;
    uint32_t number; /* from 1, in order of first arrival */
    uint8_t code;
    uint8_t verified;
    uint8_t via;
    bool has_kid;
    bool has_piv;
    bool whole;  /* false while the blocks behind the first are being fetched */
    bool unsent; /* in its exchange's list of answers that a stream has yet to tell */
    struct cg_held_answer *next_unsent;
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
    uint8_t *seen; /* bit per configured member */
    uint32_t seen_count;
    uint32_t numbered; /* given to answers so far */
    uint32_t answered, failed, duplicates, late, rejected;
    uint32_t incomplete; /* held answers whose blocks are still being fetched */
    bool limited;        /* an answer was dropped because of a limit */
};

enum cg_tally_result {
    CG_TALLY_NEW,       /* a member's first answer */
    CG_TALLY_AGAIN,     /* counted as a duplicate: the same once more, or an older one that came late */
    CG_TALLY_NEWER,     /* counted as a duplicate, and kept in place of the earlier one */
    CG_TALLY_OVER_CAP,  /* dropped: max_answers or the exchange's memory */
    CG_TALLY_NO_MEMORY, /* dropped: the gateway's memory */
};

/* False: out of memory. */
bool cg_tally_init(struct cg_tally *tally, struct cg_arena *arena, const struct cg_mapping *mapping);
void cg_tally_fini(struct cg_tally *tally);

struct cg_arrival {
    struct cg_addr from;
    uint64_t request; /* that it answers: numbered in the order in which they went out */
    const struct cg_opened *opened;
    uint32_t ms;
    uint8_t via; /* enum castgate_via */
};

/* *held (may be NULL) gets the entry for NEW, AGAIN and NEWER. The latest of a member's answers is the one with the
 * highest Partial IV, or where they do not both have one, the one to the latest request, whatever came first. */
enum cg_tally_result cg_tally_add(struct cg_tally *tally, const struct cg_arrival *arrival,
                                  struct cg_held_answer **held);
/* Replaces the payload of an answer by the whole body that its blocks gave. False: out of memory, the first block
 * stays. */
bool cg_tally_complete(struct cg_tally *tally, struct cg_held_answer *held, struct cg_slice body);
/* Takes an answer back, as if it had been refused: its blocks did not make a whole. */
void cg_tally_withdraw(struct cg_tally *tally, struct cg_held_answer *held, const char *reason);
/* `opened` as protector.h has it: of an answer that was not verified what it says is kept, too. */
void cg_tally_refuse(struct cg_tally *tally, const struct cg_addr *from, const struct cg_opened *opened,
                     const char *reason);

bool cg_tally_has_seen(const struct cg_tally *tally, const struct cg_member *member);
/* The finish rule is met: *ended_by gets "all", "quorum" or "count". */
bool cg_tally_is_finished(const struct cg_tally *tally, const char **ended_by);

#endif
