/* Who holds how many connections, and who goes when there is no room for one more: nobody whose request runs, and of
 * the others the one that has been without a running request for longest; of the newcomer's own, where its address has
 * its share already. So neither silence nor slowness keeps anybody out. No sockets here, and nothing walks them all. */
#ifndef CG_FRONTS_HTTP_SEATS_H
#define CG_FRONTS_HTTP_SEATS_H

#include "base/hash.h"
#include "wire/addr.h"

enum cg_http_rank {
    CG_HTTP_IDLE,     /* no request, or not the whole of one */
    CG_HTTP_DRAINING, /* the client takes a reply that is finished; goes after all idle ones */
    CG_HTTP_BUSY,     /* a request runs: stays */
    CG_HTTP_LEAVING,  /* told to go; counts no more */
};

struct cg_http_seat;
struct cg_http_guest; /* an address: all of an IPv4 one, the first 64 bits of an IPv6 one, which is what one host has */

/* One connection's place; embedded in what it belongs to. Zero-initialise before first use. */
struct cg_http_seat {
    struct cg_http_guest *guest; /* NULL: it has none */
    enum cg_http_rank rank;
    struct cg_http_seat *prev, *next;                   /* of its rank, of all */
    struct cg_http_seat *prev_of_guest, *next_of_guest; /* and of its address */
    void (*go)(struct cg_http_seat *seat);              /* must make it LEAVING or give it back */
    /* Whether it is better heard before it goes, as something has come that nobody has read; true once as long as it
     * keeps its rank. NULL: never. */
    bool (*has_word)(struct cg_http_seat *seat);
};

#define CG_HTTP_RANKS_THAT_GO (CG_HTTP_DRAINING + 1)

struct cg_http_seats {
    unsigned max;                                       /* at once */
    unsigned share;                                     /* of one address */
    unsigned taken;                                     /* LEAVING ones left out */
    struct cg_http_seat *queues[CG_HTTP_RANKS_THAT_GO]; /* utlist heads, in the order in which they came to that rank */
    struct cg_http_guest *guests;                       /* uthash head */
};

/* `max` and `share` are above 0. */
void cg_http_seats_init(struct cg_http_seats *seats, unsigned max, unsigned share);
void cg_http_seats_fini(struct cg_http_seats *seats); /* all were given back */

/* Whether anybody could come in, be it for another's seat. */
bool cg_http_seats_have_room(const struct cg_http_seats *seats);
/* Whether one more of that address may come, which has `share` of them at most. *goes: whose seat has to be freed for
 * it, or NULL. */
bool cg_http_seats_admit(const struct cg_http_seats *seats, const struct cg_addr *from, unsigned share,
                         struct cg_http_seat **goes);

/* Whether that one has a word yet: then it is to be let speak, and whoever goes is chosen anew. NULL: nobody goes. */
static inline bool cg_http_seat_has_word(struct cg_http_seat *goes) {
    return goes != NULL && goes->has_word != NULL && goes->has_word(goes);
}
/* Who goes for the next that comes, whatever its address; NULL: nobody, or nobody has to. */
struct cg_http_seat *cg_http_seats_next_to_go(const struct cg_http_seats *seats);

/* Takes a seat, IDLE. CG_E_NO_MEMORY. */
int cg_http_seat_take(struct cg_http_seats *seats, struct cg_http_seat *seat, const struct cg_addr *from) CG_MUST_CHECK;
void cg_http_seat_set(struct cg_http_seats *seats, struct cg_http_seat *seat, enum cg_http_rank rank);
void cg_http_seat_give_back(struct cg_http_seats *seats, struct cg_http_seat *seat); /* without effect on none */

#endif
