/* One group request as a whole: its legs (a cast to each target, or one ask where the only member is known, or one is
 * named, or an upload to each member where the request is large), the tally of what comes, and what is asked for beyond
 * (asks.h); shared by whoever asks the same.
 *
 * Who asks is a waiter: it has a deadline of its own, begins a round or joins an equal one, and is woken when there is
 * something to look at. Everything that costs anything happens once in a round, however many wait.
 *
 * Ownership: a round belongs to its waiters and is freed when the last one leaves, or when it has cancelled what it
 * observed. It collects as long as one of them does. Waiters are embedded in what waits. */
#ifndef CG_ROUNDS_ROUND_H
#define CG_ROUNDS_ROUND_H

#include "legs/blocks.h"
#include "legs/cast.h"
#include "model/cause.h"
#include "model/known.h"
#include "model/shelf.h"
#include "rounds/shape.h"
#include "rounds/share.h"
#include "rounds/tally.h"

/* A cast of that age is not joined any more: members may have decided on their leisure already. */
#define CG_JOIN_WINDOW_US 50000u

struct cg_cache;
struct cg_hop_blocks;
struct cg_round;

/* Zero-initialise, then set the first three. */
struct cg_waiter {
    void (*wake)(struct cg_waiter *waiter); /* something has changed; it only schedules a look */
    uint64_t timeout_us;                    /* how long it wants to collect */
    enum cg_finishing finishing;            /* whether the finish rule ends that earlier */
    struct cg_round *round;                 /* NULL: none */
    struct cg_waiter *previous, *next;
    struct cg_reader reader; /* of one that follows: it takes each answer as it comes */
    uint64_t sent_us;        /* the last of the requests went out, or it was joined after that */
    uint64_t deadline_us;    /* 0: not set yet */
    uint64_t joined_us;      /* how long before it one of the requests had gone out, at most; 0: after it */
    uint64_t drops_before;   /* the kernel's, when it began to wait for answers */
    uint32_t drops;          /* its own since then, of whose answers nobody knows; known when it collects no more */
    bool collects;           /* it still wants answers */
    bool cancelled;          /* its client has said that it is enough */
    bool forsaken;           /* nobody will hear what it collects: it leaves soon */
};

/* A next hop in a round that observes: see hop_watch.h. */
struct cg_hop_watch {
    uint32_t observed; /* members behind it, as it says, */
    bool is_lost;      /* which are observed no more: it has not taken a registration, or has ended it */
    bool is_stale;     /* one of them has been silent for too long, so it is registered there once more */
    uint8_t failures;  /* registrations in a row that it has not taken */
    uint64_t due_us;   /* then it is asked anew; 0: it is not lost, or is being asked */
};

enum cg_part_state { CG_PART_WAITS, CG_PART_SENT, CG_PART_FAILED };

/* A round at one target: the owner of its legs there. */
struct cg_part {
    struct cg_round *round;
    const struct cg_target *target;
    const struct cg_leg_request *request;
    const struct cg_leg_request *revalidates; /* the same with entity tags, for the group; NULL: it has none */
    struct cg_cast *cast;                     /* NULL: none, or it has ended */
    struct cg_cast *again;                    /* the second group request, the same way: see again.h */
    struct cg_ask *hop;                       /* of a target that is a next hop's, the same way: see hops.h */
    struct cg_addr hop_addr;                  /* where that is */
    uint32_t hop_s;                           /* for how long one is to collect; */
    uint64_t hop_until_us;                    /* that is until then; 0: it was not asked yet */
    bool hop_is_heard;                        /* it has acknowledged the request, or answered */
    bool hop_is_told;                         /* its silence is */
    struct cg_hop_watch hop_watch;
    enum cg_part_state state;
};

enum cg_round_state {
    CG_ROUND_CASTS,   /* a request waits to go out */
    CG_ROUND_GATHERS, /* all are out that could be */
    CG_ROUND_FAILED,  /* none is: round->problem */
};

/* What is asked for beyond the casts: see asks.h, only.h, silence.h and challenge.h. */
struct cg_repair {
    struct cg_timer timer;    /* when silent members are asked, or the next of them; or the only one */
    struct cg_ask *asks;      /* utlist */
    uint32_t running;         /* of them, those that may say more, of answers in blocks being fetched, and of uploads */
    uint32_t fetching;        /* of those: the answers in blocks, strangers' apart */
    uint32_t apart;           /* of those: strangers' */
    struct cg_timer fetch;    /* when those that wait are gone on with */
    uint8_t *challenged;      /* a set of members: their challenge was answered; NULL: nobody's was */
    struct cg_share *shares;  /* uthash head */
    uint32_t strangers;       /* followed beyond their first block */
    struct cg_problem failed; /* why the latest of them did not go out, where none has yet */
};

/* What is done about silent members: see silence.h. */
enum cg_silent_phase {
    CG_SILENT_NONE,      /* nothing, yet */
    CG_SILENT_LISTENING, /* to what members answer to the group request */
    CG_SILENT_COUNTING,  /* those who are silent, when leisure is over */
    CG_SILENT_WAITING,   /* for the second group request to go out */
    CG_SILENT_LISTENING_AGAIN,
    CG_SILENT_ASKING, /* all who are silent */
    CG_SILENT_DONE,
};

struct cg_round_silence {
    enum cg_silent_phase phase;
    bool repairs;         /* members that may have had the request are asked, too */
    bool is_stuck;        /* until a request of the round has ended */
    uint64_t shortest_us; /* how long the least patient waiter collects that this was planned for */
    uint64_t since_us;    /* the latest group request was out */
    uint64_t until_us;    /* and members that have heard it answer until then */
    uint64_t half_us;     /* while a second one is: then half of the time is over that was left for it and for asking */
    size_t next;          /* index of the member that is looked at next */
    uint64_t again_us;    /* the first of those that were looked at is due then; UINT64_MAX: none is */
    uint32_t count;       /* of those that were looked at and are silent, without those that are out of reach */
    uint8_t *asks;        /* by a member's number, see silence.c; NULL: nobody was asked */
    bool is_to_insist;    /* somebody was asked in vain since they are looked at, and may be asked once more */
    uint8_t *noted;       /* a set of members that have let the group request pass (model/known.h); NULL: nobody has */
};

/* What was seen of the members that have not answered: see evidence.h. */
#define CG_PROBE_REST_US UINT64_C(60000000) /* nobody is asked again before, only to find out why it is silent */
struct cg_evidence {
    uint32_t *of;         /* signs (model/cause.h) by a member's number; NULL: nothing of anybody */
    uint64_t reviewed_us; /* what is known of their addresses and keys was noted last; 0: never */
};

/* A large request on its way to one member. It stays to the round's end: further blocks of the response are asked for
 * with its request. */
struct cg_transfer {
    struct cg_upload upload;
    struct cg_part part;
    struct cg_transfer *previous, *next;
};

/* To whom a large request goes: see large.h. */
struct cg_large {
    struct cg_transfer *transfers; /* utlist */
    size_t next;                   /* index of the member that is looked at next */
    bool begun;
};

/* Who is asked why it is silent: see probe.h. */
struct cg_probing {
    struct cg_timer timer;
    uint64_t until_us;     /* the least patient waiter collects */
    struct cg_probe *list; /* in the arena; NULL: none yet */
    uint8_t count, words;
};

/* Of a round that observes: see watch.h. */
enum cg_watch_phase {
    CG_WATCH_OFF,     /* it does not observe */
    CG_WATCH_ON,      /* somebody waits for it */
    CG_WATCH_CANCELS, /* nobody does: its cancellation goes out */
    CG_WATCH_LINGERS, /* it is out, and may be repeated */
    CG_WATCH_OVER,
};

struct cg_watch {
    struct cg_timer timer;
    enum cg_watch_phase phase;
    uint32_t observed;      /* how many of those who have answered send notifications */
    bool was_observed;      /* somebody, ever */
    bool is_called_off;     /* by its client, who had protected it */
    bool has_other_keys;    /* than it was registered under: that is done anew */
    bool is_registering;    /* all of its members anew, which may be yet to go out */
    bool is_repeated;       /* the cancellation */
    uint8_t failures;       /* registrations in a row that could not go out */
    uint64_t renew_us;      /* when it is registered anew at the latest; 0: it has not been yet */
    uint64_t registered_us; /* its latest registration that who is gone is told by; 0: none */
    uint64_t sweep_us;      /* when somebody may be stale at the earliest */
    uint64_t chased_us;     /* the latest registration for stale members */
    struct cg_answer *next; /* who is looked at next; NULL: the first. So far: */
    uint32_t stale;
    bool is_due;
    uint64_t soonest_us;
    struct cg_held_answer *stale_one;
    struct cg_answer *far; /* where members outside multicast's reach are looked for next; NULL: at the first */
    bool has_told_far;     /* that they are observed no more */
    struct cg_held_answer *held_back; /* whose latest is told later */
    struct cg_leg_request *cancels;   /* one a part, and one more each to repeat it */
    uint64_t until_us;                /* what cancels has gone out by then, or never will */
    uint64_t since_us;                /* it is out */
    struct cg_arena relayed[2];       /* the latest requests of a client that has protected them */
    uint8_t relayed_next;
};

/* What the cache has to do with it: see cached.h. */
struct cg_round_cached {
    struct cg_buf key;         /* cache_key.h; where it keeps */
    uint8_t *anew;             /* a set of members that are asked once more without entity tags; NULL: nobody is */
    uint64_t tag;              /* of the answers in the tally; where has_tag */
    bool keeps;                /* its answers are kept */
    bool serves;               /* it may be answered by what is kept */
    bool changes;              /* what is kept may not be so any more */
    bool is_served;            /* all that its client gets was kept */
    struct cg_served *kept_as; /* where it is kept for the next who asks; NULL: nowhere */
    bool is_told, has_tag;     /* the tag was found out for the tally as it is; there is one */
};

/* An answer of which the first block has come. */
struct cg_partial {
    struct cg_blocks blocks;
    struct cg_round *round;
    struct cg_part *part;         /* that it is an answer to */
    struct cg_hop_blocks *by_hop; /* of one that came by a next hop: owned; NULL: it did not */
    bool is_apart;                /* a stranger's (legs/ping.h), which takes nobody's room */
    bool waits;                   /* for room, to be asked for the other blocks */
    struct cg_partial *next_waiting;
    struct cg_awaited awaited;
    struct cg_partial *previous, *next;
};

struct cg_round {
    UT_hash_handle hh; /* by shape, among those that are open */
    struct cg_rounds *rounds;
    struct cg_round *previous, *next; /* of all */
    struct cg_waiter *waiters;        /* utlist: those who have not left */
    uint32_t collecting, forsaken;    /* how many of them collect, and of these nobody hears */
    uint32_t by_time;                 /* how many of those that collect do so for all of their time */
    struct cg_arena arena;
    struct cg_config *config; /* a reference */
    const struct cg_mapping *mapping;
    /* Asked by unicast, nothing is cast: the client named it, or it is the only one (R6). NULL: the groups are. */
    const struct cg_member *only;
    struct cg_addr only_at; /* where it is asked */
    bool only_is_stranger;  /* neither configured nor verified: somebody is to prove first to be there */
    struct cg_part *parts;  /* one a target */
    size_t part_count;
    struct cg_buf shape;
    struct cg_timer held; /* set while it waits to be cast, so that others may join it: see burst.h */
    uint64_t burst_key;   /* 0: it is not shared */
    struct cg_tally tally;
    struct cg_feed feed; /* to those who follow */
    struct cg_repair repair;
    struct cg_round_silence silent;
    struct cg_evidence evidence;
    struct cg_probing probing;
    struct cg_large large;
    struct cg_watch watch;
    struct cg_round_cached cached;
    struct cg_partial *partials;      /* utlist */
    struct cg_partial *waiting;       /* of them the first that waits, and ... */
    struct cg_partial **last_waiting; /* ... where the next is put */
    struct cg_shelf shelf;            /* what was made of the tally as it is */
    struct cg_problem problem;        /* why it failed, or ends */
    const char *ended_by;             /* where it has ended for all of its waiters */
    uint64_t departures;              /* of the gateway from groups, before it began */
    uint64_t sent_us;                 /* the last of its requests; 0: none yet */
    uint64_t deadline_us;             /* of the most patient of its waiters; 0: none yet */
    enum cg_round_state state;
    uint8_t method;
    bool by_unicast; /* nothing is cast: its members are asked one by one */
    bool is_large;   /* in blocks, to one member after the other */
    bool in_blocks;  /* an answer has come so */
    bool is_open;    /* in the table of those that may be joined */
    bool asked;      /* it was its turn to be asked */
    bool gave_up;    /* the one member that its client named will not answer any more */
    bool closed;     /* it collects nothing more */
    bool verifying;  /* a waiter whose time is over waits only for what is still being verified */
    bool roused;     /* all have been woken, and nobody has looked since */
};

/* A leg for one of its targets, without ops; the part is its owner. */
static inline struct cg_leg_order cg_part_order(struct cg_part *part) {
    struct cg_round *round = part->round;
    return (struct cg_leg_order){
        .owner = part,
        .config = round->config,
        .mapping = round->mapping,
        .target = part->target,
        .request = part->request,
        .arena = &round->arena,
    };
}

/* It registers as an observer at its members, and hears on. */
static inline bool cg_round_observes(const struct cg_round *round) { return round->tally.observes; }

#define CG_BURSTS 1024

/* The latest of equal group requests: see burst.h. */
struct cg_burst {
    uint64_t key;              /* 0: none */
    struct cg_round *round;    /* while it collects */
    uint64_t sent_us, changes; /* of one that does not any more */
    uint32_t moment_us;        /* for which the next one waits after it */
    bool shared;               /* several have asked for it */
};

#define CG_SERVED 64

/* One that was served from the cache: see served.h. */
struct cg_served {
    struct cg_waiter keeper; /* with its round; NULL: nothing is kept here */
    struct cg_timer timer;
    struct cg_rounds *rounds;
    struct cg_buf key; /* what was asked */
    struct cg_cache_set *set;
    uint64_t set_changed; /* and, of the set, `changed`; */
    uint64_t changes;     /* so it was when the cache's were so many */
    uint64_t until_us;
    size_t charged; /* to the cache */
};

/* All rounds of a gateway. */
struct cg_rounds {
    struct cg_engine *engine;
    struct cg_quota *quota;   /* of memory, shared; outlives the rounds */
    struct cg_heards *heards; /* of the gateway: who has answered */
    struct cg_knowns *knowns; /* of the gateway: what is known of members */
    struct cg_cache *cache;   /* of the gateway; NULL: nothing is kept */
    struct cg_round *open;    /* uthash head */
    struct cg_round *all;     /* utlist */
    uint32_t observations;    /* of them, those that observe and that somebody waits for */
    uint32_t cancelling;      /* those whose cancellation has yet to go out */
    struct cg_burst bursts[CG_BURSTS];
    struct cg_served served[CG_SERVED];
    struct cg_buf asked;     /* the key of what is looked for there */
    struct cg_round *unseen; /* of them, the first that has not heard of a group that was left; NULL: all have */
};

static inline struct cg_engine *cg_round_engine(const struct cg_round *round) { return round->rounds->engine; }

/* Requests that a round has under way at once, and how many of these silent members leave to answers in blocks, where
 * there are any: who is asked because it is silent may be silent for long. */
#define CG_ASKS_AT_ONCE    32
#define CG_ASKS_FOR_BLOCKS 8

static inline uint32_t cg_round_requests(const struct cg_round *round) {
    return round->repair.running - round->repair.apart;
}

static inline bool cg_round_has_room(const struct cg_round *round) {
    return cg_round_requests(round) < CG_ASKS_AT_ONCE;
}

static inline bool cg_round_has_room_for_silent(const struct cg_round *round) {
    uint32_t most = round->partials == NULL ? CG_ASKS_AT_ONCE : CG_ASKS_AT_ONCE - CG_ASKS_FOR_BLOCKS;
    bool is_first = round->waiting == NULL;
    return is_first && cg_round_has_room(round) && cg_round_requests(round) - round->repair.fetching < most;
}

/* Whether members that may have had its request may be given another one. */
static inline bool cg_round_may_repeat(const struct cg_round *round) {
    return cg_may_repeat(round->mapping, round->method);
}

/* What observes may go on for longer than 32 bits count. */
static inline uint32_t cg_whole_ms(uint64_t us) { return us / 1000 < UINT32_MAX ? (uint32_t)(us / 1000) : UINT32_MAX; }

/* The arrival with its time after `sent_us`, which is what its owner counts from. */
static inline struct cg_arrival cg_arrival_after(const struct cg_arrival *arrival, uint64_t sent_us) {
    struct cg_arrival timed = *arrival;
    timed.ms = cg_whole_ms(arrival->arrival_us > sent_us ? arrival->arrival_us - sent_us : 0);
    return timed;
}

/* Joins an equal round, or begins one. CG_E_NO_MEMORY, CG_E_BAD_URI with *problem. */
int cg_round_enter(struct cg_rounds *rounds, const struct cg_wish *wish, struct cg_waiter *waiter,
                   struct cg_problem *problem) CG_MUST_CHECK;
/* How far its round is, to be asked whenever the waiter was woken. */
enum cg_round_state cg_round_look(const struct cg_waiter *waiter);
/* From a round that gathers: from now on the waiter takes each answer that comes in its time, those that are there
 * included; waiter->reader.untold is the next. */
enum cg_following {
    CG_FOLLOW_ANSWERS,
    CG_FOLLOW_REFUSALS,   /* the answers, and those that may not be passed on */
    CG_FOLLOW_BEGINNINGS, /* the answers, and the first blocks of those that come in blocks, before they are whole */
};
void cg_round_follow(struct cg_waiter *waiter, enum cg_following following);

enum cg_waiter_patience { CG_WAITER_PATIENT, CG_WAITER_HURRIED /* it takes what there is now */ };

/* Whether collecting goes on for the waiter. True: until *again_us at the most; false: *ended_by and *problem (err 0:
 * none) say why not. */
bool cg_round_collects(struct cg_waiter *waiter, enum cg_waiter_patience patience, uint64_t *again_us,
                       const char **ended_by, struct cg_problem *problem);
/* The waiter collects no longer, and still looks at what there is; the last one ends all that is under way. */
void cg_round_stop(struct cg_waiter *waiter);
void cg_round_leave(struct cg_waiter *waiter); /* no effect where it waits for none */
/* Of one that follows: it takes all that is there once more. */
void cg_round_begin_again(struct cg_waiter *waiter);
/* For told.h: nobody joins it any more. */
void cg_round_close_door(struct cg_round *round);
/* For watch.h: it is freed, unless somebody still looks at it. */
void cg_round_bury(struct cg_round *round);
/* Frees those that nobody waits for, at the gateway's end. */
void cg_rounds_fini(struct cg_rounds *rounds);
/* Nobody will hear what it collects: nothing more goes out for it, and it leaves soon. */
void cg_round_forsake(struct cg_waiter *waiter);
/* The gateway has left a group: what runs under its protector ends with the answers that it has. */
void cg_rounds_withdraw(struct cg_rounds *rounds);
/* Tells some rounds of it. True: there are more to tell. */
bool cg_rounds_withdraw_turn(struct cg_rounds *rounds);

#endif
