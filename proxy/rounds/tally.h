/* Who answered a request, and what: one entry a member with its latest answer, and the counts of everything else. */
#ifndef CG_ROUNDS_TALLY_H
#define CG_ROUNDS_TALLY_H

#include "base/lookup.h"
#include "legs/leg.h"
#include "legs/observe.h"
#include "model/answer.h"
#include "model/who.h"
#include "rounds/feed.h"
#include "rounds/watched.h"

#define CG_PAST_MESSAGES 4

struct cg_told_answer;

/* An answer's message that another one came after: whoever sends it again retransmits it. */
struct cg_past_message {
    uint32_t hash;
    uint16_t mid;
};

/* Who has answered, with the latest answer. */
struct cg_held_answer {
    struct cg_answer answer;
    struct cg_slice key; /* who it is from (model/who.h): a credential's hash, or `addr` */
    uint32_t hash;       /* of the key */
    struct cg_addr addr;
    uint8_t *room;            /* the bytes of options, payload and kid */
    size_t room_cap;          /* a further answer that fits is written over the old one */
    uint64_t piv, generation; /* as struct cg_opened's number; where has_piv */
    uint64_t request, order;  /* as struct cg_arrival's */
    bool has_piv;
    struct cg_news news;                 /* its place among what is told */
    struct cg_notification notification; /* the latest, where `answer` is one */
    uint64_t notified_us;                /* and when it said so last */
    uint64_t registered_us;              /* and when it was asked by itself to send notifications, last */
    struct cg_watched watched;           /* the round's, of one that observes */
    uint64_t cached;                     /* the round's: its version in the cache; 0: it is not there */
    uint16_t mid;
    struct cg_past_message past[CG_PAST_MESSAGES]; /* ring */
    uint32_t past_count;
    struct cg_told_answer *told; /* of one that was let go before (told.h); NULL: it was not */
};

/* Somebody's answer that comes in blocks: it is none before it is whole. */
struct cg_awaited {
    UT_hash_handle hh; /* by who.key */
    struct cg_who who;
    const struct cg_arrival *arrival; /* its first block */
    bool holds_place;                 /* among max_answers, as its sender has no answer yet */
};

enum cg_replacement {
    CG_REPLACED_BY_ANSWER,
    CG_REPLACED_BY_NOTIFICATION, /* one notification by another: who has not taken it yet need not */
};

#define CG_REFUSALS_LISTED 64  /* beyond, they are only counted */
#define CG_REFUSALS_KEPT   256 /* with those that are in the list no more */
#define CG_DIAGNOSTIC_MAX  256

struct cg_tally {
    struct cg_arena *arena;
    const struct cg_mapping *mapping;
    struct cg_finish finish;
    uint32_t expected;       /* members known beforehand, of whom answers are waited for */
    struct cg_lookup by_who; /* of struct cg_held_answer */
    struct cg_lookup told;   /* of struct cg_told_answer: whose answers were let go */
    struct cg_answer *answers, **last_answer;
    struct cg_answer **beyond; /* where the first is that may be let go; NULL: so many have not come yet */
    struct cg_answer *spare;   /* memory of such as were */
    uint32_t listed_answers;
    struct cg_refusal *refusals, **last_refusal;
    struct cg_awaited *awaited; /* uthash head; not owned */
    uint8_t *seen;              /* bit per configured member */
    uint8_t *coming;            /* the same, of whose answer the first block has come */
    uint8_t *reached;           /* the same, that a group request has reached: one was answered */
    uint32_t reached_count;
    uint32_t seen_count;
    uint32_t numbered; /* given to answers so far */
    uint32_t places;   /* held for awaited ones */
    uint32_t answered, failed, duplicates, late, rejected;
    uint32_t listed;             /* refusals, ever: each takes memory */
    uint64_t arrivals;           /* so far: their order */
    uint64_t registered_us;      /* all were asked to send notifications, last: what each says first then is newer */
    bool observes;               /* the request does: answers with Observe are notifications */
    uint64_t gone_us;            /* then: whoever was not heard since has let a whole registration pass */
    struct cg_answer *next_gone; /* where such a one is looked for next; NULL: at the first */
    bool limited;                /* an answer was dropped because of a limit */
    bool expects_one;            /* whoever answers is the one that was asked, and may be in no list */
    /* An answer that is held is about to be another one. */
    void (*replacing)(struct cg_tally *tally, struct cg_held_answer *held, enum cg_replacement by);
};

enum cg_tally_result {
    CG_TALLY_NEW,       /* a member's first answer */
    CG_TALLY_NEWER,     /* counted as a duplicate, and kept in place of the earlier one */
    CG_TALLY_NOTIFIED,  /* a notification that is newer, or the word of a member that it sends none any more: kept in
                           place  of the earlier one, and no duplicate */
    CG_TALLY_SAME,      /* counted as a duplicate: it says the same once more, in a message of its own */
    CG_TALLY_BESIDE,    /* counted as a duplicate: an older one that came late, or there is no memory to keep it */
    CG_TALLY_AGAIN,     /* counted as a duplicate: a message that was retransmitted; or what it says is known from the
                           answer to another request of ours for the same */
    CG_TALLY_AWAITED,   /* not counted yet: it comes in blocks */
    CG_TALLY_OVER_CAP,  /* dropped: max_answers or the round's memory */
    CG_TALLY_NO_MEMORY, /* dropped: the gateway's memory */
};

/* False: out of memory. Then `replacing` may be set. */
bool cg_tally_init(struct cg_tally *tally, struct cg_arena *arena, const struct cg_mapping *mapping);
/* Of a request to one of the mapping's members: it ends with that one's answer. */
void cg_tally_expect_one(struct cg_tally *tally);
/* Of a request that observes: it is over by time alone. */
void cg_tally_observe(struct cg_tally *tally);
void cg_tally_fini(struct cg_tally *tally);

/* *held (may be NULL) gets the entry for NEW, NEWER, NOTIFIED, SAME, BESIDE and AGAIN. The latest of a member's answers
 * is the one with the highest Partial IV, or where they do not both have one, the one to the latest request, whatever
 * came first; of those to one request the last. Where there is no room in a round that observes, one that is gone, or
 * observed no more, leaves its entry to whoever is NEW. */
enum cg_tally_result cg_tally_add(struct cg_tally *tally, const struct cg_arrival *arrival,
                                  struct cg_held_answer **held);
/* Of an answer whose first block has come. AWAITED: *arrival has its order from now on, what its sender's answer was
 * stays, and no finish rule is met until cg_tally_forgo; *arrival, *awaited and the identity must stay where they are
 * until then.
 * AGAIN, where it is older or its sender has one awaited already, OVER_CAP and NO_MEMORY as above. */
enum cg_tally_result cg_tally_await(struct cg_tally *tally, struct cg_arrival *arrival, struct cg_awaited *awaited);
/* Where the request observes: the one that is awaited from whoever this newer notification is from, which is of no use
 * any more (RFC 7959 §2.6); NULL: none. */
struct cg_awaited *cg_tally_outdated(struct cg_tally *tally, const struct cg_arrival *arrival);
/* It is whole, and is added next; or it never will be. */
void cg_tally_forgo(struct cg_tally *tally, struct cg_awaited *awaited);
/* After an allocation that failed: OVER_CAP or NO_MEMORY. */
enum cg_tally_result cg_tally_drop_for_memory(struct cg_tally *tally, const struct cg_arrival *arrival);
/* `opened` as protector.h has it: of an answer that was not verified what it says is kept, too. */
void cg_tally_refuse(struct cg_tally *tally, const struct cg_addr *from, const struct cg_opened *opened,
                     const char *reason);

/* The same, of an error that whoever has that identity is said to have sent; and the `count` of these are no news any
 * more. */
void cg_tally_refuse_hint(struct cg_tally *tally, const struct cg_addr *from, const struct cg_opened *opened,
                          const char *reason, struct cg_slice identity);
void cg_tally_withdraw_hints(struct cg_tally *tally, struct cg_slice identity, uint32_t count);

uint32_t cg_tally_missing(const struct cg_tally *tally); /* expected members without an answer */
/* The member has answered a group request, whatever else it has. */
void cg_tally_note_reached(struct cg_tally *tally, const struct cg_member *member);
bool cg_tally_has_reached(const struct cg_tally *tally, const struct cg_member *member);
bool cg_tally_has_seen(const struct cg_tally *tally, const struct cg_member *member);
/* Nothing of an answer of this member has come. */
bool cg_tally_is_silent(const struct cg_tally *tally, const struct cg_member *member);
/* How many more answers end it at the least; UINT32_MAX: only time does. */
uint32_t cg_tally_lacks(const struct cg_tally *tally);
/* The finish rule is met: *ended_by gets "all", "quorum" or "count". */
bool cg_tally_is_finished(const struct cg_tally *tally, const char **ended_by);

#endif
