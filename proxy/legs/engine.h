/* What all legs share: time, the port, tokens, what protectors have promised, and the tables of whom unicast and group
 * requests go to. It knows nothing of who wants the answers (legs/leg.h).
 *
 * Ownership: whoever has the gateway embeds it. Nothing here owns anything of an event loop, so freeing is synchronous.
 */
#ifndef CG_LEGS_ENGINE_H
#define CG_LEGS_ENGINE_H

#include "base/slots.h"
#include "legs/account.h"
#include "legs/endpoint.h"
#include "legs/pace.h"
#include "legs/ping.h"
#include "legs/port.h"
#include "legs/protector.h"
#include "legs/reach.h"
#include "legs/resets.h"
#include "legs/send_budget.h"
#include "legs/signs.h"
#include "legs/timer.h"
#include "legs/token.h"

struct cg_job;
struct cg_tap;

struct cg_engine {
    const struct cg_port *port;
    struct cg_config *config; /* a reference: the settings of groups, as they are now */
    struct cg_totals *totals; /* whose datagrams are counted; outlives the engine */
    uint64_t now_us;          /* of the current or latest call, monotonic */
    struct cg_heap deadlines;
    struct cg_slots legs, jobs;
    struct cg_job *spare_job; /* made beforehand, so that an answer that is opened at once costs no allocation */
    uint64_t spare_number;
    struct cg_tokens tokens;
    struct cg_endpoints endpoints;
    struct cg_pings pings;
    struct cg_reach reach;
    struct cg_resets resets;
    struct cg_signs_table signs;
    struct cg_pace_table paces;
    struct cg_send_budgets send_budgets;
    size_t purged;             /* tables, since that was begun */
    uint32_t asks;             /* of the legs */
    struct cg_account account; /* of the datagram that is being looked at */
    uint64_t requests;         /* that went out: their order */
    uint16_t next_mid;         /* of group requests: one sequence, as an endpoint may be a member of several groups */
    bool closing;              /* no group request goes out any more */
    struct cg_tap *taps;       /* who listens in (tap.h); NULL: nobody */
    uint64_t departures;       /* of the gateway from groups */
    /* There was one more. */
    void (*left)(struct cg_engine *engine);
};

void cg_engine_init(struct cg_engine *engine, struct cg_config *config, const struct cg_port *port,
                    struct cg_totals *totals);
void cg_engine_fini(struct cg_engine *engine); /* all legs must have ended */
void cg_engine_adopt(struct cg_engine *engine, struct cg_config *config);
/* Forgets what nothing needs any more, in slices: looks at so many rows at the most, and counts them down. True: there
 * are more to look at, until it is begun again. */
void cg_engine_begin_purge(struct cg_engine *engine);
bool cg_engine_purge(struct cg_engine *engine, size_t *rows);
/* Does what is due. */
void cg_engine_fire(struct cg_engine *engine, uint64_t now_us);
uint64_t cg_engine_next_us(const struct cg_engine *engine); /* of the first deadline; UINT64_MAX: none */

/* The time of the current or latest call, monotonic µs. */
static inline uint64_t cg_engine_now(const struct cg_engine *engine) { return engine->now_us; }

/* One datagram from a group socket. */
void cg_engine_receive(struct cg_engine *engine, const struct cg_datagram *datagram);

/* Results that a protector promised with CG_PENDING, on the loop's thread. `err` is CG_OK or the reason. A job whose
 * request has ended is ignored. Everything is borrowed for the call. */
void cg_engine_sealed(struct cg_engine *engine, uint64_t job, int err, struct cg_slice datagram,
                      const struct cg_problem *problem);
void cg_engine_opened(struct cg_engine *engine, uint64_t job, int err, const struct cg_opened *opened);
/* The gateway has left the group that this protector stood for: what runs under it ends with the answers that it has
 * (RFC 10021 §5.1). */
void cg_engine_left(struct cg_engine *engine, struct cg_protector *protector);

/* An empty message to whoever has proven to be there, or is to. */
void cg_engine_send_empty(struct cg_engine *engine, const struct cg_addr *to, enum cg_type type, uint16_t mid);

#endif
