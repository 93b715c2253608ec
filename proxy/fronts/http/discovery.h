/* Lists of what there is (model/links.h) that are longer than one turn of the loop: each goes on in its turn, a part at
 * a time. */
#ifndef CG_FRONTS_HTTP_DISCOVERY_H
#define CG_FRONTS_HTTP_DISCOVERY_H

#include <uv.h>

#include "model/links.h"

enum { CG_DISCOVERY_A_TURN = 2000 }; /* mappings: a millisecond or so */

struct cg_discovery;

/* Part of whoever waits for the list. All zero: it is not under way. */
struct cg_listing {
    struct cg_discovery *discovery; /* NULL: none */
    struct cg_links *links;
    void (*done)(struct cg_listing *listing); /* it is complete, and `links` are the owner's */
    struct cg_listing *prev, *next;           /* utlist */
};

struct cg_discovery *cg_discovery_open(uv_loop_t *uv); /* NULL: no memory */
/* No listing is under way any more. Its memory goes with a later turn of the loop. NULL is fine. */
void cg_discovery_close(struct cg_discovery *discovery);

/* `links` and `done` are set. Never calls `done` itself. */
void cg_discovery_add(struct cg_discovery *discovery, struct cg_listing *listing);
/* Nobody waits for it any more: frees its links. No effect where it is not under way. */
void cg_discovery_drop(struct cg_listing *listing);

#endif
