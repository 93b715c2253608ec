/* The inside of watching: what watch.c, stale.c and cancel.c have in common. Others see watch.h. */
#ifndef CG_ROUNDS_WATCHING_H
#define CG_ROUNDS_WATCHING_H

#include "rounds/round.h"

#define CG_SECOND_US       UINT64_C(1000000)
#define CG_WATCH_GRACE_US  (5 * CG_SECOND_US)  /* RFC 7641 §3.3.1: 5 to 15 seconds */
#define CG_WATCH_WAIT_US   (60 * CG_SECOND_US) /* for the group's turn */
#define CG_WATCH_PAUSE_US  1000                /* between two slices */
#define CG_WATCH_DOUBLINGS 12

static inline uint64_t cg_earlier(uint64_t one, uint64_t other) { return one < other ? one : other; }

static inline uint64_t cg_watching_now(const struct cg_round *round) { return cg_round_engine(round)->now_us; }

static inline uint64_t cg_watching_leisure(const struct cg_round *round) {
    return cg_mapping_leisure_us(round->mapping);
}

static inline uint64_t cg_watching_period(const struct cg_round *round) {
    return cg_round_engine(round)->config->group.observe_renewal_s * CG_SECOND_US;
}

static inline uint64_t cg_watching_random(const struct cg_round *round, uint64_t most) {
    const struct cg_port *port = cg_round_engine(round)->port;
    uint16_t random;
    port->random(port->ctx, &random, sizeof random);
    return most * random / UINT16_MAX;
}

/* The round is looked at then. */
static inline void cg_watching_look_at(struct cg_round *round, uint64_t when_us) {
    cg_engine_set_timer(cg_round_engine(round), &round->watch.timer, when_us);
}

/* What a client has protected is that client's to renew and to cancel. */
static inline bool cg_watching_may_renew(const struct cg_round *round) {
    return round->mapping->security != CG_SECURITY_RELAY;
}

static inline bool cg_watching_is_out(const struct cg_part *part) {
    return part->cast != NULL && part->state == CG_PART_SENT && !cg_cast_is_renewing(part->cast);
}

/* Of an ask that has a token of its own. */
static inline bool cg_watching_is_registered(const struct cg_ask *ask) {
    return ask->observed && ask->leg.shares == NULL;
}

/* Registers all of its members once more. */
void cg_watching_renew_all(struct cg_round *round, enum cg_renewal_kind kind);
/* Tells members outside multicast's reach, which never hear what goes to the group, by unicast: as many as may be asked
 * at once, others the next time. */
void cg_watching_far(struct cg_round *round, void (*tell)(struct cg_round *round, const struct cg_member *member));

#endif
