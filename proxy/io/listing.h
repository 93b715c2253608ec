/* Lists of what there is (model/links.h) that are longer than one turn of the loop: each goes on in its turn, a part at
 * a time. */
#ifndef CG_IO_LISTING_H
#define CG_IO_LISTING_H

#include <uv.h>

#include "model/links.h"

enum { CG_LISTED_A_TURN = 2000 }; /* mappings: a millisecond or so */

struct cg_listings;

/* Part of whoever waits for the list. All zero: it is not under way. */
struct cg_listing {
    struct cg_listings *listings; /* NULL: none */
    struct cg_links *links;
    void (*done)(struct cg_listing *listing); /* it is complete, and `links` are the owner's */
    struct cg_listing *prev, *next;           /* utlist */
};

struct cg_listings *cg_listings_open(uv_loop_t *uv); /* NULL: no memory */
/* No listing is under way any more. Its memory goes with a later turn of the loop. NULL is fine. */
void cg_listings_close(struct cg_listings *listings);

/* `links` and `done` are set. Never calls `done` itself. */
void cg_listings_add(struct cg_listings *listings, struct cg_listing *listing);
/* Nobody waits for it any more: frees its links. No effect where it is not under way. */
void cg_listings_drop(struct cg_listing *listing);

#endif
