/* Whose turn it is at a group, where several wait: clients take turns, whoever has how many requests there, and those
 * of one client go in their order. So a client that sends a thousand at once delays another's by one turn. What the
 * gateway asks for itself goes when no client waits, and what it asks because of an alert before all clients.
 *
 * Ownership: places are embedded in what waits, and leave before it goes. */
#ifndef CG_LEGS_QUEUE_H
#define CG_LEGS_QUEUE_H

#include "base/hash.h"
#include "model/request.h"

/* Of one client at one group; beyond, it is told to come again. */
#define CG_QUEUE_OF_CLIENT 64

struct cg_line;

struct cg_place {
    struct cg_line *line; /* NULL: it does not wait */
    struct cg_place *previous, *next;
};

struct cg_line {
    char client[CG_ACCOUNT_MAX];
    struct cg_place *places; /* utlist, oldest first */
    uint32_t count;
    bool is_urgent; /* a reaction's: before those of clients */
    struct cg_line *previous, *next;
    UT_hash_handle hh;
};

struct cg_queue {
    struct cg_line *lines;     /* utlist: the clients that wait, whose turn is next first */
    struct cg_line *by_client; /* uthash head: the same */
    struct cg_line ours;
    uint32_t count; /* of all that wait */
};

/* `client`: by its account (cg_request_account); NULL: the gateway itself. False: no memory. */
bool cg_queue_enter(struct cg_queue *queue, struct cg_place *place, const char *client) CG_MUST_CHECK;
struct cg_place *cg_queue_first(const struct cg_queue *queue); /* NULL: nobody waits */
/* It has had its turn: other clients come before the next of its own. */
void cg_queue_serve(struct cg_queue *queue, struct cg_place *place);
void cg_queue_leave(struct cg_queue *queue, struct cg_place *place); /* without a turn */

uint32_t cg_queue_of(const struct cg_queue *queue, const char *client); /* how many of its requests wait */
/* How many turns there are before that of a request which it would bring now, if nobody else came. */
uint32_t cg_queue_ahead(const struct cg_queue *queue, const char *client);

#endif
