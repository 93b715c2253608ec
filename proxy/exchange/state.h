/* The gateway's inside, shared by the core's own files only: what an exchange, a cast and an ask are made of. The shell
 * sees gateway.h.
 *
 * Ownership: the gateway owns all three through its slot tables. An exchange owns its subscriptions and its asks. A
 * cast lives as long as it has subscriptions. Nothing here owns anything of an event loop, so freeing is synchronous.
 */
#ifndef CG_EXCHANGE_STATE_H
#define CG_EXCHANGE_STATE_H

#include "base/heap.h"
#include "legs/account.h"
#include "model/allowance.h"
#include "model/budget.h"
#include "exchange/gateway.h"
#include "legs/pace.h"
#include "rounds/tally.h"
#include "reply/sink.h"

/* A deadline with what it does. */
struct cg_timer {
    struct cg_deadline deadline;
    void (*due)(struct cg_gateway *gateway, struct cg_timer *timer);
};

#define CG_TOKEN_LATE_US (500u * 1000000ull) /* how long answers to a spent token count as late */

/* A token in use. */
struct cg_token_entry {
    uint8_t bytes[CG_TOKEN_MAX];
    struct cg_cast *cast; /* one of them */
    struct cg_ask *ask;
    struct cg_stats *stats;
    UT_hash_handle hh;
};

/* One that was: late answers find their mapping's counters through it. */
struct cg_spent_token {
    uint8_t bytes[CG_TOKEN_MAX];
    struct cg_stats *stats; /* NULL: this place of the ring is free */
    uint64_t spent_us;
};

struct cg_tokens {
    struct cg_token_entry *live;       /* uthash head */
    struct cg_token_entry *last_match; /* the next answer is likely the same cast's */
    struct cg_spent_token *spent;      /* owned; a ring by serial number */
    uint32_t spent_size;               /* a power of two; 0: none yet */
    uint32_t serial;                   /* of the next token */
};

enum cg_subscription_state { CG_SUBSCRIPTION_WAITS, CG_SUBSCRIPTION_SENT, CG_SUBSCRIPTION_FAILED };

/* One exchange's share in one cast. */
struct cg_subscription {
    struct cg_exchange *exchange;
    struct cg_cast *cast; /* NULL once it is over */
    struct cg_subscription *next_of_cast;
    uint64_t sent_us; /* when the request went out, or was joined after that */
    enum cg_subscription_state state;
};

enum cg_cast_state { CG_CAST_SEALING, CG_CAST_WAITING, CG_CAST_SENT };

struct cg_cast {
    struct cg_timer timer; /* while SEALING: when to give up; while WAITING: when to look again, or to give up */
    struct cg_ticket ticket;
    struct cg_config *config; /* a reference */
    const struct cg_mapping *mapping;
    const struct cg_target *target;
    struct cg_addr group; /* the target's when the cast began: its name may stand for another one meanwhile */
    struct cg_token_entry *token;
    struct cg_subscription *subscriptions;
    struct cg_binding *binding; /* the protector's */
    struct cg_buf datagram;     /* sealed, until sent */
    struct cg_pace *pace;
    struct cg_cast *next_waiting;
    struct cg_cast *previous, *next; /* of all casts */
    uint64_t give_up_us;
    uint64_t sent_us;
    uint64_t request; /* its place among all requests, once it went out */
    uint32_t shape;   /* hash of method, options, payload: equal safe requests may share */
    struct cg_buf shape_bytes;
    uint32_t opening; /* answers that the protector has not finished opening */
    uint16_t mid;
    enum cg_cast_state state;
    bool expects_answers;
    bool is_safe;     /* GET, FETCH */
    bool is_outdated; /* something unsafe has gone to its group since: later requests may see what that changed */
    bool outstanding; /* counted in pace */
    bool answered;
};

/* How long a request may wait for its turn: twice as long as its client waits for answers, so that an equally patient
 * one before it, which nobody answers, does not use up the wait. */
static inline uint64_t cg_longest_wait(uint64_t timeout_us) {
    return 2 * (timeout_us > 1000000 ? timeout_us : 1000000);
}

enum cg_ask_purpose {
    CG_ASK_MEMBER, /* a known member that is silent, or the only one */
    CG_ASK_ECHO,   /* a member that wants to see that the request is fresh (RFC 9175) */
    CG_ASK_BLOCKS, /* the blocks behind the first */
};

#define CG_ECHO_MAX 40 /* RFC 9175 §2.2.1 */

struct cg_ask {
    struct cg_timer timer; /* retransmission */
    struct cg_ticket ticket;
    struct cg_exchange *exchange;
    struct cg_ask *next; /* of the exchange */
    enum cg_ask_purpose purpose;
    struct cg_addr to;
    const struct cg_target *target;
    struct cg_slice
        identity; /* of the member, where it is known by its credential; in the snapshot or the exchange's arena */
    struct cg_opts options;       /* of every request of it, but for Echo and Block2; in the arena */
    struct cg_opt *room;          /* for them with these two; in the arena */
    uint8_t echo[CG_ECHO_MAX];    /* what the member wants to see in the request */
    uint8_t echo_len;             /* 0: nothing */
    struct cg_endpoint *endpoint; /* where it waits or flies; NULL: not yet */
    struct cg_ask *previous_at_endpoint, *next_at_endpoint;
    size_t charged;   /* bytes, while it flies: its share of what may be under way */
    bool is_stranger; /* neither configured nor verified: see ping.h */
    bool flies;       /* its request is made, and the response may still come; what follows is set then */
    bool is_expected; /* its response, so that it counts for NSTART and `charged` is its own */
    struct cg_token_entry *token;
    struct cg_binding *binding; /* the protector's */
    struct cg_buf datagram;
    struct cg_blocks *blocks; /* BLOCKS: what has come so far (blocks.c) */
    uint64_t request;         /* the latest one's place among all requests */
    uint8_t attempts;
    uint64_t timeout_us;
    uint16_t mid;
    uint32_t opening;  /* answers that the protector has not finished opening */
    bool acknowledged; /* an empty ACK came: the answer follows */
};

struct cg_endpoint;

/* See ping.h. */
struct cg_ping_host {
    struct cg_addr addr; /* key: port 0 */
    struct cg_allowance pings;
    UT_hash_handle hh;
};

struct cg_pings {
    struct cg_ping_host *hosts; /* uthash head: those whose bucket may not be full */
    struct cg_allowance all;
};

/* See reach.h. */
#define CG_REACH_HOSTS 1024
struct cg_reach {
    struct cg_allowance questions; /* about links, that may be asked now */
    struct cg_reached {
        struct cg_addr host; /* port 0 */
        uint64_t until_us;   /* when to find out again */
        bool may_hear;
    } hosts[CG_REACH_HOSTS]; /* each in the place of its hash */
};

/* See endpoint.h. */
struct cg_endpoints {
    struct cg_endpoint *by_addr;   /* uthash head */
    struct cg_endpoint *ripe;      /* utlist: rows that have a free place */
    struct cg_endpoint *starved;   /* utlist: rows that wait for room in ... */
    struct cg_timer fed;           /* when to look at those again */
    struct cg_allowance strangers; /* requests to strangers that may go out now */
    size_t sealed_bytes;           /* ... these: unicast requests that are under way */
};

enum cg_step {
    CG_STEP_ADMIT,
    CG_STEP_LOOK,
    CG_STEP_CAST,
    CG_STEP_GATHER,
    CG_STEP_REPAIR,
    CG_STEP_DRAIN,
    CG_STEP_REPLY,
};

struct cg_exchange {
    struct cg_timer timer;
    struct cg_ticket ticket;
    struct cg_arena arena;
    struct cg_config *config; /* a reference */
    struct cg_sink *sink; /* owned from the start of the exchange to the sink's end, which is said once; else NULL */
    struct cg_request request;
    struct cg_problem problem;
    const struct cg_mapping *mapping;
    struct cg_slice rest; /* of the path, behind the mapping's */
    struct cg_usage *usage;
    struct cg_tally tally;
    struct cg_subscription *subscriptions; /* one a target */
    size_t subscription_count;
    struct cg_ask *asks;
    uint32_t asks_running;
    struct cg_share *shares; /* uthash head */
    uint32_t strangers;      /* that it has followed beyond their first answer */
    uint8_t *challenged;     /* bit per configured member: its challenge was answered; NULL: nobody's was */
    size_t next_silent;      /* index of the member that REPAIR asks next */
    struct cg_exchange *previous_awake, *next_awake;
    uint64_t started_us;
    uint64_t sent_us;     /* the last of its group requests; 0: none yet */
    uint64_t ended_us;    /* end of collecting */
    uint64_t timeout_us;  /* how long to collect */
    uint64_t deadline_us; /* 0: not set yet */
    uint64_t repair_us;   /* when silent members are asked */
    uint64_t joined_us;   /* how long before it one of its group requests had gone out, at most; 0: after it */
    uint64_t drops_before;
    const char *ended_by;
    char id[CG_EXCHANGE_ID_MAX];
    enum cg_step step;
    bool started;
    bool awake;     /* in the queue */
    bool abandoned; /* the client left */
    bool withdrawn; /* the gateway left the group */
    bool tallying;  /* tally is initialised */
    bool hurried;   /* to be ended now with what there is */
    bool unicast;   /* a single known member: asked, not cast to (R6) */
    bool asked;     /* it was its turn to be asked */
    bool telling;   /* the sink has begun, and takes answers as they come */
    bool cut;       /* it takes nothing more before it has heard all */
    struct cg_gateway *gateway;
    struct cg_held_answer *unsent; /* answers that the sink has yet to hear of, in order */
    struct cg_held_answer **last_unsent;
    uint64_t drain_us; /* when the rest must be taken; 0: collecting goes on */
};

/* What a promised result of a protector belongs to. */
struct cg_job {
    struct cg_ticket cast, ask; /* one of them */
    bool opens;                 /* an answer; else the sealing of the request */
    uint16_t mid;               /* of the ask's request at that time */
    struct cg_addr from;
    uint64_t arrival_us;
    bool owes_ack; /* for a group request's Confirmable answer, once it is verified */
    uint16_t ack_mid;
};

struct cg_gateway {
    const struct cg_port *port;
    struct cg_config *config; /* a reference */
    uint64_t now_us;          /* of the current or latest call */
    struct cg_heap deadlines;
    struct cg_slots exchanges, casts, asks, jobs;
    struct cg_job *spare_job; /* made beforehand, so that an answer that is opened at once costs no allocation */
    uint64_t spare_number;
    struct cg_exchange *awake; /* list of those whose step is to run */
    struct cg_cast *all_casts;
    struct cg_tokens tokens;
    struct cg_endpoints endpoints;
    struct cg_pings pings;
    struct cg_reach reach;
    struct cg_pace_table paces;
    struct cg_budgets budgets;
    struct cg_quota quota;
    struct cg_stats_table stats;
    struct cg_totals totals;
    struct cg_account account; /* of the datagram that is being looked at */
    uint64_t purge_us;         /* when to forget what is no longer needed */
    uint64_t requests;         /* that went out: their order */
    uint16_t next_mid;         /* of group requests: one sequence, as an endpoint may be a member of several groups */
    bool stopping;             /* no new exchanges */
    bool closing;              /* no group request goes out any more */
};

/* gateway.c */
void cg_gateway_set_timer(struct cg_gateway *gateway, struct cg_timer *timer, uint64_t at_us);
void cg_gateway_clear_timer(struct cg_gateway *gateway, struct cg_timer *timer);
void cg_gateway_wake(struct cg_gateway *gateway, struct cg_exchange *exchange); /* its step runs soon */
void cg_gateway_calm(struct cg_gateway *gateway, struct cg_exchange *exchange); /* not any more */
/* The number that the next CG_PENDING will be known by (0: out of memory), and what it then stands for. */
uint64_t cg_gateway_spare_job(struct cg_gateway *gateway);
void cg_gateway_use_job(struct cg_gateway *gateway, const struct cg_job *job);

/* receive.c */
/* To whoever has proven to be there, or is to. */
void cg_gateway_send_empty(struct cg_gateway *gateway, const struct cg_addr *to, enum cg_type type, uint16_t mid);
/* To anybody else: false, and nothing is sent, where that must not be (see reach.h). */
bool cg_gateway_offer_empty(struct cg_gateway *gateway, const struct cg_addr *to, enum cg_type type, uint16_t mid);

/* token.c */
void cg_tokens_init(struct cg_gateway *gateway); /* once the port is set */
void cg_tokens_fini(struct cg_gateway *gateway);
struct cg_token_entry *cg_token_make(struct cg_gateway *gateway, struct cg_stats *stats);       /* NULL: no memory */
struct cg_token_entry *cg_token_find(struct cg_gateway *gateway, const struct cg_token *token); /* NULL: not in use */
void cg_token_spend(struct cg_gateway *gateway, struct cg_token_entry *entry);                  /* frees it */
/* Whose answer that would have been, in time; NULL: no token of ours, or of too long ago. */
struct cg_stats *cg_token_late(const struct cg_gateway *gateway, const struct cg_token *token);
static inline struct cg_token cg_token_of(const struct cg_token_entry *entry) {
    struct cg_token token = {.len = CG_TOKEN_MAX};
    memcpy(token.bytes, entry->bytes, CG_TOKEN_MAX);
    return token;
}

/* cast.c */

/* The group request of `exchange` for one target, as options and payload. */
struct cg_group_request {
    const struct cg_target *target;
    uint8_t method;
    struct cg_opts options;
    struct cg_slice payload;
    bool expects_answers;
};
/* Subscribes to a running cast of the same shape. False: there is none that may be shared. */
bool cg_cast_join(struct cg_gateway *gateway, struct cg_subscription *subscription,
                  const struct cg_group_request *request);
/* Starts a cast for the subscription; failures show in its state, with the exchange's problem set. */
void cg_cast_start(struct cg_gateway *gateway, struct cg_subscription *subscription,
                   const struct cg_group_request *request);
void cg_cast_leave(struct cg_gateway *gateway, struct cg_subscription *subscription); /* the last one ends the cast */
void cg_cast_receive(struct cg_gateway *gateway, struct cg_cast *cast, const struct cg_datagram *datagram,
                     const struct cg_msg *msg);
void cg_cast_sealed(struct cg_gateway *gateway, struct cg_cast *cast, int err, const struct cg_problem *problem);
/* The answer for this job was opened: a Confirmable one that is verified is acknowledged, wherever it is from. */
void cg_cast_acknowledge(struct cg_gateway *gateway, const struct cg_job *job, int err, const struct cg_opened *opened);
/* A datagram with its token is no answer, in none of its exchanges. */
void cg_cast_refuse(struct cg_cast *cast, const struct cg_addr *from, const struct cg_opened *opened,
                    const char *reason);
void cg_cast_opened(struct cg_gateway *gateway, struct cg_cast *cast, const struct cg_addr *from, uint64_t arrival_us,
                    int err, const struct cg_opened *opened);
/* The group has answered, as far as that can be known: where answers are verified, one was. It is no longer silent, and
 * the request no longer outstanding (RFC 10020 §3.6). */
void cg_cast_heard(struct cg_gateway *gateway, struct cg_cast *cast);

/* ask.c */

/* Whether a member that may have had the request already may be given a new one: whoever repeats POST or PATCH acts
 * twice (RFC 10021 §7). What a client has protected is its members' to recognise as a replay. */
bool cg_ask_may_repeat(const struct cg_exchange *exchange);
void cg_ask_member(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_member *member);
/* The request once more, to the member that challenged it, which proves that it has not acted on it. Once a member: who
 * challenges again may have acted on the second request. */
void cg_ask_echo(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                 const struct cg_addr *to, const struct cg_opened *challenge);
void cg_ask_receive(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_datagram *datagram,
                    const struct cg_msg *msg);
void cg_ask_on_empty(struct cg_gateway *gateway, const struct cg_addr *from, uint16_t mid, enum cg_type type);
void cg_ask_sealed(struct cg_gateway *gateway, struct cg_ask *ask, int err, const struct cg_problem *problem);
void cg_ask_opened(struct cg_gateway *gateway, struct cg_ask *ask, uint64_t arrival_us, int err,
                   const struct cg_opened *opened);
void cg_ask_end(struct cg_gateway *gateway, struct cg_ask *ask);

/* blocks.c */

/* Why an answer is not given, by its Block2 option (RFC 7959 §2.2): it is no first block, or its method is one that
 * must not be repeated for the others. NULL: it is whole, or its other blocks can be fetched. */
const char *cg_blocks_refusal(const struct cg_exchange *exchange, const struct cg_opened *opened);
/* Whether others follow, of one that was not refused. */
bool cg_blocks_follow(const struct cg_opened *opened);
/* Fetches the blocks behind the first one, which has come; the answer is added when it is whole (cg_exchange_add), or
 * refused. AWAITED, or what cg_tally_await says. */
enum cg_tally_result cg_blocks_begin(struct cg_gateway *gateway, struct cg_exchange *exchange,
                                     const struct cg_target *target, const struct cg_arrival *first);
/* The answer whose blocks were being fetched is refused; the ask is to be ended. */
void cg_blocks_give_up(struct cg_ask *ask);

/* exchange.c */
void cg_exchange_run(struct cg_gateway *gateway, struct cg_exchange *exchange); /* until it stays or is gone */
/* The name of the client whose request it is; empty: nobody known. */
struct cg_slice cg_exchange_client(const struct cg_exchange *exchange);
/* An answer for one of its casts or asks. `target` is where blocks are asked for. */
void cg_exchange_answer(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                        const struct cg_arrival *arrival, uint64_t arrival_us);
void cg_exchange_refuse(struct cg_exchange *exchange, const struct cg_addr *from, const struct cg_opened *opened,
                        const char *reason);
/* Its time is over, and it waits only for what is still being verified. */
bool cg_exchange_is_due(const struct cg_gateway *gateway, const struct cg_exchange *exchange);
/* The only member is being asked now: its time begins. */
void cg_exchange_asked(struct cg_gateway *gateway, struct cg_exchange *exchange);
/* An answer is whole and in order: the tally and the counters get it, and a sink that has begun hears of it. */
enum cg_tally_result cg_exchange_add(struct cg_gateway *gateway, struct cg_exchange *exchange,
                                     const struct cg_arrival *arrival);
void cg_exchange_free(struct cg_gateway *gateway, struct cg_exchange *exchange);
/* A request that never started, with its problem set: counts, logs and frees it. */
void cg_exchange_refuse_request(struct cg_gateway *gateway, struct cg_exchange *exchange, unsigned status);
/* The request's options for one target: the URI's and the client's, merged in order. */
int cg_exchange_options(struct cg_exchange *exchange, const struct cg_target *target,
                        struct cg_opts *options) CG_MUST_CHECK;

/* tell.c: what an exchange says to its sink */

/* The requests are out. False: the exchange's problem says why the sink cannot begin. */
bool cg_tell_begin(struct cg_gateway *gateway, struct cg_exchange *exchange);
/* Something to tell a sink that has begun; the step that is woken does it. */
void cg_tell_answer(struct cg_gateway *gateway, struct cg_exchange *exchange, struct cg_held_answer *held);
/* Tells a sink that has begun what there is room for. Returns when to look again; the exchange is cut where the sink is
 * closed. */
uint64_t cg_tell_turn(struct cg_gateway *gateway, struct cg_exchange *exchange);
bool cg_tell_is_done(const struct cg_exchange *exchange); /* it has heard all, and has room for the end */
void cg_tell_cut(struct cg_exchange *exchange);           /* it takes too long */
/* The end, as the exchange's problem and `cut` say, which it may set. Returns the sink's status; *summary gets the
 * figures. */
unsigned cg_tell_end(struct cg_gateway *gateway, struct cg_exchange *exchange, struct castgate_summary *summary);
void cg_tell_nobody(struct cg_exchange *exchange); /* the end where nobody listens; nothing where it was said */

#endif
