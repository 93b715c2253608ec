/* A client of separate responses, in front of a whole core: what it gets is written down, a line each:
 *
 *     "NON 2.05 248:8220814442... on"
 *
 * with its options as number:hex. The end is "over", or "over 5.03". */
#ifndef CG_TEST_FAKE_LISTENER_H
#define CG_TEST_FAKE_LISTENER_H

#include "exchange/fake_world.h"
#include "fronts/coap/separate.h"

/* Reply-From (248) of the member 127.1.0.N:5683, as it is written down. */
#define FROM(n) "248:822081447f01000" #n

struct listener {
    struct world *world;
    struct cg_outbox *outbox; /* a reference */
    struct cg_separate_to to; /* the test may change it before it goes */
    struct cg_ticket ticket;
    char heard[16384];
    size_t len;
    unsigned responses, confirmable;
    int refuses;      /* what `respond` returns; CG_OK: it goes */
    size_t largest;   /* bytes of a message that goes */
    size_t last_size; /* of the latest */
    unsigned overs, kept;
    struct cg_slice keeps; /* the latest payload that was to be kept; borrowed */
    uint8_t etag[8];
    size_t etag_len;
    struct cg_problem problem;
};

/* A listener at an outbox of its own, or at another's; its request is GET /lamps for 2 s on the token "t". */
struct cg_request *listener_new(struct listener *listener, struct world *world, struct cg_outbox *outbox);
void listener_go(struct listener *listener);
void listener_begin(struct listener *listener, struct world *world); /* both */
/* What it has heard since it was last asked. */
const char *listener_take(struct listener *listener);
void listener_acknowledges(struct listener *listener);
void listener_fini(struct listener *listener); /* its exchange is over */

/* A payload of that many bytes; the caller's buffer has one more. */
char *fill_payload(char *text, size_t len);

#endif
