/* Addresses that nobody has configured and nothing verifies: whoever hears a plain group request can answer it from a
 * made-up one. Before anything more goes there than an acknowledgement, it is to answer a CoAP ping (RFC 7252 §4.3): an
 * empty message, shorter than any answer that orders it, with a Message ID that only whoever receives it knows. */
#ifndef CG_LEGS_PING_H
#define CG_LEGS_PING_H

#include "base/hash.h"
#include "legs/send_budget.h"
#include "legs/timer.h"
#include "model/allowance.h"
#include "wire/addr.h"
#include "wire/msg.h"

/* How many pings go out (retransmissions included): to one host, and in all. */
#define CG_PINGS_HOST      16.0
#define CG_PINGS_HOST_RATE 0.2 /* a second, beyond that */
#define CG_PINGS_ALL       1024.0
#define CG_PINGS_ALL_RATE  100.0

struct cg_ping;

/* What whoever pings hears of it. */
struct cg_ping_ops {
    void (*answered)(struct cg_engine *engine, struct cg_ping *ping);
    void (*gave_up)(struct cg_engine *engine, struct cg_ping *ping); /* nobody has answered, or somebody guesses */
    bool (*is_wanted)(const struct cg_ping *ping);                   /* whether anybody still wants to know */
};

/* Embedded where it is asked for. Zero-initialise, then set the first three. */
struct cg_ping {
    const struct cg_ping_ops *ops;
    const struct cg_addr *to; /* borrowed */
    uint32_t link;            /* as cg_send_link has it; 0: no budget of an interface binds */
    struct cg_room room;
    struct cg_timer timer;
    uint64_t timeout_us;
    uint16_t mid;
    uint8_t attempts;
    uint8_t guesses; /* that were wrong */
    bool runs;
};

struct cg_ping_host {
    struct cg_addr addr; /* key: port 0 */
    struct cg_allowance pings;
    UT_hash_handle hh;
};

struct cg_pings {
    struct cg_ping_host *hosts; /* uthash head: those whose bucket may not be full */
    struct cg_ping_host *sweep; /* where purging goes on */
    struct cg_allowance all;
};

/* Whether one may go there within the budgets. */
bool cg_ping_has_room(struct cg_engine *engine, const struct cg_addr *to);
/* No effect while it runs. */
void cg_ping_begin(struct cg_engine *engine, struct cg_ping *ping);
void cg_ping_end(struct cg_engine *engine, struct cg_ping *ping); /* without a word */
/* An empty message from there. True: it was for this ping. */
bool cg_ping_hear(struct cg_engine *engine, struct cg_ping *ping, uint16_t mid, enum cg_type type);
void cg_pings_init(struct cg_engine *engine);
bool cg_pings_purge(struct cg_engine *engine, size_t *rows); /* as cg_endpoints_purge */
void cg_pings_fini(struct cg_engine *engine);

#endif
