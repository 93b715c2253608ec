/* How many request datagrams may leave by an interface (group.send_budgets): at most so many in any time of so many
 * seconds, as somebody at the wire counts them. Group requests, requests to members, their retransmissions and pings
 * count alike; acknowledgements do not, since holding them back would have members send more.
 *
 * Whoever is about to send takes room first: it is there at once, or is granted in turn, group requests and unicast
 * alternating, so that neither keeps the other out. Room that is held counts as used, until its datagram has gone out
 * or it is given back. Nothing is dropped here: who waits too long gives its room back by itself.
 *
 * Ownership: rooms are embedded in what sends, which returns them before it goes. */
#ifndef CG_LEGS_SEND_BUDGET_H
#define CG_LEGS_SEND_BUDGET_H

#include "legs/timer.h"
#include "model/config.h"

/* What binds, for whoever waited in vain. */
#define CG_BUDGET_SPENT "the interface has sent what it may (group.send_budgets)"

struct cg_send_budget;

enum cg_room_lane { CG_LANE_GROUPS, CG_LANE_MEMBERS, CG_LANES };

/* Zero-initialise, then set the first two. */
struct cg_room {
    void (*granted)(struct cg_engine *engine, struct cg_room *room); /* it is held now; may free what it is in */
    enum cg_room_lane lane;
    enum { CG_ROOM_NONE, CG_ROOM_WAITS, CG_ROOM_HELD } state;
    struct cg_send_budget *budget; /* NULL: none binds */
    struct cg_room *previous, *next;
};

struct cg_send_budget {
    char interface[CG_INTERFACE_MAX + 1]; /* empty: this row is free */
    uint32_t requests;
    uint64_t window_us;
    uint64_t *log; /* ring: when the latest datagrams left that still count */
    uint32_t log_cap, log_first, log_count;
    struct cg_room *held; /* utlist */
    uint32_t held_count;
    struct cg_room *waiting[CG_LANES]; /* utlist each, oldest first */
    uint32_t waiting_count[CG_LANES];
    enum cg_room_lane next; /* whose turn it is */
};

struct cg_send_budgets {
    struct cg_send_budget rows[CG_SEND_BUDGETS_MAX];
    struct cg_room *released; /* utlist: waited for a budget that is gone */
    struct cg_timer timer;    /* when there is room for somebody who waits */
};

void cg_send_budgets_init(struct cg_engine *engine);
/* There are other settings: what has gone out still counts where a budget stays. */
void cg_send_budgets_adopt(struct cg_engine *engine);
void cg_send_budgets_fini(struct cg_engine *engine);

/* The interface that requests to this address leave by, by its number: where groups are, that of the target; so it is
 * for their members. 0: nobody knows, and no budget binds. */
uint32_t cg_send_link(const struct cg_engine *engine, const char *interface, const struct cg_addr *to);

/* True: there is room, and it is held. False: it will be granted. No effect where it is held or waited for already. */
bool cg_room_take(struct cg_engine *engine, struct cg_room *room, uint32_t link);
void cg_room_use(struct cg_engine *engine, struct cg_room *room);    /* its datagram has gone out */
void cg_room_return(struct cg_engine *engine, struct cg_room *room); /* held, waited for, or neither */
/* When room that is asked for now would be granted, if all that is held were used now; 0: at once. */
uint64_t cg_room_when(struct cg_engine *engine, enum cg_room_lane lane, uint32_t link);
/* The same for one that waits, when it has left and asks once more. */
uint64_t cg_room_when_again(struct cg_engine *engine, const struct cg_room *room);

#endif
