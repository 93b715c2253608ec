/* The inside of this folder: one client request, and the gateway that runs it. Others see gateway.h.
 *
 * Ownership: the gateway owns exchanges through its slots; an exchange is a waiter on its round (rounds/round.h) and
 * has a sink until it has said the end to it. */
#ifndef CG_EXCHANGE_EXCHANGE_H
#define CG_EXCHANGE_EXCHANGE_H

#include "exchange/gateway.h"
#include "exchange/progress.h"
#include "model/budget.h"
#include "model/heard.h"
#include "reply/sink.h"
#include "rounds/cache.h"
#include "rounds/round.h"

enum cg_step {
    CG_STEP_ADMIT,
    CG_STEP_LOOK,
    CG_STEP_CAST,
    CG_STEP_GATHER,
    CG_STEP_DRAIN,
    CG_STEP_REPLY,
};

struct cg_exchange {
    struct cg_gateway *gateway;
    struct cg_timer timer;
    struct cg_ticket ticket;
    struct cg_arena arena;    /* the request's bytes */
    struct cg_config *config; /* a reference */
    struct cg_sink *sink; /* owned from the start of the exchange to the sink's end, which is said once; else NULL */
    struct cg_request request;
    struct cg_problem problem;
    const struct cg_mapping *mapping;
    struct cg_slice rest;           /* of the path, behind the mapping's */
    const struct cg_member *member; /* that the path names; NULL: none, the mapping's groups are meant */
    bool member_is_stranger;        /* nobody has configured or verified it: it has answered, that is all */
    struct cg_addr member_at;       /* where, if a target URI has named it; family NONE: wherever it is known to be */
    struct cg_usage *usage;
    struct cg_waiter waiter;
    struct cg_exchange *previous_awake, *next_awake;
    uint64_t started_us;
    uint64_t ended_us;                /* end of collecting; 0: not yet */
    uint64_t drain_us;                /* when the rest must be taken; 0: collecting goes on */
    uint32_t missing[CG_CAUSE_COUNT]; /* how many, by cause, when its end was told */
    const char *ended_by;
    char id[CG_EXCHANGE_ID_MAX];
    enum cg_step step;
    bool is_reserved; /* an alert has made it */
    bool started;
    bool awake;     /* in the queue */
    bool abandoned; /* the client left */
    bool hurried;   /* to be ended now with what there is */
    bool telling;   /* the sink has begun, and takes answers as they come */
    bool cut;       /* it takes nothing more before it has heard all */
    bool lost;      /* its right, by other settings or beyond its budget: `problem` says which */
};

struct cg_gateway {
    struct cg_engine engine;
    struct cg_rounds rounds;
    struct cg_config *config; /* a reference */
    struct cg_slots exchanges;
    uint32_t reserved;         /* of them: those that alerts have made */
    struct cg_exchange *awake; /* utlist: those whose step is to run */
    struct cg_budgets budgets;
    struct cg_quota quota;
    struct cg_stats_table stats;
    struct cg_heards heards;
    struct cg_knowns *knowns;
    struct cg_cache cache;
    struct cg_totals totals;
    uint32_t observers;    /* of the exchanges, those whose clients observe */
    uint32_t unseen;       /* places of exchanges that the latest settings were not compared with yet */
    int64_t wall_s;        /* Unix time, as it was told last: tokens that have expired by then are none */
    int64_t expiry_s;      /* when the first of the tokens expires that something runs by, or earlier */
    uint64_t purge_us;     /* when to forget what is no longer needed, the next time */
    struct cg_timer purge; /* runs while that is not done with */
    struct cg_exchange_hearer *hearers;
    bool stopping; /* no new exchanges */
};

/* gateway.c */
void cg_gateway_wake(struct cg_exchange *exchange); /* its step runs soon */
void cg_gateway_calm(struct cg_exchange *exchange); /* not any more */

/* exchange.c */
void cg_exchange_init(struct cg_gateway *gateway, struct cg_exchange *exchange); /* once it has a ticket */
void cg_exchange_run(struct cg_exchange *exchange);                              /* until it stays or is gone */
void cg_exchange_free(struct cg_exchange *exchange);
/* One more request of its client's: CG_OK, or its problem says that it is beyond the budget. */
int cg_exchange_take_budget(struct cg_exchange *exchange) CG_MUST_CHECK;
/* A request that never started, with its problem set: counts, logs and frees it. */
void cg_exchange_refuse(struct cg_exchange *exchange, unsigned status);

/* progress.c */
/* It is over: its line in the log, and a word to the hearers. `status` as cg_exchange_log has it. */
void cg_exchange_say_over(const struct cg_exchange *exchange, unsigned status);

/* log.c */
bool cg_exchange_hides_members(const struct cg_exchange *exchange);
/* How many bytes of its request's path tell of no member that is hidden. */
size_t cg_exchange_shown_path(const struct cg_exchange *exchange);
/* Its line in the log, at its end. `status`: HTTP's; 0: the client left before it had one. */
void cg_exchange_log(const struct cg_exchange *exchange, unsigned status);

/* tell.c: what an exchange says to its sink */

void cg_tell_look(const struct cg_exchange *exchange, struct cg_view *view);
/* The requests are out. False: the exchange's problem says why the sink cannot begin. */
bool cg_tell_begin(struct cg_exchange *exchange);
/* Tells a sink that has begun what there is room for. Returns when to look again; the exchange is cut where the sink is
 * closed. */
uint64_t cg_tell_turn(struct cg_exchange *exchange);
bool cg_tell_is_done(const struct cg_exchange *exchange); /* it has heard all, and has room for the end */
void cg_tell_cut(struct cg_exchange *exchange);           /* it takes too long */
/* The end, as the exchange's problem and `cut` say, which it may set. Returns the sink's status; *summary gets the
 * figures. */
unsigned cg_tell_end(struct cg_exchange *exchange, struct castgate_summary *summary);
void cg_tell_nobody(struct cg_exchange *exchange); /* the end where nobody listens; nothing where it was said */

#endif
