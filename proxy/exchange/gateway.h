/* The functional core as one object: the exchanges, what they wait for, and the queue of those whose step is to run.
 * It has no socket, no clock and no thread: the shell calls it with the time, tests call it with any time they like.
 *
 * Calls come from one thread. start, abandon and receive only change state and enqueue; run does what is due and is
 * the only call that talks to sinks. */
#ifndef CG_EXCHANGE_GATEWAY_H
#define CG_EXCHANGE_GATEWAY_H

#include "base/slots.h"
#include "legs/port.h"
#include "model/request.h"
#include "model/stats.h"

struct cg_engine;
struct cg_gateway;
struct cg_knowns;
struct cg_sink;

#define CG_EXCHANGE_ID_MAX 17 /* 16 hexadecimal digits and NUL */

/* Takes a reference to the snapshot. The port must outlive the gateway. NULL: out of memory. */
struct cg_gateway *cg_gateway_new(struct cg_config *config, const struct cg_port *port);
/* Frees all that is running, without a word to clients. */
void cg_gateway_free(struct cg_gateway *gateway);

/* New requests use the new snapshot from now on, whose mappings all have their protector; running exchanges keep theirs
 * (R4), but for those whose mapping, client, client's token or certificate, or grant is gone: they end within a second
 * (model/withdrawal.h). Costs the same whatever is in it and whatever runs. */
void cg_gateway_adopt(struct cg_gateway *gateway, struct cg_config *config);
/* It is that late (Unix time): what runs by tokens that have expired ends soon. For whoever has a clock, again and
 * again; it costs something only when some token has expired. What a client shows anew is judged by its front. */
void cg_gateway_expire(struct cg_gateway *gateway, int64_t now_s);
struct cg_config *cg_gateway_config(const struct cg_gateway *gateway); /* the current one, borrowed */

/* A request in three moves: `new` reserves an exchange and gives its arena for the request's bytes; the front fills in
 * *request; `start` sets it off (or `refuse` or `abandon` gives it up). CG_E_OVERLOAD when the table is full or the
 * gateway is stopping. */
int cg_gateway_new_exchange(struct cg_gateway *gateway, struct cg_ticket *ticket,
                            struct cg_problem *problem) CG_MUST_CHECK;
/* The same for a request that an alert makes: CG_RESERVED_EXCHANGES of these run beside as many others as may, so that
 * clients, however many come, keep none from following. Beyond these it takes a client's place where there is one. */
#define CG_RESERVED_EXCHANGES 64
int cg_gateway_new_reserved(struct cg_gateway *gateway, struct cg_ticket *ticket,
                            struct cg_problem *problem) CG_MUST_CHECK;
struct cg_request *cg_gateway_request(struct cg_gateway *gateway, struct cg_ticket ticket);
struct cg_arena *cg_gateway_arena(struct cg_gateway *gateway, struct cg_ticket ticket);
struct cg_config *cg_gateway_exchange_config(struct cg_gateway *gateway, struct cg_ticket ticket);
/* It runs under another snapshot than the one in use, which it takes a reference to. What that lets through the
 * settings in use may still end (cg_gateway_adopt). */
void cg_gateway_use_config(struct cg_gateway *gateway, struct cg_ticket ticket, struct cg_config *config);
const char *cg_gateway_exchange_id(struct cg_gateway *gateway, struct cg_ticket ticket);
/* The sink is the exchange's from now on, and hears of it from cg_gateway_run or cg_gateway_advance alone
 * (reply/sink.h).
 */
void cg_gateway_start(struct cg_gateway *gateway, struct cg_ticket ticket, struct cg_sink *sink, uint64_t now_us);
/* Takes its steps now, as far as they go by themselves, and not when cg_gateway_run is called: what is refused is then
 * answered while the front has the client in hand. Not from inside a sink. */
void cg_gateway_advance(struct cg_gateway *gateway, struct cg_ticket ticket);
/* Instead of `start`, for a request that is no good: it is counted and logged as the exchange that it did not become,
 * with the status that the front tells its client. The ticket is stale then. */
void cg_gateway_refuse(struct cg_gateway *gateway, struct cg_ticket ticket, const struct cg_problem *problem,
                       unsigned status);
/* The client left: its sink tells nobody anything more. A stale ticket is ignored. */
void cg_gateway_abandon(struct cg_gateway *gateway, struct cg_ticket ticket);

/* The client of an exchange that observes has asked once more on its token (RFC 7641 §3.3.1, §3.6). Its options,
 * without Observe, and payload are those of that request, borrowed for the call: what the client has protected itself
 * goes to the group as it is now, renewal or cancellation, and a renewal beyond the budget ends it; of anything else a
 * renewal has it told every member's latest again, and a cancellation ends it. A stale ticket is ignored. */
enum cg_renewal { CG_RENEWS, CG_CANCELS };
void cg_gateway_renew(struct cg_gateway *gateway, struct cg_ticket ticket, enum cg_renewal renewal,
                      struct cg_opts options, struct cg_slice payload);

/* It ends now, with the answers it has (ended_by "limit"); what was not sent yet is refused. A stale ticket is
 * ignored. */
void cg_gateway_finish(struct cg_gateway *gateway, struct cg_ticket ticket);

/* One datagram from a group socket. */
void cg_gateway_receive(struct cg_gateway *gateway, const struct cg_datagram *datagram);

/* What runs its legs: for protectors, which deliver there what they have promised. */
struct cg_engine *cg_gateway_engine(struct cg_gateway *gateway);

/* The time of the current or latest call, monotonic µs. */
uint64_t cg_gateway_now(const struct cg_gateway *gateway);

/* Does what is queued and due, for 64 exchanges at most. Returns when to be called again at the latest (monotonic µs;
 * the present time: there is more to do at once; UINT64_MAX: not before something comes in). */
uint64_t cg_gateway_run(struct cg_gateway *gateway, uint64_t now_us);

/* Refuses new exchanges; the running ones go on, but for those that observe, which end with the answers they have. */
void cg_gateway_stop(struct cg_gateway *gateway);
/* Groups have yet to be told that nobody observes them any more. */
bool cg_gateway_is_cancelling(const struct cg_gateway *gateway);
bool cg_gateway_is_stopping(const struct cg_gateway *gateway);
/* Ends every running exchange now, each with the answers it has (ended_by "limit"); what was not sent yet is
 * refused. Only after cg_gateway_stop. */
void cg_gateway_finish_all(struct cg_gateway *gateway);

/* What the thread of the gateway did between two sleeps, or some short ones, took this much CPU time: for the metrics.
 */
void cg_gateway_note_turn(struct cg_gateway *gateway, uint64_t cpu_ns);

size_t cg_gateway_running(const struct cg_gateway *gateway);      /* exchanges */
size_t cg_gateway_observations(const struct cg_gateway *gateway); /* of groups and members, however many observe */
size_t cg_gateway_observers(const struct cg_gateway *gateway);    /* of them, those whose clients observe */
const struct cg_totals *cg_gateway_totals(const struct cg_gateway *gateway);
struct cg_stats_table *cg_gateway_stats(struct cg_gateway *gateway);
struct cg_knowns *cg_gateway_knowns(struct cg_gateway *gateway); /* what is known of members: model/known.h */

/* What replies are made with: the memory that they are charged to, and where randomness comes from. */
struct cg_quota *cg_gateway_quota(struct cg_gateway *gateway);
const struct cg_port *cg_gateway_port(const struct cg_gateway *gateway);

#endif
