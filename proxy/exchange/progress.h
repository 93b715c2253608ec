/* What an exchange has come to, for whoever keeps or shows that beside its client: while it runs, and at its end, when
 * hearers are told. They change nothing and keep nothing of what is lent. */
#ifndef CG_EXCHANGE_PROGRESS_H
#define CG_EXCHANGE_PROGRESS_H

#include "exchange/gateway.h"
#include "reply/view.h"

struct cg_progress {
    struct cg_view view; /* its mapping is NULL where none was found */
    struct cg_ticket ticket;
    struct cg_ticket origin; /* of the exchange whose requests it waits for, its own or one that it has joined; zero:
                                it waits for none */
    const struct cg_problem *problem; /* err 0: none */
    const uint32_t *missing;          /* at the end: by cause */
    size_t path_shown;                /* bytes of the request's path; less than all where the rest names a member that
                                         its mapping hides */
    uint64_t started_us, now_us;      /* monotonic */
    uint64_t sent_us, deadline_us;    /* of its group request and of collecting; 0: not yet */
    unsigned status;                  /* at the end: as its client's protocol numbers it; 0: it was told nothing */
    bool hides_members;
    bool is_over;
    bool has_left; /* its client, before the end */
    bool is_cut;   /* its client did not take all of it */
};

struct cg_exchange_hearer {
    /* It is over, and freed next. Also of those that were refused before anything went out. */
    void (*over)(struct cg_exchange_hearer *hearer, const struct cg_progress *progress);
    struct cg_exchange_hearer *next; /* the gateway's */
};

/* The hearer outlives the gateway, which says nothing of what it frees at its own end. */
void cg_gateway_add_exchange_hearer(struct cg_gateway *gateway, struct cg_exchange_hearer *hearer);

/* The running exchange at the first place from *place on that has one, and the place behind it. False: there is none.
 * Places are few more than exchanges have run at once. */
bool cg_gateway_next_running(struct cg_gateway *gateway, uint32_t *place, struct cg_progress *progress);

#endif
